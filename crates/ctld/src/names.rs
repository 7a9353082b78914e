//! Names of users and groups, through NSS (this program is linked dynamically, so that LDAP and SSSD work).

use bivouac_proto::place::Account;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

/// A cache of names; a user renamed while the controller runs keeps the old name until it is restarted.
#[derive(Default)]
pub struct Names {
    users: BTreeMap<u32, Option<Account>>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    /// The account of a user; none if the passwd database does not know the number.
    pub fn account(&mut self, uid: u32) -> Option<&Account> {
        self.users.entry(uid).or_insert_with(|| Account::of_uid(uid).ok()).as_ref()
    }

    /// A user's name, or the number.
    pub fn user(&mut self, uid: u32) -> String {
        self.account(uid).map_or_else(|| uid.to_string(), |a| a.name.clone())
    }

    /// A group's name, or the number.
    pub fn group(&mut self, gid: u32) -> String {
        self.groups.entry(gid).or_insert_with(|| group_name(gid).unwrap_or_else(|| gid.to_string())).clone()
    }
}

/// The groups of a user as the group database has them, the primary one included.
pub fn groups_of(account: &Account) -> Vec<u32> {
    let Ok(name) = CString::new(account.name.as_bytes()) else { return vec![account.gid] };
    let mut groups = vec![0 as libc::gid_t; 64];
    loop {
        let mut count = groups.len() as libc::c_int;
        // SAFETY: the name is a C string, the list has `count` entries.
        let rc = unsafe { libc::getgrouplist(name.as_ptr(), account.gid, groups.as_mut_ptr(), &mut count) };
        if rc >= 0 {
            groups.truncate(count.max(0) as usize);
            return groups;
        }
        if groups.len() > 65_536 {
            return vec![account.gid];
        }
        groups.resize(groups.len() * 2, 0);
    }
}

fn group_name(gid: u32) -> Option<String> {
    let mut buffer = vec![0u8; 64 << 10];
    // SAFETY: a zeroed group is a valid value to be filled in.
    let mut entry: libc::group = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: all pointers are valid for the call and the buffer's length is passed.
    let rc =
        unsafe { libc::getgrgid_r(gid, &mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &mut found) };
    if rc != 0 || found.is_null() {
        return None;
    }
    // SAFETY: getgrgid_r filled the entry with a pointer to a string in the buffer.
    Some(unsafe { CStr::from_ptr(entry.gr_name) }.to_string_lossy().into_owned())
}
