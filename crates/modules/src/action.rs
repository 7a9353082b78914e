//! What a modulefile asks for: one [`Action`] for each call of a function that does something.
//!
//! The interpreter makes actions, the session decides what they mean (doing, undoing, showing).

use std::fmt;

use crate::pathlist::End;

/// Why a modulefile is evaluated. Functions of the file mean different things in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything is done.
    Load,
    /// Everything is undone, the file still read from top to bottom.
    Unload,
    /// Calls are printed.
    Show,
    /// Help texts are collected.
    Help,
    /// `whatis` lines are collected.
    Whatis,
    /// Aliases and shell functions are defined again, nothing else.
    Refresh,
    /// What the file would do is noted, for a module loaded by a session whose state is lost.
    Inspect,
}

impl Mode {
    /// What the Lua function `mode()` answers.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Load | Mode::Inspect => "load",
            Mode::Unload => "unload",
            Mode::Show => "show",
            Mode::Help => "help",
            Mode::Whatis => "whatis",
            Mode::Refresh => "refresh",
        }
    }
}

/// How a modulefile loads other modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKind {
    /// `load`: undone at unload.
    Load,
    /// `always_load`: stays at unload.
    Always,
    /// `try_load`: an unknown module is no error.
    Try,
    /// `depends_on`: loaded if absent, and unloaded with its last dependent.
    DependsOn,
}

/// One request of a modulefile. Names of variables, aliases and functions are valid shell names, and no text holds a
/// NUL byte: the interpreter refuses others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `setenv`.
    Setenv {
        /// Variable.
        name: String,
        /// Its new value.
        value: Vec<u8>,
    },
    /// `unsetenv`.
    Unsetenv {
        /// Variable.
        name: String,
    },
    /// `pushenv`: a `setenv` that brings the earlier value back at unload; `None` unsets meanwhile.
    Pushenv {
        /// Variable.
        name: String,
        /// Its new value.
        value: Option<Vec<u8>>,
    },
    /// `prepend_path`, `append_path`.
    AddPath {
        /// At which end.
        end: End,
        /// Variable.
        name: String,
        /// Elements, joined by the delimiter.
        value: Vec<u8>,
        /// Delimiter, not empty.
        delimiter: Vec<u8>,
    },
    /// `remove_path`.
    RemovePath {
        /// Variable.
        name: String,
        /// Elements, joined by the delimiter.
        value: Vec<u8>,
        /// Delimiter, not empty.
        delimiter: Vec<u8>,
    },
    /// `set_alias`.
    SetAlias {
        /// Alias.
        name: String,
        /// The command it stands for.
        value: Vec<u8>,
    },
    /// `unset_alias`.
    UnsetAlias {
        /// Alias.
        name: String,
    },
    /// `set_shell_function`.
    SetFunction {
        /// Function.
        name: String,
        /// Body for shells of the Bourne family.
        sh: Vec<u8>,
        /// Body for csh.
        csh: Vec<u8>,
    },
    /// `unset_shell_function`.
    UnsetFunction {
        /// Function.
        name: String,
    },
    /// `execute{cmd=, modeA=}`: a command for the user's shell, run after the environment has changed.
    Execute {
        /// Shell text.
        command: Vec<u8>,
        /// Modes in which it runs: `load`, `unload`, `all`.
        modes: Vec<String>,
    },
    /// `load` and its kin.
    Load {
        /// Which of them.
        kind: LoadKind,
        /// Modules: `NAME` or `NAME/VERSION`.
        modules: Vec<String>,
    },
    /// `unload`.
    Unload {
        /// Modules: `NAME` or `NAME/VERSION`.
        modules: Vec<String>,
    },
    /// `conflict`.
    Conflict {
        /// Modules that must not be loaded.
        modules: Vec<String>,
    },
    /// `prereq`, `prereq_any`.
    Prereq {
        /// Modules that must be loaded.
        modules: Vec<String>,
        /// One of them is enough.
        any: bool,
    },
    /// `family`.
    Family {
        /// Family of which one member can be loaded.
        name: String,
    },
    /// `add_property`.
    AddProperty {
        /// Property; `lmod` has a meaning here.
        name: String,
        /// Value; `sticky` has a meaning here.
        value: String,
    },
    /// `extensions`: what the module brings besides, a note for readers.
    Extensions {
        /// `NAME/VERSION` each.
        names: Vec<String>,
    },
    /// `whatis`.
    Whatis {
        /// One line.
        text: String,
    },
    /// `help`.
    Help {
        /// The help text.
        text: String,
    },
    /// `LmodMessage`.
    Message {
        /// Text for the user.
        text: String,
    },
    /// `LmodWarning`.
    Warning {
        /// Text for the user.
        text: String,
    },
    /// `print`, `io.write`: what a file writes to standard output is code for the user's shell.
    ShellText {
        /// Shell text.
        text: Vec<u8>,
    },
}

impl fmt::Display for Action {
    /// The call as a modulefile spells it, for `module show`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Setenv { name, value } => call(f, "setenv", &[name.as_bytes(), value]),
            Action::Unsetenv { name } => call(f, "unsetenv", &[name.as_bytes()]),
            Action::Pushenv { name, value: Some(value) } => call(f, "pushenv", &[name.as_bytes(), value]),
            Action::Pushenv { name, value: None } => write!(f, "pushenv({},false)", quoted(name.as_bytes())),
            Action::AddPath { end, name, value, delimiter } => {
                let function = if *end == End::Front { "prepend_path" } else { "append_path" };
                path_call(f, function, name, value, delimiter)
            }
            Action::RemovePath { name, value, delimiter } => {
                path_call(f, "remove_path", name, value, delimiter)
            }
            Action::SetAlias { name, value } => call(f, "set_alias", &[name.as_bytes(), value]),
            Action::UnsetAlias { name } => call(f, "unset_alias", &[name.as_bytes()]),
            Action::SetFunction { name, sh, csh } => {
                call(f, "set_shell_function", &[name.as_bytes(), sh, csh])
            }
            Action::UnsetFunction { name } => call(f, "unset_shell_function", &[name.as_bytes()]),
            Action::Execute { command, modes } => {
                let modes: Vec<String> = modes.iter().map(|mode| quoted(mode.as_bytes())).collect();
                write!(f, "execute{{cmd={},modeA={{{}}}}}", quoted(command), modes.join(","))
            }
            Action::Load { kind, modules } => {
                let function = match kind {
                    LoadKind::Load => "load",
                    LoadKind::Always => "always_load",
                    LoadKind::Try => "try_load",
                    LoadKind::DependsOn => "depends_on",
                };
                call_texts(f, function, modules)
            }
            Action::Unload { modules } => call_texts(f, "unload", modules),
            Action::Conflict { modules } => call_texts(f, "conflict", modules),
            Action::Prereq { modules, any: false } => call_texts(f, "prereq", modules),
            Action::Prereq { modules, any: true } => call_texts(f, "prereq_any", modules),
            Action::Family { name } => call(f, "family", &[name.as_bytes()]),
            Action::AddProperty { name, value } => {
                call(f, "add_property", &[name.as_bytes(), value.as_bytes()])
            }
            Action::Extensions { names } => call_texts(f, "extensions", names),
            Action::Whatis { text } => call(f, "whatis", &[text.as_bytes()]),
            Action::Help { text } => write!(f, "help([[{text}]])"),
            Action::Message { text } => call(f, "LmodMessage", &[text.as_bytes()]),
            Action::Warning { text } => call(f, "LmodWarning", &[text.as_bytes()]),
            Action::ShellText { text } => call(f, "io.write", &[text]),
        }
    }
}

fn call(f: &mut fmt::Formatter<'_>, function: &str, arguments: &[&[u8]]) -> fmt::Result {
    let arguments: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    write!(f, "{function}({})", arguments.join(","))
}

fn call_texts(f: &mut fmt::Formatter<'_>, function: &str, arguments: &[String]) -> fmt::Result {
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    call(f, function, &arguments)
}

fn path_call(
    f: &mut fmt::Formatter<'_>,
    function: &str,
    name: &str,
    value: &[u8],
    delimiter: &[u8],
) -> fmt::Result {
    match delimiter {
        b":" => call(f, function, &[name.as_bytes(), value]),
        _ => {
            let (name, value) = (quoted(name.as_bytes()), quoted(value));
            write!(f, "{function}{{{name},{value},delim={}}}", quoted(delimiter))
        }
    }
}

fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}
