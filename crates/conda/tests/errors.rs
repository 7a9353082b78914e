//! What goes wrong is told in conda's words and within bounded time.
#![allow(missing_docs, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{Home, err};

#[test]
fn a_missing_file_is_named_and_in_a_job_also_where_it_lies() {
    let mut home = Home::usual();
    let expected =
        format!("EnvironmentFileNotFound: '{}' file not found", home.path("work/environment.yml").display());
    let message = home.fails("env create -f environment.yml");
    assert_eq!(message.trim(), expected);
    home.write("clone/environment.yml", "name: x\n");
    let clone = home.path("clone").display().to_string();
    home.vars.insert("BIVOUAC_SUBMIT_SCRIPT_DIR".into(), clone.clone());
    assert_eq!(home.fails("env create").trim(), expected, "outside a job the hint has no place");
    home.vars.insert("SLURM_JOB_ID".into(), "7".into());
    let message = home.fails("env create");
    assert!(message.contains(&expected) && message.contains(&format!("--chdir={clone}")), "{message}");
}

#[test]
fn an_unreachable_channel_is_named_at_once() {
    let home = Home::usual();
    // A port that was free a moment ago refuses connections.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let begun = Instant::now();
    let url = format!("http://127.0.0.1:{port}/chan");
    let message = home.fails(&format!("create -y -n x --override-channels -c {url} numpy"));
    assert!(message.contains(&url) && message.contains("CondaHTTPError"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let message = home.fails("create -y -n x --override-channels -c file:///nowhere/chan numpy");
    assert!(
        message.contains("UnavailableInvalidChannel") && message.contains("file:///nowhere/chan"),
        "{message}"
    );
    let message = home.fails(&format!("create -y -n x --offline --override-channels -c {url} numpy"));
    assert!(message.contains("offline") && message.contains(&url), "{message}");
    assert!(!home.prefix("x").exists());
}

#[test]
fn bad_input_is_refused_by_name() {
    let home = Home::usual();
    for (line, expected) in [
        ("create -y -n a/b numpy", "CondaValueError: Invalid environment name"),
        ("create -y -n x numpy==", "InvalidMatchSpec"),
        ("create -y -n x -c a[b numpy", "ChannelError"),
        ("create -y -n base numpy", "CondaValueError: The target prefix is the base prefix"),
        ("env remove -y -n base", "CondaEnvironmentError: cannot remove root environment"),
        ("list -n none", "EnvironmentLocationNotFound"),
        ("env create -f x.json", "EnvironmentFileNotFound"),
        ("install numpy", "'conda install' is not supported by bivouac yet"),
        ("frobnicate", "CommandNotFoundError: No command 'conda frobnicate'."),
        ("create -n x numpy", "CondaSystemExit"),
    ] {
        let message = home.fails(line);
        assert!(message.contains(expected), "conda {line}\n{message}");
    }
    for line in ["create -n", "create --nonsense", "env frobnicate", "create numpy", "env create -n x -p y"] {
        let output = home.conda(line);
        assert_eq!(output.status.code(), Some(2), "conda {line}\n{}", err(&output));
    }
}

#[test]
fn what_there_is_not_is_refused_with_what_leads_there() {
    let home = Home::usual();
    let cache = home.path("conda/pkgs/bivouac").display().to_string();
    for (line, expected) in [
        ("config --add channels conda-forge", "~/.condarc"),
        ("search numpy", "conda create --dry-run -n NAME SPEC"),
        ("clean --all", cache.as_str()),
        ("clean --all", "conda env remove -n NAME"),
        ("env export", "conda list --export -n NAME"),
        ("export", "conda list --export -n NAME"),
        ("env config vars set A=b", "variables:"),
        ("env update", "conda env create"),
        ("remove -n x numpy", "conda env create"),
        ("skeleton", "conda -h"),
    ] {
        let message = home.fails(line);
        assert!(message.contains("is not supported by bivouac yet"), "conda {line}\n{message}");
        assert!(message.contains(expected), "conda {line}\n{message}");
    }
}

#[test]
fn what_the_refusals_advise_works() {
    let home = Home::usual();
    let plan = home.ok("create --dry-run -n x numpy");
    assert!(plan.contains("numpy-1.24-0") && !home.prefix("x").exists(), "{plan}");
    home.ok("create -y -n x numpy");
    home.write("work/packages.txt", &home.ok("list --export -n x --no-pip"));
    home.ok("create -y -n y --file packages.txt");
    assert_eq!(home.ok("list --export -n x"), home.ok("list --export -n y"));
    home.ok("env remove -y -n y");
    std::fs::remove_dir_all(home.path("conda/pkgs/bivouac")).unwrap();
    std::fs::remove_dir_all(home.path("conda/envs/.trash")).unwrap();
    assert!(home.prefix("x").join("share/numpy").exists());
    home.ok("create -y -n y numpy");
}

#[test]
fn an_unreachable_defaults_says_that_it_can_be_changed() {
    let mut home = Home::usual();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/main");
    home.vars.insert("BIVOUAC_DEFAULT_CHANNELS".into(), url.clone());
    let message = home.fails("create -y -n x numpy");
    assert!(message.contains(&url) && message.contains("`default_channels` in ~/.condarc"), "{message}");
    let message = home.fails("create -y -n x --offline numpy");
    assert!(message.contains("`default_channels` in ~/.condarc"), "{message}");
    let message = home.fails(&format!("create -y -n x --override-channels -c {url} numpy"));
    assert!(!message.contains("default_channels"), "another channel is at fault: {message}");
    let local = home.path("channel").display().to_string();
    home.write(".condarc", &format!("default_channels: ['file://{local}']\n"));
    home.ok("create -y -n x numpy");
}

#[test]
fn condarc_files_and_variables_steer() {
    let mut home = Home::usual();
    home.vars.insert("USER".into(), "ann".into());
    home.write(
        ".condarc",
        "pkgs_dirs:\n  - ~/p/$USER/.conda_pkgs\nenvs_dirs:\n  - ~/p/$USER/envs\nalways_yes: true\n",
    );
    home.ok("create -n demo numpy");
    assert!(home.path("p/ann/envs/demo/share/numpy").exists());
    assert!(home.path("p/ann/.conda_pkgs").is_dir() && !home.path("conda/pkgs").exists());
    let info = home.ok("info");
    assert!(info.contains(home.path("p/ann/envs").to_str().unwrap()), "{info}");
    assert!(info.contains(home.path(".condarc").to_str().unwrap()), "{info}");
    home.write(".condarc", "channels: [a\n");
    assert!(home.fails("create -y -n demo numpy").contains("LoadError"));
}

#[test]
fn versions_and_help_need_no_configuration() {
    let home = Home::usual();
    home.write(".condarc", "broken: [\n");
    assert!(home.ok("--version").starts_with("conda 22.9.0"));
    assert!(home.ok("-h").contains("env create"));
    assert!(home.ok("shell.bash function").ends_with("export -f conda mamba\n"));
}
