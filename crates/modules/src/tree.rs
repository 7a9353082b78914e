//! Finding modulefiles in the folders of MODULEPATH.
//!
//! A folder holds `NAME.lua`, `NAME/VERSION.lua` or `CATEGORY/NAME/VERSION.lua`; the last part of a full name is its
//! version. Nothing is cached: a name looked for costs one folder read for each entry of MODULEPATH.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::modulerc::ModuleRc;
use crate::version;

const MAX_DEPTH: usize = 6;

/// The language of a modulefile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `*.lua`.
    Lua,
    /// A file that starts with `#%Module`.
    Tcl,
}

/// A module in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// `NAME/VERSION`, or `NAME` for one without version.
    pub full_name: String,
    /// Its modulefile.
    pub file: PathBuf,
    /// The language of that file.
    pub language: Language,
    /// Whether listings leave it out.
    pub hidden: bool,
}

/// The modules of one folder: the versions of a name, or (name empty) the modules without version.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// Name of the modules; empty for the top of a MODULEPATH folder.
    pub name: String,
    /// Ordered by version.
    pub modules: Vec<Module>,
    marked: Option<String>,
    aliases: BTreeMap<String, String>,
    subfolders: Vec<String>,
}

/// The folders of MODULEPATH, in their order.
#[derive(Debug, Default)]
pub struct Tree {
    roots: Vec<PathBuf>,
    root_rcs: RefCell<BTreeMap<PathBuf, ModuleRc>>,
    problems: RefCell<Vec<String>>,
}

/// A full name in two: the name and the version, if it has one.
pub fn split_name(full_name: &str) -> (&str, Option<&str>) {
    match full_name.rsplit_once('/') {
        Some((name, version)) => (name, Some(version)),
        None => (full_name, None),
    }
}

impl Tree {
    /// The tree of a MODULEPATH value; empty entries are left out.
    pub fn new(module_path: &[u8]) -> Self {
        let roots = module_path
            .split(|byte| *byte == b':')
            .filter(|root| !root.is_empty())
            .map(|root| PathBuf::from(OsString::from_vec(root.to_vec())))
            .collect();
        Self { roots, ..Self::default() }
    }

    /// The folders.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// What was wrong with the `.modulerc` files read so far; each problem is told once.
    pub fn take_problems(&self) -> Vec<String> {
        std::mem::take(&mut self.problems.borrow_mut())
    }

    /// The module that `asked` means: an exact full name first, then a name (its default version), then a version
    /// given in part (`gcc/9` for the highest 9.x), then an alias.
    pub fn find(&self, asked: &str) -> Option<Module> {
        let asked = asked.trim_end_matches('/');
        let steps = |name: &str| name.split('/').all(|step| !matches!(step, "" | "." | ".."));
        if asked.is_empty() || !steps(asked) {
            return None;
        }
        self.find_named(asked).or_else(|| {
            let target = self.alias(asked)?;
            if target == asked || !steps(&target) { None } else { self.find_named(&target) }
        })
    }

    fn find_named(&self, asked: &str) -> Option<Module> {
        let (name, version) = split_name(asked);
        if version == Some("default") {
            return self.default_named(name);
        }
        if let Some(module) = self.roots.iter().find_map(|root| exact(root, asked)) {
            return Some(module);
        }
        if let Some(module) = self.default_named(asked) {
            return Some(module);
        }
        let shelves = self.shelves(name);
        let starts = |module: &&Module| {
            let tail = split_name(&module.full_name).1.and_then(|full| full.strip_prefix(version?));
            tail.is_some_and(|tail| tail.starts_with(['.', '-', '_']))
        };
        let fitting: Vec<&Module> = shelves
            .iter()
            .flat_map(|shelf| &shelf.modules)
            .filter(|module| !module.hidden)
            .filter(starts)
            .collect();
        highest(fitting.into_iter()).cloned()
    }

    fn default_named(&self, name: &str) -> Option<Module> {
        let shelves = self.shelves(name);
        Self::default_of(&shelves.iter().collect::<Vec<_>>()).cloned()
    }

    fn shelves(&self, name: &str) -> Vec<Shelf> {
        self.roots.iter().filter_map(|root| self.read_shelf(root, name)).collect()
    }

    /// The default among the shelves of one name, in the order of MODULEPATH: the first marked one, else the highest.
    pub fn default_of<'a>(shelves: &[&'a Shelf]) -> Option<&'a Module> {
        let marked = shelves.iter().find_map(|shelf| {
            let marked = shelf.marked.as_ref()?;
            shelf.modules.iter().find(|module| split_name(&module.full_name).1 == Some(marked))
        });
        let all = shelves.iter().flat_map(|shelf| &shelf.modules);
        marked.or_else(|| highest(all.filter(|module| !module.hidden)))
    }

    /// Everything in the tree: for each folder of MODULEPATH its shelves in order of name.
    pub fn walk(&self) -> Vec<(PathBuf, Vec<Shelf>)> {
        self.roots
            .iter()
            .map(|root| {
                let mut shelves = Vec::new();
                self.walk_folder(root, "", 0, &mut shelves);
                shelves.sort_by(|a, b| order_key(&a.name).cmp(&order_key(&b.name)));
                (root.clone(), shelves)
            })
            .collect()
    }

    fn walk_folder(&self, root: &Path, name: &str, depth: usize, shelves: &mut Vec<Shelf>) {
        let Some(mut shelf) = self.read_shelf(root, name) else { return };
        let subfolders = std::mem::take(&mut shelf.subfolders);
        if !shelf.modules.is_empty() {
            shelves.push(shelf);
        }
        if depth < MAX_DEPTH {
            for folder in subfolders {
                let inner = if name.is_empty() { folder } else { format!("{name}/{folder}") };
                self.walk_folder(root, &inner, depth + 1, shelves);
            }
        }
    }

    fn root_rc(&self, root: &Path) -> ModuleRc {
        if let Some(rc) = self.root_rcs.borrow().get(root) {
            return rc.clone();
        }
        let names = [".modulerc.lua", ".modulerc"].into_iter().filter(|name| root.join(name).is_file());
        let rc = self.read_rc(root, &names.map(str::to_owned).collect());
        self.root_rcs.borrow_mut().insert(root.to_owned(), rc.clone());
        rc
    }

    fn read_rc(&self, folder: &Path, names: &BTreeSet<String>) -> ModuleRc {
        let mut rc = ModuleRc::read(folder, names);
        self.problems.borrow_mut().append(&mut rc.problems);
        rc
    }

    /// What an alias stands for: those of the top folders first, then those written beside the modulefiles.
    fn alias(&self, asked: &str) -> Option<String> {
        let at_top = self.roots.iter().find_map(|root| self.root_rc(root).aliases.get(asked).cloned());
        at_top.or_else(|| {
            let shelves = self.walk().into_iter().flat_map(|(_, shelves)| shelves);
            shelves.into_iter().find_map(|shelf| shelf.aliases.get(asked).cloned())
        })
    }

    /// Reads one folder of a root; `None` when it is no folder or cannot be read.
    fn read_shelf(&self, root: &Path, name: &str) -> Option<Shelf> {
        let folder = root.join(name);
        let entries = list(&folder)?;
        let names: BTreeSet<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        let rc = if name.is_empty() { self.root_rc(root) } else { self.read_rc(&folder, &names) };
        let mut shelf = Shelf { name: name.to_owned(), ..Shelf::default() };
        for (entry, is_folder) in entries {
            if is_folder {
                if !entry.starts_with('.') {
                    shelf.subfolders.push(entry);
                }
            } else if let Some((version, language)) = modulefile(&folder, &entry, &names) {
                let full_name =
                    if name.is_empty() { version.to_owned() } else { format!("{name}/{version}") };
                let file = folder.join(&entry);
                let hidden = version.starts_with('.')
                    || rc.hidden.contains(&full_name)
                    || file.to_str().is_some_and(|file| rc.hidden_files.contains(file));
                shelf.modules.push(Module { full_name, file, language, hidden });
            }
        }
        shelf.modules.sort_by(|a, b| version::compare(&a.full_name, &b.full_name));
        if !name.is_empty() {
            let of_root = || self.root_rc(root).defaults.get(name).cloned();
            let own = || rc.defaults.get("").or_else(|| rc.defaults.get(name)).cloned();
            // "/stable" is a name for a version of the folder's own module.
            let full =
                |text: &String| if text.starts_with('/') { format!("{name}{text}") } else { text.clone() };
            shelf.aliases = rc.aliases.iter().map(|(alias, target)| (full(alias), full(target))).collect();
            shelf.marked = default_link(&folder, &names).or_else(own).or_else(of_root);
        }
        Some(shelf)
    }
}

fn highest<'a>(modules: impl Iterator<Item = &'a Module>) -> Option<&'a Module> {
    // The first of equals wins: it is the one of the earlier folder.
    modules.reduce(|best, module| {
        let (a, b) = (split_name(&best.full_name).1, split_name(&module.full_name).1);
        if version::compare(a.unwrap_or(""), b.unwrap_or("")).is_lt() { module } else { best }
    })
}

/// Names order without regard to case, as listings show them.
pub fn order_key(name: &str) -> (String, &str) {
    (name.to_lowercase(), name)
}

fn list(folder: &Path) -> Option<Vec<(String, bool)>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        // LOADEDMODULES and _LMFILES_ are colon lists.
        if !name.contains(':') {
            entries.push((name, is_folder));
        }
    }
    Some(entries)
}

fn modulefile<'a>(folder: &Path, entry: &'a str, names: &BTreeSet<String>) -> Option<(&'a str, Language)> {
    let reserved = [".modulerc.lua", ".modulerc", ".version", "default", "default.lua"];
    if reserved.contains(&entry) || entry.ends_with('~') {
        return None;
    }
    if let Some(version) = entry.strip_suffix(".lua") {
        return (!version.is_empty()).then_some((version, Language::Lua));
    }
    let other = names.contains(&format!("{entry}.lua"));
    (!other && is_tcl(&folder.join(entry))).then_some((entry, Language::Tcl))
}

fn is_tcl(file: &Path) -> bool {
    let mut start = [0; 8];
    std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && &start == b"#%Module"
}

fn exact(root: &Path, asked: &str) -> Option<Module> {
    let lua = root.join(format!("{asked}.lua"));
    let (file, language) = if lua.is_file() {
        (lua, Language::Lua)
    } else {
        let tcl = root.join(asked);
        if !(tcl.is_file() && is_tcl(&tcl)) {
            return None;
        }
        (tcl, Language::Tcl)
    };
    let hidden = split_name(asked).1.unwrap_or(asked).starts_with('.');
    Some(Module { full_name: asked.to_owned(), file, language, hidden })
}

fn default_link(folder: &Path, names: &BTreeSet<String>) -> Option<String> {
    let link = ["default", "default.lua"].into_iter().find(|name| names.contains(*name))?;
    let target = std::fs::read_link(folder.join(link)).ok()?;
    let name = target.file_name()?.to_str()?;
    Some(name.strip_suffix(".lua").unwrap_or(name).to_owned())
}
