//! The submitter's resource limits, which travel as SLURM_RLIMIT_* entries of the environment.

use bivouac_keeper::order::Limit;

const PREFIX: &[u8] = b"SLURM_RLIMIT_";

/// Slurm's names and this system's numbers.
const LIMITS: [(&str, libc::__rlimit_resource_t); 10] = [
    ("AS", libc::RLIMIT_AS),
    ("CORE", libc::RLIMIT_CORE),
    ("CPU", libc::RLIMIT_CPU),
    ("DATA", libc::RLIMIT_DATA),
    ("FSIZE", libc::RLIMIT_FSIZE),
    ("MEMLOCK", libc::RLIMIT_MEMLOCK),
    ("NOFILE", libc::RLIMIT_NOFILE),
    ("NPROC", libc::RLIMIT_NPROC),
    ("RSS", libc::RLIMIT_RSS),
    ("STACK", libc::RLIMIT_STACK),
];

/// Takes the entries out of an environment. The soft limits are the submitter's, the hard ones stay the daemon's own; a
/// soft limit above one is cut to it.
pub fn take(env: &mut Vec<Vec<u8>>) -> Vec<Limit> {
    let mut limits = Vec::new();
    env.retain(|entry| {
        let Some(rest) = entry.strip_prefix(PREFIX) else { return true };
        limits.extend(std::str::from_utf8(rest).ok().and_then(limit));
        false
    });
    limits
}

fn limit(entry: &str) -> Option<Limit> {
    let (name, soft) = entry.split_once('=')?;
    let soft: u64 = soft.parse().ok()?;
    let (_, resource) = LIMITS.iter().find(|(n, _)| *n == name)?;
    let mut own = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is that of a valid structure.
    if unsafe { libc::getrlimit(*resource, &mut own) } != 0 {
        return None;
    }
    Some(Limit { resource: *resource, soft: soft.min(own.rlim_max), hard: own.rlim_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_taken_out_of_the_environment() {
        let mut env: Vec<Vec<u8>> =
            ["A=1", "SLURM_RLIMIT_CORE=0", "SLURM_RLIMIT_X=1", "SLURM_RLIMIT_CPU=y"].map(Into::into).to_vec();
        let limits = take(&mut env);
        assert_eq!(env, [b"A=1"]);
        assert_eq!(limits.iter().map(|l| (l.resource, l.soft)).collect::<Vec<_>>(), [(libc::RLIMIT_CORE, 0)]);
    }
}
