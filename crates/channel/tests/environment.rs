//! What the channel is for: environments made from it work.

use std::path::{Path, PathBuf};
use std::process::Command;

use bivouac_channel::interpreter::{self, Version};
use bivouac_channel::{cpython, for_tests, prefix};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The packages of an environment for `python`: all of the channel but those for another Python.
fn packages(channel: &Path, python: Version) -> Vec<PathBuf> {
    let own = format!("cp3{}.conda", python.minor);
    let built_for = format!("-py3{}_0.conda", python.minor);
    let mut packages = Vec::new();
    for folder in std::fs::read_dir(channel).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            let wanted = name == format!("python-{python}-h0_0_cpython.conda")
                || name.ends_with(&own)
                || name.ends_with(&built_for)
                || name.ends_with("-py_0.conda");
            if wanted {
                packages.push(file.path());
            }
        }
    }
    packages
}

fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_example_s_program_runs_in_an_environment_of_the_channel() {
    let Some(info) = for_tests(&workspace()) else { return };
    let python = Version::parse(&info.pythons[0]).unwrap();
    let packages = packages(&info.dir, python);
    assert_eq!(packages.len(), 11, "{packages:?}");
    let environment = tempfile::tempdir().unwrap();
    for package in packages {
        prefix::install(&package, environment.path(), python).unwrap();
    }
    let csv = environment.path().join("table.csv");
    let program = workspace().join("examples/alpine-python/code/example.py");
    let program = [program.to_str().unwrap(), csv.to_str().unwrap()];
    run(&environment.path().join("bin/python"), &program);
    let table = std::fs::read_to_string(&csv).unwrap();
    assert_eq!(table.lines().count(), 10_001);
    assert!(table.lines().take(2).all(|line| line.split(',').count() == 500));
    // Console scripts of a pure package and of a binary one.
    assert!(run(&environment.path().join("bin/pip"), &["--version"]).starts_with("pip "));
    run(&environment.path().join("bin/f2py"), &["-v"]);
}

#[test]
fn repodata_tells_the_truth_about_every_package() {
    use sha2::{Digest, Sha256};
    let Some(info) = for_tests(&workspace()) else { return };
    let mut seen = 0;
    for folder in ["noarch", bivouac_channel::package::platform_subdir()] {
        let folder = info.dir.join(folder);
        let text = std::fs::read_to_string(folder.join("repodata.json")).unwrap();
        let repodata: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (file, record) in repodata["packages.conda"].as_object().unwrap() {
            let bytes = std::fs::read(folder.join(file)).unwrap();
            assert_eq!(record["size"], bytes.len());
            let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(record["sha256"], sha256, "{file}");
            seen += 1;
        }
    }
    assert_eq!(seen, 7 + 4 * info.pythons.len());
}

#[test]
fn the_system_s_python_moves_too() {
    let interpreter = match interpreter::system() {
        Ok(interpreter) => interpreter,
        Err(tried) => {
            eprintln!("SKIPPED: no system Python to package ({})", tried.join(", "));
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let record = cpython::package(&interpreter).unwrap().write(folder.path()).unwrap();
    let package = folder.path().join(bivouac_channel::package::platform_subdir()).join(&record.file);
    let environment = folder.path().join("env");
    prefix::install(&package, &environment, interpreter.version).unwrap();
    let library = format!("lib/python{}/site-packages", interpreter.version.major_minor());
    std::fs::write(environment.join(library).join("moon.py"), "phase = 'full'\n").unwrap();
    let code = "import ctypes, sqlite3, ssl, sys, moon; print(sys.prefix, moon.phase)";
    let said = run(&environment.join("bin/python"), &["-c", code]);
    assert_eq!(said.trim(), format!("{} full", environment.display()));
}
