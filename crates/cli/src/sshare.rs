//! `sshare`.

use crate::report::{self, Trouble};
use crate::{clusters, invocation};
use bivouac_options::value::list;
use bivouac_options::{Given, Program};
use bivouac_proto::message::AccountingQuery;
use bivouac_proto::place::Account;
use bivouac_render::sshare::{self, Filter};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Runs the command. Operands are passed over, as in Slurm.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Sshare, args, sshare)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Sshare, what)
}

fn sshare(given: &Given) -> Result<(), ExitCode> {
    if given.has("helpformat") {
        return Err(invocation::print(&sshare::help_format()));
    }
    let own = Account::of_uid(report::own_uid()).map(|a| a.name).unwrap_or_default();
    let users = given.value("users").map(|users| list(Some(users)));
    let filter = Filter {
        accounts: given.value("accounts").map(|accounts| list(Some(accounts))),
        users: if given.has("all") { None } else { Some(users.unwrap_or_else(|| vec![own.clone()])) },
        users_only: given.has("Users"),
    };
    if given.count("verbose") > 0 {
        say("Users", filter.users.as_deref());
        say("Accounts", filter.accounts.as_deref());
    }
    let default = match (given.has("long"), given.has("partition")) {
        (true, true) => sshare::LONG_PARTITION_FORMAT,
        (true, false) => sshare::LONG_FORMAT,
        (false, true) => sshare::PARTITION_FORMAT,
        (false, false) => sshare::DEFAULT_FORMAT,
    };
    let parsable = given.last_of(&["parsable", "parsable2"]).map(|c| c.opt.long);
    let separator = parsable.map(|_| "|");
    let layout =
        sshare::layout(given.value("format").unwrap_or(default), separator, parsable != Some("parsable2"))
            .map_err(|name| fail(format_args!("Invalid field requested: \"{name}\"")))?;
    let heading = !given.has("noheader");
    let cluster = clusters::named(given)?;
    invocation::finish(given)?;
    let trouble = |e: Trouble| fail(e);
    let mut client = report::connect().map_err(trouble)?;
    let config = report::config(&mut client).map_err(trouble)?;
    let asked = client.accounting(AccountingQuery::default()).map_err(Trouble::from);
    let jobs = asked.and_then(|all| all.map_err(Trouble::from)).map_err(trouble)?.jobs;
    let tree = sshare::tree(&config, &jobs, &own);
    let rows = filter.rows(&tree, config.parameters.priority.multifactor);
    let settings = report::settings();
    let mut out = BufWriter::new(io::stdout().lock());
    let write = || -> io::Result<()> {
        if let Some(cluster) = cluster {
            writeln!(out, "CLUSTER: {cluster}")?;
        }
        if heading {
            layout.heading(&mut out)?;
            if parsable.is_none() {
                layout.rule(&mut out)?;
            }
        }
        layout.lines(rows, &settings, &mut out)?;
        out.flush()
    };
    write().map_err(|_| ExitCode::FAILURE)
}

/// What -v says of a list.
fn say(what: &str, names: Option<&[String]>) {
    eprintln!("{what} requested:");
    match names {
        None => eprintln!("\t: all"),
        Some(names) => names.iter().for_each(|name| eprintln!("\t: {name}")),
    }
}
