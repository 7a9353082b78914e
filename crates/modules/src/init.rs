//! The shell functions `module` and `ml`.
//!
//! They start no process until they are called, may be read any number of times, and behave under `set -eu`. A call
//! hides its inner steps from `set -x`. The function's status is that of the command: the program's code ends with
//! `false` when it fails, and a program that dies without a word counts as failed too.

use crate::shell::Shell;

/// The text for `shell` to read when it starts. It expects the program's path in LMOD_CMD.
pub fn text(shell: Shell) -> String {
    let export = if shell == Shell::Bash { "export -f module ml\n" } else { "" };
    TEMPLATE.replace("@SHELL@", shell.name()).replace("@VERSION@", crate::LMOD_VERSION) + export
}

// `local` is no word of POSIX, but every shell that is found as sh has it. Its variable must not be one that a
// modulefile sets. An alias of a function's name would break its definition.
const TEMPLATE: &str = r#"# The module command of bivouac for @SHELL@. LMOD_CMD holds the path of its program.
unalias module ml 2>/dev/null || :
export LMOD_VERSION=@VERSION@
module() {
    { local __bivouac_x=+x; case $- in *x*) __bivouac_x=-x; set +x ;; esac; } 2>/dev/null
    if [ ! -x "${LMOD_CMD:-}" ]; then
        echo "module: its program (LMOD_CMD=${LMOD_CMD:-}) is not there; start a new login shell" >&2
        set "$__bivouac_x"
        return 1
    fi
    if eval "$("$LMOD_CMD" @SHELL@ "$@" || echo false)"; then
        set "$__bivouac_x"
        return 0
    fi
    set "$__bivouac_x"
    return 1
}
ml() {
    module ml "$@"
}
"#;
