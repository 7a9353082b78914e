//! Files that a command line names are read up to a limit: a device, or a file by mistake, must not fill the memory.

use std::io::{self, Read};

/// All bytes of something that has at most so many.
///
/// # Errors
/// It cannot be read, or has more ([`io::ErrorKind::FileTooLarge`]).
pub fn read(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let bytes = begin(from, most)?;
    match bytes.len() as u64 > most {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

/// All bytes of something that has at most so many; of one that has more, one byte more than that.
///
/// # Errors
/// It cannot be read.
pub fn begin(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_an_error() {
        assert_eq!(read(&b"abc"[..], 3).unwrap(), b"abc");
        assert_eq!(read(&b"abcd"[..], 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(io::repeat(0), 1 << 20).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
