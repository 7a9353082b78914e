//! Shell code: what the calling shell evaluates to change its own state.

use std::fmt;

/// A shell that can evaluate our output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// Any POSIX shell, such as dash.
    Sh,
}

impl Shell {
    /// The shell of that name; the error says which there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "bash" => Ok(Self::Bash),
            "zsh" => Ok(Self::Zsh),
            "sh" | "dash" => Ok(Self::Sh),
            "csh" | "tcsh" | "fish" => {
                Err(format!("the shell {name} comes in a later release; use bash, zsh or sh"))
            }
            _ => Err(format!("\"{name}\" is no shell known here; use bash, zsh or sh")),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Sh => "sh",
        }
    }

    /// Whether the shell takes `name` for a function; POSIX shells take names of variables only.
    pub fn takes_function(self, name: &str) -> bool {
        self != Self::Sh || name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    }
}

/// A change in the shell that is no variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Defines an alias.
    Alias(String, Vec<u8>),
    /// Removes an alias.
    Unalias(String),
    /// Defines a function with its body.
    Function(String, Vec<u8>),
    /// Removes a function.
    Unfunction(String),
    /// A command on lines of its own.
    Command(Vec<u8>),
    /// Code as a modulefile wrote it, perhaps piece by piece.
    Text(Vec<u8>),
}

/// The code for a shell, growing line by line.
#[derive(Debug, Default)]
pub struct Code(Vec<u8>);

impl Code {
    /// Sets and exports a variable, or removes it.
    pub fn variable(&mut self, name: &str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.line(&[b"export ", name.as_bytes(), b"=", &quote(value), b";"]),
            None => self.line(&[b"unset ", name.as_bytes(), b";"]),
        }
    }

    /// Adds a statement. Removing what is not there is no error, under `set -e` neither.
    pub fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Alias(name, value) => {
                self.line(&[b"alias ", name.as_bytes(), b"=", &quote(value), b";"])
            }
            Statement::Unalias(name) => self.unalias(name),
            Statement::Function(name, body) => {
                // An alias of that name would be put in place of the name, before the shell sees a definition.
                self.unalias(name);
                let body = if body.trim_ascii().is_empty() { b":" } else { body.as_slice() };
                self.line(&[name.as_bytes(), b" () {\n", body, b"\n};"]);
            }
            Statement::Unfunction(name) => {
                self.line(&[b"unset -f ", name.as_bytes(), b" 2>/dev/null || :;"]);
            }
            Statement::Command(text) | Statement::Text(text) => self.line(&[text.trim_ascii_end()]),
        }
    }

    fn unalias(&mut self, name: &str) {
        self.line(&[b"unalias ", name.as_bytes(), b" 2>/dev/null || :;"]);
    }

    /// Prints a text to standard output.
    pub fn print(&mut self, text: &[u8]) {
        if !text.is_empty() {
            self.line(&[b"printf %s ", &quote(text), b";"]);
        }
    }

    /// Ends the code with the status of a failed command.
    pub fn fail(&mut self) {
        self.line(&[b"false"]);
    }

    fn line(&mut self, parts: &[&[u8]]) {
        self.0.extend(parts.iter().flat_map(|part| part.iter()));
        self.0.push(b'\n');
    }

    /// The code.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// `value` as one word of a Bourne-like shell: nothing in it is expanded, newlines stay.
pub fn quote(value: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:+,@%".contains(byte);
    if !value.is_empty() && value.iter().all(plain) {
        return value.to_vec();
    }
    let mut word = vec![b'\''];
    for &byte in value {
        if byte == b'\'' {
            word.extend_from_slice(b"'\\''");
        } else {
            word.push(byte);
        }
    }
    word.push(b'\'');
    word
}
