//! The functions and the code in real shells: bash, sh (dash) and zsh where it is installed.

mod support;

use std::os::unix::process::CommandExt;

use support::{Camp, PROGRAM, Ran, shells};

const NASTY: &[&str] = &[
    "a'b",
    "$HOME `id` $(id)",
    "two\nlines\n",
    "\"quoted\" \\ back\\\\slash",
    "* ? [a] {b,c} ~",
    "!! ;& | < > #",
    "-n",
    " lead and trail ",
    "",
    "é \u{1F3D5}",
    "tab\tbell\u{7}",
    "'\\''",
    "x=y",
];

fn lua(text: &str) -> String {
    let bytes: String = text.bytes().map(|b| format!("\\{b:03}")).collect();
    format!("\"{bytes}\"")
}

#[test]
fn values_aliases_and_function_bodies_survive_every_shell() {
    let mut file = String::new();
    for (index, value) in NASTY.iter().enumerate() {
        file.push_str(&format!("setenv('N{index}', {})\n", lua(value)));
    }
    file.push_str("set_alias('greet', \"echo 'it''s' $X\")\n");
    file.push_str("set_shell_function('fun', 'local it=\"<$1>\"; echo \"$it\" # done', '')\n");
    file.push_str("set_shell_function('none', ' ', '')\n");
    let camp = Camp::new(&[("n/1.lua", &file)]);
    let print: String = (0..NASTY.len()).map(|index| format!("printf '%s\\0' \"$N{index}\"; ")).collect();
    let check: String =
        (0..NASTY.len()).map(|index| format!("[ -z \"${{N{index}+set}}\" ] || exit 9; ")).collect();
    let expected: String = NASTY.iter().map(|value| format!("{value}\0")).collect();
    for shell in shells() {
        let ran = camp.run_in(shell, &format!("module load n || exit 8; {print} fun 'a b'; none")).ok();
        assert_eq!(ran.out, format!("{expected}<a b>\n"), "{shell}");
        let ran = camp.run_in(shell, "module load n; alias greet").ok();
        assert!(ran.out.contains("$X"), "{shell}: {}", ran.out);
        let ran = camp
            .run_in(shell, &format!("module load n; module unload n; {check} command -v fun greet; echo $?"))
            .ok();
        assert!(!ran.out.contains("fun") && !ran.out.contains("greet"), "{shell}: {}", ran.out);
    }
}

#[test]
fn exported_values_reach_programs() {
    let camp = Camp::new(&[("n/1.lua", &format!("setenv('N', {})", lua("a\n'b' $c")))]);
    for shell in shells() {
        assert_eq!(camp.run_in(shell, "module load n; printenv N").ok().out, "a\n'b' $c\n", "{shell}");
    }
}

#[test]
fn works_under_errexit_and_nounset_with_the_right_status() {
    let camp =
        Camp::new(&[("a/1.lua", "setenv('A', '1') unset_alias('nosuch') unset_shell_function('nosuch')")]);
    for shell in shells() {
        let script = "set -eu; module load a; module list; if module is-loaded b; then exit 3; fi; \
            module load nosuch || echo no; ml -a; module purge; echo end; module load nosuch; echo never";
        let ran = camp.run_in(shell, script);
        assert_eq!((ran.out.as_str(), ran.status), ("no\nend\n", 1), "{shell}: {}", ran.err);
        let init = camp.init(shell);
        let twice = format!("set -eu; . {0}; . {0}; module load a; echo $A $LMOD_VERSION", init.display());
        let ran = Ran::of(camp.command(shell).args(["-c", &twice]).output().unwrap()).ok();
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("1 9.0\n", ""), "{shell}");
    }
}

#[test]
fn a_trace_does_not_show_the_inner_steps_and_goes_on_after_the_call() {
    let camp = Camp::new(&[("a/1.lua", "setenv('SECRET_STEP', 'x y')")]);
    for shell in shells() {
        let ran = camp
            .run_in(
                shell,
                "set -x; module load a; module is-loaded b || echo after; case $- in *x*) echo on;; esac",
            )
            .ok();
        assert_eq!(ran.out, "after\non\n", "{shell}");
        assert!(!ran.err.contains("SECRET_STEP") && !ran.err.contains("eval"), "{shell}: {}", ran.err);
        assert!(ran.err.contains("echo after"), "{shell}: {}", ran.err);
        let ran = camp.run_in(shell, "module load a; case $- in *x*) echo on;; *) echo off;; esac").ok();
        assert_eq!(ran.out, "off\n", "{shell}");
    }
}

#[test]
fn a_program_that_is_gone_or_dies_is_a_clear_failure() {
    let camp = Camp::new(&[]);
    for shell in shells() {
        let ran = camp.run_in(shell, "set -u; unset LMOD_CMD; module load a");
        assert_eq!(ran.status, 1, "{shell}");
        assert!(ran.err.contains("its program (LMOD_CMD=) is not there"), "{shell}: {}", ran.err);
        assert_ne!(camp.run_in(shell, "LMOD_CMD=/bin/false; module load a").status, 0, "{shell}");
        assert_ne!(camp.run_in(shell, "LMOD_CMD=/bin/kill; module load a").status, 0, "{shell}");
    }
}

#[test]
fn bash_hands_the_functions_down_and_bash_env_brings_them_back_below_dash() {
    let camp = Camp::new(&[("a/1.lua", "setenv('A', '1')")]);
    assert_eq!(camp.run("bash -c 'module load a && ml -t list'").ok().err, "a/1\n");
    let init = camp.init("bash");
    let mut command = camp.command("sh");
    command.env("BASH_ENV", init).args(["-c", "bash -c 'set -eu; module load a; echo $A'"]);
    let ran = Ran::of(command.output().unwrap()).ok();
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("1\n", ""));
}

#[test]
fn an_alias_of_the_same_name_is_no_obstacle() {
    let camp = Camp::new(&[("a/1.lua", "set_shell_function('conda', 'echo function', '')")]);
    let script = "shopt -s expand_aliases; alias conda='echo alias'; alias module='echo alias'\n. ./init.bash\nmodule load a\nconda";
    assert_eq!(camp.run(script).ok().out, "function\n");
}

#[test]
fn shell_text_and_execute_run_after_the_environment_changed() {
    let file = "execute{cmd='echo run $A', modeA={'load'}} io.write('B=') io.write('$A-b') setenv('A', 'x') \
        execute{cmd='echo bye ${A-}.', modeA={'unload'}}";
    let camp = Camp::new(&[("a/1.lua", file)]);
    for shell in shells() {
        let ran = camp.run_in(shell, "module load a; echo $B; module unload a").ok();
        assert_eq!(ran.out, "run x\nx-b\nbye .\n", "{shell}");
    }
}

#[test]
fn dash_is_spared_function_names_it_cannot_take() {
    let camp = Camp::new(&[("a/1.lua", "set_shell_function('my-fun', 'echo fun', '') setenv('A', '1')")]);
    for shell in shells() {
        let ran = camp.run_in(shell, "module load a; echo $A").ok();
        assert_eq!(ran.out, "1\n", "{shell}");
        assert_eq!(
            ran.err.contains("the function my-fun is left out"),
            shell == "sh",
            "{shell}: {}",
            ran.err
        );
    }
    assert_eq!(camp.run("module load a; my-fun").ok().out, "fun\n");
}

#[test]
fn listings_go_to_standard_error_or_by_wish_to_standard_output() {
    let camp = Camp::new(&[("a/1.lua", "whatis('it is $HOME')")]);
    for shell in shells() {
        let ran = camp.run_in(shell, "module load a; module -t list").ok();
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "a/1\n"), "{shell}");
        for script in
            ["module load a; module -t --redirect list", "module load a; export LMOD_REDIRECT=yes; ml -t"]
        {
            let ran = camp.run_in(shell, script).ok();
            assert_eq!((ran.out.as_str(), ran.err.as_str()), ("a/1\n", ""), "{shell}");
        }
        assert_eq!(
            camp.run_in(shell, "module --redirect whatis a").ok().out,
            "a/1                 : it is $HOME\n",
            "{shell}"
        );
    }
}

#[test]
fn refused_shells_and_the_bare_program_say_what_to_do() {
    let output =
        |arguments: &[&str]| Ran::of(std::process::Command::new(PROGRAM).args(arguments).output().unwrap());
    for (arguments, part) in [
        (&["fish", "list"][..], "the shell fish comes in a later release; use bash, zsh or sh"),
        (&["init", "tcsh"], "the shell tcsh comes in a later release"),
        (&["nosuch", "list"], "\"nosuch\" is no shell known here"),
        (&[], "usage: bivouac-module SHELL"),
    ] {
        let ran = output(arguments);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""), "{arguments:?}");
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    for name in ["module", "ml"] {
        let ran = Ran::of(
            std::process::Command::new(PROGRAM)
                .arg0(format!("/x/{name}"))
                .args(["load", "a"])
                .output()
                .unwrap(),
        );
        assert_eq!((ran.status, ran.out.as_str()), (1, ""));
        assert!(ran.err.starts_with(&format!("{name}: this shell has no `{name}` function")), "{}", ran.err);
    }
}

#[test]
fn init_is_short_and_starts_no_process() {
    let camp = Camp::new(&[]);
    for shell in shells() {
        let text = std::fs::read_to_string(camp.init(shell)).unwrap();
        assert!(text.lines().count() < 60);
        let script = format!("PATH=/nowhere; . {}; echo ready", camp.init(shell).display());
        let ran = Ran::of(camp.command(shell).args(["-c", &script]).output().unwrap()).ok();
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("ready\n", ""), "{shell}");
    }
}

#[test]
fn ml_does_what_module_does() {
    let camp = Camp::new(&[("a/1.lua", "setenv('A', '1') help('about a')"), ("b/1.lua", "setenv('B', '1')")]);
    let ran = camp
        .run("ml a; ml -a b; echo [${A-}] $B; ml; ml -t; ml help a; ml purge; ml; ml -nosuch; echo $?")
        .ok();
    assert_eq!(ran.out, "[] 1\n0\n");
    for part in ["  1) b/1", "\nb/1\n", "about a", "No modules loaded"] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert_eq!(camp.run("ml a; ml -a nosuch; echo $? $A").out, "1 1\n", "all or nothing");
}
