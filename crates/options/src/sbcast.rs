//! What the options of sbcast ask for.

use crate::getopt::{Given, Source};
use crate::value::ValueError;
use bivouac_types::{JobId, StepKind};
use std::ffi::OsString;

/// What sbcast is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The file to copy.
    pub source: OsString,
    /// Where its copy goes.
    pub destination: OsString,
    /// To whose nodes.
    pub job: Target,
    /// --force: a file that is there is replaced.
    pub force: bool,
    /// --preserve: times and mode are kept.
    pub preserve: bool,
    /// How often --verbose was given.
    pub verbose: usize,
}

/// A job, or a step of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As it was given.
    pub text: String,
    /// The job; none: it is no number.
    pub job: Option<JobId>,
    /// The step.
    pub step: Option<StepKind>,
}

/// What is said of options on standard error before anything else, each with whether the command's name stands before it.
pub fn warnings(given: &Given) -> Vec<(bool, String)> {
    let mut out = Vec::new();
    let libraries = ["lz4", "none"];
    if let Some(name) =
        given.value("compress").filter(|n| !libraries.contains(&n.to_ascii_lowercase().as_str()))
    {
        out.push((true, format!("Compression type '{name}' unknown, disabling compression support.")));
    }
    if let Some(choice) = given.get("send-libs")
        && let Some(word) = choice.value.as_deref().filter(|w| crate::value::yes_no(w).is_none())
    {
        let name = if let Source::Variable(name) = choice.source { name } else { "--send-libs" };
        out.push((true, format!("Ignoring unrecognized {name} value '{word}'")));
    }
    if given.value("size").is_some_and(|s| crate::value::scaled(s).is_none()) {
        out.push((false, "size specification is invalid, ignored".to_owned()));
    }
    out
}

/// Reads all values. `own_job` is SLURM_JOB_ID.
///
/// # Errors
/// [`ValueError`] for the first that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given, own_job: Option<String>) -> Result<Request, ValueError> {
    let [source, destination] = given.operands.as_slice() else {
        let text = format!(
            "Need two file names, have {} names\nTry \"sbcast --help\" for more information",
            given.operands.len()
        );
        return Err(ValueError { level: "", text, code: 1 });
    };
    let Some(text) = given.value("jobid").map(str::to_owned).or(own_job) else {
        return Err(ValueError::plain(
            "Need a job id to run this command.  Run from within a Slurm job or use the --jobid option.",
        ));
    };
    let request = Request {
        source: source.clone(),
        destination: destination.clone(),
        job: Target::parse(text)?,
        force: given.has("force"),
        preserve: given.has("preserve"),
        verbose: given.count("verbose"),
    };
    if request.destination.is_empty() || request.destination.as_encoded_bytes().ends_with(b"/") {
        return Err(ValueError::plain("Target filename cannot be a directory."));
    }
    given.finish()?;
    Ok(request)
}

impl Target {
    fn parse(text: String) -> Result<Target, ValueError> {
        let (job, step) = match text.split_once('.') {
            Some((job, step)) => (job, Some(step)),
            None => (text.as_str(), None),
        };
        let step = match step {
            None => None,
            Some("batch") => Some(StepKind::Batch),
            Some("extern") => Some(StepKind::Extern),
            Some(number) => match number.parse() {
                Ok(n) => Some(StepKind::Number(n)),
                Err(_) => return Err(ValueError::fatal(format!("Bad step specified: {job}"))),
            },
        };
        let job = job.parse().ok().map(JobId);
        Ok(Target { text, job, step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::getopt::{self, Invocation};
    use crate::table::Program;

    fn given(args: &[&str]) -> Given {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        match getopt::read(Program::Sbcast, &args, |_| None) {
            Ok(Invocation::Run(given)) => given,
            other => panic!("{other:?}"),
        }
    }

    fn asked(args: &[&str], job: Option<&str>) -> Result<Request, (String, u8)> {
        request(&given(args), job.map(str::to_owned)).map_err(|e| (e.message(Program::Sbcast), e.code))
    }

    #[test]
    fn a_file_and_its_copy() {
        let r = asked(&["-fpv", "a", "/b"], Some("12")).unwrap();
        assert_eq!((r.source, r.destination, r.job.job), ("a".into(), "/b".into(), Some(JobId(12))));
        assert_eq!((r.force, r.preserve, r.verbose), (true, true, 1));
        let step = |text: &str| asked(&["-j", text, "a", "b"], Some("12")).map(|r| (r.job.job, r.job.step));
        assert_eq!(step("7.3"), Ok((Some(JobId(7)), Some(StepKind::Number(3)))));
        assert_eq!(step("7.batch"), Ok((Some(JobId(7)), Some(StepKind::Batch))));
        assert_eq!(step("x"), Ok((None, None)));
        assert_eq!(step("1.x").unwrap_err(), ("sbcast: fatal: Bad step specified: 1\n".into(), 1));
    }

    /// Texts and codes are those of sbcast 22.05.8.
    #[test]
    fn what_is_missing_is_said() {
        let try_help = "Try \"sbcast --help\" for more information\n";
        assert_eq!(
            asked(&["a"], Some("1")).unwrap_err(),
            (format!("Need two file names, have 1 names\n{try_help}"), 1)
        );
        assert!(asked(&["a", "b"], None).unwrap_err().0.starts_with("sbcast: error: Need a job id to run"));
        for folder in ["", "/tmp/"] {
            let e = asked(&["a", folder], Some("1")).unwrap_err();
            assert_eq!(e, ("sbcast: error: Target filename cannot be a directory.\n".into(), 1));
        }
    }

    #[test]
    fn odd_values_are_told_and_passed_over() {
        let said = warnings(&given(&["-Cfoo", "--send-libs=x", "-s", "9z"]));
        let texts: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Compression type 'foo' unknown, disabling compression support.",
                "Ignoring unrecognized --send-libs value 'x'",
                "size specification is invalid, ignored"
            ]
        );
        assert!(warnings(&given(&["-C", "-s", "8m", "--send-libs"])).is_empty());
    }
}
