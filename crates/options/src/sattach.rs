//! What the options of sattach ask for.

use crate::getopt::Given;
use crate::value::ValueError;
use bivouac_types::{JobId, StepKind};

/// What sattach is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The job.
    pub job: JobId,
    /// The step of it.
    pub step: StepKind,
    /// --layout: where its tasks are is shown, and nothing else is done.
    pub layout: bool,
    /// --label.
    pub label: bool,
    /// --input-filter: the one task that gets standard input.
    pub input: Option<u32>,
    /// --output-filter: the one task whose standard output is shown.
    pub output: Option<u32>,
    /// --error-filter: the one task whose standard error is shown.
    pub error: Option<u32>,
    /// --quiet.
    pub quiet: bool,
    /// How often --verbose was given.
    pub verbose: usize,
}

/// What is written to standard output where the step cannot be read.
pub const USAGE: &str = "Usage: sattach [options] <jobid.stepid>\n";

/// Why sattach does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A value that cannot be read.
    Value(ValueError),
    /// The operands: said, and [`USAGE`] after it.
    Operands(&'static str),
}

impl From<ValueError> for Problem {
    fn from(e: ValueError) -> Problem {
        Problem::Value(e)
    }
}

/// Reads all values.
///
/// # Errors
/// [`Problem`], for the first that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given) -> Result<Request, Problem> {
    let (input, output, error) =
        (task(given, "input-filter")?, task(given, "output-filter")?, task(given, "error-filter")?);
    let [step] = given.operands.as_slice() else {
        return Err(Problem::Operands("too many parameters"));
    };
    let (job, step) = parse(&step.to_string_lossy())?;
    let request = Request {
        job,
        step,
        layout: given.has("layout"),
        label: given.has("label"),
        input,
        output,
        error,
        quiet: given.has("quiet"),
        verbose: given.count("verbose"),
    };
    if request.quiet && request.verbose > 0 {
        return Err(ValueError::plain("don't specify both --verbose (-v) and --quiet (-Q)").into());
    }
    given.finish().map_err(ValueError::from)?;
    Ok(request)
}

fn task(given: &Given, long: &'static str) -> Result<Option<u32>, ValueError> {
    let Some(text) = given.value(long) else { return Ok(None) };
    let number = text.parse::<i32>().ok().and_then(|n| u32::try_from(n).ok());
    number.map(Some).ok_or_else(|| ValueError::plain(format!("Invalid numeric value \"{text}\" for {long}.")))
}

/// `JOB.STEP`.
fn parse(text: &str) -> Result<(JobId, StepKind), Problem> {
    let no_step = Problem::Operands("Failed to parse stepid from command line options");
    let Some((job, step)) = text.split_once('.') else { return Err(no_step) };
    let Ok(id) = job.parse().map(JobId) else { return Err(no_step) };
    let step = match step {
        "batch" => StepKind::Batch,
        "extern" => StepKind::Extern,
        number => match number.parse() {
            Ok(n) => StepKind::Number(n),
            Err(_) => return Err(ValueError::fatal(format!("Bad step specified: {job}")).into()),
        },
    };
    Ok((id, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::getopt::{self, Invocation};
    use crate::table::Program;
    use std::ffi::OsString;

    fn asked(args: &[&str]) -> Result<Request, Problem> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        match getopt::read(Program::Sattach, &args, |_| None) {
            Ok(Invocation::Run(given)) => request(&given),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_step_and_its_streams() {
        let r = asked(&["-l", "--layout", "--out=2", "--input-filter", "0", "12.3"]).unwrap();
        assert_eq!((r.job, r.step), (JobId(12), StepKind::Number(3)));
        assert_eq!((r.label, r.layout, r.input, r.output, r.error), (true, true, Some(0), Some(2), None));
        assert_eq!(asked(&["12.batch"]).unwrap().step, StepKind::Batch);
    }

    /// Texts are those of sattach 22.05.8.
    #[test]
    fn what_is_wrong_is_said() {
        let many = Problem::Operands("too many parameters");
        assert_eq!((asked(&[]), asked(&["5.0", "6.0"])), (Err(many.clone()), Err(many)));
        assert_eq!(asked(&["5"]), Err(Problem::Operands("Failed to parse stepid from command line options")));
        for (args, text) in [
            (&["5.x"][..], "Bad step specified: 5"),
            (&["--output-filter=-1", "5.0"], "Invalid numeric value \"-1\" for output-filter."),
            (&["-Qv", "5.0"], "don't specify both --verbose (-v) and --quiet (-Q)"),
        ] {
            let Err(Problem::Value(e)) = asked(args) else { panic!("{args:?}") };
            assert_eq!((e.text.as_str(), e.code), (text, 1));
        }
    }
}
