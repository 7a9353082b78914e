//! `sattach`: the output of a running step.

use crate::stepd::wire::Wire;
use crate::{cluster, invocation};
use bivouac_options::sattach::{Problem, USAGE, request};
use bivouac_options::{Given, Program};
use bivouac_proto::message::{Ask, Response};
use bivouac_proto::step::{Attach, FromStep, ToStep};
use bivouac_types::{HostList, Reject, StepId};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

/// How long a step's daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    let done = invocation::read(Program::Sattach, args).and_then(|given| sattach(&given));
    done.unwrap_or_else(|code| code)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Sattach, what)
}

fn sattach(given: &Given) -> Result<ExitCode, ExitCode> {
    let request = request(given).map_err(|problem| match problem {
        Problem::Value(e) => invocation::fail_value(Program::Sattach, &e),
        Problem::Operands(what) => {
            let code = fail(what);
            print!("{USAGE}");
            code
        }
    })?;
    let unknown = |why: &dyn std::fmt::Display| fail(format_args!("Could not get job step info: {why}"));
    let step = StepId { job: request.job, step: request.step };
    let socket = match cluster::ask(Ask::StepSocket(step)) {
        Ok(Response::StepSocket(socket)) => socket,
        // A step that is not there is to Slurm as good as no job.
        Ok(Response::Rejected(Reject::NoSuchStep)) => return Err(unknown(&Reject::InvalidJobId)),
        Ok(Response::Rejected(reject)) => return Err(unknown(&reject)),
        Ok(other) => return Err(unknown(&format_args!("unexpected answer {other:?}"))),
        Err(e) => return Err(unknown(&e)),
    };
    let lost = |e: &dyn std::fmt::Display| fail(format_args!("StepId={step}: its daemon: {e}"));
    let mut wire = Wire::call(&socket, PATIENCE).map_err(|e| lost(&e))?;
    let (out, err) = (std::io::stdout(), std::io::stderr());
    // As observed, a filter of standard output is one of standard error too.
    let error = request.error.or(request.output);
    let wanted = Attach { label: request.label, output: request.output, error };
    wire.send(&ToStep::Attach(wanted), &[out.as_fd(), err.as_fd()]).map_err(|e| lost(&e))?;
    let (layout, _) = wire.receive::<FromStep>().map_err(|e| lost(&e))?;
    let FromStep::Layout(nodes) = layout else { return Err(lost(&"it does not say where its tasks are")) };
    if request.layout {
        return Ok(invocation::print(&shown(&nodes)));
    }
    Ok(ExitCode::from(attend(&mut wire)))
}

/// Until the step has ended; gives the highest exit code of a task.
fn attend(wire: &mut Wire) -> u8 {
    let mut worst = 0;
    while let Ok((news, _)) = wire.receive::<FromStep>() {
        let FromStep::TaskEnded { rank, exit } = news else { continue };
        let code = exit.shell_code();
        worst = worst.max(code);
        if code != 0 {
            fail(match exit.signal {
                0 => format!("task {rank} exited with exit code {}", exit.code),
                signal => format!("task {rank} was ended by signal {signal}"),
            });
        }
    }
    worst
}

/// --layout.
fn shown(nodes: &[(String, Vec<u32>)]) -> String {
    let tasks: usize = nodes.iter().map(|(_, ranks)| ranks.len()).sum();
    let names: HostList = nodes.iter().map(|(name, _)| name.clone()).collect();
    let mut text = format!("Job step layout:\n\t{tasks} tasks, {} nodes ({names})\n\n", nodes.len());
    for (number, (name, ranks)) in nodes.iter().enumerate() {
        let listed: String = ranks.iter().map(|rank| format!("{rank} ")).collect();
        text += &format!("\tNode {number} ({name}), {} task(s): {listed}\n", ranks.len());
    }
    text
}
