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

/// What the job sees of them, in the forms that srun in the job reads.
pub(super) fn variables(given: &Given) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if let Some(text) = given.value("profile") {
        all.push(("SLURM_PROFILE", measurements(text)));
    }
    if let Some(text) = given.value("cpu-freq") {
        all.push(("SLURM_CPU_FREQ_REQ", spelled(text)));
    }
    for (name, long) in [("SLURM_ACCTG_FREQ", "acctg-freq"), ("SLURM_GPU_FREQ", "gpu-freq")] {
        all.extend(given.value(long).map(|text| (name, text.to_owned())));
    }
    all
}

/// What --profile asks for, in Slurm's order.
fn measurements(text: &str) -> String {
    let asked = |name: &str| text.split(',').any(|w| w.eq_ignore_ascii_case(name));
    let of = |name: &&str| asked("all") || asked(name);
    let words: Vec<&str> = ["Energy", "Lustre", "Network", "Task"].into_iter().filter(of).collect();
    if asked("none") || words.is_empty() { "None".to_owned() } else { words.join(",") }
}

/// The words of --cpu-freq with their capitals.
fn spelled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find([':', '-']).unwrap_or(rest.len());
        let known = CPU_FREQUENCIES.iter().find(|word| word.eq_ignore_ascii_case(&rest[..end]));
        out.push_str(known.unwrap_or(&&rest[..end]));
        let sign = (end + 1).min(rest.len());
        out.push_str(&rest[end..sign]);
        rest = &rest[sign..];
    }
    out
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
    CPU_FREQUENCIES.iter().any(|known| known.eq_ignore_ascii_case(word)) || word.parse::<u32>().is_ok()
}

const CPU_FREQUENCIES: [&str; 10] = [
    "Low",
    "Medium",
    "Highm1",
    "High",
    "Conservative",
    "OnDemand",
    "Performance",
    "PowerSave",
    "SchedUtil",
    "UserSpace",
];

/// The words of --mem-bind; the masks and ids of a map are not looked at.
fn is_memory_binding(word: &str) -> bool {
    let known =
        ["local", "n", "no", "none", "nosort", "p", "prefer", "q", "quiet", "rank", "sort", "v", "verbose"];
    let lower = word.to_ascii_lowercase();
    let lists = ["map_mem:", "mask_mem:"].iter().any(|l| lower.starts_with(l));
    known.contains(&lower.as_str()) || lists || lower.starts_with("0x") || lower.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_form_that_jobs_see() {
        assert_eq!(spelled("low-high:performance"), "Low-High:Performance");
        assert_eq!(spelled("1000-2000:ondemand"), "1000-2000:OnDemand");
        assert_eq!(spelled("HIGHM1"), "Highm1");
        assert_eq!(measurements("task,Energy"), "Energy,Task");
        assert_eq!(measurements("all"), "Energy,Lustre,Network,Task");
        assert_eq!(measurements("none"), "None");
    }
}
