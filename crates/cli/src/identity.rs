//! Whose job it is, where root says so (--uid, --gid), and how a command goes on as that user.

use crate::{invocation, report};
use bivouac_options::Program;
use bivouac_options::job::Asked;
use bivouac_options::value::ValueError;
use bivouac_proto::place::Account;
use std::ffi::CString;
use std::io;
use std::process::ExitCode;

/// The numbers of --uid and --gid.
///
/// # Errors
/// The exit code; the error is printed.
pub fn numbers(program: Program, asked: &Asked) -> Result<(Option<u32>, Option<u32>), ExitCode> {
    let number = |long: &str, text: &Option<String>, find: fn(&str) -> Option<u32>| {
        let refuse =
            |text: String| invocation::fail_value(program, &ValueError { level: "error", text, code: 255 });
        match text {
            Some(_) if report::own_uid() != 0 => Err(refuse(format!("--{long} only permitted by root user"))),
            Some(text) => {
                find(text).map(Some).ok_or_else(|| refuse(format!("Invalid --{long} specification")))
            }
            None => Ok(None),
        }
    };
    Ok((number("uid", &asked.uid, report::uid_of)?, number("gid", &asked.gid, report::gid_of)?))
}

/// Gives up root's rights for good and goes on as this user, with his groups.
///
/// # Errors
/// There is no such user, or the system refuses.
pub fn assume(uid: u32) -> io::Result<()> {
    let account = Account::of_uid(uid)?;
    let name = CString::new(account.name)?;
    // SAFETY: the name is terminated; this is the only thread.
    let done = unsafe {
        libc::initgroups(name.as_ptr(), account.gid) == 0
            && libc::setgid(account.gid) == 0
            && libc::setuid(uid) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}
