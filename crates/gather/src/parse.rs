//! The texts of `/proc` and of control groups, as of proc(5) and the kernel's documentation. What is not such a text is
//! none: a process may end while it is looked at.

/// What `/proc/PID/stat` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The state's letter.
    pub state: u8,
    /// Its parent.
    pub ppid: i32,
    /// Its process group.
    pub pgrp: i32,
    /// Its session.
    pub session: i32,
    /// Page faults for which something had to be read.
    pub major_faults: u64,
    /// Those of the children that it waited for.
    pub waited_major_faults: u64,
    /// User CPU time in clock ticks.
    pub user_ticks: u64,
    /// System CPU time in clock ticks.
    pub system_ticks: u64,
    /// User CPU time of the children that it waited for.
    pub waited_user_ticks: u64,
    /// System CPU time of the children that it waited for.
    pub waited_system_ticks: u64,
    /// Threads.
    pub threads: u32,
    /// When it was started, in clock ticks since boot: with the number it names the process for ever.
    pub start_ticks: u64,
    /// Virtual size in bytes.
    pub vm_bytes: u64,
    /// Resident set in pages.
    pub rss_pages: u64,
}

/// Parses `/proc/PID/stat`. The command's name may hold anything, brackets and blanks included.
pub fn stat(text: &[u8]) -> Option<Stat> {
    let after = text.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(text.get(after + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The first of these is field 3.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |n: usize| field(n)?.parse::<u64>().ok();
    let signed = |n: usize| field(n)?.parse::<i32>().ok();
    // Times of waited-for children are signed in the manual page, and never negative.
    let waited = |n: usize| field(n)?.parse::<i64>().ok().map(|n| n.max(0) as u64);
    Some(Stat {
        state: *field(3)?.as_bytes().first()?,
        ppid: signed(4)?,
        pgrp: signed(5)?,
        session: signed(6)?,
        major_faults: number(12)?,
        waited_major_faults: number(13)?,
        user_ticks: number(14)?,
        system_ticks: number(15)?,
        waited_user_ticks: waited(16)?,
        waited_system_ticks: waited(17)?,
        threads: field(20)?.parse().ok()?,
        start_ticks: number(22)?,
        vm_bytes: number(23)?,
        rss_pages: waited(24)?,
    })
}

/// What `/proc/PID/io` says: what the process and the children that it waited for asked for, from whatever file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// Parses `/proc/PID/io`.
pub fn io(text: &[u8]) -> Option<Io> {
    let text = std::str::from_utf8(text).ok()?;
    Some(Io { read: value(text, "rchar:")?, written: value(text, "wchar:")? })
}

/// CPU time in microseconds of all that ever was in a control group and below it, from a `cpu.stat` of cgroup v2: user, system.
pub fn cpu_stat(text: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(text).ok()?;
    Some((value(text, "user_usec")?, value(text, "system_usec")?))
}

/// The numbers of processes, as `children` and `cgroup.procs` list them.
pub fn pids(text: &[u8]) -> impl Iterator<Item = i32> {
    text.split(u8::is_ascii_whitespace).filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
}

/// The number behind a name at the beginning of a line.
fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.starts_with([' ', '\t']).then(|| line.trim().parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &[u8] =
        b"42 (a) b (c)) S 7 8 9 0 -1 4194304 95 2 11 12 21 22 23 24 20 0 3 0 12345 6789120 250 \
        18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n";

    #[test]
    fn a_process_with_an_odd_name() {
        let expected = Stat {
            state: b'S',
            ppid: 7,
            pgrp: 8,
            session: 9,
            major_faults: 11,
            waited_major_faults: 12,
            user_ticks: 21,
            system_ticks: 22,
            waited_user_ticks: 23,
            waited_system_ticks: 24,
            threads: 3,
            start_ticks: 12345,
            vm_bytes: 6_789_120,
            rss_pages: 250,
        };
        assert_eq!(stat(STAT), Some(expected));
        assert_eq!(stat(b"42 (x"), None);
        assert_eq!(stat(b"42 (x) R 1"), None);
    }

    #[test]
    fn bytes_and_control_groups() {
        let text = b"rchar: 1686681\nwchar: 1690\nsyscr: 4\nsyscw: 5\nread_bytes: 0\nwrite_bytes: 8192\n";
        assert_eq!(io(text), Some(Io { read: 1_686_681, written: 1690 }));
        assert_eq!(io(b"rchar: 5\n"), None);
        let text = b"usage_usec 6786\nuser_usec 10\nsystem_usec 6776\nnice_usec 0\n";
        assert_eq!(cpu_stat(text), Some((10, 6776)));
        assert_eq!(cpu_stat(b"user_usec\nsystem_usec 1"), None);
        assert_eq!(pids(b"12 13 x\n14\n").collect::<Vec<_>>(), [12, 13, 14]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (stat(&bytes), io(&bytes), cpu_stat(&bytes), pids(&bytes).count());
        }

        #[test]
        fn a_damaged_stat_is_one_or_none(at in 0..STAT.len(), byte in any::<u8>()) {
            let mut text = STAT.to_vec();
            text[at] = byte;
            if let Some(stat) = stat(&text) {
                prop_assert!(stat.threads < 100_000_000);
            }
            let _ = stat(&STAT[..at]);
        }

        #[test]
        fn numbers_come_back(user in any::<u64>(), system in any::<u64>(), read in any::<u64>()) {
            let text = format!("usage_usec 1\nuser_usec {user}\nsystem_usec {system}\n");
            prop_assert_eq!(cpu_stat(text.as_bytes()), Some((user, system)));
            let text = format!("rchar: {read}\nwchar: {user}\n");
            prop_assert_eq!(io(text.as_bytes()), Some(Io { read, written: user }));
        }
    }
}
