//! What the commands that only show things (squeue, sinfo, sacct, scontrol) share: the settings of a report from the
//! environment, questions to the controller with their errors in Slurm's words, users, and repeated reports.

use crate::cluster::{self, Unreachable};
use crate::invocation;
use bivouac_options::{Given, Program};
use bivouac_proto::client::Client;
use bivouac_proto::frame::FrameError;
use bivouac_proto::message::{Ask, Response};
use bivouac_proto::place::Place;
use bivouac_render::{Machine, Settings};
use bivouac_types::config::ClusterConfig;
use bivouac_types::info::{JobInfo, NodeInfo, NodeSpell, PartitionInfo};
use bivouac_types::time::TimeFormat;
use bivouac_types::{Reject, Timestamp};
use std::ffi::{CStr, CString};
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// Why a question was not answered. `Display` is the text after the command's own prefix.
#[derive(Debug)]
pub enum Trouble {
    /// The controller cannot be reached.
    Unreachable(Unreachable),
    /// It refused.
    Rejected(Reject),
    /// It could not serve the request, or answered something else.
    Failed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unreachable(e) => e.fmt(f),
            Trouble::Rejected(e) => e.fmt(f),
            Trouble::Failed(text) => f.write_str(text),
        }
    }
}

impl From<FrameError> for Trouble {
    fn from(e: FrameError) -> Trouble {
        Trouble::Unreachable(e.into())
    }
}

impl From<Response> for Trouble {
    /// An answer that was not expected.
    fn from(answer: Response) -> Trouble {
        match answer {
            Response::Rejected(e) => Trouble::Rejected(e),
            Response::Failed(text) => Trouble::Failed(text),
            _ => Trouble::Failed("the controller answered something else than it was asked".to_owned()),
        }
    }
}

/// A connection to the user's cluster.
///
/// # Errors
/// [`Trouble::Unreachable`].
pub fn connect() -> Result<Client, Trouble> {
    cluster::connect().map_err(Trouble::Unreachable)
}

/// Rows of jobs.
///
/// # Errors
/// [`Trouble`].
pub fn jobs(client: &mut Client, ask: Ask) -> Result<Vec<JobInfo>, Trouble> {
    Ok(client.jobs(ask)??)
}

/// All nodes.
///
/// # Errors
/// [`Trouble`].
pub fn nodes(client: &mut Client) -> Result<Vec<NodeInfo>, Trouble> {
    match client.call(Ask::Nodes)? {
        Response::Nodes(nodes) => Ok(nodes),
        other => Err(other.into()),
    }
}

/// What nodes were worth since when, oldest first.
///
/// # Errors
/// [`Trouble`].
pub fn spells(client: &mut Client) -> Result<Vec<NodeSpell>, Trouble> {
    match client.call(Ask::Spells)? {
        Response::Spells(spells) => Ok(spells),
        other => Err(other.into()),
    }
}

/// All partitions.
///
/// # Errors
/// [`Trouble`].
pub fn partitions(client: &mut Client) -> Result<Vec<PartitionInfo>, Trouble> {
    match client.call(Ask::Partitions)? {
        Response::Partitions(partitions) => Ok(partitions),
        other => Err(other.into()),
    }
}

/// The configuration.
///
/// # Errors
/// [`Trouble`].
pub fn config(client: &mut Client) -> Result<ClusterConfig, Trouble> {
    match client.call(Ask::Config)? {
        Response::Config(config) => Ok(*config),
        other => Err(other.into()),
    }
}

/// One request with one answer.
///
/// # Errors
/// [`Trouble`].
pub fn ask(body: Ask) -> Result<Response, Trouble> {
    Ok(connect()?.call(body)?)
}

/// Options whose argument is optional take their list in the same word (`-j12`), or else the first operand is the
/// list of the one that has none (`-j 12`). An option without a list asks for nothing in particular.
///
/// # Errors
/// There are operands that belong to nothing; it has been said.
pub fn optional_lists<'a, const N: usize>(
    given: &'a Given,
    options: [&'static str; N],
) -> Result<[Option<&'a str>; N], ExitCode> {
    let bare = options.into_iter().find(|o| given.last_of(&[*o]).is_some_and(|c| c.value.is_none()));
    if let Some(operand) = given.operands.get(usize::from(bare.is_some())) {
        let program = given.program;
        print!("{}", bivouac_options::help::usage(program));
        return Err(invocation::fail(program, format_args!("Unrecognized option: {}", operand.display())));
    }
    let operand = given.operands.first().and_then(|o| o.to_str());
    Ok(options.map(|o| given.value(o).or_else(|| operand.filter(|_| bare == Some(o)))))
}

/// The number of a user; one who is unknown is said and counts for nobody.
pub fn known_uid(program: Program, user: &str) -> Option<u32> {
    let uid = uid_of(user);
    if uid.is_none() {
        eprintln!("{program}: error: Invalid user: {user}\n");
    }
    uid
}

/// The settings of a report made now: the caller's time zone, SLURM_TIME_FORMAT, SLURM_BITSTR_LEN.
pub fn settings() -> Settings {
    let mut settings = Settings::new(Timestamp(jiff::Timestamp::now().as_millisecond()));
    settings.zone = jiff::tz::TimeZone::system();
    let time_format = std::env::var("SLURM_TIME_FORMAT").ok();
    if let Some(value) = time_format.as_deref().filter(|v| TimeFormat::is_none(v)) {
        eprintln!("{}: error: invalid SLURM_TIME_FORMAT = '{value}'", crate::command_name());
    }
    settings.time_format = TimeFormat::from_value(time_format.as_deref());
    if let Some(len) = std::env::var("SLURM_BITSTR_LEN").ok().and_then(|v| v.parse().ok()) {
        settings.task_chars = len;
    }
    settings.cluster = Place::find(None).map(|place| place.cluster).unwrap_or_default();
    settings
}

/// As [`settings`], with what nodes show of the machine.
pub fn node_settings() -> Settings {
    Settings { machine: machine(), ..settings() }
}

/// This machine, on which all nodes are.
fn machine() -> Machine {
    let read = |name: &str| std::fs::read_to_string(name).unwrap_or_default();
    let kernel = |name: &str| read(&format!("/proc/sys/kernel/{name}")).trim().to_owned();
    let field = |text: &str, key: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<i64>().ok()
    };
    let free = |text: &str| field(text, "MemFree:").and_then(|kb| u64::try_from(kb >> 10).ok());
    Machine {
        arch: std::env::consts::ARCH.to_owned(),
        os: format!("{} {} {}", kernel("ostype"), kernel("osrelease"), kernel("version")),
        boot: field(&read("/proc/stat"), "btime").map(Timestamp::from_secs),
        load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
        free_mb: free(&read("/proc/meminfo")),
    }
}

/// The caller's number.
pub fn own_uid() -> u32 {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() }
}

/// The number of a user given by name, or by a number that the passwd database knows.
pub fn uid_of(user: &str) -> Option<u32> {
    if let Ok(uid) = user.parse() {
        return bivouac_proto::place::Account::of_uid(uid).is_ok().then_some(uid);
    }
    of_passwd(user, |entry| entry.pw_uid)
}

/// A user's name in full: the first part of the passwd database's comment.
pub fn full_name(user: &str) -> String {
    let comment = of_passwd(user, |entry| match entry.pw_gecos.is_null() {
        true => String::new(),
        // SAFETY: a terminated string in the buffer, which lives for the call.
        false => unsafe { CStr::from_ptr(entry.pw_gecos) }.to_string_lossy().into_owned(),
    });
    comment.unwrap_or_default().split(',').next().unwrap_or_default().to_owned()
}

/// What is wanted of a user's entry in the passwd database.
fn of_passwd<T>(user: &str, want: impl Fn(&libc::passwd) -> T) -> Option<T> {
    let name = CString::new(user).ok()?;
    let mut buffer = vec![0u8; 16 << 10];
    loop {
        // SAFETY: a zeroed passwd is a valid value to be filled in.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: the name is terminated, all pointers are valid for the call and the buffer's length is passed.
        let rc = unsafe {
            libc::getpwnam_r(name.as_ptr(), &mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &mut found)
        };
        if rc == libc::ERANGE && buffer.len() < 1 << 20 {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        return (rc == 0 && !found.is_null()).then(|| want(&entry));
    }
}

/// The number of a group given by name, or by a number that the group database knows.
pub fn gid_of(group: &str) -> Option<u32> {
    let number = group.parse::<u32>().ok();
    let name = CString::new(group).ok()?;
    let mut buffer = vec![0u8; 16 << 10];
    loop {
        // SAFETY: a zeroed group is a valid value to be filled in.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        let (space, length) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: the name is terminated, all pointers are valid for the call and the buffer's length is passed.
        let rc = unsafe {
            match number {
                Some(gid) => libc::getgrgid_r(gid, &mut entry, space, length, &mut found),
                None => libc::getgrnam_r(name.as_ptr(), &mut entry, space, length, &mut found),
            }
        };
        if rc == libc::ERANGE && buffer.len() < 1 << 20 {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        return (rc == 0 && !found.is_null()).then_some(entry.gr_gid);
    }
}

/// -i: a positive number of seconds.
pub fn interval(text: &str) -> Option<Duration> {
    text.parse::<u32>().ok().filter(|&n| n > 0 && n <= i32::MAX as u32).map(|n| Duration::from_secs(n.into()))
}

/// Makes a report, once or again and again; between two of them stands an empty line.
pub fn repeat<E>(every: Option<Duration>, mut report: impl FnMut() -> Result<(), E>) -> Result<(), E> {
    loop {
        report()?;
        let Some(pause) = every else { return Ok(()) };
        println!();
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_name_and_number() {
        assert_eq!(uid_of("root"), Some(0));
        assert_eq!(uid_of("0"), Some(0));
        assert_eq!(uid_of("no-such-user-here"), None);
        assert_eq!(uid_of("4000000001"), None);
        assert_eq!(uid_of("with\0nul"), None);
        assert_eq!(full_name("no-such-user-here"), "");
    }

    #[test]
    fn groups_by_name_and_number() {
        assert_eq!((gid_of("root"), gid_of("0")), (Some(0), Some(0)));
        assert_eq!(
            (gid_of("no-such-group-here"), gid_of("4000000001"), gid_of("with\0nul")),
            (None, None, None)
        );
    }

    #[test]
    fn intervals_are_positive_numbers() {
        assert_eq!(interval("3"), Some(Duration::from_secs(3)));
        for bad in ["", "0", "-1", "foo", "1.5", "99999999999"] {
            assert_eq!(interval(bad), None, "{bad}");
        }
    }
}
