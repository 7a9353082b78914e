//! PMI-2: six characters with the length of what follows, then `cmd=NAME;key=value;key=value;`. A semicolon in a value is
//! doubled.

use crate::command::{Command, Malformed, shown};

/// The characters that say how long a frame is.
pub const HEAD: usize = 6;

/// How long the rest of a frame is. Some write the number at the left, some at the right.
///
/// # Errors
/// It is no number.
pub fn length(head: &[u8; HEAD]) -> Result<usize, Malformed> {
    let digits = head.trim_ascii();
    let number = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
    number.and_then(|n| n.parse().ok()).ok_or_else(|| Malformed::Length(shown(head)))
}

/// Reads a frame without its head.
///
/// # Errors
/// It is none.
pub fn read(body: &[u8]) -> Result<Command, Malformed> {
    let none = || Malformed::NoCommand(shown(body));
    let mut words = words(body).into_iter();
    let first = words.next().ok_or_else(none)?;
    let name = first.trim_ascii_start().strip_prefix(b"cmd=").filter(|n| !n.is_empty()).ok_or_else(none)?;
    let mut command = Command::new(name);
    for word in words {
        let at = word.iter().position(|&b| b == b'=').filter(|&at| at > 0);
        let at = at.ok_or_else(|| Malformed::NoValue(shown(&word)))?;
        command = command.with(&word[..at], &word[at + 1..]);
    }
    Ok(command)
}

/// Splits at single semicolons; doubled ones are one of the word's own.
fn words(body: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut word) = (Vec::new(), Vec::new());
    let mut bytes = body.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b';' if bytes.next_if_eq(&b';').is_none() => words.push(std::mem::take(&mut word)),
            byte => word.push(byte),
        }
    }
    // A client may leave the last semicolon out, and end with a line feed.
    if !word.trim_ascii().is_empty() {
        words.push(word);
    }
    words
}

/// Prints a frame, its length at the left as Slurm does.
pub fn write(command: &Command) -> Vec<u8> {
    let mut body = Vec::new();
    push(&mut body, b"cmd", &command.name);
    command.words.iter().for_each(|(key, value)| push(&mut body, key, value));
    let mut out = format!("{:<HEAD$}", body.len()).into_bytes();
    out.append(&mut body);
    out
}

fn push(body: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for &byte in [key, b"=", value].concat().iter() {
        body.push(byte);
        if byte == b';' {
            body.push(byte);
        }
    }
    body.push(b';');
}
