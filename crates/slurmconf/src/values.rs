//! Values as Slurm reads them, and as `scontrol show config` prints them.

use crate::keys::{Key, Kind, LEVELS, NULL};
use bivouac_types::{Duration, HostList, TimeLimit};

/// `YES`, `UP`, `TRUE`, `1` and their opposites, in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "up" | "true" | "1" => Some(true),
        "no" | "down" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// A number, or UNLIMITED or INFINITE.
pub(crate) fn limit(text: &str) -> Option<Option<u64>> {
    match is_unlimited(text) {
        true => Some(None),
        false => text.parse().ok().map(Some),
    }
}

fn is_unlimited(text: &str) -> bool {
    ["UNLIMITED", "INFINITE", "-1"].iter().any(|w| w.eq_ignore_ascii_case(text))
}

/// A time in Slurm's forms; plain numbers are minutes.
pub(crate) fn time(text: &str) -> Option<TimeLimit> {
    if is_unlimited(text) { Some(TimeLimit::Unlimited) } else { TimeLimit::parse(text) }
}

/// A list of words.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// A list that `ALL` stands for everything in: then it is empty.
pub(crate) fn words_or_all(text: &str) -> Vec<String> {
    match text.eq_ignore_ascii_case("all") {
        true => Vec::new(),
        false => words(text),
    }
}

/// A hostlist's names.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn hosts(text: &str) -> Result<Vec<String>, String> {
    let list = HostList::parse(text).map_err(|e| format!("\"{text}\" is no hostlist: {e}"))?;
    let bad = |n: &&String| {
        n.is_empty() || !n.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match list.names.iter().find(bad) {
        Some(name) => Err(format!("\"{name}\" cannot be a node's name")),
        None => Ok(list.names),
    }
}

/// A count with a suffix K, M, G, T or P (1024 each), or `_MIB`-less plain.
pub(crate) fn scaled(text: &str) -> Option<u64> {
    let (digits, shift) = match text.bytes().last()?.to_ascii_uppercase() {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        b'T' => (&text[..text.len() - 1], 40),
        b'P' => (&text[..text.len() - 1], 50),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// `3,5-7` as numbers.
pub(crate) fn exit_codes(text: &str) -> Option<Vec<u8>> {
    let mut codes = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u8, u8) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last {
            return None;
        }
        codes.extend(first..=last);
    }
    Some(codes)
}

/// How `scontrol show config` prints a value of a key.
///
/// # Errors
/// What is wrong with the value, in a sentence that goes on after the key's name.
pub fn shown(key: &Key, value: &str) -> Result<String, String> {
    let number = || value.parse::<u64>().map_err(|_| format!("value \"{value}\" is not a valid number"));
    let yes = || boolean(value).ok_or_else(|| format!("value \"{value}\" is neither YES nor NO"));
    Ok(match key.kind {
        Kind::Text => value.to_owned(),
        Kind::Program if value.eq_ignore_ascii_case("none") || value == NULL => NULL.to_owned(),
        Kind::Program if !value.starts_with('/') => {
            return Err(format!("value \"{value}\" is not an absolute path"));
        }
        Kind::Program => value.to_owned(),
        Kind::Count => number()?.to_string(),
        Kind::Unit(_) if matches!(value.to_ascii_uppercase().as_str(), "UNLIMITED" | "INFINITE") => {
            "UNLIMITED".to_owned()
        }
        Kind::Unit(unit) => format!("{} {unit}", number()?),
        Kind::SecondsOrInfinite => match value.to_ascii_uppercase().as_str() {
            "INFINITE" | "NONE" | "-1" => "INFINITE".to_owned(),
            _ => format!("{} sec", number()?),
        },
        Kind::YesNo => if yes()? { "Yes" } else { "No" }.to_owned(),
        Kind::LowerYesNo => if yes()? { "yes" } else { "no" }.to_owned(),
        Kind::Bit => if yes()? { "1" } else { "0" }.to_owned(),
        Kind::Time if value.parse() == Ok(0) => "00:00:00".to_owned(),
        Kind::Time => {
            let limit = time(value).ok_or_else(|| format!("value \"{value}\" is not a valid time"))?;
            limit.to_string()
        }
        Kind::Limit => match limit(value) {
            Some(None) => "UNLIMITED".to_owned(),
            Some(Some(n)) => n.to_string(),
            None => return Err(format!("value \"{value}\" is not a valid number")),
        },
        Kind::Percent => {
            let percent = value.trim_end_matches('%').parse::<f32>().ok().filter(|p| *p >= 0.0);
            format!("{:.1}%", percent.ok_or_else(|| format!("value \"{value}\" is not a percentage"))?)
        }
        Kind::Megabytes => format!("{} MB", number()?),
        Kind::Level => {
            let named = LEVELS.iter().find(|l| l.eq_ignore_ascii_case(value));
            let level = named.or_else(|| LEVELS.get(value.parse::<usize>().ok()?));
            (*level.ok_or_else(|| format!("value \"{value}\" is no level of logging"))?).to_owned()
        }
        Kind::OneOf(words) => {
            let found = words.iter().find(|w| w.eq_ignore_ascii_case(value));
            (*found.ok_or_else(|| format!("value \"{value}\" is not available"))?).to_owned()
        }
        Kind::Words(known) => {
            let mut out = Vec::new();
            for word in words(value) {
                let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
                let found = known.iter().find(|k| k.trim_end_matches('=').eq_ignore_ascii_case(name));
                let found = found.ok_or_else(|| format!("value \"{word}\" is not available"))?;
                match (found.ends_with('='), word.split_once('=')) {
                    (true, Some((_, v))) => out.push(format!("{found}{v}")),
                    (false, None) => out.push((*found).to_owned()),
                    (true, None) => return Err(format!("value \"{word}\" needs a number: {found}#")),
                    (false, Some(_)) => return Err(format!("value \"{word}\" takes no number: {found}")),
                }
            }
            if out.is_empty() { NULL.to_owned() } else { out.join(",") }
        }
    })
}

/// The seconds of a value that [`shown`] accepted for a key of [`Kind::Unit`] or [`Kind::Count`].
pub(crate) fn seconds(value: &str) -> Duration {
    Duration::from_secs(value.parse::<u64>().unwrap_or(u64::MAX / 1000).min(u64::MAX / 1000))
}

/// How many device files `/dev/nvidia[0-3]` stands for.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn hosts_of_files(text: &str) -> Result<u64, String> {
    let list = HostList::parse(text).map_err(|e| format!("File \"{text}\" is no list of files: {e}"))?;
    Ok(list.names.len() as u64)
}
