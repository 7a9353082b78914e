//! `bivouac completion SHELL` prints a small script for the shell; that asks `bivouac complete WORD...` what may stand in
//! the place of the last word. Values are those of the running cluster; none is started for it.

use super::{Words, usage};
use bivouac_options::completion::{Expected, Values, expected};
use bivouac_options::{PROGRAMS, Program};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, JobQuery, Response};
use bivouac_proto::place::Place;
use bivouac_render::Table;
use bivouac_render::table::Column;
use bivouac_types::config::ClusterConfig;
use bivouac_types::info::{ArrayTasks, JobInfo};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

/// The verbs that can be completed.
const VERBS: [(&str, &str); 11] = [
    ("completion", "print a shell's completion"),
    ("doctor", "what is enforced here, and what would help"),
    ("down", "stop the cluster"),
    ("ephemeral", "a private cluster while a command runs"),
    ("fault", "let something go wrong on purpose"),
    ("link", "make links to this program"),
    ("login", "a shell on the site's login node"),
    ("man", "write manual pages"),
    ("setup", "make the site's literal paths"),
    ("status", "what runs where"),
    ("up", "start the cluster"),
];

/// The folder and the file are completed by the shell itself.
const FILE: &str = ":file";
const FOLDER: &str = ":folder";

/// `completion SHELL`.
pub(super) fn script(mut words: Words) -> ExitCode {
    let shell = match words.operand("shell") {
        Ok(shell) => shell,
        Err(code) => return code,
    };
    let names: Vec<&str> = PROGRAMS.iter().map(|p| p.name()).chain(["bivouac"]).collect();
    let template = match shell.to_str() {
        Some("bash") => include_str!("completion.bash"),
        Some("zsh") => include_str!("completion.zsh"),
        Some("fish") => include_str!("completion.fish"),
        _ => return usage("completion is there for bash, fish and zsh"),
    };
    print!("{}", template.replace("@COMMANDS@", &names.join(" ")));
    ExitCode::SUCCESS
}

/// `complete WORD...`: one candidate a line, with a tab and its explanation where there is one.
pub(super) fn answer(words: &[OsString]) -> ExitCode {
    let words: Vec<String> = words.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    match expected(&words, &VERBS) {
        Expected::Words(words) => words.iter().for_each(|(word, help)| line(word, help)),
        Expected::Values(kind, before, typed) => {
            let known = values(kind).unwrap_or_default();
            let fits = known.iter().filter(|(v, _)| v.starts_with(&typed));
            fits.for_each(|(value, help)| line(&format!("{before}{value}"), help));
        }
        Expected::File => println!("{FILE}"),
        Expected::Folder => println!("{FOLDER}"),
        Expected::Nothing => {}
    }
    ExitCode::SUCCESS
}

fn line(word: &str, help: &str) {
    if help.is_empty() { println!("{word}") } else { println!("{word}\t{help}") }
}

type Known = Vec<(String, String)>;

/// What the cluster knows; none if it does not run.
fn values(kind: Values) -> Option<Known> {
    if let Values::Fields(program) = kind {
        return Some(bare(fields(program)));
    }
    if let Values::Letters(program) = kind {
        return Some(letters(program));
    }
    let mut client = Client::connect(&Place::find(None).ok()?).ok()?;
    let config = |client: &mut Client| match client.call(Ask::Config) {
        Ok(Response::Config(config)) => Some(*config),
        _ => None,
    };
    Some(match kind {
        Values::Jobs => jobs(&mut client)?.iter().map(|job| (id(job), job.spec.name.clone())).collect(),
        Values::Faults => match client.call(Ask::Faults).ok()? {
            Response::Faults(faults) => {
                faults.iter().map(|fault| (fault.id.to_string(), fault.to_string())).collect()
            }
            _ => return None,
        },
        Values::Users => bare(jobs(&mut client)?.iter().map(|job| job.user.clone())),
        _ => of_config(kind, &config(&mut client)?),
    })
}

fn jobs(client: &mut Client) -> Option<Vec<JobInfo>> {
    let mut jobs = client.jobs(Ask::Jobs(JobQuery::default())).ok()?.ok()?;
    jobs.retain(|job| !job.state.is_ended());
    Some(jobs)
}

/// As it can be typed: the number, or the array's with the task's.
fn id(job: &JobInfo) -> String {
    match job.array.as_ref().map(|a| (a.job, &a.tasks)) {
        Some((array, ArrayTasks::One(task))) => format!("{array}_{task}"),
        Some((array, ArrayTasks::Pending(_))) => array.to_string(),
        None => job.id.to_string(),
    }
}

fn of_config(kind: Values, config: &ClusterConfig) -> Known {
    match kind {
        Values::Partitions => bare(config.partitions.iter().map(|p| p.name.clone())),
        Values::Qos => bare(config.qos.iter().map(|q| q.name.clone())),
        Values::Nodes => bare(config.nodes.iter().map(|n| n.name.clone())),
        Values::Features => bare(config.nodes.iter().flat_map(|n| n.features.iter().cloned())),
        Values::Licenses => bare(config.parameters.licenses.iter().map(|l| l.name.clone())),
        Values::Accounts => {
            let associations = config.parameters.associations.iter().map(|a| a.account.clone());
            bare(config.accounts.iter().cloned().chain(associations))
        }
        _ => Known::new(),
    }
}

fn bare(words: impl IntoIterator<Item = String>) -> Known {
    let words: BTreeSet<String> = words.into_iter().collect();
    words.into_iter().map(|word| (word, String::new())).collect()
}

fn names<T: Table>() -> Vec<String> {
    T::columns().iter().map(|c| c.name.to_owned()).filter(|n| !n.is_empty()).collect()
}

/// Names of the columns of a command.
fn fields(program: Program) -> Vec<String> {
    match program {
        Program::Squeue => names::<bivouac_render::squeue::Jobs>(),
        Program::Sinfo => names::<bivouac_render::sinfo::Nodes>(),
        Program::Sacct => {
            bivouac_render::sacct::help_format().split_whitespace().map(str::to_owned).collect()
        }
        Program::Sshare => {
            bivouac_render::sshare::help_format().split_whitespace().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Letters of the columns of a command, with their headings.
fn letters(program: Program) -> Known {
    fn of<T: Table>() -> Known {
        let letter = |c: &Column<T>| Some((c.letter?.to_string(), c.heading.to_owned()));
        T::columns().iter().filter_map(letter).collect()
    }
    match program {
        Program::Squeue => of::<bivouac_render::squeue::Jobs>(),
        Program::Sinfo => of::<bivouac_render::sinfo::Nodes>(),
        Program::Sprio => of::<bivouac_render::sprio::Priorities>(),
        _ => Known::new(),
    }
}
