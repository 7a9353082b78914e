//! Installs what the tests need and the machine lacks: Debian packages where that is allowed, cargo-nextest.

use std::process::Command;

use super::{Verdict, has_nextest, in_ci};
use crate::machine::{ORDINARY_USER, install_packages, ordinary_user, quiet};

/// A program that tests use, the Debian package that has it, and what it is for.
struct Tool {
    program: &'static str,
    check: &'static [&'static str],
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: [Tool; 11] = [
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
    Tool { program: "tmux", check: &["-V"], package: "tmux", purpose: "tests type at a terminal" },
    Tool {
        program: "mpicc.mpich",
        check: &["-v"],
        package: "libmpich-dev",
        purpose: "MPI programs as steps",
    },
    Tool {
        program: "mpiexec.mpich",
        check: &["--version"],
        package: "mpich",
        purpose: "it starts its proxies through srun",
    },
    Tool {
        program: "mpirun.openmpi",
        check: &["--version"],
        package: "openmpi-bin",
        purpose: "it starts its daemons through srun",
    },
    Tool {
        program: "mpicc.openmpi",
        check: &["--version"],
        package: "libopenmpi-dev",
        purpose: "programs of Open MPI",
    },
    Tool {
        program: "test",
        check: &["-e", "/usr/include/slurm/pmi2.h"],
        package: "libpmi2-0-dev",
        purpose: "PMI-2 as Slurm's own library speaks it",
    },
];

/// Installs what is missing, or says what stays missing.
///
/// # Errors
/// In CI: what could not be installed.
pub fn install() -> Result<Verdict, String> {
    let mut still = Vec::new();
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !present(tool)).collect();
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
        if let Err(why) = install_packages(&packages) {
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

fn present(tool: &Tool) -> bool {
    quiet(tool.program, tool.check)
}
