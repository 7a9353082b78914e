//! Makes a `python` package of a CPython on this machine, movable to any prefix.
//!
//! CPython finds its standard library relative to its own binary, so what ties it to its folder is little: the RUNPATH of
//! its binaries (made relative) and the prefix in a few text files (made a placeholder). Libraries of the system that
//! its modules use (OpenSSL, SQLite, libffi) stay the system's: the package is for this machine.

use std::path::Path;

use crate::elf;
use crate::error::{At, Error};
use crate::interpreter::{Interpreter, Origin, Version};
use crate::package::{Content, Entry, Kind, PLACEHOLDER, Package, contains};
use crate::wheel::python_abi_spec;

/// Folders of the standard library that programs do not need, or that belong to other packages.
const LEFT_OUT_FOLDERS: [&str; 7] =
    ["__pycache__", "dist-packages", "idlelib", "site-packages", "test", "tests", "turtledemo"];

/// Debian's marks on its own Python: that pip must not touch it, and its own start-up code.
const LEFT_OUT_FILES: [&str; 2] = ["EXTERNALLY-MANAGED", "sitecustomize.py"];

/// The `python` package of an interpreter.
///
/// # Errors
/// A file cannot be read, or a binary cannot be made movable.
pub fn package(interpreter: &Interpreter) -> Result<Package, Error> {
    let minor = interpreter.version.major_minor();
    let library = format!("lib/python{minor}");
    let mut entries = Vec::new();
    add_file(&interpreter.executable, &format!("bin/python{minor}"), &mut entries)?;
    entries.push(Entry::link("bin/python3", format!("python{minor}")));
    entries.push(Entry::link("bin/python", format!("python{minor}")));
    add_folder(&interpreter.stdlib, &library, &mut entries)?;
    match interpreter.origin {
        Origin::Pyenv => add_own_tree(interpreter, &minor, &mut entries)?,
        Origin::System => entries.extend(debian_layout(interpreter, &library)),
    }
    entries
        .push(Entry::file(format!("{library}/site-packages/README.txt"), "Packages of this environment.\n"));
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    if interpreter.origin == Origin::Pyenv {
        for entry in &mut entries {
            relocate(entry, &interpreter.prefix)?;
        }
    }
    Ok(Package {
        name: "python".to_owned(),
        version: interpreter.version.to_string(),
        build: "h0_0_cpython".to_owned(),
        kind: Kind::Platform,
        depends: vec![python_abi_spec(interpreter.version), "__glibc".to_owned()],
        constrains: Vec::new(),
        license: "Python-2.0".to_owned(),
        summary: "CPython, packaged from this machine".to_owned(),
        python_site_packages_path: Some(format!("{library}/site-packages")),
        entry_points: Vec::new(),
        entries,
    })
}

/// The empty `python_abi` package, by which binary packages choose their Python.
pub fn python_abi(version: Version) -> Package {
    Package {
        name: "python_abi".to_owned(),
        version: version.major_minor(),
        build: format!("0_cp3{}", version.minor),
        kind: Kind::Generic,
        depends: Vec::new(),
        constrains: vec![format!("python {}.*", version.major_minor())],
        license: "MIT OR Apache-2.0".to_owned(),
        summary: "names the binary interface of a CPython".to_owned(),
        python_site_packages_path: None,
        entry_points: Vec::new(),
        entries: Vec::new(),
    }
}

/// The shared library, headers and build settings beside the binary of a pyenv version.
fn add_own_tree(interpreter: &Interpreter, minor: &str, entries: &mut Vec<Entry>) -> Result<(), Error> {
    let prefix = &interpreter.prefix;
    let lib = prefix.join("lib");
    for name in names(&lib)? {
        if name.starts_with("libpython") && !name.ends_with(".a") {
            add_file(&lib.join(&name), &format!("lib/{name}"), entries)?;
        }
    }
    for folder in [format!("include/python{minor}"), "lib/pkgconfig".to_owned()] {
        if prefix.join(&folder).is_dir() {
            add_folder(&prefix.join(&folder), &folder, entries)?;
        }
    }
    let config = format!("bin/python{minor}-config");
    if prefix.join(&config).is_file() {
        add_file(&prefix.join(&config), &config, entries)?;
        entries.push(Entry::link("bin/python3-config", format!("python{minor}-config")));
    }
    Ok(())
}

/// Debian's Python reads dist-packages where others read site-packages, and lets pip install below `local`; Fedora's
/// looks below `lib64`. Links make these the same places as conda's.
fn debian_layout(interpreter: &Interpreter, library: &str) -> Vec<Entry> {
    let mut links = Vec::new();
    if interpreter.stdlib.to_string_lossy().contains("/lib64/") {
        links.push(Entry::link("lib64", "lib"));
    }
    if Path::new("/usr/lib/python3/dist-packages").is_dir() {
        links.push(Entry::link(format!("{library}/dist-packages"), "site-packages"));
        links.push(Entry::link("local", "."));
    }
    links
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).at("cannot read the folder", folder)? {
        let entry = entry.at("cannot read the folder", folder)?;
        names.push(entry.file_name().into_string().map_err(|name| {
            Error::malformed(folder.join(name).display().to_string(), "its name is no UTF-8".to_owned())
        })?);
    }
    names.sort_unstable();
    Ok(names)
}

fn add_folder(from: &Path, to: &str, entries: &mut Vec<Entry>) -> Result<(), Error> {
    for name in names(from)? {
        let (source, target) = (from.join(&name), format!("{to}/{name}"));
        if source.is_dir() {
            let left_out = LEFT_OUT_FOLDERS.contains(&name.as_str()) || name.starts_with("config-");
            if !left_out {
                add_folder(&source, &target, entries)?;
            }
        } else if !LEFT_OUT_FILES.contains(&name.as_str()) && !name.ends_with(".a") && !name.ends_with(".pyc")
        {
            add_file(&source, &target, entries)?;
        }
    }
    Ok(())
}

/// Adds a file; a link to a neighbour stays a link, any other becomes what it points to. A link to nothing is left out.
fn add_file(from: &Path, to: &str, entries: &mut Vec<Entry>) -> Result<(), Error> {
    if let Ok(target) = std::fs::read_link(from) {
        if !from.exists() {
            return Ok(());
        }
        if let Some(target) = target.to_str().filter(|target| !target.contains('/')) {
            entries.push(Entry::link(to, target));
            return Ok(());
        }
    }
    let bytes = std::fs::read(from).at("cannot read", from)?;
    let executable = {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(from).at("cannot read", from)?.permissions().mode() & 0o111 != 0
    };
    entries.push(if executable { Entry::executable(to, bytes) } else { Entry::file(to, bytes) });
    Ok(())
}

/// Frees a file from the folder it was built for.
fn relocate(entry: &mut Entry, prefix: &Path) -> Result<(), Error> {
    let Content::File { bytes, .. } = &mut entry.content else { return Ok(()) };
    let prefix = prefix.to_string_lossy();
    if elf::is_elf(bytes) {
        let up = "/..".repeat(entry.path.matches('/').count());
        return elf::relocate_runpath(bytes, &prefix, &format!("$ORIGIN{up}"))
            .map(drop)
            .map_err(|why| Error::malformed(format!("{prefix}/{}", entry.path), why));
    }
    if contains(bytes, prefix.as_bytes())
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        *bytes = text.replace(&*prefix, PLACEHOLDER).into_bytes();
    }
    Ok(())
}
