//! Frames: `BVK` + format byte, protocol version (u16), length (u32), all little-endian, then so many bytes of
//! JSON. A frame is at most [`MAX_BODY`] long; larger answers are sent as several.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{self, Read, Write};

/// The protocol spoken here. Raised when a message changes in a way that the other side cannot ignore.
pub const VERSION: u16 = 1;
/// The longest body of a frame in bytes.
pub const MAX_BODY: usize = 16 << 20;
const MAGIC: [u8; 4] = *b"BVK1";
const HEADER: usize = 10;

/// Why a frame was not taken.
#[derive(Debug)]
pub enum FrameError {
    /// The other side closed the connection between two frames.
    Closed,
    /// Reading or writing failed, or the connection broke within a frame.
    Io(io::Error),
    /// The bytes are not a frame.
    NotAFrame,
    /// A frame of another protocol version.
    Version(u16),
    /// A body over [`MAX_BODY`].
    TooLong(usize),
    /// The body is not the JSON of the expected message.
    Body(serde_json::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Closed => f.write_str("the connection was closed"),
            FrameError::Io(e) => write!(f, "the connection failed: {e}"),
            FrameError::NotAFrame => f.write_str("the other side does not speak bivouac's protocol"),
            FrameError::Version(v) => write!(
                f,
                "the other side speaks protocol version {v}, this program version {VERSION}: stop the cluster with the \
                 `bivouac down` of the version that started it, then start it with this one (running jobs go on)"
            ),
            FrameError::TooLong(n) => {
                write!(f, "a message of {n} bytes is over the limit of {MAX_BODY} bytes")
            }
            FrameError::Body(e) => write!(f, "a message could not be understood: {e}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<io::Error> for FrameError {
    fn from(e: io::Error) -> FrameError {
        FrameError::Io(e)
    }
}

/// Writes one message as one frame.
///
/// # Errors
/// `TooLong` before anything is written, or what the writer says.
pub fn write<T: Serialize>(to: &mut impl Write, message: &T) -> Result<(), FrameError> {
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, message).map_err(FrameError::Body)?;
    let body = bytes.len() - HEADER;
    if body > MAX_BODY {
        return Err(FrameError::TooLong(body));
    }
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[6..10].copy_from_slice(&(body as u32).to_le_bytes());
    to.write_all(&bytes)?;
    to.flush()?;
    Ok(())
}

/// Reads one message. Nothing is allocated for a length that the sender only claims.
///
/// # Errors
/// See [`FrameError`].
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<T, FrameError> {
    let mut header = [0; HEADER];
    let mut got = 0;
    while got < HEADER {
        match from.read(&mut header[got..]) {
            Ok(0) if got == 0 => return Err(FrameError::Closed),
            Ok(0) => return Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
        if header[..got.min(3)] != MAGIC[..got.min(3)] {
            return Err(FrameError::NotAFrame);
        }
    }
    if header[..4] != MAGIC {
        return Err(FrameError::NotAFrame);
    }
    let version = u16::from_le_bytes([header[4], header[5]]);
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    let length = u32::from_le_bytes([header[6], header[7], header[8], header[9]]) as usize;
    if length > MAX_BODY {
        return Err(FrameError::TooLong(length));
    }
    let mut body = Vec::with_capacity(length.min(64 << 10));
    from.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    serde_json::from_slice(&body).map_err(FrameError::Body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(version: u16, length: u32, body: &[u8]) -> Vec<u8> {
        [&MAGIC[..], &version.to_le_bytes(), &length.to_le_bytes(), body].concat()
    }

    #[test]
    fn a_claimed_length_over_the_limit_is_refused_before_the_body_is_read() {
        let bytes = framed(VERSION, MAX_BODY as u32 + 1, b"");
        assert!(matches!(read::<String>(&mut &bytes[..]), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn another_version_is_named() {
        let bytes = framed(VERSION + 1, 2, b"\"\"");
        assert!(matches!(read::<String>(&mut &bytes[..]), Err(FrameError::Version(v)) if v == VERSION + 1));
    }

    #[test]
    fn a_broken_body_is_an_error_not_a_wait() {
        let bytes = framed(VERSION, 10, b"\"abc");
        assert!(matches!(read::<String>(&mut &bytes[..]), Err(FrameError::Io(_))));
    }

    #[test]
    fn too_long_a_message_is_not_sent() {
        let mut out = Vec::new();
        let long = "x".repeat(MAX_BODY);
        assert!(matches!(write(&mut out, &long), Err(FrameError::TooLong(_))));
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn messages_survive(texts in proptest::collection::vec(".*", 0..4)) {
            let mut wire = Vec::new();
            for t in &texts { write(&mut wire, t).unwrap(); }
            let mut from = &wire[..];
            for t in &texts { prop_assert_eq!(&read::<String>(&mut from).unwrap(), t); }
            prop_assert!(matches!(read::<String>(&mut from), Err(FrameError::Closed)));
        }

        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read::<crate::message::Request>(&mut &bytes[..]);
            let with_header = framed(VERSION, bytes.len() as u32, &bytes);
            let _ = read::<crate::message::Request>(&mut &with_header[..]);
        }
    }
}
