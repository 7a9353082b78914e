//! Whether this machine lets this user enter a view, and if not, why.

use std::fmt;
use std::fs;
use std::io;

use crate::apply::try_namespaces;

/// Set to `1`, this variable makes [`probe`] answer no: the fallback is used, for tests and for machines
/// whose namespaces work but shall not be used.
pub const NO_NAMESPACES_VARIABLE: &str = "BIVOUAC_NO_NAMESPACES";

/// Why views cannot be entered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoNamespaces {
    /// The reason in one sentence.
    pub reason: String,
    /// What an administrator can do, if anything is known.
    pub advice: Option<String>,
}

impl fmt::Display for NoNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl std::error::Error for NoNamespaces {}

/// Tries, in a child process that ends at once, what [`crate::ViewPlan::apply`] needs: the namespaces, the
/// own user's map, and a mount. Costs about a millisecond; safe in a process with threads.
///
/// # Errors
/// [`NoNamespaces`] with the reason.
pub fn probe() -> Result<(), NoNamespaces> {
    if std::env::var_os(NO_NAMESPACES_VARIABLE).is_some_and(|v| v == "1") {
        let reason = format!("{NO_NAMESPACES_VARIABLE}=1 is set");
        return Err(NoNamespaces { reason, advice: None });
    }
    match in_child(|| try_namespaces().err().map_or(0, |e| e.errno().max(1))) {
        Ok(0) => Ok(()),
        Ok(errno) => Err(explain(errno, |path| fs::read_to_string(path).ok())),
        Err(cause) => {
            Err(NoNamespaces { reason: format!("cannot start a process to try: {cause}"), advice: None })
        }
    }
}

/// Runs `f` in a forked child and returns its result, 0 to 255, by the exit status.
fn in_child(f: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: the child calls only `f`, which makes system calls and small allocations (the C library
    // keeps its allocator usable across fork), and `_exit`, so that nothing of the parent is run twice.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let status = f();
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(status) }
        }
        child => {
            let mut status = 0;
            loop {
                // SAFETY: `status` is a live integer; the child is ours and not yet reaped.
                match unsafe { libc::waitpid(child, &raw mut status, 0) } {
                    -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                    -1 => return Err(io::Error::last_os_error()),
                    _ if libc::WIFEXITED(status) => return Ok(libc::WEXITSTATUS(status)),
                    _ => return Ok(libc::EPERM),
                }
            }
        }
    }
}

/// The reason for an error number, from the settings of the kernel that `read` gives.
fn explain(errno: i32, read: impl Fn(&str) -> Option<String>) -> NoNamespaces {
    let setting = |path: &str| read(path).map(|text| text.trim().to_owned());
    let (reason, advice) =
        if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
            (
                "AppArmor forbids ordinary users their own namespaces".to_owned(),
                Some("`sysctl kernel.apparmor_restrict_unprivileged_userns=0` (as root) allows them"),
            )
        } else if setting("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
            (
                "this kernel forbids ordinary users their own namespaces".to_owned(),
                Some("`sysctl kernel.unprivileged_userns_clone=1` (as root) allows them"),
            )
        } else if setting("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
            (
                "user namespaces are limited to 0 here".to_owned(),
                Some("`sysctl user.max_user_namespaces=10000` (as root) allows them"),
            )
        } else if errno == libc::EPERM || errno == libc::EACCES {
            (
            "making a namespace or mounting in it is not permitted (in a container, its security profile)"
                .to_owned(),
            Some("start the container with the right to mount, or use the fallback"),
        )
        } else {
            (format!("namespaces cannot be made: {}", io::Error::from_raw_os_error(errno)), None)
        };
    NoNamespaces { reason, advice: advice.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_forbids_is_named() {
        let with = |path: &'static str, value: &'static str| {
            explain(libc::EPERM, move |p| (p == path).then(|| value.to_owned())).to_string()
        };
        assert!(with("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n").contains("AppArmor"));
        assert!(with("/proc/sys/kernel/unprivileged_userns_clone", "0\n").contains("userns_clone=1"));
        assert!(with("/proc/sys/user/max_user_namespaces", "0\n").contains("limited to 0"));
        assert!(with("/none", "").contains("not permitted"));
        assert!(explain(libc::ENOSYS, |_| None).reason.contains("not implemented"));
    }

    #[test]
    fn a_childs_result_comes_back() {
        assert_eq!(in_child(|| 0).expect("child"), 0);
        assert_eq!(in_child(|| 7).expect("child"), 7);
    }
}
