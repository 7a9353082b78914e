//! A command or an answer, in either protocol.

use std::fmt;

/// A name and words that belong to it, in the order in which they are sent. Values are bytes: MPI libraries put there
/// what they like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `get`, `kvs-put-response`.
    pub name: Vec<u8>,
    /// Keys with their values.
    pub words: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Command {
    /// A command without words.
    pub fn new(name: impl AsRef<[u8]>) -> Command {
        Command { name: name.as_ref().to_vec(), words: Vec::new() }
    }

    /// With one more word.
    #[must_use]
    pub fn with(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Command {
        self.words.push((key.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// The value of a word.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.words.iter().find(|(k, _)| k == key.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The value of a word that must be there.
    ///
    /// # Errors
    /// Which is missing.
    pub fn need(&self, key: &'static str) -> Result<&[u8], Malformed> {
        self.get(key).ok_or(Malformed::Missing(key))
    }

    /// A number.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        std::str::from_utf8(self.get(key)?).ok()?.trim().parse().ok()
    }

    /// The name, to be shown.
    pub fn shown(&self) -> String {
        shown(&self.name)
    }
}

/// Bytes of a client's, to be shown in a message: one line, not long.
pub fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(80)];
    let text = String::from_utf8_lossy(cut).replace(char::is_control, " ");
    if cut.len() < bytes.len() { format!("{text}...") } else { text }
}

/// What is wrong with a client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It does not begin with `cmd=` and a name.
    NoCommand(String),
    /// It is not the greeting that comes first.
    NotInit(String),
    /// There is no such command here.
    Unknown,
    /// MPI_Comm_spawn and its like.
    NoSpawn,
    /// A word without a key or a value.
    NoValue(String),
    /// A word that the command needs.
    Missing(&'static str),
    /// A frame's length is no number.
    Length(String),
    /// More bytes than any command has.
    TooLong,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::NoCommand(text) => write!(f, "request does not begin with 'cmd=': {text}"),
            Malformed::NotInit(name) => write!(f, "'{name}' comes before 'init'"),
            Malformed::Unknown => write!(f, "there is no such request, or it is not supported"),
            Malformed::NoSpawn => write!(
                f,
                "a running step starts no more tasks (MPI_Comm_spawn): start the program by mpiexec, or all tasks by srun"
            ),
            Malformed::NoValue(word) => write!(f, "'{word}' is no key=value"),
            Malformed::Missing(key) => write!(f, "'{key}' is missing"),
            Malformed::Length(text) => write!(f, "'{text}' is no length of a request"),
            Malformed::TooLong => write!(f, "the request is too long"),
        }
    }
}
