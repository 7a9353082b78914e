//! The journal's file: a header and equal slots, one per attempt, mapped shared into keeper, reaper and children.
//!
//! It has to survive the death of any process, not of the machine: what is stored in a shared mapping is in the page
//! cache, which outlives every process, so nothing is flushed (the controller, which is flushed, treats attempts of
//! another boot as lost). The file is allocated beforehand, so that a full disk cannot lose an exit.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::codec::{DecodeError, Reader, Writer};
use crate::record::Session;
use crate::slot::{SLOT, Slot};

const MAGIC: [u8; 4] = *b"BVKJ";
const VERSION: u32 = 1;
/// Bytes before the first slot: one page of header, two session areas of 12 KiB.
const PREFIX: usize = 28 << 10;
const SESSION_AT: [usize; 2] = [4 << 10, 16 << 10];
/// Largest stored session: the respawn command must fit.
pub const MAX_SESSION: usize = (12 << 10) - 32;
/// Slots are added in this number.
pub const CHUNK: usize = 64;

/// The mapped file.
pub struct Slots {
    file: File,
    path: PathBuf,
    base: *mut u8,
    length: usize,
    /// Identity of this file, random.
    pub id: u64,
    /// Boot id under which it was made or last adopted.
    pub boot_id: String,
}

impl Slots {
    /// Opens `DIR/keeper.journal`, making it with one chunk of slots if it is absent. Refuses a damaged header or
    /// another version, naming the file; nothing is changed then.
    pub fn open(dir: &Path) -> io::Result<Slots> {
        let path = dir.join("keeper.journal");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        if file.metadata()?.len() == 0 {
            // The header is written to a file of its own and moved into place, so that it is never half there.
            drop(file);
            let fresh = dir.join("keeper.journal.new");
            let file = options.truncate(true).open(&fresh)?;
            allocate(&file, PREFIX + CHUNK * SLOT)?;
            let mut slots = Slots::map(file, fresh.clone())?;
            slots.write_header(random()?, &crate::sys::boot_id());
            std::fs::rename(&fresh, &path)?;
            slots.path = path;
            return Ok(slots);
        }
        let mut slots = Slots::map(file, path)?;
        slots.read_header()?;
        Ok(slots)
    }

    fn map(file: File, path: PathBuf) -> io::Result<Slots> {
        let length = file.metadata()?.len() as usize;
        if length < PREFIX {
            return Err(refusal(&path, "it is too short"));
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh shared mapping of a file that is ours; nobody makes references into it (see `bytes`).
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Slots { file, path, base: base.cast(), length, id: 0, boot_id: String::new() })
    }

    fn write_header(&mut self, id: u64, boot_id: &str) {
        let mut w = Writer::default();
        w.u64(id).bytes(boot_id.as_bytes());
        let mut head = Writer::default();
        head.bytes.extend_from_slice(&MAGIC);
        head.u32(VERSION).u32(crc32fast::hash(&w.bytes)).bytes(&w.bytes);
        self.store(0, &head.bytes);
        (self.id, self.boot_id) = (id, boot_id.to_owned());
    }

    fn read_header(&mut self) -> io::Result<()> {
        let bytes = self.load(0, 1024);
        if bytes[..4] != MAGIC {
            return Err(refusal(&self.path, "it does not start as a keeper's journal does"));
        }
        let parse = || -> Result<(u32, Option<(u64, String)>), DecodeError> {
            let mut r = Reader::new(&bytes[4..]);
            let (version, crc, body) = (r.u32("version")?, r.u32("checksum")?, r.bytes("header")?);
            let mut r = Reader::new(&body);
            let header = (r.u64("id")?, r.text("boot id")?);
            Ok((version, (crc32fast::hash(&body) == crc).then_some(header)))
        };
        match parse() {
            Ok((version, _)) if version != VERSION => {
                Err(refusal(&self.path, &format!("it has version {version}, this program knows {VERSION}")))
            }
            Ok((_, Some((id, boot_id)))) => {
                (self.id, self.boot_id) = (id, boot_id);
                Ok(())
            }
            _ => Err(refusal(&self.path, "the checksum of its header is wrong")),
        }
    }

    /// Marks the file as of the present boot.
    pub fn set_boot_id(&mut self, boot_id: &str) {
        self.write_header(self.id, boot_id);
    }

    /// Number of slots.
    pub fn count(&self) -> usize {
        (self.length - PREFIX) / SLOT
    }

    /// Adds a chunk of slots. On failure (no space) the file is as before.
    pub fn grow(&mut self) -> io::Result<()> {
        let longer = self.length + CHUNK * SLOT;
        if let Err(e) = allocate(&self.file, longer) {
            let _ = self.file.set_len(self.length as u64);
            return Err(e);
        }
        self.remap(longer)
    }

    /// Takes in slots that another process added.
    pub fn refresh(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len() as usize;
        if length > self.length { self.remap(length) } else { Ok(()) }
    }

    fn remap(&mut self, length: usize) -> io::Result<()> {
        // SAFETY: the old mapping is ours and no reference into it is alive (`bytes` hands out none).
        let base = unsafe { libc::mremap(self.base.cast(), self.length, length, libc::MREMAP_MAYMOVE) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        (self.base, self.length) = (base.cast(), length);
        Ok(())
    }

    /// Brings everything to the disk; for an orderly end.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// A slot, by number below [`Slots::count`].
    pub fn slot(&self, number: usize) -> Slot {
        assert!(number < self.count(), "slot {number} of {}", self.count());
        // SAFETY: inside the mapping, as just checked.
        unsafe { Slot::at(self.base.add(PREFIX + number * SLOT)) }
    }

    fn store(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.length);
        // SAFETY: inside the mapping; source and target do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(at), bytes.len()) };
    }

    fn load(&self, at: usize, length: usize) -> Vec<u8> {
        assert!(at + length <= self.length);
        let mut bytes = vec![0; length];
        // SAFETY: inside the mapping; source and target do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(self.base.add(at), bytes.as_mut_ptr(), length) };
        bytes
    }

    /// The session: the valid one with the higher number of the two areas, which are written in turn.
    pub fn session(&self) -> Option<(u64, Session)> {
        SESSION_AT.iter().filter_map(|at| self.session_at(*at)).max_by_key(|(n, _)| *n)
    }

    fn session_at(&self, at: usize) -> Option<(u64, Session)> {
        let bytes = self.load(at, MAX_SESSION + 32);
        let mut r = Reader::new(&bytes);
        let (crc, body) = (r.u32("checksum").ok()?, r.bytes("session").ok()?);
        let mut r = Reader::new(&body);
        let number = r.u64("number").ok()?;
        let session = Session { respawn: r.byte_list("respawn").ok()?, ending: r.bool("ending").ok()? };
        (crc32fast::hash(&body) == crc).then_some((number, session))
    }

    /// Stores the session under the next number. A respawn command that does not fit is refused.
    pub fn set_session(&self, session: &Session) -> io::Result<()> {
        let number = self.session().map_or(1, |(n, _)| n + 1);
        let mut w = Writer::default();
        w.u64(number).byte_list(&session.respawn).bool(session.ending);
        if w.bytes.len() > MAX_SESSION {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the respawn command is longer than 12 KiB",
            ));
        }
        let mut whole = Writer::default();
        whole.u32(crc32fast::hash(&w.bytes)).bytes(&w.bytes);
        self.store(SESSION_AT[number as usize % 2], &whole.bytes);
        Ok(())
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours; slots handed out do not outlive the keeper's and reaper's loops.
        unsafe { libc::munmap(self.base.cast(), self.length) };
    }
}

fn allocate(file: &File, length: usize) -> io::Result<()> {
    // SAFETY: a valid descriptor; the call answers with the error number.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length as libc::off_t) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn random() -> io::Result<u64> {
    let mut raw = [0u8; 8];
    // SAFETY: writes 8 bytes into `raw`.
    crate::sys::check(unsafe { libc::getrandom(raw.as_mut_ptr().cast(), raw.len(), 0) })?;
    Ok(u64::from_le_bytes(raw))
}

fn refusal(path: &Path, why: &str) -> io::Error {
    let text = format!(
        "{} cannot be used: {why}; no job was touched. Move it away to begin afresh; jobs it held are then lost",
        path.display()
    );
    io::Error::new(io::ErrorKind::InvalidData, text)
}
