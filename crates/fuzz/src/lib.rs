//! What fuzzers do to each parser of bytes that come from outside.
//!
//! Owns one function for each kind of foreign bytes: it parses, and panics where a promise of the parser is broken: that
//! bad input is an error, that what was read prints as something that reads the same. `cargo xtask fuzz` runs them
//! under libFuzzer (the folder `libfuzzer`, a workspace of its own, since its runtime is C++ that nothing else needs);
//! the tests here run them on seeds and mutations of them with every change.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use bivouac_core::constraint::Constraint;
use bivouac_keeper::protocol::{FromKeeper, ToKeeper, read_frame, write_frame};
use bivouac_modules::{options, pathlist::PathList, version};
use bivouac_options::{Invocation, Program, directive, job, job_update, salloc, sbatch, scancel, srun};
use bivouac_pmi::{Reaction, Server, Step, frame as pmi_frame, line as pmi_line};
use bivouac_proto::frame;
use bivouac_proto::message::{Ask, Response};
use bivouac_types::tres::GresRequest;
use bivouac_types::{ArraySpec, Dependency, HostList, TaskSet, memory, time::TimeLimit, when};
use jiff::{Timestamp, Zoned, tz::TimeZone};

/// A target: `seeds/NAME` has inputs that lead deep.
pub struct Target {
    /// Its name, its program's and its corpus's.
    pub name: &'static str,
    /// Parses; panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target { name: "words", run: words },
    Target { name: "job_script", run: job_script },
    Target { name: "command_line", run: command_line },
    Target { name: "slurm_conf", run: slurm_conf },
    Target { name: "frames", run: frames },
    Target { name: "modules", run: modules },
    Target { name: "pmi", run: pmi },
];

/// Slurm's small languages: names of nodes, tasks, times, resources, dependencies.
pub fn words(data: &[u8]) {
    let text = &String::from_utf8_lossy(data);
    reads_again(text, |t| HostList::parse(t).ok());
    reads_again(text, |t| ArraySpec::parse(t, 100_000).ok());
    reads_again(text, |t| TaskSet::parse(t, 100_000).ok());
    reads_again(text, |t| Dependency::parse(t).ok());
    if let Some(gres) = GresRequest::parse_list(text) {
        let printed: Vec<String> = gres.iter().map(ToString::to_string).collect();
        assert_eq!(GresRequest::parse_list(&printed.join(",")), Some(gres), "{text:?}");
    }
    if let Some(limit) = TimeLimit::parse(text) {
        assert_eq!(TimeLimit::parse(&limit.squeue()), Some(limit), "{text:?}");
    }
    if let Some(constraint) = Constraint::parse(text) {
        constraint.names();
    }
    when::parse(text, &now());
    memory::parse_mb(text);
}

/// What was read prints as something that reads the same.
fn reads_again<T: PartialEq + std::fmt::Debug + ToString>(text: &str, parse: impl Fn(&str) -> Option<T>) {
    if let Some(value) = parse(text) {
        let printed = value.to_string();
        assert_eq!(parse(&printed).as_ref(), Some(&value), "{text:?} printed as {printed:?}");
    }
}

/// A job script with its directives.
pub fn job_script(data: &[u8]) {
    let _ = directive::check(data);
    if let (Ok(with), Ok(without)) = (directive::read(data, false), directive::read(data, true)) {
        assert!(with.choices.len() >= without.choices.len(), "--ignore-pbs adds options");
    }
}

/// A command's arguments, each ended by NUL; the first byte chooses the command.
pub fn command_line(data: &[u8]) {
    let Some((command, rest)) = data.split_first() else { return };
    let words = || rest.split(|byte| *byte == 0);
    let program = match command % 5 {
        0 => Program::Sbatch,
        1 => Program::Srun,
        2 => Program::Scancel,
        4 => Program::Salloc,
        _ => {
            let words: Vec<String> = words().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            let _ = job_update::read(&words, &now(), |_| true);
            return;
        }
    };
    let args: Vec<OsString> = words().map(|word| OsString::from_vec(word.to_owned())).collect();
    let Ok(Invocation::Run(given)) = bivouac_options::read(program, &args, |_| None) else { return };
    let no_file = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    match program {
        Program::Sbatch => drop(sbatch::request(&given, &now(), &no_file)),
        Program::Salloc => drop(salloc::request(&given, &now(), &no_file)),
        Program::Srun => {
            let around = job::Surroundings { now: &now(), read: &no_file, plane_size: None };
            if srun::allocation(&given, &around).is_ok() {
                drop(srun::request(&given, None));
            }
        }
        _ => drop(scancel::request(&given)),
    }
}

/// slurm.conf and the files beside it, each ended by NUL.
pub fn slurm_conf(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let texts: Vec<&str> = text.split('\0').collect();
    let names = [&[bivouac_slurmconf::SLURM_CONF], &bivouac_slurmconf::BESIDE[..]].concat();
    let mut opened = 0;
    let mut open = |path: &str| {
        // A file that includes itself is opened again and again, up to a depth; ten thousand files are not meant.
        opened += 1;
        assert!(opened < 10_000, "files are opened for ever");
        let number = names.iter().position(|name| path == format!("/d/{name}"));
        Ok(number.and_then(|n| texts.get(n)).map(|text| (*text).to_owned()))
    };
    let outcome = bivouac_slurmconf::read("/d", None, &mut open);
    assert_eq!(outcome.config.is_none(), !outcome.problems.is_empty(), "{:?}", outcome.problems);
}

/// What arrives on the sockets and in a view's plan; the first byte chooses the reader.
pub fn frames(data: &[u8]) {
    let Some((reader, mut rest)) = data.split_first() else { return };
    match reader % 5 {
        0 => drop(frame::read::<Ask>(&mut rest)),
        1 => drop(frame::read::<Response>(&mut rest)),
        2 => frame_again::<ToKeeper>(rest),
        3 => frame_again::<FromKeeper>(rest),
        _ => {
            if let Ok(plan) = bivouac_view::ViewPlan::decode(rest) {
                assert_eq!(bivouac_view::ViewPlan::decode(&plan.encode()).ok(), Some(plan));
            }
        }
    }
}

fn frame_again<M: bivouac_keeper::protocol::Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(Some((message, length))) = read_frame::<M>(bytes) {
        let mut written = Vec::new();
        assert!(length <= bytes.len() && write_frame(&mut written, &message).is_ok());
        assert_eq!(read_frame::<M>(&written).ok().flatten(), Some((message, written.len())));
    }
}

/// Words and variables of `module`.
pub fn modules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let _ = (options::parse_module(&words), options::parse_ml(&words));
    if let [a, b, ..] = &words[..] {
        assert_eq!(version::compare(a, b), version::compare(b, a).reverse(), "{a} {b}");
    }
    let list = PathList::split(Some(data), b":");
    if let Some(joined) = list.join() {
        assert_eq!(PathList::split(Some(&joined), b":").join(), Some(joined));
    }
}

/// What the tasks of a step send on their PMI_FD: pieces that are ended by NUL, a digit before each says whose.
pub fn pmi(data: &[u8]) {
    let step = Step { job: "1.0".into(), nodes: vec!["n1".into(), "n2".into()], ranks: vec![0, 0, 1] };
    let mut server = Server::new(step);
    for piece in data.split(|byte| *byte == 0) {
        let Some((rank, bytes)) = piece.split_first() else { continue };
        for reaction in server.receive(u32::from(*rank % 4), bytes) {
            let rank = match reaction {
                Reaction::Send { rank, bytes } => {
                    assert!(is_answer(&bytes), "{:?}", String::from_utf8_lossy(&bytes));
                    rank
                }
                Reaction::Close { rank } | Reaction::Say { rank, .. } | Reaction::Abort { rank, .. } => rank,
            };
            assert!(rank < 3, "there is no rank {rank}");
        }
    }
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Ok(command) = pmi_line::read(line) {
        let written = pmi_line::write(&command);
        assert_eq!(pmi_line::read(&written[..written.len() - 1]), Ok(command));
    }
    if let Ok(command) = pmi_frame::read(data) {
        assert_eq!(pmi_frame::read(&pmi_frame::write(&command)[pmi_frame::HEAD..]), Ok(command));
    }
}

/// One line, or one frame as long as it says.
fn is_answer(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"cmd=") {
        return bytes.iter().position(|b| *b == b'\n') == Some(bytes.len() - 1);
    }
    let frame = bytes.split_first_chunk();
    frame.is_some_and(|(head, body)| {
        pmi_frame::length(head) == Ok(body.len()) && pmi_frame::read(body).is_ok()
    })
}

/// A fixed moment, so that the same bytes do the same.
fn now() -> Zoned {
    Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each target with each of its seeds.
    fn seeds() -> Vec<(&'static Target, Vec<u8>)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        let of = |target: &'static Target| {
            let files = std::fs::read_dir(folder.join(target.name)).unwrap();
            files.map(move |file| (target, std::fs::read(file.unwrap().path()).unwrap()))
        };
        TARGETS.iter().flat_map(of).collect()
    }

    #[test]
    fn seeds_keep_their_promises() {
        seeds().iter().for_each(|(target, seed)| (target.run)(seed));
    }

    #[test]
    fn each_target_has_a_program() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/targets");
        let files = std::fs::read_dir(folder).unwrap();
        let mut programs: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let mut targets: Vec<String> = TARGETS.iter().map(|target| format!("{}.rs", target.name)).collect();
        programs.sort();
        targets.sort();
        assert_eq!(programs, targets);
    }

    proptest! {
        /// Cut, doubled and changed: what a fuzzer begins with.
        #[test]
        fn so_do_mutations_of_them(
            seed in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), cut in 0..4_usize,
            insert in prop::collection::vec(any::<u8>(), 0..6), repeat in 1..4_usize,
        ) {
            let seeds = seeds();
            let (target, seed) = seed.get(&seeds);
            let mut bytes = seed.clone();
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..(at + cut).min(seed.len()), insert.repeat(repeat));
            (target.run)(&bytes);
        }

        #[test]
        fn garbage_is_an_error(which in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            (which.get(&TARGETS).run)(&bytes);
        }
    }
}
