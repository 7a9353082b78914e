//! Shell text: the function `conda`, and changes rendered for sh, bash and zsh.
//!
//! The function is the same text everywhere and depends on `$CONDA_EXE` alone, so a modulefile can carry it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::activate::Change;

/// The shells whose code is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// dash, ksh, and any `sh`.
    Posix,
    /// bash, which can export functions.
    Bash,
    /// zsh.
    Zsh,
}

impl Syntax {
    /// From the word after `shell.`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "posix" | "sh" | "dash" | "ash" | "ksh" => Some(Self::Posix),
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            _ => None,
        }
    }
}

/// The functions `conda` and `mamba`. They work under `set -eu` and need nothing but `$CONDA_EXE`.
pub const FUNCTION: &str = r#"conda() {
    case "${1-}" in
    activate | deactivate | reactivate)
        __conda_text="$(PS1="${PS1-}" "$CONDA_EXE" shell.posix "$@")" || return
        eval "$__conda_text"
        unset __conda_text
        hash -r 2>/dev/null || :
        ;;
    *) "$CONDA_EXE" "$@" ;;
    esac
}
mamba() { conda "$@"; }
"#;

/// Makes bash hand the functions on to the bash scripts it starts.
pub const EXPORT_FUNCTION: &str = "export -f conda mamba\n";

/// The text of `shell.SYNTAX function`.
pub fn function(syntax: Syntax) -> String {
    match syntax {
        Syntax::Bash => format!("{FUNCTION}{EXPORT_FUNCTION}"),
        Syntax::Posix | Syntax::Zsh => FUNCTION.to_owned(),
    }
}

/// The text of a script to be sourced as `source activate NAME` (or `source deactivate`). `exe` is used where
/// `CONDA_EXE` is not set.
pub fn sourced_script(verb: &str, exe: &Path) -> Vec<u8> {
    let mut text = b"# Sourced by the shell: source ".to_vec();
    text.extend_from_slice(verb.as_bytes());
    text.extend_from_slice(b"\n: \"${CONDA_EXE:=");
    // Inside double quotes and a parameter expansion, so escaped for both.
    for &byte in exe.as_os_str().as_bytes() {
        if matches!(byte, b'"' | b'$' | b'`' | b'\\' | b'}') {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text.extend_from_slice(b"}\"\nexport CONDA_EXE\n");
    text.extend_from_slice(FUNCTION.as_bytes());
    text.extend_from_slice(b"conda ");
    text.extend_from_slice(verb.as_bytes());
    text.extend_from_slice(b" \"$@\"\n");
    text
}

/// Renders changes. Values are single-quoted, so that no value can become code; scripts run with `set -u` off, because
/// published activation scripts read unset variables.
pub fn render(changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::new();
    for change in changes {
        match change {
            Change::Export(name, value) => assignment(&mut out, "export ", name, value),
            Change::Set(name, value) => assignment(&mut out, "", name, value),
            Change::Unset(name) => out.extend_from_slice(format!("unset {name}\n").as_bytes()),
            Change::Source(script) => {
                let mut quoted = Vec::new();
                quote(&mut quoted, script.as_os_str());
                out.extend_from_slice(b"case $- in *u*) set +u; . ");
                out.extend_from_slice(&quoted);
                out.extend_from_slice(b"; set -u ;; *) . ");
                out.extend_from_slice(&quoted);
                out.extend_from_slice(b" ;; esac\n");
            }
        }
    }
    out
}

fn assignment(out: &mut Vec<u8>, keyword: &str, name: &str, value: &OsStr) {
    out.extend_from_slice(keyword.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    quote(out, value);
    out.push(b'\n');
}

fn quote(out: &mut Vec<u8>, value: &OsStr) {
    out.push(b'\'');
    for &byte in value.as_bytes() {
        if byte == b'\'' {
            out.extend_from_slice(b"'\"'\"'");
        } else {
            out.push(byte);
        }
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run_sh(script: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut shell = std::process::Command::new("sh")
            .args(["-eu"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(script).unwrap();
        let output = shell.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_value_reaches_the_shell_unchanged(value in "[^\0]{0,30}") {
            let mut script = render(&[Change::Export("V".into(), value.clone().into())]);
            script.extend_from_slice(b"printf %s \"$V\"\n");
            prop_assert_eq!(run_sh(&script), value.as_bytes());
        }

        #[test]
        fn any_path_survives_in_the_sourced_script(path in "/[^\0\n]{0,20}") {
            let text = sourced_script("activate", Path::new(&path));
            let end = text.windows(6).position(|w| w == b"export").unwrap();
            let mut script = b"unset CONDA_EXE\n".to_vec();
            script.extend_from_slice(&text[..end]);
            script.extend_from_slice(b"printf %s \"$CONDA_EXE\"\n");
            prop_assert_eq!(run_sh(&script), path.as_bytes());
        }
    }

    #[test]
    fn a_script_that_reads_unset_variables_runs_under_set_u() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("it's.sh");
        std::fs::write(&script, "printf 'old=%s ' \"$NEVER_SET\"\n").unwrap();
        let mut text = render(&[Change::Source(script)]);
        text.extend_from_slice(b"case $- in *u*) echo still ;; esac\n");
        assert_eq!(run_sh(&text), b"old= still\n");
    }
}
