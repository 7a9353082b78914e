//! Creating, replacing, removing and recovering environments with the real program.
#![allow(missing_docs, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use common::{CONDA, Home, err, out, package};

const FILE: &str =
    "name: demo\nchannels:\n  - defaults\ndependencies:\n  - python=3.10\n  - numpy\n  - pandas\n";

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn the_published_sequence_works_the_first_time_and_again() {
    let home = Home::usual();
    home.write("work/environment.yml", FILE);
    let missing = home.fails("env remove --name demo -y");
    assert_eq!(
        missing,
        format!(
            "\nEnvironmentLocationNotFound: Not a conda environment: {}\n\n",
            home.prefix("demo").display()
        )
    );
    let log = home.ok("env create -f environment.yml");
    for line in [
        "Collecting package metadata (repodata.json): done",
        "Solving environment: done",
        "Preparing transaction: done",
        "Executing transaction: done",
        "#     $ conda activate demo",
    ] {
        assert!(log.contains(line), "{line} not in\n{log}");
    }
    let prefix = home.prefix("demo");
    assert_eq!(fs::read_to_string(prefix.join("share/python")).unwrap(), "python 3.10.1\n");
    assert!(fs::read_to_string(prefix.join("bin/python")).unwrap().contains(prefix.to_str().unwrap()));
    let list = home.ok("list -n demo");
    assert!(
        list.starts_with(&format!("# packages in environment at {}:\n#\n# Name", prefix.display())),
        "{list}"
    );
    assert!(list.contains("pandas                    2.0                           0  \n"), "{list}");
    home.ok("env remove --name demo -y");
    assert!(!prefix.exists());
    home.ok("env create");
    assert!(prefix.join("share/pandas").exists());
    assert_eq!(home.read(".conda/environments.txt"), format!("{}\n", prefix.display()));
}

#[test]
fn history_and_records_are_those_genuine_conda_reads() {
    let home = Home::usual();
    home.ok("create -y -n demo python=3.10 pip");
    let history = home.read("conda/envs/demo/conda-meta/history");
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines[0].starts_with("==> 20") && lines[0].ends_with(" <=="), "{history}");
    assert_eq!(lines[1], "# cmd: conda create -y -n demo python=3.10 pip");
    assert_eq!(lines[2], "# conda version: 22.9.0");
    assert!(lines[3].starts_with('+') && lines[3].ends_with("::pip-23.0-0"), "{history}");
    assert_eq!(lines[5], "# update specs: ['python=3.10', 'pip']");
    let record = home.read("conda/envs/demo/conda-meta/pip-23.0-0.json");
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["requested_specs"][0], "pip");
    assert_eq!(record["files"][0], "share/pip");
}

#[test]
fn an_untouched_environment_is_taken_as_it_is_and_a_touched_one_is_made_anew() {
    let home = Home::usual();
    home.write("work/environment.yml", FILE);
    home.ok("env create");
    let prefix = home.prefix("demo");
    let first = inode(&prefix);
    home.ok("env create");
    assert_eq!(inode(&prefix), first, "an equal environment must not be built again");
    home.ok("env remove -n demo -y");
    home.ok("env create");
    assert_eq!(inode(&prefix), first, "a removed environment must come back");
    fs::write(prefix.join("share/own-file"), "mine").unwrap();
    home.ok("env remove -n demo -y");
    home.ok("env create");
    // Not by the folder's number, which the file system may use again.
    assert!(!prefix.join("share/own-file").exists());
    fs::remove_file(prefix.join("share/numpy")).unwrap();
    home.ok("env create");
    assert!(prefix.join("share/numpy").exists(), "a missing file must come back");
    home.write("work/environment.yml", &FILE.replace("3.10", "3.11"));
    home.ok("env create");
    assert_eq!(fs::read_to_string(prefix.join("share/python")).unwrap(), "python 3.11.2\n");
    assert_eq!(home.ok("env list").lines().filter(|line| line.starts_with("demo ")).count(), 1);
}

#[test]
fn a_failing_solve_leaves_the_old_environment() {
    let home = Home::usual();
    home.write("work/environment.yml", FILE);
    home.ok("env create");
    let first = inode(&home.prefix("demo"));
    home.write("work/environment.yml", "name: demo\ndependencies: [old, new]\n");
    let message = home.fails("env create");
    assert!(message.contains("LibMambaUnsatisfiableError: "), "{message}");
    assert!(
        message.contains("old") && message.contains("python") && message.contains("/channel"),
        "{message}"
    );
    home.write("work/environment.yml", "name: demo\ndependencies: [numpyy, python=4]\n");
    let message = home.fails("env create");
    assert!(message.contains("PackagesNotFoundError: "), "{message}");
    assert!(message.contains("  - numpyy\n") && message.contains("  - python=4\n"), "{message}");
    assert!(message.contains("/channel/noarch"), "{message}");
    assert_eq!(inode(&home.prefix("demo")), first);
}

#[test]
fn a_package_that_cannot_be_had_leaves_the_old_environment() {
    let home = Home::usual();
    home.ok("create -y -n demo numpy");
    for entry in fs::read_dir(home.path("channel").join(common::subdir())).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("pandas") {
            fs::write(entry.path(), "no archive").unwrap();
        }
    }
    let message = home.fails("create -y -n demo pandas");
    assert!(message.contains("pandas-2.0-0.conda"), "{message}");
    assert!(home.prefix("demo").join("share/numpy").exists());
    assert!(!home.prefix("demo").join("share/pandas").exists());
}

#[test]
fn four_processes_creating_one_environment_all_end_well() {
    let home = Home::usual();
    home.write("work/environment.yml", FILE);
    let start = || {
        home.command(CONDA)
            .args(["env", "create"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let all: Vec<_> = (0..4).map(|_| start()).collect();
    for one in all {
        let output = one.wait_with_output().unwrap();
        assert!(output.status.success(), "{}{}", out(&output), err(&output));
    }
    assert!(home.prefix("demo").join("share/pandas").exists());
    let rest: Vec<_> =
        fs::read_dir(home.path("conda/envs")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(rest.iter().all(|name| name == "demo" || name == ".locks" || name == ".trash"), "{rest:?}");
}

#[test]
fn processes_filling_one_empty_package_cache_all_end_well() {
    let packages: Vec<_> = (0..12).map(|number| package(&format!("p{number}"), "1")).collect();
    let specs: Vec<_> = packages.iter().map(|package| package.name.clone()).collect();
    let home = Home::new(&packages);
    let start = |name: &str| {
        let mut command = home.command(CONDA);
        command.args(["create", "-y", "-n", name]).args(&specs);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let all: Vec<_> = ["a", "b", "c", "d"].into_iter().map(start).collect();
    for one in all {
        let output = one.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
    }
    for name in ["a", "b", "c", "d"] {
        assert_eq!(fs::read_to_string(home.prefix(name).join("share/p11")).unwrap(), "p11 1\n");
    }
}

#[test]
fn killed_at_any_moment_the_old_or_the_new_environment_is_found() {
    // The environment's python stops pip until it is told to go on, so the kill lands in the middle of building.
    let waiting = "#!/bin/sh\n: >/placeholder/prefix/pip-started\nsleep 600\n";
    let home = Home::new(&[
        package("python", "3.10").file("bin/python", waiting),
        package("pip", "1"),
        package("numpy", "1"),
    ]);
    home.ok("create -y -n demo numpy");
    home.write("work/environment.yml", "name: demo\ndependencies: [python, pip, {pip: [x]}]\n");
    let mut command = home.command(CONDA);
    command.args(["env", "create"]).stdout(Stdio::null()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut building = command.spawn().unwrap();
    let started = home.prefix("demo").join("pip-started");
    while !started.exists() {
        assert!(building.try_wait().unwrap().is_none(), "ended before pip was started");
        std::thread::yield_now();
    }
    assert!(!home.prefix("demo").join("share/numpy").exists(), "the old one stands aside by now");
    // SAFETY: kills the group that was made above, nothing else.
    unsafe { libc::kill(-(building.id() as libc::pid_t), libc::SIGKILL) };
    building.wait().unwrap();
    assert!(home.ok("env list").contains("demo"));
    assert!(home.prefix("demo").join("share/numpy").exists(), "the old one is back");
    assert!(!home.prefix("demo").join("share/python").exists());
    let code = home.ok("shell.posix activate demo");
    assert!(code.contains("export CONDA_DEFAULT_ENV='demo'"), "{code}");
}

#[test]
fn pip_sections_are_installed_and_their_failure_harms_nothing() {
    let home = Home::usual();
    let file = |line: &str| {
        format!("name: demo\ndependencies: [python=3.10, {{pip: [{line}]}}]\nvariables: {{A: b}}\n")
    };
    home.write("work/sub/environment.yml", &file("requests"));
    let output = home.conda("env create -f sub/environment.yml");
    assert!(output.status.success(), "{}", err(&output));
    assert!(err(&output).contains("does not list pip"), "{}", err(&output));
    let prefix = home.prefix("demo");
    assert_eq!(home.read("conda/envs/demo/pip-installed"), "requests\n");
    assert!(home.read("conda/envs/demo/pip-folder").trim_end().ends_with("/work/sub"));
    assert_eq!(home.read("conda/envs/demo/conda-meta/state"), r#"{"env_vars":{"A":"b"}}"#);
    assert!(prefix.join("share/pip").exists());
    let rest = fs::read_dir(home.path("work/sub")).unwrap().count();
    assert_eq!(rest, 1, "the list for pip must be gone");
    home.write("work/sub/environment.yml", &file("no-such-package"));
    let message = home.fails("env create -f sub/environment.yml");
    assert!(message.contains("CondaEnvException: Pip failed"), "{message}");
    assert_eq!(home.read("conda/envs/demo/pip-installed"), "requests\n", "the old environment is back");
}

#[test]
fn python_brings_pip_which_nobody_asked_for() {
    let mut home = Home::new(&[
        package("python", "3.10.1").file("bin/python", common::PYTHON),
        package("pip", "23.0").depends("python").depends("setuptools").depends("wheel"),
        package("setuptools", "68").depends("python"),
        package("wheel", "0.45").depends("python"),
        package("numpy", "1.24").depends("python"),
        package("tool", "1.0"),
    ]);
    home.write("work/environment.yml", "name: demo\ndependencies: [numpy]\n");
    let names = |home: &Home, name: &str| -> Vec<String> {
        let list = home.ok(&format!("list -n {name} --export"));
        list.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect()
    };
    home.ok("env create");
    assert_eq!(names(&home, "demo"), ["numpy", "pip", "python", "setuptools", "wheel"]);
    let history = home.read("conda/envs/demo/conda-meta/history");
    assert!(history.ends_with("# update specs: ['numpy']\n"), "{history}");
    let record = home.read("conda/envs/demo/conda-meta/pip-23.0-0.json");
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert!(record["requested_specs"].as_array().is_none_or(Vec::is_empty), "{record}");
    let first = inode(&home.prefix("demo"));
    home.ok("env remove -n demo -y");
    home.ok("env create");
    assert_eq!(inode(&home.prefix("demo")), first, "a removed environment must come back");
    home.ok("create -y -n tools tool");
    assert_eq!(names(&home, "tools"), ["tool"], "without python there is no use for pip");
    home.write(".condarc", "add_pip_as_python_dependency: false\n");
    assert!(!err(&home.conda("env create")).contains("not supported"));
    assert_eq!(names(&home, "demo"), ["numpy", "python"]);
    home.vars.insert("CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY".into(), "true".into());
    home.ok("env create");
    assert!(names(&home, "demo").contains(&"pip".to_owned()), "the variable wins over the file");
}

#[test]
fn channels_without_pip_still_have_python() {
    let home = Home::new(&[
        package("python", "3.10.1").file("bin/python", common::PYTHON),
        package("numpy", "1.24").depends("python"),
    ]);
    home.ok("create -y -n demo python=3.10 numpy");
    assert!(home.prefix("demo").join("bin/python").exists());
    home.write("work/environment.yml", "name: demo\ndependencies: [python, {pip: [x]}]\n");
    let message = home.fails("env create");
    assert!(message.contains("PackagesNotFoundError") && message.contains("  - pip\n"), "{message}");
    assert!(home.prefix("demo").join("share/numpy").exists(), "the old one stays");
}

#[test]
fn places_and_copies_are_obeyed() {
    let home = Home::usual();
    home.ok("create -y -p ./here numpy");
    let here = home.path("work/here");
    assert!(home.ok("env list").contains(here.to_str().unwrap()));
    let linked = |prefix: &Path| fs::metadata(prefix.join("share/numpy")).unwrap().nlink();
    assert!(linked(&here) > 1);
    home.ok("create -y -p ./copied --copy numpy");
    assert_eq!(linked(&home.path("work/copied")), 1);
    home.ok("env remove -y -p here");
    assert!(!here.exists());
    home.write("work/mine/thesis.tex", "x");
    let message = home.fails("create -y -p ./mine numpy");
    assert!(message.contains("DirectoryNotACondaEnvironmentError"), "{message}");
    assert_eq!(home.read("work/mine/thesis.tex"), "x");
}

#[test]
fn noarch_python_packages_land_in_site_packages() {
    let home = Home::new(&[
        package("python", "3.10.1").file("bin/python", common::PYTHON),
        package("six", "1.0").depends("python").noarch_python().file("site-packages/six.py", "x = 1\n"),
    ]);
    home.ok("create -y -n demo six");
    assert!(home.prefix("demo").join("lib/python3.10/site-packages/six.py").exists());
}
