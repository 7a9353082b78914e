//! Moves the library search path (RUNPATH) of ELF files from a fixed folder to one relative to the file itself, in place.
//! Layout facts: elf(5).

/// Byte offsets of an ELF file's parts, 64-bit and little-endian: what the served platforms have.
const MAGIC: &[u8] = b"\x7fELF\x02\x01";
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const SHT_DYNSYM: u64 = 11;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// Whether these bytes are an ELF file of the kind read here.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// In the search path of the ELF file, replaces the folder `from` (and folders below it) by `to`, such as
/// `$ORIGIN/../lib`; the rest of the old text is filled with NULs. Returns whether there was anything to replace. Files
/// that are no ELF, or have no search path, are left alone.
///
/// # Errors
/// The file is damaged, the new path is longer than the old, or other names share the path's bytes (linkers store a text
/// that ends another one within it).
pub fn relocate_runpath(bytes: &mut [u8], from: &str, to: &str) -> Result<bool, String> {
    if !is_elf(bytes) {
        return Ok(false);
    }
    let elf = Elf(bytes);
    let Some(dynamic) = elf.segments(PT_DYNAMIC)?.into_iter().next() else { return Ok(false) };
    let tags = elf.dynamic(dynamic)?;
    let value = |tag| tags.iter().find(|(own, _)| *own == tag).map(|(_, value)| *value);
    let Some(name) = value(DT_RUNPATH).or_else(|| value(DT_RPATH)) else { return Ok(false) };
    let table = elf.file_offset(value(DT_STRTAB).ok_or("it has a search path but no string table")?)?;
    let start = offset(table.checked_add(name))?;
    let text = bytes.get(start..).ok_or("its search path lies outside the file")?;
    let length = text.iter().position(|byte| *byte == 0).ok_or("its search path has no end")?;
    let old = std::str::from_utf8(&text[..length]).map_err(|_| "its search path is no text")?;
    let new = replaced(old, from, to);
    if new == old {
        return Ok(false);
    }
    if new.len() > length {
        return Err(format!("its search path {old} has no room for {new}"));
    }
    let mut others: Vec<u64> = elf.symbol_names()?;
    others.extend(tags.iter().filter(|(tag, _)| [DT_NEEDED, DT_SONAME].contains(tag)).map(|(_, name)| *name));
    if others.iter().any(|other| *other >= name && *other < name + length as u64) {
        return Err(format!("another name shares the bytes of its search path {old}"));
    }
    bytes[start..start + length].fill(0);
    bytes[start..start + new.len()].copy_from_slice(new.as_bytes());
    Ok(true)
}

fn replaced(path: &str, from: &str, to: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split(':') {
        let new = match part.strip_prefix(from) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{to}{rest}"),
            _ => part.to_owned(),
        };
        if !parts.contains(&new) {
            parts.push(new);
        }
    }
    parts.join(":")
}

fn offset(value: Option<u64>) -> Result<usize, String> {
    value
        .and_then(|value| usize::try_from(value).ok())
        .ok_or_else(|| "an offset in it is too large".to_owned())
}

struct Elf<'a>(&'a [u8]);

impl Elf<'_> {
    fn number(&self, at: u64, bytes: usize) -> Result<u64, String> {
        let start = offset(Some(at))?;
        let field =
            start.checked_add(bytes).and_then(|end| self.0.get(start..end)).ok_or("it is cut short")?;
        Ok(field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The entries of a header table, as offsets.
    fn table(&self, start: u64, size: u64, count: u64) -> impl Iterator<Item = u64> {
        (0..count).map_while(move |i| start.checked_add(size.checked_mul(i)?))
    }

    fn program_headers(&self) -> Result<impl Iterator<Item = u64>, String> {
        Ok(self.table(self.number(0x20, 8)?, self.number(0x36, 2)?, self.number(0x38, 2)?))
    }

    /// (file offset, address, size in the file) of the segments of a kind.
    fn segments(&self, kind: u64) -> Result<Vec<(u64, u64, u64)>, String> {
        let mut found = Vec::new();
        for header in self.program_headers()? {
            if self.number(header, 4)? == kind {
                let field = |at: u64| self.number(header.saturating_add(at), 8);
                found.push((field(0x08)?, field(0x10)?, field(0x20)?));
            }
        }
        Ok(found)
    }

    fn file_offset(&self, address: u64) -> Result<u64, String> {
        self.segments(PT_LOAD)?
            .into_iter()
            .find_map(|(offset, start, size)| {
                let into = address.checked_sub(start)?;
                if into < size { offset.checked_add(into) } else { None }
            })
            .ok_or_else(|| "its string table lies outside the file".to_owned())
    }

    fn dynamic(&self, (start, _, size): (u64, u64, u64)) -> Result<Vec<(u64, u64)>, String> {
        let mut tags = Vec::new();
        for entry in self.table(start, 16, size / 16) {
            match self.number(entry, 8)? {
                0 => break,
                tag => tags.push((tag, self.number(entry.saturating_add(8), 8)?)),
            }
        }
        Ok(tags)
    }

    /// Offsets into the string table of all dynamic symbols' names; none when the section table was stripped.
    fn symbol_names(&self) -> Result<Vec<u64>, String> {
        let sections = self.table(self.number(0x28, 8)?, self.number(0x3a, 2)?, self.number(0x3c, 2)?);
        let mut names = Vec::new();
        for header in sections {
            if self.number(header.saturating_add(4), 4)? != SHT_DYNSYM {
                continue;
            }
            let (start, size) =
                (self.number(header.saturating_add(0x18), 8)?, self.number(header.saturating_add(0x20), 8)?);
            for symbol in self.table(start, 24, size / 24) {
                names.push(self.number(symbol, 4)?);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file with one loaded segment, a dynamic section and a string table that holds `runpath`.
    fn elf(runpath: &str, needed: u64) -> Vec<u8> {
        let strings = 0x40 + 2 * 0x38 + 4 * 16;
        let mut bytes = MAGIC.to_vec();
        bytes.resize(0x40, 0);
        bytes[0x20] = 0x40; // program headers
        bytes[0x36] = 0x38;
        bytes[0x38] = 2;
        let mut segment = |kind: u64, offset: u64, size: u64| {
            for value in [kind, offset, offset, 0, size, size, 0] {
                bytes.extend(value.to_le_bytes());
            }
        };
        segment(PT_LOAD, 0, 0x1000);
        segment(PT_DYNAMIC, 0x40 + 2 * 0x38, 4 * 16);
        for (tag, value) in [(DT_STRTAB, strings), (DT_NEEDED, needed), (DT_RUNPATH, 1), (0, 0)] {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(u64::to_le_bytes(value));
        }
        bytes.push(0);
        bytes.extend(runpath.as_bytes());
        bytes.push(0);
        bytes.extend(b"libc.so.6\0");
        bytes
    }

    fn tail(bytes: &[u8]) -> Vec<String> {
        let strings = &bytes[0x40 + 2 * 0x38 + 4 * 16 + 1..];
        strings
            .split(|b| *b == 0)
            .filter(|s| !s.is_empty())
            .map(|s| String::from_utf8_lossy(s).into())
            .collect()
    }

    #[test]
    fn only_the_folder_that_moves_is_replaced() {
        let mut bytes = elf("/home/me/.pyenv/versions/3.10.13/lib:/usr/local/lib", 500);
        let length = bytes.len();
        let from = "/home/me/.pyenv/versions/3.10.13/lib";
        assert_eq!(relocate_runpath(&mut bytes, from, "$ORIGIN/../lib"), Ok(true));
        assert_eq!(bytes.len(), length);
        assert_eq!(tail(&bytes), ["$ORIGIN/../lib:/usr/local/lib", "libc.so.6"]);
        assert_eq!(relocate_runpath(&mut bytes, from, "$ORIGIN/../lib"), Ok(false));
    }

    #[test]
    fn a_neighbour_of_the_same_beginning_stays() {
        let mut bytes = elf("/opt/python/lib-extra", 500);
        assert_eq!(relocate_runpath(&mut bytes, "/opt/python/lib", "$ORIGIN"), Ok(false));
    }

    #[test]
    fn a_path_without_room_or_with_shared_bytes_is_refused_and_unchanged() {
        let mut short = elf("/p/lib", 500);
        assert!(relocate_runpath(&mut short, "/p/lib", "$ORIGIN/../lib").unwrap_err().contains("no room"));
        assert_eq!(tail(&short)[0], "/p/lib");
        let mut shared = elf("/home/me/.pyenv/versions/lib", 10);
        let refused = relocate_runpath(&mut shared, "/home/me/.pyenv/versions/lib", "$ORIGIN");
        assert!(refused.unwrap_err().contains("shares"));
    }

    proptest! {
        #[test]
        fn damaged_files_are_answered(place in 0usize..330, value: u8, cut in 0usize..330) {
            let mut bytes = elf("/home/me/.pyenv/versions/3.10.13/lib", 500);
            let place = place % bytes.len();
            bytes[place] = value;
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            let _ = relocate_runpath(&mut bytes, "/home/me/.pyenv/versions/3.10.13/lib", "$ORIGIN/../lib");
        }
    }
}
