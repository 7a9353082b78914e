//! Values of options that have no effect here, or on steps alone: what Slurm refuses of them is refused, and what it
//! shows is kept.

use super::text;
use crate::getopt::Given;
use crate::gpu_bind::GpuBind;
use crate::table::Program;
use crate::value::ValueError;
use bivouac_types::Noted;
use bivouac_types::noted::CpuFrequency;

fn refused(text: String) -> ValueError {
    ValueError { level: "error", text, code: 255 }
}

/// Reads them. What Slurm says and goes on is added to `warnings`.
///
/// # Errors
/// In Slurm's words.
pub(super) fn read(given: &Given, warnings: &mut Vec<String>) -> Result<Noted, ValueError> {
    check(given, warnings)?;
    Ok(Noted {
        burst_buffer: given.value("bb").map(str::to_owned),
        cluster_features: text(given, "cluster-constraint"),
        cpu_freq: given.value("cpu-freq").map(cpu_frequency).transpose()?.unwrap_or_default(),
        gres_binding: match given.value("gres-flags").map(str::to_ascii_lowercase).as_deref() {
            None => None,
            Some("enforce-binding") => Some(true),
            Some("disable-binding") => Some(false),
            Some(_) => return Err(ValueError::invalid("gres-flags")),
        },
        gpu_freq: given.value("gpu-freq").map(gpu_frequency).transpose()?,
        gpu_bind: given.value("gpu-bind").map(GpuBind::parse).transpose()?.map(|b| format!("gpu:{}", b.text)),
        mcs_label: given.value("mcs-label").map(str::to_owned),
        power_level: given.value("power").is_some_and(|v| v.split(',').any(|w| w == "level")),
    })
}

fn check(given: &Given, warnings: &mut Vec<String>) -> Result<(), ValueError> {
    let fail = |text: String| Err(refused(text));
    let words = |long| given.value(long).into_iter().flat_map(|v| v.split(','));
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
    if let Some(text) = given.value("mem-bind")
        && !words("mem-bind").all(is_memory_binding)
    {
        return fail(format!("unrecognized --mem-bind argument \"{text}\""));
    }
    for word in words("power").filter(|w| *w != "level") {
        let what = format!("Ignoring unrecognized power option ({word})");
        // sbatch reads its options twice.
        let times = if given.program == Program::Sbatch { 2 } else { 1 };
        warnings.extend(std::iter::repeat_n(what, times));
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
    all.extend(given.value("mem-bind").map(memory_binding).unwrap_or_default());
    for (name, long) in
        [("SLURM_ACCTG_FREQ", "acctg-freq"), ("SLURM_GPU_FREQ", "gpu-freq"), ("SLURM_GPU_BIND", "gpu-bind")]
    {
        all.extend(given.value(long).map(|text| (name, text.to_owned())));
    }
    all
}

/// What a job sees of --mem-bind: its flags in Slurm's order, then the kind.
fn memory_binding(text: &str) -> Vec<(&'static str, String)> {
    let lower = text.to_ascii_lowercase();
    let (mut prefer, mut sort, mut verbose, mut kind) = (false, false, false, None);
    let mut rest = lower.as_str();
    while !rest.is_empty() {
        let (word, after) = rest.split_once(',').unwrap_or((rest, ""));
        match word {
            "p" | "prefer" => prefer = true,
            "sort" => sort = true,
            "v" | "verbose" => verbose = true,
            "q" | "quiet" | "nosort" => {}
            "n" | "no" => kind = Some("none".to_owned()),
            // The rest is its list.
            word if word.contains(':') => {
                kind = Some(rest.replace("0x", ""));
                break;
            }
            word => kind = Some(word.to_owned()),
        }
        rest = after;
    }
    let flags = [(verbose, "verbose"), (prefer, "prefer"), (sort, "sort")];
    let words: Vec<String> =
        flags.iter().filter(|(is, _)| *is).map(|(_, word)| (*word).to_owned()).chain(kind).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut all = vec![
        ("SLURM_MEM_BIND", words.join(",")),
        ("SLURM_MEM_BIND_VERBOSE", if verbose { "verbose" } else { "quiet" }.to_owned()),
    ];
    all.extend(sort.then(|| ("SLURM_MEM_BIND_SORT", "sort".to_owned())));
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
        let mut known = FREQUENCIES.iter().map(|(_, shown)| shown).chain(&GOVERNORS);
        let known = known.find(|word| word.eq_ignore_ascii_case(&rest[..end]));
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

/// The words for frequencies, in the order by which Slurm tells the lower one.
const FREQUENCIES: [(&str, &str); 4] =
    [("low", "Low"), ("medium", "Medium"), ("high", "High"), ("highm1", "Highm1")];

const GOVERNORS: [&str; 6] =
    ["Conservative", "OnDemand", "Performance", "PowerSave", "SchedUtil", "UserSpace"];

/// --cpu-freq: a frequency, a governor, or two frequencies with or without a governor.
fn cpu_frequency(text: &str) -> Result<CpuFrequency, ValueError> {
    let fail = |what: String| Err(refused(format!("{what}\nInvalid --cpu-freq argument")));
    let governor =
        |word: &str| GOVERNORS.iter().find(|g| g.eq_ignore_ascii_case(word)).map(|g| (*g).to_owned());
    let (range, last) = match text.split_once(':') {
        Some((range, governor)) => (range, Some(governor)),
        None => (text, None),
    };
    let Some((low, high)) = range.split_once('-') else {
        return match (last, frequency(range), governor(range)) {
            (Some(last), ..) => fail(format!("gov on cpu-frec ({last}) illegal without max")),
            (None, Some((max, _)), _) => Ok(CpuFrequency { max: Some(max), ..CpuFrequency::default() }),
            (None, None, Some(name)) => Ok(CpuFrequency { governor: Some(name), ..CpuFrequency::default() }),
            (None, None, None) => fail(format!("unrecognized --cpu-freq argument \"{text}\"")),
        };
    };
    let (min, max) = match (frequency(low), frequency(high)) {
        (Some(min), Some(max)) => (min, max),
        (None, _) => return fail(format!("unrecognized --cpu-freq argument \"{low}\"")),
        (_, None) => return fail(format!("unrecognized --cpu-freq argument \"{high}\"")),
    };
    if min.1 >= max.1 {
        return fail(format!("min cpu-frec ({low}) must be < max cpu-freq ({high})"));
    }
    let governor = match last {
        None => None,
        Some(word) => match governor(word) {
            None => return fail(format!("illegal governor: {word} on --cpu-freq")),
            found => found,
        },
    };
    Ok(CpuFrequency { min: Some(min.0), max: Some(max.0), governor })
}

/// A frequency as it is shown, and its rank: numbers are lower than words.
fn frequency(word: &str) -> Option<(String, u64)> {
    match FREQUENCIES.iter().position(|(name, _)| name.eq_ignore_ascii_case(word)) {
        Some(at) => Some((FREQUENCIES[at].1.to_owned(), u64::from(u32::MAX) + 1 + at as u64)),
        None => word.parse::<u32>().ok().map(|n| (n.to_string(), n.into())),
    }
}

/// --gpu-freq, with the prefix under which it is kept.
fn gpu_frequency(text: &str) -> Result<String, ValueError> {
    let is_value = |v: &str| FREQUENCIES.iter().any(|(name, _)| *name == v) || v.parse::<u32>().is_ok();
    let known = |word: &str| word == "verbose" || is_value(word.strip_prefix("memory=").unwrap_or(word));
    match text.split(',').all(known) {
        true => Ok(format!("gpu:{text}")),
        false => Err(refused(format!("Invalid --gpu-freq argument: gpu:{text}"))),
    }
}

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

    /// Values and texts are those of sbatch 22.05.8.
    #[test]
    fn frequencies_as_scontrol_shows_them() {
        for (given, shown) in [
            ("high", "CPU_max_freq=High "),
            ("1000", "CPU_max_freq=1000 "),
            ("OnDemand", "Governor=OnDemand"),
            ("1000-2000", "CPU_min_freq=1000 CPU_max_freq=2000 "),
            ("medium-HIGH:userspace", "CPU_min_freq=Medium CPU_max_freq=High Governor=UserSpace"),
            ("high-highm1", "CPU_min_freq=High CPU_max_freq=Highm1 "),
        ] {
            assert_eq!(cpu_frequency(given).map(|f| f.to_string()).as_deref(), Ok(shown), "{given}");
        }
        for (given, text) in [
            ("x", "unrecognized --cpu-freq argument \"x\""),
            ("low-", "unrecognized --cpu-freq argument \"\""),
            ("low:high", "gov on cpu-frec (high) illegal without max"),
            ("low-high:", "illegal governor:  on --cpu-freq"),
            ("high-low", "min cpu-frec (high) must be < max cpu-freq (low)"),
            ("low-1000", "min cpu-frec (low) must be < max cpu-freq (1000)"),
        ] {
            let e = cpu_frequency(given).unwrap_err();
            assert_eq!((e.text, e.code), (format!("{text}\nInvalid --cpu-freq argument"), 255), "{given}");
        }
    }

    #[test]
    fn gpu_options_keep_their_text() {
        for good in ["high", "1000", "memory=high", "high,memory=low,verbose", "low,low"] {
            assert_eq!(gpu_frequency(good), Ok(format!("gpu:{good}")));
        }
        for bad in ["x", "memory=x", "HIGH", ""] {
            assert_eq!(
                gpu_frequency(bad).unwrap_err().text,
                format!("Invalid --gpu-freq argument: gpu:{bad}")
            );
        }
    }

    #[test]
    fn memory_bindings_as_jobs_see_them() {
        let seen = |text| {
            let all = memory_binding(text);
            let of = |name| all.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).unwrap_or_default();
            [of("SLURM_MEM_BIND"), of("SLURM_MEM_BIND_VERBOSE"), of("SLURM_MEM_BIND_SORT")]
        };
        assert_eq!(seen("Local"), ["local", "quiet", ""]);
        assert_eq!(seen("v,local"), ["verbose,local", "verbose", ""]);
        assert_eq!(seen("q,p,sort,rank"), ["prefer,sort,rank", "quiet", "sort"]);
        assert_eq!(seen("map_mem:0,1"), ["map_mem:0,1", "quiet", ""]);
        assert_eq!(seen("mask_mem:0x3"), ["mask_mem:3", "quiet", ""]);
        assert_eq!(
            (seen("quiet"), seen("nosort")),
            (["", "", ""].map(str::to_owned), ["", "", ""].map(str::to_owned))
        );
    }

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
