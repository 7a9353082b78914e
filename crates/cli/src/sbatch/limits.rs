//! --propagate: the caller's soft resource limits, which go along as SLURM_RLIMIT_* entries of the environment that the
//! controller takes out again.

use super::fail;
use bivouac_keeper::order::{LIMITS, Limit};
use bivouac_types::Blob;
use std::process::ExitCode;

/// The entries for the limits named in `names`; none: all, as with PropagateResourceLimits=ALL.
///
/// # Errors
/// The exit code; the error is printed.
pub fn entries(names: Option<&str>) -> Result<Vec<Blob>, ExitCode> {
    let wanted = wanted(names.unwrap_or("ALL")).map_err(|name| {
        eprintln!("sbatch: error: Bad rlimit name: {name}");
        fail(format_args!("--propagate={} is not valid.", names.unwrap_or_default()))
    })?;
    // A `U` says that the user asked for it, against PropagateResourceLimits.
    let mark = if names.is_some() { "U" } else { "" };
    let entry =
        |(name, resource)| Some(format!("SLURM_RLIMIT_{name}={mark}{}", Limit::own(resource)?.soft).into());
    Ok(wanted.into_iter().filter_map(entry).collect())
}

/// The limits of a list, or the name that is none.
fn wanted(names: &str) -> Result<Vec<(&'static str, u32)>, String> {
    match names.to_ascii_uppercase().as_str() {
        "ALL" => return Ok(LIMITS.to_vec()),
        "NONE" => return Ok(Vec::new()),
        _ => {}
    }
    let find = |word: &str| {
        let upper = word.to_ascii_uppercase();
        let name = upper.strip_prefix("RLIMIT_").unwrap_or(&upper);
        LIMITS.iter().find(|(n, _)| *n == name).copied().ok_or_else(|| word.to_owned())
    };
    names.split(',').filter(|w| !w.is_empty()).map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_limits() {
        let names = |text| wanted(text).map(|w| w.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(","));
        assert_eq!(names("stack,RLIMIT_CORE").as_deref(), Ok("STACK,CORE"));
        assert_eq!(names("none").as_deref(), Ok(""));
        assert_eq!(names("ALL").unwrap().split(',').count(), 10);
        assert_eq!(names("STACK,foo"), Err("foo".to_owned()));
    }
}
