//! The file system of the state folder. Network file systems are refused: SQLite's WAL needs shared memory and locks
//! that they do not give.

use crate::StoreError;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Magic numbers of statfs(2), from its man page.
const NETWORK: [(i64, &str); 8] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x517b, "SMB"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x5346_414f, "AFS"),
];

pub(crate) fn check(dir: &Path) -> Result<(), StoreError> {
    // A folder that cannot be looked at is reported when it is opened.
    #[allow(clippy::unnecessary_cast, reason = "the field's type differs between C libraries")]
    match file_system(dir).and_then(|fs| kind(fs.f_type as i64)) {
        Some(kind) => Err(StoreError::Network { dir: dir.to_owned(), kind }),
        None => Ok(()),
    }
}

/// Whether the file system has no block left for its users.
pub(crate) fn is_full(path: &Path) -> bool {
    file_system(path).is_some_and(|fs| fs.f_blocks > 0 && fs.f_bavail == 0)
}

fn file_system(path: &Path) -> Option<libc::statfs> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: a zeroed statfs is a valid value to be filled in.
    let mut fs: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call.
    (unsafe { libc::statfs(path.as_ptr(), &mut fs) } == 0).then_some(fs)
}

fn kind(magic: i64) -> Option<&'static str> {
    NETWORK.iter().find(|(m, _)| *m == magic & 0xffff_ffff).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn nfs_is_known_and_ext4_is_not_network() {
        assert_eq!(super::kind(0x6969), Some("NFS"));
        assert_eq!(super::kind(0xef53), None);
        // Magic numbers above 2^31 arrive sign-extended on some systems.
        assert_eq!(super::kind(0xff53_4d42_u32 as i32 as i64), Some("CIFS"));
    }
}
