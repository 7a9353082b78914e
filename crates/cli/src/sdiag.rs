//! `sdiag`.

use crate::{clusters, invocation, report};
use bivouac_options::{Given, Program};
use bivouac_proto::message::{Ask, Response};
use bivouac_render::sdiag::{self, Order};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Sdiag, args, sdiag)
}

/// Operands are passed over, as in Slurm.
fn sdiag(given: &Given) -> Result<(), ExitCode> {
    let order = match given.last_of(&["sort-by-id", "sort-by-time", "sort-by-time2"]).map(|c| c.opt.long) {
        Some("sort-by-id") => Order::Id,
        Some("sort-by-time") => Order::Time,
        Some("sort-by-time2") => Order::Mean,
        _ => Order::Count,
    };
    let reset = given.last_of(&["all", "reset"]).is_some_and(|c| c.opt.long == "reset");
    clusters::named(given)?;
    invocation::finish(given)?;
    // Its exit code for any trouble with the controller is -1.
    let trouble = |call: &'static str| {
        move |e: report::Trouble| {
            eprintln!("{call}: {e}");
            ExitCode::from(255)
        }
    };
    if reset {
        let call = "slurm_reset_statistics";
        return match report::ask(Ask::ResetDiagnostics).map_err(trouble(call))? {
            Response::Done => Err(invocation::print("Reset scheduling statistics\n")),
            other => Err(trouble(call)(other.into())),
        };
    }
    let call = "slurm_get_statistics";
    match report::ask(Ask::Diagnostics).map_err(trouble(call))? {
        Response::Diagnostics(d) => {
            let text = sdiag::report(&d, order, &report::settings());
            std::io::stdout().write_all(text.as_bytes()).map_err(|_| ExitCode::FAILURE)
        }
        other => Err(trouble(call)(other.into())),
    }
}
