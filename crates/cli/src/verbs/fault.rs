//! `bivouac fault`: what is to go wrong on purpose, for those who test what their tools do then.

use super::{Words, fail, place};
use crate::cluster::connect_to;
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response};
use bivouac_types::fault::Fault;
use bivouac_types::node::Misfortune;
use bivouac_types::{Duration, HostList};
use std::process::ExitCode;

const HELP: &str = "\
bivouac fault: let something go wrong on purpose

  add refuse COMMAND [--text TEXT] [--code N] [--times N]
                       the next N times (1; 0: until it is cleared) COMMAND (sbatch, squeue, ...) says TEXT on standard
                       error and exits with N (1), without having done anything
  add slow COMMAND SECONDS [--times N]
                       COMMAND's answers come so much later (until it is cleared, or N times)
  add lag SECONDS      sacct tells what was true so long ago
  add node-down NODES [--back SECONDS]
                       NODES do not answer any more; their jobs end NODE_FAIL or are requeued
  add restart          the controller dies and is brought back; jobs go on
  add preempt [JOB] [--requeue]
  add oom [JOB]        what befalls the job, or the next job that starts, when it runs
  list                 what is to come; `bivouac status` shows it, too
  clear [ID...]        forget it

  --after SECONDS      for add: that much later; for preempt and oom: when the job has run so long

Only the cluster's owner and operators can do this. The script is kept until it is played or cleared.
";

pub(super) fn run(words: Words) -> ExitCode {
    match fault(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn fault(mut words: Words) -> Result<(), ExitCode> {
    let options = Options {
        text: words.value("--text")?,
        code: number(&mut words, "--code")?,
        times: number(&mut words, "--times")?,
        after: seconds(&mut words, "--after")?,
        back: seconds(&mut words, "--back")?,
        requeue: words.flag("--requeue"),
    };
    let help = words.flag("--help") || words.flag("-h");
    let operands = words.operands()?;
    let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
    if help || matches!(operands[..], [] | ["help"]) {
        print!("{HELP}");
        return Ok(());
    }
    match &operands[..] {
        ["add", kind, rest @ ..] => add(kind, rest, options),
        ["list"] => {
            let Response::Faults(faults) = ask(Ask::Faults)? else { return Err(unexpected()) };
            faults.iter().for_each(|fault| println!("{fault}"));
            Ok(())
        }
        ["clear"] => ask(Ask::ClearFaults(None)).map(drop),
        ["clear", ids @ ..] => ids.iter().try_for_each(|id| {
            let id = id.parse().map_err(|_| usage(&format!("`{id}` is no fault's number")))?;
            ask(Ask::ClearFaults(Some(id))).map(drop)
        }),
        others => Err(usage(&format!("fault has add, list and clear, not `{}`", others.join(" ")))),
    }
}

#[derive(Default)]
struct Options {
    text: Option<String>,
    code: Option<u8>,
    times: Option<u32>,
    after: Option<Duration>,
    back: Option<Duration>,
    requeue: bool,
}

fn add(kind: &str, operands: &[&str], mut options: Options) -> Result<(), ExitCode> {
    let mut after = options.after.take().unwrap_or_default();
    let mut times = options.times.take();
    let fault = match (kind, operands) {
        ("refuse", [program]) => {
            let text = options.text.take().unwrap_or_else(|| refusal(program).to_owned());
            times = times.or(Some(1));
            Fault::Refuse { program: command(program)?, text, code: options.code.take().unwrap_or(1) }
        }
        ("slow", [program, by]) => Fault::Slow { program: command(program)?, by: span(by)? },
        ("lag", [by]) => Fault::Lag(span(by)?),
        ("node-down", [nodes]) => {
            let nodes = HostList::parse(nodes).map_err(|e| usage(&format!("{nodes}: {e}")))?.names;
            Fault::NodesLost { nodes, back: options.back.take() }
        }
        ("restart", []) => Fault::Restart,
        ("preempt" | "oom", [] | [_]) => {
            let job = operands
                .first()
                .map(|id| id.parse().map_err(|_| usage(&format!("`{id}` is no job's number"))));
            let what = match (kind, std::mem::take(&mut options.requeue)) {
                ("oom", false) => Misfortune::OutOfMemory,
                ("oom", true) => return Err(usage("--requeue is for preempt")),
                (_, false) => Misfortune::Preempted,
                (_, true) => Misfortune::PreemptedAndRequeued,
            };
            Fault::Job { job: job.transpose()?, what, after: std::mem::take(&mut after) }
        }
        _ => {
            let said = [&["fault", "add", kind], operands].concat().join(" ");
            return Err(usage(&format!("`{said}` is not understood")));
        }
    };
    if !matches!(fault, Fault::Refuse { .. } | Fault::Slow { .. }) && times.take().is_some() {
        return Err(usage("--times is for refuse and slow"));
    }
    let left = [
        ("--text", options.text.is_some()),
        ("--code", options.code.is_some()),
        ("--back", options.back.is_some()),
        ("--requeue", options.requeue),
    ];
    if let Some((name, _)) = left.iter().find(|(_, given)| *given) {
        return Err(usage(&format!("{name} is not for `fault add {kind}`")));
    }
    let times = times.filter(|n| *n > 0);
    let Response::Faults(added) = ask(Ask::AddFault { fault, times, after })? else {
        return Err(unexpected());
    };
    added.iter().for_each(|fault| println!("{fault}"));
    Ok(())
}

/// What is wrong with the command line, and where to look.
fn usage(what: &str) -> ExitCode {
    eprintln!("bivouac: {what}; `bivouac fault` lists what there is");
    ExitCode::from(2)
}

/// What a command of Slurm's says when the controller does not answer in time.
fn refusal(program: &str) -> &'static str {
    match program {
        "sbatch" => "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "squeue" => "slurm_load_jobs error: Socket timed out on send/recv operation",
        "sinfo" => "slurm_load_partitions: Socket timed out on send/recv operation",
        "sacct" => "sacct: error: Problem talking to the database: Connection refused",
        _ => "error: Socket timed out on send/recv operation",
    }
}

fn command(name: &str) -> Result<String, ExitCode> {
    match crate::commands().any(|n| n == name) {
        true => Ok(name.to_owned()),
        false => {
            Err(usage(&format!("`{name}` is none of {}", crate::commands().collect::<Vec<_>>().join(", "))))
        }
    }
}

fn number<T: std::str::FromStr>(words: &mut Words, name: &str) -> Result<Option<T>, ExitCode> {
    let Some(text) = words.value(name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| usage(&format!("{name} {text}: no number that it can be")))
}

fn seconds(words: &mut Words, name: &str) -> Result<Option<Duration>, ExitCode> {
    words.value(name)?.map(|text| span(&text)).transpose()
}

/// Seconds, with a fraction if need be.
fn span(text: &str) -> Result<Duration, ExitCode> {
    let seconds = text.parse::<f64>().ok().filter(|s| (0.0..1e9).contains(s));
    let seconds = seconds.ok_or_else(|| usage(&format!("`{text}` is no number of seconds")))?;
    Ok(Duration((seconds * 1000.0).round() as u64))
}

fn ask(body: Ask) -> Result<Response, ExitCode> {
    let place = place()?;
    // A script for a cluster that is not there yet is welcome.
    let mut client: Client = connect_to(&place, None).map_err(fail)?;
    match client.call(body).map_err(fail)? {
        Response::Failed(e) => Err(fail(e)),
        Response::Rejected(e) => Err(fail(e)),
        answer => Ok(answer),
    }
}

fn unexpected() -> ExitCode {
    fail("the controller answered something else than it was asked")
}
