//! Values of options that have no effect here: what Slurm refuses of them is refused.

use crate::getopt::Given;
use crate::value::ValueError;

/// Checks them. What Slurm says and goes on is added to `warnings`.
///
/// # Errors
/// In Slurm's words.
pub(super) fn check(given: &Given, warnings: &mut Vec<String>) -> Result<(), ValueError> {
    let fail = |text: String| Err(ValueError { level: "error", text, code: 255 });
    match given.value("wait-all-nodes") {
        None | Some("0" | "1") => {}
        Some(text) if text.parse::<u32>().is_ok() => return Err(ValueError::invalid("wait-all-nodes")),
        Some(text) => {
            let what = format!("Invalid numeric value \"{text}\" for --wait-all-nodes.");
            return Err(ValueError::plain(what));
        }
    }
    let words = |long| given.value(long).into_iter().flat_map(|v| v.split(','));
    if !words("gres-flags").all(|w| w == "disable-binding" || w == "enforce-binding") {
        return Err(ValueError::invalid("gres-flags"));
    }
    let measured = ["all", "energy", "lustre", "network", "none", "task"];
    if let Some(text) = given.value("profile")
        && !words("profile").all(|w| measured.contains(&w.to_ascii_lowercase().as_str()))
    {
        return fail(format!("invalid --profile={text} option"));
    }
    if let Some(text) = given.value("acctg-freq")
        && !words("acctg-freq").all(is_frequency)
    {
        return fail(format!("Invalid --acctg-freq specification: {text}"));
    }
    if let Some(text) = given.value("cpu-freq")
        && !text.split([':', '-']).all(is_cpu_frequency)
    {
        return fail(format!("unrecognized --cpu-freq argument \"{text}\"\nInvalid --cpu-freq argument"));
    }
    if let Some(text) = given.value("mem-bind")
        && !words("mem-bind").all(is_memory_binding)
    {
        return fail(format!("unrecognized --mem-bind argument \"{text}\""));
    }
    for word in words("power").filter(|w| *w != "level") {
        let what = format!("Ignoring unrecognized power option ({word})");
        // It is read twice.
        warnings.extend([what.clone(), what]);
    }
    Ok(())
}

/// Seconds, or a kind of measurement with its seconds.
fn is_frequency(word: &str) -> bool {
    let seconds = match word.split_once('=') {
        Some(("task" | "energy" | "network" | "filesystem", seconds)) => seconds,
        Some(_) => "",
        None => word,
    };
    seconds.parse::<u32>().is_ok()
}

fn is_cpu_frequency(word: &str) -> bool {
    let known = [
        "low",
        "medium",
        "highm1",
        "high",
        "conservative",
        "ondemand",
        "performance",
        "powersave",
        "schedutil",
        "userspace",
    ];
    known.contains(&word.to_ascii_lowercase().as_str()) || word.parse::<u32>().is_ok()
}

/// The words of --mem-bind; the masks and ids of a map are not looked at.
fn is_memory_binding(word: &str) -> bool {
    let known =
        ["local", "n", "no", "none", "nosort", "p", "prefer", "q", "quiet", "rank", "sort", "v", "verbose"];
    let lower = word.to_ascii_lowercase();
    let lists = ["map_mem:", "mask_mem:"].iter().any(|l| lower.starts_with(l));
    known.contains(&lower.as_str()) || lists || lower.starts_with("0x") || lower.parse::<u32>().is_ok()
}
