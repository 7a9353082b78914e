//! Manual pages, made from the table.

use crate::getopt::VERSION;
use crate::table::{Arg, COMMANDS, ENTITIES, Opt, Program, REPORTS, Status, Word};
use std::fmt::Write;

/// A column that a command can print.
pub struct Field {
    /// Its letter in `-o`, where it has one.
    pub letter: Option<char>,
    /// Its name in `-O`, or in the `-o` of a command that takes names; empty where it has none.
    pub name: &'static str,
    /// Its heading.
    pub heading: &'static str,
}

/// A job's states in squeue and sacct, beside what they mean.
const STATES: [(&str, &str); 16] = [
    ("PENDING (PD)", "waits; the column REASON says for what"),
    ("RUNNING (R)", "has its resources, and its script runs"),
    ("COMPLETING (CG)", "is over; its last processes are being ended"),
    ("SUSPENDED (S)", "was stopped by scontrol suspend and has given its CPUs back"),
    ("STOPPED (ST)", "was stopped by a signal and keeps its CPUs"),
    ("COMPLETED (CD)", "the script ended with exit code 0"),
    ("FAILED (F)", "the script ended with another exit code, or by a signal"),
    ("CANCELLED (CA)", "was ended by scancel, before or after its start"),
    ("TIMEOUT (TO)", "was ended at its time limit"),
    ("DEADLINE (DL)", "was removed, because it could not end by its --deadline"),
    ("OUT_OF_MEMORY (OOM)", "was ended because it used more memory than it had asked for"),
    ("NODE_FAIL (NF)", "its node failed, and how it ended is not known"),
    ("BOOT_FAIL (BF)", "could not be launched"),
    ("PREEMPTED (PR)", "had to make room for another job"),
    ("REQUEUED (RQ)", "is over and will run once more"),
    ("SPECIAL_EXIT (SE)", "was queued again and is held, by scontrol requeuehold State=SpecialExit"),
];

/// A command line, and what it does.
pub(crate) fn examples(program: Program) -> &'static [(&'static str, &'static str)] {
    match program {
        Program::Sbatch => &[
            ("sbatch job.sh", "submit a script with its #SBATCH lines"),
            ("sbatch -n 4 --mem=2G -t 30 --wrap 'make -j4'", "submit a command line"),
            (
                "sbatch --array=0-99%10 job.sh",
                "a hundred tasks, ten of them at a time; SLURM_ARRAY_TASK_ID is the task's",
            ),
            ("sbatch --dependency=afterok:123 next.sh", "run after job 123 has ended well"),
            ("sbatch --test-only job.sh", "say when it would start, and submit nothing"),
            ("sbatch --wait job.sh", "wait for the job, and exit with its code"),
        ],
        Program::Salloc => &[
            ("salloc -n 4 -t 60", "a shell with four CPUs for an hour; srun in it runs on them"),
            ("salloc -N 2 srun hostname", "run a command in a job, and give the job back when it has ended"),
        ],
        Program::Sbcast => &[(
            "sbcast -f data.tar /tmp/data.tar",
            "in a job: a copy on each of its nodes, in the place of an older one",
        )],
        Program::Sattach => &[("sattach 123.0", "see what the step's tasks print, from now on")],
        Program::Srun => &[
            ("srun -p debug -n 4 ./solve", "outside a job: a job for these four tasks"),
            ("srun -n 4 ./solve", "in a job: four tasks on its CPUs"),
            (
                "srun -n 1 -c 4 --exact ./a & srun -n 1 -c 4 --exact ./b & wait",
                "in a job: two steps side by side",
            ),
        ],
        Program::Squeue => &[
            ("squeue --me", "jobs of one's own"),
            (
                "squeue -t PD -o '%.10i %.9P %.20j %.8T %.20S %R'",
                "waiting jobs, when they are expected to start, and why they wait",
            ),
            ("squeue -O JobID:12,Name:20,tres-alloc:40", "columns by their names, with widths"),
            ("squeue --json -j 123", "all that is known of a job"),
        ],
        Program::Sinfo => &[
            ("sinfo -s", "a line for each partition: nodes allocated, idle, other, in all"),
            (
                "sinfo -N -o '%N %t %C %m %e %G'",
                "a line for each node: state, CPUs, memory, generic resources",
            ),
            ("sinfo -R", "why nodes are down or drained"),
        ],
        Program::Scancel => &[
            ("scancel 123", "end a job"),
            ("scancel 123_[4-9]", "end some tasks of an array"),
            ("scancel -s USR1 -b 123", "send a signal to the batch script alone"),
            ("scancel --me -t PENDING", "cancel all that still wait"),
        ],
        Program::Scontrol => &[
            ("scontrol show job 123", "all fields of a job; -d for its CPUs on each node"),
            ("scontrol update JobId=123 TimeLimit=+30:00", "change a job"),
            ("scontrol hold 123; scontrol release 123", "keep a job from starting, and let it go"),
            ("scontrol requeue 123", "end a job and queue it again"),
            ("scontrol show hostnames 'n[1-4]'", "a list of nodes, one by one"),
        ],
        Program::Sacct => &[
            ("sacct", "today's jobs of one's own"),
            (
                "sacct -j 123 -o JobID,State,ExitCode,Elapsed,MaxRSS,ReqMem",
                "how a job and its steps ended, and what they used",
            ),
            ("sacct -S now-7days -s F,TO,OOM -X", "what went wrong in a week, without steps"),
            ("sacct -P -n -j 123 -o State", "for scripts: columns parted by |, no headings"),
        ],
        Program::Sprio => &[("sprio -l", "of what the priorities of waiting jobs are made")],
        Program::Sshare => &[("sshare -a -l", "shares and usage of all accounts and users")],
        Program::Sdiag => &[("sdiag", "what the controller has been doing")],
        Program::Seff => &[
            ("seff 123", "how well job 123 used its CPUs and its memory"),
            ("seff 123_4", "the same of a task of an array"),
        ],
        Program::SeffArray => &[("seff-array 123", "averages and histograms over the tasks of array 123")],
        Program::Jobstats => &[("jobstats alice 15", "her jobs of the last 15 days")],
        Program::Suuser => &[("suuser alice 15", "what she used in the last 15 days")],
        Program::Suacct => &[("suacct ucb-general 15", "what the account's users used in the last 15 days")],
        Program::Sreport => &[
            ("sreport cluster utilization start=2026-11-01 -t percent", "how busy the nodes were"),
            ("sreport user top start=now-7days end=now -t hours", "who used most in a week"),
            ("sreport -P -n cluster AccountUtilizationByUser tree format=accounts,login,used", "for scripts"),
        ],
        Program::Strigger => {
            &[("strigger --set -j 123 --fini -p $PWD/done.sh", "run a program when job 123 has ended")]
        }
    }
}

/// Which exit codes a command has.
fn exit_status(program: Program) -> &'static str {
    match program {
        Program::Sbatch => {
            "0: submitted. 1: refused, with the reason on standard error (SLURM_EXIT_ERROR names another code). 255: an \
             option's value was not understood. With --wait: the job's."
        }
        Program::Salloc => {
            "The command's; 0 if a signal other than SIGTERM ended it. 1: no job, with the reason on standard error \
             (SLURM_EXIT_ERROR and SLURM_EXIT_IMMEDIATE name other codes). 255: an option's value was not understood."
        }
        Program::Srun => {
            "The highest of the tasks', 128 and the signal's number for a task that a signal ended."
        }
        _ => "0, or 1 after an error, which standard error tells.",
    }
}

/// The manual page of a command, section 1; `fields` are the columns that it can print.
pub fn page(program: Program, fields: &[Field]) -> String {
    let name = program.name();
    let mut out = head(name, program.purpose());
    let synopsis = program.synopsis();
    let _ = writeln!(out, ".SH SYNOPSIS\n.B {name}\n[\\fIoptions\\fR] {}", text(synopsis));
    let _ = writeln!(
        out,
        ".SH DESCRIPTION\n.B {name}\n{}",
        match program.is_added() {
            true => "is no command of Slurm's: sites add a program of that name. This is bivouac's own, shaped by what such sites document."
                .to_owned(),
            false => format!(
                "is Slurm's command of that name as bivouac has it ({}). This page lists what it takes; an honoured option does what Slurm's does.",
                text(VERSION)
            ),
        }
    );
    let options = |wanted: fn(&Status) -> bool| {
        let some = program.options().iter().filter(move |o| wanted(&o.status));
        some.map(|o| item(&signature(o), &of_option(o))).collect::<String>()
    };
    section(&mut out, "OPTIONS", &options(|s| *s == Status::Honoured));
    section(&mut out, "OPTIONS WITHOUT EFFECT", &options(|s| matches!(s, Status::Listed(_))));
    section(&mut out, "OPTIONS NOT AVAILABLE", &options(|s| matches!(s, Status::Refused(_))));
    if program == Program::Scontrol {
        section(&mut out, "COMMANDS", &words(COMMANDS));
        section(&mut out, "WHAT SHOW SHOWS", &words(ENTITIES));
    }
    if program == Program::Sreport {
        section(&mut out, "COMMANDS AND REPORTS", &words(REPORTS));
    }
    section(&mut out, "COLUMNS", &columns(fields));
    if matches!(program, Program::Squeue | Program::Sacct) {
        let states: String = STATES.iter().map(|(name, what)| entry(name, what)).collect();
        section(&mut out, "JOB STATES", &states);
    }
    let variables: String = program
        .variables()
        .iter()
        .map(|v| item(&format!("\\fB{}\\fR", text(v.name)), &note(v.help, v.status, &[])))
        .collect();
    section(&mut out, "ENVIRONMENT", &variables);
    section(&mut out, "EXIT STATUS", &format!("{}\n", text(exit_status(program))));
    let examples: String = examples(program).iter().map(|(line, what)| entry(line, what)).collect();
    section(&mut out, "EXAMPLES", &examples);
    out + ".SH SEE ALSO\n.BR bivouac (1)\n"
}

/// The manual page of `bivouac` itself, from its help text: lines that begin with two spaces name a verb or an option.
pub fn own_page(help: &str) -> String {
    let mut out = head("bivouac", "your own Slurm cluster on one machine");
    out += ".SH SYNOPSIS\n.B bivouac\n[\\fIoptions\\fR] \\fIverb\\fR [\\fIarguments\\fR]\n.SH DESCRIPTION\n.nf\n";
    for line in help.lines().skip(1).skip_while(|l| l.is_empty()) {
        let _ = writeln!(out, "{}", text(line));
    }
    out += ".fi\n.SH SEE ALSO\n";
    let others: Vec<String> = crate::table::PROGRAMS.iter().map(|p| format!(".BR {p} (1)")).collect();
    out + &others.join("\n") + "\n"
}

fn head(name: &str, purpose: &str) -> String {
    format!(
        ".TH {} 1 \"\" bivouac \"bivouac\"\n.SH NAME\n{name} \\- {}\n",
        name.to_uppercase(),
        text(purpose)
    )
}

fn section(out: &mut String, title: &str, items: &str) {
    if !items.is_empty() {
        let _ = write!(out, ".SH {title}\n{items}");
    }
}

fn words(words: &[Word]) -> String {
    let one = |w: &Word| {
        item(&format!("\\fB{}\\fR {}", text(w.name), text(w.arguments)), &note(w.help, w.status, &[]))
    };
    words.iter().map(one).collect()
}

/// The columns as lines: letter, name, heading. Where name and heading are the same words, only the names.
fn columns(fields: &[Field]) -> String {
    if fields.iter().all(|field| field.letter.is_none() && field.name == field.heading) {
        let names: Vec<String> = fields.iter().map(|field| text(field.name)).collect();
        return if names.is_empty() { String::new() } else { names.join(", ") + "\n" };
    }
    let widest = fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
    let line = |field: &Field| {
        let letter = field.letter.map_or_else(|| "  ".to_owned(), |letter| format!("%{letter}"));
        text(format!("{letter}  {:widest$}  {}", field.name, field.heading).trim_end()) + "\n"
    };
    format!(".nf\n{}.fi\n", fields.iter().map(line).collect::<String>())
}

/// A word or a line that is typed, and what it means.
fn entry(typed: &str, meaning: &str) -> String {
    item(&format!("\\fB{}\\fR", text(typed)), &text(meaning))
}

fn item(tag: &str, body: &str) -> String {
    format!(".TP\n{}\n{body}\n", tag.trim_end())
}

fn of_option(o: &Opt) -> String {
    let variables: Vec<&str> = o.variables().collect();
    let said = note(o.help, o.status, &variables);
    match o.in_job {
        Some(Status::Listed(why)) => format!("{said} In a job without effect: {}.", text(why)),
        Some(Status::Refused(instead)) => format!("{said} In a job refused: {}.", text(instead)),
        Some(Status::Honoured) | None => said,
    }
}

fn note(help: &str, status: Status, variables: &[&str]) -> String {
    let mut said = format!("{}.", text(help));
    match status {
        Status::Honoured => {}
        Status::Listed(why) => said += &format!(" Without effect: {}.", text(why)),
        Status::Refused(instead) => said += &format!(" Refused: {}.", text(instead)),
    }
    if !variables.is_empty() {
        let names: Vec<String> = variables.iter().map(|v| format!("\\fB{v}\\fR")).collect();
        said += &format!(" Variable: {}.", names.join(", "));
    }
    said
}

fn signature(o: &Opt) -> String {
    let short = o.short.map_or_else(String::new, |c| format!("\\fB\\-{}\\fR, ", text(&c.to_string())));
    let arg = match o.arg {
        Arg::No => String::new(),
        Arg::Required(word) => format!("=\\fI{}\\fR", text(word)),
        Arg::Optional(word) => format!("[=\\fI{}\\fR]", text(word)),
    };
    let long = |name: &str| format!("\\fB\\-\\-{}\\fR", text(name));
    let aliases: String = o.aliases.iter().map(|a| format!(", {}", long(a))).collect();
    format!("{short}{}{arg}{aliases}", long(o.long))
}

/// Text as roff takes it: hyphens that are typed, no escapes, no requests at a line's beginning.
fn text(plain: &str) -> String {
    let escaped = plain.replace('\\', "\\e").replace('-', "\\-");
    match escaped.chars().next() {
        Some('.' | '\'') => format!("\\&{escaped}"),
        _ => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::PROGRAMS;

    #[test]
    fn every_page_names_every_option_and_begins_as_whatis_reads_it() {
        for program in PROGRAMS {
            let fields = [Field { letter: Some('i'), name: "jobid", heading: "JOBID" }];
            let page = page(program, &fields);
            assert!(page.contains(".SH COLUMNS\n.nf\n%i  jobid  JOBID\n.fi\n"), "{page}");
            assert!(page.contains(".SH EXAMPLES\n"), "{page}");
            assert!(page.contains(&format!(".SH NAME\n{program} \\- ")), "{page}");
            for o in program.options() {
                assert!(page.contains(&signature(o)), "{program} --{}", o.long);
            }
            let bad = page.lines().find(|l| l.starts_with('.') && !REQUESTS.iter().any(|r| l.starts_with(r)));
            assert_eq!(bad, None, "{program}");
        }
    }

    const REQUESTS: [&str; 7] = [".TH ", ".SH ", ".TP", ".B ", ".BR ", ".nf", ".fi"];

    #[test]
    fn every_state_is_explained() {
        let said: Vec<&str> = STATES.iter().map(|(name, _)| *name).collect();
        for state in bivouac_types::state::JOB_STATES {
            assert!(said.contains(&format!("{} ({})", state.name(), state.code()).as_str()), "{state:?}");
        }
    }

    /// An example that is not understood would teach mistakes.
    #[test]
    fn examples_are_understood() {
        for program in PROGRAMS {
            for (line, _) in examples(program) {
                for command in line.split(" & ").flat_map(|some| some.split("; ")) {
                    // Words as a shell has them, as far as the examples need it.
                    let parts = command.split('\'').enumerate();
                    let words: Vec<&str> = parts
                        .flat_map(|(number, part)| match number % 2 {
                            0 => part.split_whitespace().collect(),
                            _ => vec![part],
                        })
                        .collect();
                    if let Some((name, args)) = words.split_first()
                        && *name == program.name()
                    {
                        let args: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
                        assert!(crate::getopt::command_line(program, &args).is_ok(), "{command}");
                    }
                }
            }
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(text("-a\\b"), "\\-a\\eb");
        assert_eq!(text(".x"), "\\&.x");
    }
}
