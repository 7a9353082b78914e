//! What may follow on a command line: options, words and values, from the table. The shells' scripts ask for it word by
//! word, so that they need not know any option.

mod fault;
mod update;

use crate::table::{Arg, COMMANDS, ENTITIES, Opt, Program, Status, Word};

/// What may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// One of these words, each with its explanation.
    Words(Vec<(String, &'static str)>),
    /// Values that the cluster knows: what stands before the value in the word, and the beginning of it.
    Values(Values, String, String),
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Nothing is known.
    Nothing,
}

/// Values that only the cluster knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Ids of jobs that are not over.
    Jobs,
    /// Partitions.
    Partitions,
    /// QoS.
    Qos,
    /// Nodes.
    Nodes,
    /// Users.
    Users,
    /// Accounts.
    Accounts,
    /// Features.
    Features,
    /// Licences.
    Licenses,
    /// Names of the columns of the command.
    Fields(Program),
    /// Their letters in a format with `%`.
    Letters(Program),
    /// What is to go wrong on purpose.
    Faults,
}

/// The verbs of `bivouac`, for its own completion: names and explanations.
pub type Verbs<'a> = &'a [(&'a str, &'static str)];

/// What may stand in the place of the last of the words; the first is the command.
pub fn expected(words: &[String], verbs: Verbs<'_>) -> Expected {
    let words = joined(words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [name, between @ .., current] = words.as_slice() else { return Expected::Nothing };
    let name = name.rsplit('/').next().unwrap_or_default();
    let programs = crate::table::PROGRAMS;
    let program = |word: &str| programs.into_iter().find(|p| p.name() == word);
    match (program(name), between) {
        (Some(program), _) => of_program(program, between, current),
        (None, []) => {
            let all = verbs.iter().map(|(v, help)| ((*v).to_owned(), *help));
            let commands = programs.into_iter().map(|p| (p.name().to_owned(), p.purpose()));
            Expected::Words(beginning(all.chain(commands), current))
        }
        (None, [verb, rest @ ..]) => match program(verb) {
            Some(program) => of_program(program, rest, current),
            None if *verb == "completion" => {
                let shells = ["bash", "fish", "zsh"].map(|s| (s.to_owned(), ""));
                Expected::Words(beginning(shells.into_iter(), current))
            }
            None if *verb == "fault" => fault::word(rest, current),
            None if matches!(*verb, "man" | "link") => Expected::Folder,
            None => Expected::Nothing,
        },
    }
}

/// bash cuts words at `=`: they are put together again.
fn joined(words: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    // Whether the last word was cut there, and goes on.
    let mut open = false;
    for word in words {
        match out.last_mut() {
            Some(last) if word == "=" => {
                last.push('=');
                open = true;
            }
            Some(last) if open => {
                last.push_str(word);
                open = false;
            }
            _ => out.push(word.clone()),
        }
    }
    out
}

fn of_program(program: Program, between: &[&str], current: &str) -> Expected {
    let usable = |o: &&Opt| !matches!(o.status, Status::Refused(_));
    if let Some((long, value)) = current.strip_prefix("--").and_then(|w| w.split_once('=')) {
        return match program.option(long) {
            Some(opt) => values(program, opt, &format!("--{long}="), value),
            None => Expected::Nothing,
        };
    }
    let (operands, open) = walk(program, between);
    if let Some(opt) = open {
        return values(program, opt, "", current);
    }
    let belongs_to_script = program.stops_at_operand() && !operands.is_empty();
    if current.starts_with('-') && !belongs_to_script {
        let options = program.options().iter().filter(usable);
        let names = options.flat_map(|o| {
            let equals = if matches!(o.arg, Arg::Required(_)) { "=" } else { "" };
            o.names().map(move |n| (format!("--{n}{equals}"), o.help))
        });
        return Expected::Words(beginning(names, current));
    }
    match program {
        Program::Scancel => Expected::Values(Values::Jobs, String::new(), current.to_owned()),
        Program::Scontrol => scontrol(&operands, current),
        Program::Sbatch | Program::Salloc | Program::Srun | Program::Sbcast => Expected::File,
        Program::Sattach => Expected::Values(Values::Jobs, String::new(), current.to_owned()),
        _ => Expected::Nothing,
    }
}

/// The operands among the words, and the option whose argument comes next.
fn walk<'a>(program: Program, words: &[&'a str]) -> (Vec<&'a str>, Option<&'static Opt>) {
    let (mut operands, mut open) = (Vec::new(), None);
    for word in words {
        if open.take().is_some() {
            continue;
        }
        if program.stops_at_operand() && !operands.is_empty() || !word.starts_with('-') || word.len() < 2 {
            operands.push(*word);
            continue;
        }
        open = match word.strip_prefix("--") {
            Some(long) if !long.contains('=') => program.option(long),
            Some(_) => None,
            None => {
                // A letter with its argument ends the word; the last letter of a word may have it in the next one.
                let mut letters = word[1..].chars();
                let takes =
                    |c: char| program.options().iter().find(|o| o.short == Some(c) && o.arg != Arg::No);
                let found = letters.find_map(takes);
                found.filter(|_| letters.as_str().is_empty())
            }
        }
        .filter(|o| matches!(o.arg, Arg::Required(_)));
    }
    (operands, open)
}

fn scontrol(operands: &[&str], current: &str) -> Expected {
    let of = |words: &'static [Word]| {
        let usable = words.iter().filter(|w| !matches!(w.status, Status::Refused(_)));
        Expected::Words(beginning(usable.map(|w| (w.name.to_owned(), w.help)), current))
    };
    let live = |values| Expected::Values(values, String::new(), current.to_owned());
    match operands {
        [] => of(COMMANDS),
        ["show"] => of(ENTITIES),
        ["show", what, ..] => match *what {
            "job" | "jobs" | "step" | "steps" => live(Values::Jobs),
            "node" | "nodes" | "topology" => live(Values::Nodes),
            "partition" | "partitions" => live(Values::Partitions),
            "licenses" => live(Values::Licenses),
            _ => Expected::Nothing,
        },
        [
            "hold" | "uhold" | "release" | "requeue" | "requeuehold" | "suspend" | "resume" | "top"
            | "wait_job" | "notify" | "listpids",
            ..,
        ] => live(Values::Jobs),
        [command @ ("update" | "create" | "delete"), before @ ..] => update::word(command, before, current),
        ["write"] => Expected::Words(beginning([("batch_script".to_owned(), "")].into_iter(), current)),
        ["write", _] => live(Values::Jobs),
        ["write", _, _] => Expected::File,
        _ => Expected::Nothing,
    }
}

/// The letters that may stand behind the `%` at the end of a format.
fn letter(program: Program, before: &str, typed: &str) -> Expected {
    // The shell's.
    let typed = typed.trim_start_matches(['"', '\'']);
    let open = match typed.rsplit_once('%') {
        None => typed.is_empty().then_some("%"),
        Some((_, width)) => width.chars().all(|c| matches!(c, '.' | '-' | '0'..='9')).then_some(""),
    };
    match open {
        Some(percent) => {
            Expected::Values(Values::Letters(program), format!("{before}{typed}{percent}"), String::new())
        }
        None => Expected::Nothing,
    }
}

/// The values of an option; in a list, of its last entry.
fn values(program: Program, opt: &Opt, given: &str, typed: &str) -> Expected {
    let (list, last) = match typed.rfind(',') {
        Some(at) => typed.split_at(at + 1),
        None => ("", typed),
    };
    let before = format!("{given}{list}");
    let live = |values| Expected::Values(values, before.clone(), last.to_owned());
    let words = |words: &[&'static str]| {
        let all = words.iter().map(|w| (format!("{before}{w}"), ""));
        Expected::Words(beginning(all, &format!("{before}{last}")))
    };
    match opt.long {
        "partition" => live(Values::Partitions),
        "qos" => live(Values::Qos),
        "nodelist" | "exclude" | "nodes" if program != Program::Sbatch && program != Program::Srun => {
            live(Values::Nodes)
        }
        "nodelist" | "exclude" => live(Values::Nodes),
        "jobs" | "jobid" | "steps" => live(Values::Jobs),
        "user" | "users" => live(Values::Users),
        "account" | "accounts" => live(Values::Accounts),
        "constraint" | "prefer" | "constraints" => live(Values::Features),
        "licenses" => live(Values::Licenses),
        "Format" => live(Values::Fields(program)),
        "format" if matches!(program, Program::Sacct | Program::Sshare) => live(Values::Fields(program)),
        "format" if matches!(program, Program::Squeue | Program::Sinfo | Program::Sprio) => {
            letter(program, given, typed)
        }
        "state" | "states" if program == Program::Sinfo => words(&NODE_STATES),
        "state" if program == Program::Scancel => words(&JOB_STATES[..3]),
        "state" | "states" => words(&JOB_STATES),
        "mail-type" => words(&MAIL_TYPES),
        "signal" => words(&SIGNALS),
        "export" => words(&["ALL", "NONE"]),
        "open-mode" => words(&["append", "truncate"]),
        "gpu-bind" => words(&["closest", "map_gpu:", "mask_gpu:", "none", "per_task:", "single:"]),
        "hint" => words(&["compute_bound", "memory_bound", "multithread", "nomultithread"]),
        "kill-on-invalid-dep" => words(&["yes", "no"]),
        "dependency" => words(&["after:", "afterany:", "afternotok:", "afterok:", "singleton"]),
        "units" => words(&["K", "M", "G", "T", "P"]),
        "chdir" => Expected::Folder,
        "output" | "error" | "input" | "nodefile" | "export-file" => Expected::File,
        _ => Expected::Nothing,
    }
}

const JOB_STATES: [&str; 14] = [
    "PENDING",
    "RUNNING",
    "SUSPENDED",
    "COMPLETING",
    "CONFIGURING",
    "COMPLETED",
    "CANCELLED",
    "FAILED",
    "TIMEOUT",
    "DEADLINE",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REQUEUED",
];
const NODE_STATES: [&str; 9] =
    ["allocated", "completing", "down", "drain", "drained", "draining", "fail", "idle", "mixed"];
const MAIL_TYPES: [&str; 10] = [
    "ALL",
    "ARRAY_TASKS",
    "BEGIN",
    "END",
    "FAIL",
    "INVALID_DEPEND",
    "NONE",
    "REQUEUE",
    "TIME_LIMIT",
    "TIME_LIMIT_90",
];
const SIGNALS: [&str; 9] = ["CONT", "HUP", "INT", "KILL", "QUIT", "STOP", "TERM", "USR1", "USR2"];

fn beginning(
    words: impl Iterator<Item = (String, &'static str)>,
    typed: &str,
) -> Vec<(String, &'static str)> {
    words.filter(|(w, _)| w.starts_with(typed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VERBS: Verbs<'static> = &[("up", "start it"), ("man", "pages")];

    fn at(line: &str) -> Expected {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        expected(&words, VERBS)
    }

    fn words(line: &str) -> String {
        match at(line) {
            Expected::Words(words) => words.into_iter().map(|w| w.0).collect::<Vec<_>>().join(" "),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn options_and_their_values() {
        assert_eq!(words("sbatch --parti"), "--partition=");
        assert_eq!(words("sbatch --par"), "--parsable --partition=");
        assert_eq!(words("/usr/bin/sbatch --mail-type=BEGIN,EN"), "--mail-type=BEGIN,END");
        // bash's way of cutting.
        assert_eq!(words("sbatch --mail-type = EN"), "--mail-type=END");
        assert_eq!(words("sbatch --contai"), "", "what is refused is not offered");
        let live = |values, before: &str, typed: &str| Expected::Values(values, before.into(), typed.into());
        assert_eq!(at("sbatch -p ma"), live(Values::Partitions, "", "ma"));
        assert_eq!(at("sbatch -Hp ma"), live(Values::Partitions, "", "ma"));
        assert_eq!(at("sbatch --partition a,b"), live(Values::Partitions, "a,", "b"));
        assert_eq!(at("squeue --qos="), live(Values::Qos, "--qos=", ""));
        assert_eq!(at("squeue -O jobid,st"), live(Values::Fields(Program::Squeue), "jobid,", "st"));
        let letters = |before: &str| live(Values::Letters(Program::Squeue), before, "");
        assert_eq!(at("squeue -o "), letters("%"));
        assert_eq!(at("squeue -o %i|%.18"), letters("%i|%.18"));
        assert_eq!(at("squeue --format=\"%"), letters("--format=%"));
        assert_eq!(at("squeue -o %i"), Expected::Nothing);
        assert_eq!(at("sinfo -n n"), live(Values::Nodes, "", "n"));
        assert_eq!(at("sbatch -N 1"), Expected::Nothing);
        assert_eq!(at("sbatch -D /"), Expected::Folder);
        assert_eq!(at("sbatch job.sh --parti"), Expected::File);
        assert_eq!(at("scancel -v 1"), live(Values::Jobs, "", "1"));
        assert_eq!(words("scancel -t "), "PENDING RUNNING SUSPENDED");
    }

    #[test]
    fn words_of_scontrol_and_verbs() {
        assert_eq!(words("scontrol requ"), "requeue requeuehold");
        assert_eq!(words("scontrol show hostl"), "hostlist hostlistsorted");
        assert_eq!(words("scontrol update Part"), "PartitionName=");
        assert_eq!(words("scontrol delete "), "PartitionName=");
        assert_eq!(words("scontrol update jobid=3 timel"), "timelimit=");
        assert_eq!(words("scontrol update JobId=3 Time"), "TimeLimit= TimeMin=");
        assert_eq!(words("scontrol update StepId=3.0 "), "TimeLimit=");
        assert_eq!(words("scontrol update NodeName=n1 State=DR"), "State=DRAIN");
        assert_eq!(words("scontrol update nodename=n1 state=re"), "state=resume");
        assert_eq!(words("scontrol update PartitionName=p hid"), "hidden=");
        assert_eq!(words("scontrol update PartitionName=p Hidden="), "Hidden=YES Hidden=NO");
        let account = Expected::Values(Values::Accounts, "Account=".into(), "a".into());
        // bash's way of cutting.
        assert_eq!(at("scontrol update JobId = 3 Account = a"), account);
        let jobs = |before: &str, typed: &str| Expected::Values(Values::Jobs, before.into(), typed.into());
        assert_eq!(at("scontrol update JobId=3"), jobs("JobId=", "3"));
        assert_eq!(at("scontrol hold "), jobs("", ""));
        assert_eq!(words("bivouac u"), "up");
        assert_eq!(words("bivouac squ"), "squeue");
        assert_eq!(words("bivouac squeue --noh"), "--noheader");
        assert_eq!(words("bivouac completion z"), "zsh");
        assert_eq!(at("bivouac man "), Expected::Folder);
        assert_eq!(words("bivouac fault "), "add clear list");
        assert_eq!(words("bivouac fault add re"), "refuse restart");
        assert_eq!(words("bivouac fault add refuse sb"), "sbatch sbcast");
        assert_eq!(words("bivouac fault add refuse sbatch --t"), "--text --times");
        let live = |values| Expected::Values(values, String::new(), String::new());
        assert_eq!(at("bivouac fault add node-down "), live(Values::Nodes));
        assert_eq!(at("bivouac fault add preempt --requeue "), live(Values::Jobs));
        assert_eq!(at("bivouac fault clear "), live(Values::Faults));
        assert_eq!(at("bivouac fault add slow squeue "), Expected::Nothing);
        assert_eq!(expected(&[], VERBS), Expected::Nothing);
    }

    proptest! {
        #[test]
        fn any_line_has_an_answer(line in "(sbatch|scontrol|squeue|bivouac)( (show|update|--[a-z]{0,6}=?|-[a-zA-Z]{0,3}|[a-z,é=]{0,5})){0,4} ?") {
            let _ = at(&line);
        }
    }
}
