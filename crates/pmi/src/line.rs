//! PMI-1: lines of `cmd=NAME key=value key=value`.

use crate::command::{Command, Malformed, shown};

/// Keys that stand last and whose values go on to the line's end, spaces included.
const TO_THE_END: [&[u8]; 3] = [b"value", b"port", b"error_msg"];

/// Reads a line, its end taken off.
///
/// # Errors
/// It is none.
pub fn read(line: &[u8]) -> Result<Command, Malformed> {
    let none = || Malformed::NoCommand(shown(line));
    let rest = line.trim_ascii_start().strip_prefix(b"cmd=").ok_or_else(none)?;
    let (name, mut rest) = split(rest);
    if name.is_empty() {
        return Err(none());
    }
    let mut command = Command::new(name);
    while !rest.is_empty() {
        let (word, left) = split(rest);
        let at = word.iter().position(|&b| b == b'=').filter(|&at| at > 0);
        let (key, value) = word.split_at(at.ok_or_else(|| Malformed::NoValue(shown(word)))?);
        if TO_THE_END.contains(&key) {
            return Ok(command.with(key, &rest[key.len() + 1..]));
        }
        command = command.with(key, &value[1..]);
        rest = left;
    }
    Ok(command)
}

/// The bytes up to the next space, and what follows the spaces.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

/// Prints a line with its end. What cannot stand in a value there becomes an underscore.
pub fn write(command: &Command) -> Vec<u8> {
    let mut out = [b"cmd=", command.name.as_slice()].concat();
    for (at, (key, value)) in command.words.iter().enumerate() {
        let last = at + 1 == command.words.len() && TO_THE_END.contains(&key.as_slice());
        let fits = |&b: &u8| if b == b'\n' || (!last && b.is_ascii_whitespace()) { b'_' } else { b };
        out.push(b' ');
        out.extend_from_slice(key);
        out.push(b'=');
        out.extend(value.iter().map(fits));
    }
    out.push(b'\n');
    out
}
