//! Installs what the tests need and the machine lacks: Debian packages where that is allowed, cargo-nextest.

use std::process::Command;

use super::{Verdict, has_nextest, in_ci, quiet};

/// A program that tests use, the Debian package that has it, and what it is for.
struct Tool {
    program: &'static str,
    check: &'static [&'static str],
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: [Tool; 5] = [
    Tool {
        program: "cc",
        check: &["--version"],
        package: "gcc",
        purpose: "Lua, SQLite and zstd are built from C",
    },
    Tool { program: "git", check: &["--version"], package: "git", purpose: "the example is cloned" },
    Tool {
        program: "python3",
        check: &["--version"],
        package: "python3",
        purpose: "the offline channel is made of it where there is no pyenv",
    },
    Tool {
        program: "python3",
        check: &["-m", "pip", "--version"],
        package: "python3-pip",
        purpose: "the offline channel's wheels",
    },
    Tool {
        program: "zsh",
        check: &["--version"],
        package: "zsh",
        purpose: "module and conda are tested in it",
    },
];

/// The account of the end-to-end tests (`bivouac_e2e::ORDINARY_USER`).
const ORDINARY_USER: &str = "camper";

/// Installs what is missing, or says what stays missing.
///
/// # Errors
/// In CI: what could not be installed.
pub fn install() -> Result<Verdict, String> {
    let mut still = Vec::new();
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !present(tool)).collect();
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
        if let Err(why) = apt_install(&packages) {
            println!("cannot install {}: {why}", packages.join(" "));
        }
        still.extend(
            missing
                .iter()
                .filter(|tool| !present(tool))
                .map(|tool| format!("{} ({}; Debian package {})", tool.program, tool.purpose, tool.package)),
        );
    }
    if !has_nextest() {
        println!("$ cargo install --locked cargo-nextest");
        let installed = Command::new("cargo").args(["install", "--locked", "cargo-nextest"]).status();
        if !installed.is_ok_and(|status| status.success()) {
            still.push("cargo-nextest (cargo install --locked cargo-nextest)".to_owned());
        }
    }
    if !ordinary_user() {
        still
            .push(format!("the user {ORDINARY_USER}, as whom root's tests try what an ordinary user can do"));
    }
    match still.is_empty() {
        true => Ok(Verdict::Passed),
        false if in_ci() => Err(format!("missing: {}", still.join(", "))),
        false => Ok(Verdict::Partly(format!("missing: {}", still.join(", ")))),
    }
}

/// Makes the account, if root runs this; whoever else runs it is an ordinary user already.
fn ordinary_user() -> bool {
    if !quiet("test", &["-w", "/etc/passwd"]) || quiet("id", &[ORDINARY_USER]) {
        return true;
    }
    println!("$ useradd --create-home --shell /bin/bash {ORDINARY_USER}");
    quiet("useradd", &["--create-home", "--shell", "/bin/bash", ORDINARY_USER])
}

fn present(tool: &Tool) -> bool {
    quiet(tool.program, tool.check)
}

fn apt_install(packages: &[&str]) -> Result<(), String> {
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

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
