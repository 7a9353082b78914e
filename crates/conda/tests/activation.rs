//! Shell code run by real shells.
#![allow(missing_docs, reason = "tests")]

mod common;

use common::{Home, err, out, package};

/// Shells that are installed here; dash and bash are on every Debian.
fn shells() -> Vec<&'static [&'static str]> {
    let all: [&[&str]; 3] = [&["bash", "-eu", "-c"], &["dash", "-eu", "-c"], &["zsh", "-f", "-eu", "-c"]];
    let there =
        |name: &str| ["/bin", "/usr/bin"].iter().any(|dir| std::path::Path::new(dir).join(name).exists());
    all.into_iter().filter(|shell| there(shell[0])).collect()
}

fn home() -> Home {
    let script = |text: &str| text.to_owned();
    let home = Home::new(&[package("tool", "1.0")
        .file("bin/tool", "#!/bin/sh\necho tool of $CONDA_DEFAULT_ENV\n")
        .file("etc/conda/activate.d/tool.sh", &script("TOOL_OLD=$NEVER_SET; export TOOL_ON=yes\n"))
        .file("etc/conda/deactivate.d/tool.sh", "unset TOOL_ON\n")]);
    let file = "dependencies: [tool]\nvariables: {GREETING: \"it's $(id) `x`\"}\n";
    home.write("work/environment.yml", file);
    home.ok("env create -n one");
    home.ok("env create -n two");
    home
}

fn run(home: &Home, shell: &[&str], script: &str) -> String {
    let output = home.command(shell[0]).args(&shell[1..]).arg(script).output().unwrap();
    assert!(output.status.success(), "{shell:?}\n{script}\n{}{}", out(&output), err(&output));
    out(&output)
}

#[test]
fn activating_and_deactivating_restores_the_shell() {
    let home = home();
    let function = home.ok("shell.posix function");
    for shell in shells() {
        let script = format!(
            "{function}\nbefore=$PATH; export CONDA_SHLVL=0 GREETING=mine\nconda activate one\ntool\n\
             echo \"$CONDA_SHLVL $CONDA_PREFIX $TOOL_ON $GREETING\"\nconda activate two\ntool\n\
             echo \"$CONDA_SHLVL $CONDA_PREFIX_1\"\nconda deactivate\ntool\nconda deactivate\n\
             echo \"$CONDA_SHLVL ${{CONDA_PREFIX-none}} ${{TOOL_ON-none}} $GREETING\"\n\
             test \"$PATH\" = \"$before\" && echo same\n"
        );
        let one = home.prefix("one").display().to_string();
        let expected = format!(
            "tool of one\n1 {one} yes it's $(id) `x`\ntool of two\n2 {one}\ntool of one\n0 none none mine\nsame\n"
        );
        assert_eq!(run(&home, shell, &script), expected, "{shell:?}");
    }
}

#[test]
fn the_hook_gives_base_and_an_exported_function() {
    let home = home();
    let script = format!(
        "PS1='$ '; eval \"$('{}' shell.bash hook)\"\necho \"$CONDA_DEFAULT_ENV:$PS1\"\n\
         bash -c 'conda activate one; tool'\nconda activate two; echo \"$PS1\"; mamba deactivate; echo \"$PS1\"\n",
        common::CONDA
    );
    let text = run(&home, &["bash", "-eu", "-c"], &script);
    assert_eq!(text, "base:(base) $ \ntool of one\n(two) $ \n(base) $ \n");
}

#[test]
fn source_activate_works() {
    let home = home();
    let script = home.ok("shell.posix activate-script");
    home.write("bin/activate", &script);
    home.write("bin/deactivate", &home.ok("shell.posix deactivate-script"));
    let line =
        format!("PATH={}:$PATH; unset CONDA_EXE; source activate one; tool", home.path("bin").display());
    assert_eq!(run(&home, &["bash", "-eu", "-c"], &line), "tool of one\n");
}

#[test]
fn a_missing_environment_fails_and_changes_nothing() {
    let home = home();
    let function = home.ok("shell.posix function");
    for shell in shells() {
        let script = format!("{function}\nconda activate three || echo \"status $? ${{CONDA_PREFIX-none}}\"");
        assert_eq!(run(&home, shell, &script), "status 1 none\n", "{shell:?}");
    }
    let message = home.fails("shell.posix activate three");
    assert!(
        message.contains("EnvironmentNameNotFound: Could not find conda environment: three"),
        "{message}"
    );
    let message = home.fails("shell.posix activate /nowhere/x");
    assert!(
        message.contains("EnvironmentLocationNotFound: Not a conda environment: /nowhere/x"),
        "{message}"
    );
}

#[test]
fn the_bare_executable_says_which_line_to_add() {
    let home = home();
    let message = home.fails("activate one");
    assert!(message.contains("eval \"$("), "{message}");
    let line = message.lines().find(|line| line.contains("eval")).unwrap().trim();
    let text = run(&home, &["bash", "-eu", "-c"], &format!("{line}\nconda activate one\ntool"));
    assert_eq!(text, "tool of one\n");
}

#[test]
fn run_gives_the_programs_output_and_status() {
    let home = home();
    assert_eq!(home.ok("run -n one tool"), "tool of one\n");
    let output =
        home.command(common::CONDA).args(["run", "-n", "one", "sh", "-c", "exit 7"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(home.fails("run -n three true").contains("EnvironmentLocationNotFound"));
}

#[test]
fn the_active_environment_is_starred_and_cannot_be_removed() {
    let mut home = home();
    home.vars.insert("CONDA_SHLVL".into(), "1".into());
    home.vars.insert("CONDA_PREFIX".into(), home.prefix("one").display().to_string());
    let list = home.ok("env list");
    assert!(list.starts_with("# conda environments:\n#\nbase                     "), "{list}");
    assert!(list.contains(&format!("one                   *  {}\n", home.prefix("one").display())), "{list}");
    assert!(home.fails("env remove -y -n one").contains("CondaEnvironmentError"));
    assert!(home.prefix("one").exists());
}
