//! The submitter's resource limits, which travel as SLURM_RLIMIT_* entries of the environment.

use bivouac_keeper::order::{LIMITS, Limit};
use std::collections::BTreeMap;

const PREFIX: &[u8] = b"SLURM_RLIMIT_";

/// Takes the entries out of an environment: those that the user asked for (`U`), and those that
/// PropagateResourceLimits and PropagateResourceLimitsExcept let go along. The soft limits are the submitter's, the hard ones stay
/// the daemon's own; a soft limit above one is cut to it.
pub fn take(env: &mut Vec<Vec<u8>>, given: &BTreeMap<String, String>) -> Vec<Limit> {
    let key = |name| given.get(name).map_or("", String::as_str);
    let none = key("PropagateResourceLimits").eq_ignore_ascii_case("NONE");
    let except: Vec<&str> = key("PropagateResourceLimitsExcept").split(',').map(str::trim).collect();
    let goes = |name: &str| !none && !except.iter().any(|e| e.eq_ignore_ascii_case(name));
    let mut limits = Vec::new();
    env.retain(|entry| {
        let Some(rest) = entry.strip_prefix(PREFIX) else { return true };
        limits.extend(std::str::from_utf8(rest).ok().and_then(|entry| limit(entry, &goes)));
        false
    });
    limits
}

fn limit(entry: &str, goes: &dyn Fn(&str) -> bool) -> Option<Limit> {
    let (name, soft) = entry.split_once('=')?;
    let asked = soft.strip_prefix('U');
    if asked.is_none() && !goes(name) {
        return None;
    }
    let soft: u64 = asked.unwrap_or(soft).parse().ok()?;
    let (_, resource) = LIMITS.iter().find(|(n, _)| *n == name)?;
    let own = Limit::own(*resource)?;
    Some(Limit { soft: soft.min(own.hard), ..own })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_taken_out_of_the_environment() {
        let mut env: Vec<Vec<u8>> =
            ["A=1", "SLURM_RLIMIT_CORE=0", "SLURM_RLIMIT_X=1", "SLURM_RLIMIT_CPU=y"].map(Into::into).to_vec();
        let limits = take(&mut env, &BTreeMap::new());
        assert_eq!(env, [b"A=1"]);
        assert_eq!(limits.iter().map(|l| (l.resource, l.soft)).collect::<Vec<_>>(), [(libc::RLIMIT_CORE, 0)]);
        let taken = |key: &str, value: &str| {
            let mut env: Vec<Vec<u8>> =
                ["SLURM_RLIMIT_CORE=0", "SLURM_RLIMIT_CPU=U5"].map(Into::into).to_vec();
            let given = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            take(&mut env, &given).iter().map(|l| l.resource).collect::<Vec<_>>()
        };
        assert_eq!(taken("PropagateResourceLimits", "NONE"), [libc::RLIMIT_CPU]);
        assert_eq!(taken("PropagateResourceLimitsExcept", "core,CPU"), [libc::RLIMIT_CPU]);
        assert_eq!(taken("PropagateResourceLimits", "ALL"), [libc::RLIMIT_CORE, libc::RLIMIT_CPU]);
    }
}
