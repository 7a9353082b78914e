//! What a machine must have before anything can be tested on it: Debian packages and an ordinary account.

use std::process::{Command, Stdio};

use crate::Outcome;

/// The account of the end-to-end tests (`bivouac_e2e::ORDINARY_USER`) and of the cases of `cargo xtask diff`.
pub const ORDINARY_USER: &str = "camper";

/// Makes the account, if root runs this; whoever else runs it is an ordinary user already.
pub fn ordinary_user() -> bool {
    if !quiet("test", &["-w", "/etc/passwd"]) || quiet("id", &[ORDINARY_USER]) {
        return true;
    }
    println!("$ useradd --create-home --shell /bin/bash {ORDINARY_USER}");
    quiet("useradd", &["--create-home", "--shell", "/bin/bash", ORDINARY_USER])
}

/// Installs Debian packages.
///
/// # Errors
/// This is no Debian-like machine, or not root runs it, or apt-get failed; says what to do by hand.
pub fn install_packages(packages: &[&str]) -> Outcome {
    if !quiet("apt-get", &["--version"]) {
        return Err(
            "this machine has no apt-get; install the like of it by the machine's own means".to_owned()
        );
    }
    if !is_root() {
        return Err(format!("not root; as root: apt-get install {}", packages.join(" ")));
    }
    let apt = |arguments: &[&str]| {
        println!("$ apt-get {}", arguments.join(" "));
        let status =
            Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("apt-get {}: {status}", arguments.join(" "))),
            Err(error) => Err(format!("apt-get: {error}")),
        }
    };
    // An old list still serves where the newest cannot be had.
    if let Err(why) = apt(&["update", "-q"]) {
        println!("{why}; going on with the package lists at hand");
    }
    apt(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}

/// Whether root runs this.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether a program runs and ends well; its output is thrown away.
pub fn quiet(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
