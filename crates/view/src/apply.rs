//! Entering a view: the system calls behind [`ViewPlan::apply`].
//!
//! Two pivots: first into a fresh `tmpfs` that holds `old` (the host) and `new` (the view being built), so
//! that no folder of the host is hidden by the building site; then into `new`, after which the host's root
//! is detached. Classic mount calls only, so that the oldest kernels in use will do.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, symlink};
use std::path::{Path, PathBuf};

use crate::layout::{REPLACED, UNDER};
use crate::plan::{Step, ViewError, ViewPlan};
use crate::sys;

const OLD: &str = "/old";
const NEW: &str = "/new";

type Done = Result<(), ViewError>;

/// Turns an I/O result into ours, naming what was done.
pub(crate) fn doing<T>(what: impl FnOnce() -> String, result: io::Result<T>) -> Result<T, ViewError> {
    result.map_err(|cause| ViewError::new(what(), cause))
}

impl ViewPlan {
    /// Moves the calling process into the view. It must be single-threaded (a forked child before its
    /// `execve`). Afterwards the current folder is `/`; the caller changes to its work folder.
    ///
    /// Root gets no user namespace unless it lacks the right to mount; everybody else gets one in which
    /// only the own user and group exist.
    ///
    /// # Errors
    /// [`ViewError`] names the step and the system's answer. The process may then be half way between the
    /// two file systems: it must exit, and whoever made it reports the error.
    pub fn apply(&self) -> Result<(), ViewError> {
        enter_namespaces()?;
        // SAFETY: umask cannot fail; the process is single-threaded by contract.
        let umask = unsafe { libc::umask(0o022) };
        let done = self.build();
        // SAFETY: as above.
        unsafe { libc::umask(umask) };
        done
    }

    fn build(&self) -> Done {
        let steps = self.steps.iter().map(Prepared::new).collect::<Result<Vec<_>, _>>()?;
        let slave = libc::MS_REC | libc::MS_SLAVE;
        doing(|| "make the mounts private".into(), sys::mount(None, Path::new("/"), None, slave, None))?;
        enter_building_site()?;
        for step in &steps {
            step.carry_out()?;
        }
        leave_building_site()?;
        if let Some(name) = &self.host_name {
            doing(|| format!("set the host name {name}"), sys::set_host_name(name))?;
        }
        Ok(())
    }
}

/// Enters the namespaces and mounts one thing, for [`crate::probe`].
pub(crate) fn try_namespaces() -> Done {
    enter_namespaces()?;
    let slave = libc::MS_REC | libc::MS_SLAVE;
    doing(|| "make the mounts private".into(), sys::mount(None, Path::new("/"), None, slave, None))?;
    enter_building_site()
}

pub(crate) fn enter_namespaces() -> Done {
    let (uid, gid) = sys::user_and_group();
    let spaces = libc::CLONE_NEWNS | libc::CLONE_NEWUTS;
    if uid == 0 {
        match sys::unshare(spaces) {
            Ok(()) => return Ok(()),
            // Root of a container without the right to mount: a user namespace may still be allowed.
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => {}
            Err(e) => return Err(ViewError::new("make a mount namespace", e)),
        }
    }
    doing(|| "make a user namespace".into(), sys::unshare(spaces | libc::CLONE_NEWUSER))?;
    sys::set_dumpable();
    // The kernel wants setgroups closed before an ordinary user maps a group.
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{uid} {uid} 1")),
        ("gid_map", format!("{gid} {gid} 1")),
    ] {
        let path = format!("/proc/self/{file}");
        doing(|| format!("write {text:?} to {path}"), fs::write(&path, &text))?;
    }
    Ok(())
}

fn enter_building_site() -> Done {
    // Any folder will do, as the pivot takes it out of the tree again; not every machine has all of them.
    let site = ["/tmp", "/mnt", "/dev"].map(Path::new).into_iter().find(|p| p.is_dir());
    let site = site.unwrap_or(Path::new("/proc"));
    let options: &[u8] = b"mode=0755,size=4m,nr_inodes=20k";
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    let tmpfs = sys::mount(Some(Path::new("bivouac")), site, Some("tmpfs"), flags, Some(options));
    doing(|| format!("mount a tmpfs on {}", site.display()), tmpfs)?;
    let old = site.join("old");
    doing(|| "make the new root".into(), fs::create_dir(&old).and(fs::create_dir(site.join("new"))))?;
    doing(|| "pivot to the building site".into(), sys::pivot_root(site, &old))?;
    doing(|| "go to the building site".into(), std::env::set_current_dir("/"))?;
    let new = Path::new(NEW);
    doing(|| "bind the new root".into(), sys::mount(Some(new), new, None, libc::MS_BIND, None))
}

fn leave_building_site() -> Done {
    let flags = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV;
    doing(|| "make the root read-only".into(), sys::mount(None, Path::new(NEW), None, flags, None))?;
    doing(|| "detach the host's root".into(), sys::detach(Path::new(OLD)))?;
    doing(|| "go to the new root".into(), std::env::set_current_dir(NEW))?;
    let here = Path::new(".");
    doing(|| "pivot to the new root".into(), sys::pivot_root(here, here))?;
    doing(|| "detach the building site".into(), sys::detach(here))?;
    doing(|| "go to /".into(), std::env::set_current_dir("/"))
}

/// A step with everything that must be learnt on the host before the pivot: afterwards, absolute
/// symbolic links of the host no longer lead where they should.
enum Prepared<'a> {
    Nothing,
    Host { path: &'a Path, entries: Vec<HostEntry> },
    Folder(&'a Path),
    Link { path: &'a Path, target: &'a Path },
    File { path: &'a Path, contents: &'a [u8] },
    Bind { source: PathBuf, is_folder: bool, target: &'a Path, optional: bool },
    Replace { path: &'a Path, contents: std::borrow::Cow<'a, [u8]> },
    Union { path: &'a Path, under: PathBuf, over: PathBuf, or_links: bool },
}

struct HostEntry {
    name: std::ffi::OsString,
    kind: HostEntryKind,
}

enum HostEntryKind {
    Folder,
    Link(PathBuf),
    Other,
}

impl<'a> Prepared<'a> {
    fn new(step: &'a Step) -> Result<Self, ViewError> {
        Ok(match step {
            Step::Backing { path, mode } => {
                let made = fs::DirBuilder::new().recursive(true).mode(*mode).create(path);
                doing(|| format!("make the folder {}", path.display()), made)?;
                Prepared::Nothing
            }
            Step::Host { path, except } => {
                let entries = host_entries(path, except);
                Prepared::Host { path, entries: doing(|| format!("read {}", path.display()), entries)? }
            }
            Step::Folder { path } => Prepared::Folder(path),
            Step::Link { path, target } => Prepared::Link { path, target },
            Step::File { path, contents } => Prepared::File { path, contents },
            Step::Bind { source, target, optional } => {
                match fs::canonicalize(source).and_then(|s| Ok((fs::metadata(&s)?.is_dir(), s))) {
                    Ok((is_folder, source)) => {
                        Prepared::Bind { source, is_folder, target, optional: *optional }
                    }
                    Err(_) if *optional => Prepared::Nothing,
                    Err(e) => return Err(ViewError::new(format!("find {}", source.display()), e)),
                }
            }
            Step::Extend { path, text } => match fs::read(path) {
                Ok(mut contents) => {
                    contents.extend_from_slice(text);
                    Prepared::Replace { path, contents: contents.into() }
                }
                Err(_) => Prepared::Nothing,
            },
            Step::Replace { path, contents } if path.is_file() => {
                Prepared::Replace { path, contents: contents.into() }
            }
            Step::Replace { .. } => Prepared::Nothing,
            Step::Union { path, over, or_links } => match (fs::canonicalize(path), fs::canonicalize(over)) {
                (Ok(under), Ok(over)) => Prepared::Union { path, under, over, or_links: *or_links },
                (Err(_), _) => Prepared::Nothing,
                (_, Err(e)) => return Err(ViewError::new(format!("find {}", over.display()), e)),
            },
        })
    }

    fn carry_out(&self) -> Done {
        match self {
            Prepared::Nothing => Ok(()),
            Prepared::Host { path, entries } => bring_host(path, entries),
            Prepared::Folder(path) => {
                doing(|| format!("make the folder {}", path.display()), fs::create_dir_all(inside(NEW, path)))
            }
            Prepared::Link { path, target } => {
                doing(|| format!("make the link {}", path.display()), symlink(target, inside(NEW, path)))
            }
            Prepared::File { path, contents } => {
                doing(|| format!("write {}", path.display()), write_file(&inside(NEW, path), contents))
            }
            Prepared::Bind { source, is_folder, target, optional } => {
                let target = inside(NEW, target);
                let done = mount_point(&target, *is_folder).and_then(|()| bind(source, &target));
                if *optional && done.is_err() {
                    return Ok(());
                }
                doing(|| format!("bind {} on {}", source.display(), target.display()), done)
            }
            Prepared::Replace { path, contents } => {
                let copy = inside(&inside(NEW, Path::new(REPLACED)).to_string_lossy(), path);
                let done = write_file(&copy, contents)
                    .and_then(|()| sys::mount(Some(&copy), &inside(NEW, path), None, libc::MS_BIND, None));
                doing(|| format!("replace {}", path.display()), done)
            }
            Prepared::Union { path, under, over, or_links } => {
                let refused = match overlay(path, under, over) {
                    Ok(()) => return Ok(()),
                    Err(e) => e,
                };
                if !or_links {
                    return Ok(());
                }
                let done = union_of_links(path, under, over);
                doing(|| format!("join {} and {} ({refused})", under.display(), over.display()), done)
            }
        }
    }
}

/// `path`, which is absolute, as seen from another root.
fn inside(root: &str, path: &Path) -> PathBuf {
    Path::new(root).join(path.strip_prefix("/").unwrap_or(path))
}

fn host_entries(path: &Path, except: &[String]) -> io::Result<Vec<HostEntry>> {
    let folder = match fs::read_dir(path) {
        Ok(folder) => folder,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(e),
    };
    let mut entries = Vec::new();
    for entry in folder {
        let entry = entry?;
        let name = entry.file_name();
        if except.iter().any(|e| name == e.as_str()) {
            continue;
        }
        let kind = match entry.file_type() {
            Ok(t) if t.is_dir() => HostEntryKind::Folder,
            Ok(t) if t.is_symlink() => HostEntryKind::Link(fs::read_link(entry.path())?),
            Ok(t) if t.is_fifo() => continue,
            Ok(_) => HostEntryKind::Other,
            Err(_) => continue,
        };
        entries.push(HostEntry { name, kind });
    }
    Ok(entries)
}

fn bring_host(path: &Path, entries: &[HostEntry]) -> Done {
    let (from, to) = (inside(OLD, path), inside(NEW, path));
    doing(|| format!("make the folder {}", path.display()), fs::create_dir_all(&to))?;
    for entry in entries {
        let (source, target) = (from.join(&entry.name), to.join(&entry.name));
        let done = match &entry.kind {
            HostEntryKind::Link(points_to) => symlink(points_to, &target),
            HostEntryKind::Folder => fs::create_dir(&target).and_then(|()| rbind(&source, &target)),
            HostEntryKind::Other => fs::File::create(&target).and_then(|_| rbind(&source, &target)),
        };
        match done {
            // The entry vanished meanwhile, or nobody but its owner may touch it: nothing is missed.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {}
            other => doing(|| format!("bind {}", target.display()), other)?,
        }
    }
    Ok(())
}

/// Always recursive: in a user namespace the kernel refuses to bind a part without what is mounted on it.
fn rbind(source: &Path, target: &Path) -> io::Result<()> {
    sys::mount(Some(source), target, None, libc::MS_BIND | libc::MS_REC, None)
}

fn bind(source_on_host: &Path, target: &Path) -> io::Result<()> {
    rbind(&inside(OLD, source_on_host), target)
}

fn mount_point(target: &Path, is_folder: bool) -> io::Result<()> {
    if is_folder {
        return fs::create_dir_all(target);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::OpenOptions::new().create(true).append(true).open(target).map(drop)
}

fn write_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    match fs::write(path, contents) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(path, contents)
        }
        other => other,
    }
}

fn overlay(path: &Path, under: &Path, over: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let mut options = b"lowerdir=".to_vec();
    for (n, layer) in [over, under].into_iter().enumerate() {
        if n > 0 {
            options.push(b':');
        }
        for &byte in inside(OLD, layer).as_os_str().as_bytes() {
            if matches!(byte, b':' | b',' | b'\\') {
                options.push(b'\\');
            }
            options.push(byte);
        }
    }
    let flags = libc::MS_RDONLY;
    sys::mount(Some(Path::new("bivouac")), &inside(NEW, path), Some("overlay"), flags, Some(&options))
}

/// The stand-in for an overlay: the host's folder is bound aside, and a folder of links, first to `over`'s
/// entries as bound beside it, then to the host's, is bound over the original.
fn union_of_links(path: &Path, under: &Path, over: &Path) -> io::Result<()> {
    let aside = inside(UNDER, path);
    let (mut seen, links) = (Vec::new(), inside(NEW, &inside(&aside.to_string_lossy(), Path::new("links"))));
    fs::create_dir_all(&links)?;
    for (name, layer) in [("over", over), ("under", under)] {
        let shown = aside.join(name);
        fs::create_dir(inside(NEW, &shown))?;
        bind(layer, &inside(NEW, &shown))?;
        for entry in fs::read_dir(inside(OLD, layer))? {
            let name = entry?.file_name();
            if !seen.contains(&name) {
                symlink(shown.join(&name), links.join(&name))?;
                seen.push(name);
            }
        }
    }
    sys::mount(Some(&links), &inside(NEW, path), None, libc::MS_BIND, None)
}
