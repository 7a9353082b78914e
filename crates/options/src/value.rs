//! Values that several commands read, and how a wrong one is said.

use crate::getopt::{Given, UsageError};
use crate::table::Program;
use bivouac_types::Distribution;
use bivouac_types::distribution::Invalid;
use bivouac_types::job::{NodeRange, OpenMode};
use std::fmt;

/// A value that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// `error` or `fatal`; empty for a text that stands alone, without the command's name. `refusal` is an error whose
    /// last line is what the controller would say, after what the command says of its refusals ([`Program::refused`]).
    pub level: &'static str,
    /// What is wrong, `Invalid --time specification`; several lines are several errors.
    pub text: String,
    /// The exit code, as observed on Slurm 22.05.8.
    pub code: u8,
}

impl ValueError {
    /// The lines for standard error.
    pub fn message(&self, program: Program) -> String {
        match self.level {
            "" => format!("{}\n", self.text),
            REFUSAL => {
                let (before, last) = self.text.rsplit_once('\n').unwrap_or(("", &self.text));
                let before: String =
                    before.lines().map(|line| format!("{program}: error: {line}\n")).collect();
                format!("{before}{program}: error: {}: {last}\n", program.refused())
            }
            level => self.text.lines().map(|line| format!("{program}: {level}: {line}\n")).collect(),
        }
    }
}

const REFUSAL: &str = "refusal";

impl Program {
    /// What the command says before the reason for which it got no job.
    pub fn refused(self) -> &'static str {
        match self {
            Program::Salloc => "Job submit/allocate failed",
            Program::Srun => "Unable to allocate resources",
            _ => "Batch job submission failed",
        }
    }
}

impl From<UsageError> for ValueError {
    fn from(e: UsageError) -> ValueError {
        ValueError { level: "error", text: e.to_string(), code: 255 }
    }
}

impl ValueError {
    /// `Invalid --name specification`, 255.
    pub fn invalid(long: &str) -> ValueError {
        ValueError { level: "error", text: format!("Invalid --{long} specification"), code: 255 }
    }
    /// An error of its own, 1.
    pub fn plain(text: impl Into<String>) -> ValueError {
        ValueError { level: "error", text: text.into(), code: 1 }
    }
    /// A fatal error of its own, 1.
    pub fn fatal(text: impl Into<String>) -> ValueError {
        ValueError { level: "fatal", text: text.into(), code: 1 }
    }
    /// What the controller would refuse, 1.
    pub fn submission(text: impl fmt::Display) -> ValueError {
        ValueError { level: REFUSAL, text: text.to_string(), code: 1 }
    }
    /// Whether it is what the controller would say.
    pub fn is_refusal(&self) -> bool {
        self.level == REFUSAL
    }
}

/// The entries of a comma-separated list, without empty ones.
pub fn list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

/// A positive number.
///
/// # Errors
/// `Invalid numeric value "x" for --name.`
pub fn count(given: &Given, long: &'static str) -> Result<Option<u32>, ValueError> {
    let Some(text) = given.value(long) else { return Ok(None) };
    let digits = text.trim_start();
    match digits.strip_prefix('+').unwrap_or(digits).parse::<i32>() {
        Ok(n) if n > 0 => Ok(Some(n.unsigned_abs())),
        _ => Err(ValueError::plain(format!("Invalid numeric value \"{text}\" for --{long}."))),
    }
}

/// --nodes: `2`, `1-4`, with the suffixes k and m. Zero is left to the caller to refuse.
///
/// # Errors
/// In Slurm's words.
pub fn node_range(given: &Given) -> Result<Option<NodeRange>, ValueError> {
    let Some(text) = given.value("nodes") else { return Ok(None) };
    let fail = |text| Err(ValueError { level: "error", text, code: 255 });
    let (first, last) = match text.split_once('-') {
        Some((a, b)) => (a, Some(b)),
        None => (text, None),
    };
    let Some(min) = scaled(first) else { return fail(format!("\"{first}\" is not a valid node count")) };
    let max = match last {
        None => min,
        Some("") => return fail(format!("Maximum node count -1 is less than minimum node count {min}")),
        Some(last) => match scaled(last) {
            Some(max) => max,
            None => return fail(format!("\"{last}\" is not a valid node count")),
        },
    };
    if max < min {
        return fail(format!("Maximum node count {max} is less than minimum node count {min}"));
    }
    Ok(Some(NodeRange { min, max: Some(max) }))
}

/// Digits, then k (x 1024) or m (x 1048576).
pub fn scaled(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let shift = match &text[digits..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        _ => return None,
    };
    text[..digits].parse::<u32>().ok()?.checked_mul(1 << shift)
}

/// `append` and `truncate`, or a beginning of them.
pub fn open_mode(text: &str) -> Option<OpenMode> {
    match text {
        "" => None,
        t if "append".starts_with(t) => Some(OpenMode::Append),
        t if "truncate".starts_with(t) => Some(OpenMode::Truncate),
        _ => None,
    }
}

/// `yes` and `no`.
pub fn yes_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// --nice: 100 without a number.
///
/// # Errors
/// For what is no number within +/- 2147483645.
pub fn nice(given: &Given) -> Result<i32, ValueError> {
    let Some(choice) = given.get("nice") else { return Ok(0) };
    let Some(text) = choice.value.as_deref().filter(|t| !t.is_empty()) else { return Ok(100) };
    let nice = text.parse::<i32>().ok().filter(|n| n.unsigned_abs() <= 2_147_483_645);
    nice.ok_or_else(|| ValueError::invalid("nice"))
}

/// The words that --mail-type takes, in the order in which Slurm shows them; ALL stands for those of [`MAIL_ALL`].
const MAIL_TYPES: [&str; 11] = [
    "ARRAY_TASKS",
    "INVALID_DEPEND",
    "BEGIN",
    "END",
    "FAIL",
    "REQUEUE",
    "STAGE_OUT",
    "TIME_LIMIT_50",
    "TIME_LIMIT_80",
    "TIME_LIMIT_90",
    "TIME_LIMIT",
];
const MAIL_ALL: std::ops::Range<usize> = 1..7;

/// --mail-type in capitals, ALL written out.
///
/// # Errors
/// `Invalid --mail-type specification`.
pub fn mail_types(given: &Given) -> Result<Vec<String>, ValueError> {
    let text = given.value("mail-type").unwrap_or_default();
    mail_type_words(text).ok_or_else(|| ValueError::invalid("mail-type"))
}

/// Words of --mail-type in capitals, ALL written out; none if one of them is no such word.
pub fn mail_type_words(text: &str) -> Option<Vec<String>> {
    let mut types: Vec<String> = Vec::new();
    for word in list(Some(text)) {
        let word = word.trim().to_ascii_uppercase();
        let names: &[&str] = match word.as_str() {
            "NONE" => {
                types.clear();
                continue;
            }
            "ALL" => &MAIL_TYPES[MAIL_ALL],
            w => {
                let at = MAIL_TYPES.iter().position(|t| *t == w)?;
                &MAIL_TYPES[at..=at]
            }
        };
        for name in names {
            if !types.iter().any(|t| t == name) {
                types.push((*name).to_owned());
            }
        }
    }
    // Slurm shows them in its own order.
    types.sort_by_key(|t| MAIL_TYPES.iter().position(|m| m == t));
    Some(types)
}

/// --distribution. `plane_size` is SLURM_DIST_PLANESIZE.
///
/// # Errors
/// In Slurm's words.
pub fn distribution(given: &Given, plane_size: Option<u32>) -> Result<Option<Distribution>, ValueError> {
    let Some(text) = given.value("distribution") else { return Ok(None) };
    Distribution::parse(text, plane_size).map(Some).map_err(|e| match e {
        Invalid::Text => ValueError::invalid("distribution"),
        Invalid::PlaneSize => ValueError {
            level: "error",
            text: "Invalid plane size or size not specified\nInvalid --distribution specification".to_owned(),
            code: 255,
        },
    })
}

/// Whether --get-user-env was given, with or without `[timeout][S|L]`.
///
/// # Errors
/// `Invalid --get-user-env specification`.
pub fn get_user_env(given: &Given) -> Result<bool, ValueError> {
    let Some(choice) = given.get("get-user-env") else { return Ok(false) };
    let mode = choice.value.as_deref().unwrap_or_default().trim_start_matches(|c: char| c.is_ascii_digit());
    match mode.to_ascii_uppercase().as_str() {
        "" | "L" => Ok(true),
        "S" => Err(ValueError::plain(
            "--get-user-env=S is not available here: it is always the login environment (L)",
        )),
        _ => Err(ValueError::invalid("get-user-env")),
    }
}

/// Checks --wait-all-nodes, which is 0 or 1.
///
/// # Errors
/// In Slurm's words.
pub fn wait_all_nodes(given: &Given) -> Result<(), ValueError> {
    match given.value("wait-all-nodes") {
        None | Some("0" | "1") => Ok(()),
        Some(text) if text.parse::<u32>().is_ok() => Err(ValueError::invalid("wait-all-nodes")),
        Some(text) => {
            Err(ValueError::plain(format!("Invalid numeric value \"{text}\" for --wait-all-nodes.")))
        }
    }
}

/// --immediate: for how many seconds the start is waited for, 1 if it has to be at once; none: for ever.
///
/// # Errors
/// In Slurm's words.
pub fn immediate(given: &Given) -> Result<Option<u32>, ValueError> {
    let Some(choice) = given.get("immediate") else { return Ok(None) };
    let Some(text) = &choice.value else { return Ok(Some(1)) };
    let seconds = text.parse::<i32>().ok().and_then(|n| u32::try_from(n).ok());
    let seconds = seconds
        .ok_or_else(|| ValueError::plain(format!("Invalid numeric value \"{text}\" for immediate.")))?;
    Ok(Some(seconds).filter(|s| *s > 0))
}
