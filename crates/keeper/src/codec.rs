//! The byte codec under the frames and the journal: little-endian, lengths first, every read checked.
//! Hand-written so that the keeper needs no serialisation library and stays readable by any later version.

use std::fmt;

/// Why bytes could not be read. Nothing of the message has been acted upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end inside the named field.
    Short(&'static str),
    /// The named field has a value that this version does not know.
    Invalid(&'static str),
    /// Bytes are left over after the message.
    Trailing(usize),
    /// The frame does not start with the protocol's mark.
    Magic([u8; 4]),
    /// The frame is of a version that this program does not speak.
    Version(u16),
    /// The frame claims more bytes than are allowed.
    TooLong(u32),
    /// The kind of message is unknown.
    Kind(u16),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Short(what) => write!(f, "message ends inside {what}"),
            DecodeError::Invalid(what) => write!(f, "invalid {what}"),
            DecodeError::Trailing(n) => write!(f, "{n} bytes after the end of the message"),
            DecodeError::Magic(m) => write!(f, "not a keeper message (starts with {m:02x?})"),
            DecodeError::Version(v) => {
                write!(f, "protocol version {v}, this program speaks {}", crate::protocol::VERSION)
            }
            DecodeError::TooLong(n) => {
                write!(f, "frame of {n} bytes, the limit is {}", crate::protocol::MAX_BODY)
            }
            DecodeError::Kind(k) => write!(f, "unknown kind of message {k}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Appends fields to a byte vector.
#[derive(Default)]
pub struct Writer {
    /// What was written so far.
    pub bytes: Vec<u8>,
}

macro_rules! put_get {
    ($($name:ident: $t:ty),*) => {
        impl Writer {
            $(
                /// Appends the number, little-endian.
                pub fn $name(&mut self, v: $t) -> &mut Self {
                    self.bytes.extend_from_slice(&v.to_le_bytes());
                    self
                }
            )*
        }
        impl Reader<'_> {
            $(
                /// Reads a little-endian number; `what` names the field in the error.
                pub fn $name(&mut self, what: &'static str) -> Result<$t, DecodeError> {
                    let mut raw = [0u8; size_of::<$t>()];
                    raw.copy_from_slice(self.take(size_of::<$t>(), what)?);
                    Ok(<$t>::from_le_bytes(raw))
                }
            )*
        }
    };
}

/// Reads fields from a byte slice, never beyond its end.
pub struct Reader<'a> {
    rest: &'a [u8],
}

put_get!(u8: u8, u16: u16, u32: u32, u64: u64, i32: i32, i64: i64);

impl Writer {
    /// Appends a length-prefixed byte string.
    pub fn bytes(&mut self, v: &[u8]) -> &mut Self {
        self.u32(v.len() as u32);
        self.bytes.extend_from_slice(v);
        self
    }

    /// Appends 0 or 1.
    pub fn bool(&mut self, v: bool) -> &mut Self {
        self.u8(v as u8)
    }

    /// Appends 0, or 1 and the value.
    pub fn option<T>(&mut self, v: &Option<T>, put: impl FnOnce(&mut Self, &T)) -> &mut Self {
        self.bool(v.is_some());
        if let Some(v) = v {
            put(self, v);
        }
        self
    }

    /// Appends the count and each element.
    pub fn list<T>(&mut self, v: &[T], mut put: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.u32(v.len() as u32);
        for e in v {
            put(self, e);
        }
        self
    }

    /// Appends a list of byte strings.
    pub fn byte_list(&mut self, v: &[Vec<u8>]) -> &mut Self {
        self.list(v, |w, e| {
            w.bytes(e);
        })
    }
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Short(what))?;
        self.rest = rest;
        Ok(head)
    }

    /// Reads a length-prefixed byte string.
    pub fn bytes(&mut self, what: &'static str) -> Result<Vec<u8>, DecodeError> {
        let n = self.u32(what)? as usize;
        Ok(self.take(n, what)?.to_vec())
    }

    /// Reads text; what is not UTF-8 is refused.
    pub fn text(&mut self, what: &'static str) -> Result<String, DecodeError> {
        String::from_utf8(self.bytes(what)?).map_err(|_| DecodeError::Invalid(what))
    }

    /// Reads 0 or 1; anything else is refused.
    pub fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid(what)),
        }
    }

    /// Reads an optional value.
    pub fn option<T>(
        &mut self,
        what: &'static str,
        get: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.bool(what)? { get(self).map(Some) } else { Ok(None) }
    }

    /// Reads a counted list. The count reserves no memory beforehand: a lying one runs into the end of the bytes.
    pub fn list<T>(
        &mut self,
        what: &'static str,
        mut get: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let n = self.u32(what)?;
        let mut v = Vec::new();
        for _ in 0..n {
            if self.rest.is_empty() {
                return Err(DecodeError::Short(what));
            }
            v.push(get(self)?);
        }
        Ok(v)
    }

    /// Reads a list of byte strings.
    pub fn byte_list(&mut self, what: &'static str) -> Result<Vec<Vec<u8>>, DecodeError> {
        self.list(what, |r| r.bytes(what))
    }

    /// Whether nothing is left: fields appended later are then absent.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses left-over bytes.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(self.rest.len())) }
    }
}
