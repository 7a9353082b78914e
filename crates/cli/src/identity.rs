//! Whose job it is, where root says so (--uid, --gid), and how a command goes on as that user.

use crate::{invocation, report};
use bivouac_options::Program;
use bivouac_options::job::Asked;
use bivouac_options::value::ValueError;
use bivouac_proto::place::Account;
use std::ffi::CString;
use std::io;
use std::process::ExitCode;

/// --uid and --gid; none: the caller's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity {
    /// The user's number.
    pub uid: Option<u32>,
    /// The group's number.
    pub gid: Option<u32>,
}

/// The numbers of --uid and --gid.
///
/// # Errors
/// The exit code; the error is printed.
pub fn asked(program: Program, asked: &Asked) -> Result<Identity, ExitCode> {
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
    let (uid, gid) = (&asked.uid, &asked.gid);
    Ok(Identity { uid: number("uid", uid, report::uid_of)?, gid: number("gid", gid, report::gid_of)? })
}

impl Identity {
    /// The calling process gives up root's rights for good, if these are another's: a user comes with all his groups.
    ///
    /// # Errors
    /// There is no such user, or the system refuses.
    pub fn assume(self) -> io::Result<()> {
        let account = self.uid.map(Account::of_uid).transpose()?;
        let name = account.as_ref().map(|a| CString::new(a.name.as_str())).transpose()?;
        let gid = self.gid.or(account.map(|a| a.gid));
        // SAFETY: the name is terminated, the list is one group long; this is the only thread.
        let done = unsafe {
            (match (&name, gid) {
                (Some(name), Some(gid)) => libc::initgroups(name.as_ptr(), gid) == 0,
                (None, Some(gid)) => libc::setgroups(1, &gid) == 0,
                (_, None) => true,
            }) && gid.is_none_or(|gid| libc::setgid(gid) == 0)
                && self.uid.is_none_or(|uid| libc::setuid(uid) == 0)
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
