//! The clients: one small binary that is `bivouac` and, under their names, Slurm's commands.
//!
//! Owns the command lines and what is printed. Must never know how the controller decides; it asks
//! ([`bivouac_proto`]) and prints. A reader starts at [`main`], then at the module of a command.

mod added;
mod allocation;
mod anew;
mod bcast;
mod bounded;
mod cluster;
mod clusters;
mod identity;
mod interactive;
mod invocation;
mod refusal;
mod report;
mod sacct;
mod salloc;
mod sattach;
mod sbatch;
mod sbcast;
mod scancel;
mod scontrol;
mod sdiag;
mod signals;
mod sinfo;
mod sprio;
mod squeue;
mod sreport;
mod srun;
mod sshare;
mod stepd;
mod strigger;
mod submission;
mod terminal;
mod verbs;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The names under which the binary is a command of Slurm's or of a site's (`bivouac link` makes them).
pub fn commands() -> impl Iterator<Item = &'static str> {
    bivouac_site::COMMANDS.iter().copied().filter(|name| *name != "bivouac")
}

fn main() -> ExitCode {
    // A closed pipe (`squeue | head`) ends the program quietly, as it ends any other.
    // SAFETY: called before any thread exists.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    std::panic::set_hook(Box::new(unwritten(std::panic::take_hook())));
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let name = std::path::Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut args: Vec<OsString> = args.collect();
    if let Some(absent) = absent(&name) {
        return refuse(absent);
    }
    match command(&name) {
        Some(run) => run(&args),
        // `bivouac sbatch ...` is `sbatch ...`.
        None => match args.first().and_then(|a| a.to_str()).map(|first| (command(first), absent(first))) {
            Some((Some(run), _)) => {
                args.remove(0);
                run(&args)
            }
            Some((None, Some(absent))) => refuse(absent),
            _ => verbs::run(&args),
        },
    }
}

/// Standard output that takes no more (a full disk, a terminal that is gone) is an error of the program's surroundings,
/// for which `print!` knows only a panic: it ends the program with a sentence and exit code 1. Everything else goes `on`.
fn unwritten(
    on: impl Fn(&std::panic::PanicHookInfo<'_>) + Send + Sync,
) -> impl Fn(&std::panic::PanicHookInfo<'_>) + Send + Sync {
    move |panic| match panic
        .payload()
        .downcast_ref::<String>()
        .and_then(|t| t.strip_prefix("failed printing to "))
    {
        Some(what) => {
            let _ = writeln!(std::io::stderr(), "error: writing to {what}");
            std::process::exit(1);
        }
        None => on(panic),
    }
}

/// The name of the Slurm command that runs.
fn command_name() -> String {
    let name = |arg: OsString| Some(std::path::Path::new(&arg).file_name()?.to_string_lossy().into_owned());
    std::env::args_os().take(2).filter_map(name).find(|name| command(name).is_some()).unwrap_or_default()
}

fn command(name: &str) -> Option<fn(&[OsString]) -> ExitCode> {
    commands().find(|n| *n == name).into_iter().for_each(cluster::begin);
    Some(match name {
        "sbatch" => sbatch::run,
        "srun" => srun::run,
        "squeue" => squeue::run,
        "scancel" => scancel::run,
        "sinfo" => sinfo::run,
        "scontrol" => scontrol::run,
        "sacct" => sacct::run,
        "sprio" => sprio::run,
        "sshare" => sshare::run,
        "sdiag" => sdiag::run,
        "strigger" => strigger::run,
        "sbcast" => sbcast::run,
        "salloc" => salloc::run,
        "sreport" => sreport::run,
        "seff" => added::seff,
        "seff-array" => added::seff_array,
        "jobstats" => added::jobstats,
        "suuser" => added::suuser,
        "suacct" => added::suacct,
        "sattach" => sattach::run,
        "slurmstepd" => stepd::run,
        _ => return None,
    })
}

/// A command of the site's that is not there yet. Its name is in the login view all the same: on a machine that has
/// Slurm the host's command would otherwise answer, and perhaps reach the real cluster.
/// The command of that name, if it is one that there is not.
fn absent(name: &str) -> Option<&'static bivouac_site::AbsentCommand> {
    let known = bivouac_site::ABSENT_COMMANDS.iter().chain(bivouac_site::ABSENT_SITE_COMMANDS);
    known.into_iter().find(|absent| absent.name == name)
}

fn refuse(absent: &bivouac_site::AbsentCommand) -> ExitCode {
    let bivouac_site::AbsentCommand { name, instead } = absent;
    eprintln!("{name}: error: this cluster does not have {name}: {instead}");
    ExitCode::FAILURE
}
