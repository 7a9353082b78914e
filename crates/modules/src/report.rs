//! The texts of `module list`, `avail`, `show`, `help`, `whatis` and of the notices after a change.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::PathBuf;

use mlua::Lua;

use crate::action::Mode;
use crate::columns::{Item, layout};
use crate::failure::Failure;
use crate::hierarchy::Moved;
use crate::session::Session;
use crate::tree::{Language, Module, Shelf, Tree, split_name};

/// What `avail` and `list` show.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// Parts of names, without regard to case; none means all.
    pub patterns: &'a [String],
    /// One name on each line, for scripts.
    pub terse: bool,
    /// `avail`: defaults only.
    pub default_only: bool,
    /// `avail`: hidden modules too.
    pub hidden: bool,
    /// Width of the terminal in characters.
    pub width: usize,
}

impl Selection<'_> {
    fn takes(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| name.contains(&pattern.to_lowercase()))
    }
}

const LEGEND: [(char, &str); 4] = [
    ('D', "Default Module"),
    ('H', "Hidden Module"),
    ('L', "Module is loaded"),
    ('S', "Module is Sticky, requires --force to unload or purge"),
];

fn legend<'a>(flags: impl Iterator<Item = &'a str> + Clone) -> String {
    let used = |flag: char| flags.clone().any(|flags| flags.contains(flag));
    let lines: String = LEGEND
        .iter()
        .filter(|(flag, _)| used(*flag))
        .map(|(flag, text)| format!("   {flag}:  {text}\n"))
        .collect();
    if lines.is_empty() { String::new() } else { format!("\n  Where:\n{lines}") }
}

/// `module list`.
pub fn list(session: &Session, selection: &Selection) -> String {
    session.look(|w| {
        let modules: Vec<_> = w.state.modules.iter().filter(|m| selection.takes(&m.full_name)).collect();
        if selection.terse && !(modules.is_empty() && w.state.inactive.is_empty()) {
            return modules.iter().map(|m| format!("{}\n", m.full_name)).collect();
        }
        if w.state.modules.is_empty() && w.state.inactive.is_empty() {
            return "No modules loaded\n".to_owned();
        }
        let items: Vec<Item> = modules
            .iter()
            .enumerate()
            .map(|(index, module)| {
                let flags = [(module.hidden, "H"), (module.sticky, "S")];
                let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag).collect();
                Item { name: format!("{:>3}) {}", index + 1, module.full_name), flags: flags.join(",") }
            })
            .collect();
        let matching = match selection.patterns {
            [] => ":".to_owned(),
            patterns => format!(" Matching: {}", patterns.join(" or ")),
        };
        let body = if items.is_empty() {
            "  None found.\n".to_owned()
        } else {
            layout(&items, selection.width, 0, 1)
        };
        let legend = legend(items.iter().map(|item| item.flags.as_str()));
        let inactive: Vec<Item> = (w.state.inactive.iter().enumerate())
            .map(|(index, name)| Item { name: format!("{:>3}) {name}", index + 1), flags: String::new() })
            .collect();
        let inactive = match inactive.as_slice() {
            [] => String::new(),
            items => format!("\nInactive Modules:\n{}", layout(items, selection.width, 0, 1)),
        };
        format!("\nCurrently Loaded Modules{matching}\n{body}{legend}{inactive}\n")
    })
}

/// `module avail`.
pub fn avail(session: &Session, selection: &Selection) -> String {
    let tree = session.tree();
    let walked = tree.walk();
    tree.take_problems().iter().for_each(|problem| session.warn(problem));
    let defaults = Defaults::of(&walked);
    let mut text = String::new();
    let mut flags_used: Vec<String> = Vec::new();
    for (root, shelves) in &walked {
        let mut shown: Vec<(&Shelf, &Module)> = Vec::new();
        for shelf in shelves {
            let fitting = shelf.modules.iter().filter(|module| {
                (selection.hidden || !module.hidden)
                    && selection.takes(&module.full_name)
                    && (!selection.default_only || shelf.name.is_empty() || defaults.contains(module))
            });
            shown.extend(fitting.map(|module| (shelf, module)));
        }
        if shown.is_empty() {
            continue;
        }
        shown.sort_by(|(_, a), (_, b)| by_name(&a.full_name, &b.full_name));
        if selection.terse {
            text.push_str(&format!("{}:\n", root.display()));
            text.push_str(&terse_lines(&shown, selection.patterns.is_empty()));
            continue;
        }
        let item = |(_, module): &(&Shelf, &Module)| Item {
            name: module.full_name.clone(),
            flags: flags(session, module, &defaults),
        };
        let items: Vec<Item> = shown.iter().map(item).collect();
        let heading = format!(" {} ", root.display());
        text.push_str(&format!("\n{heading:-^width$}\n", width = selection.width));
        text.push_str(&layout(&items, selection.width, 3, 4));
        flags_used.extend(items.into_iter().map(|item| item.flags));
    }
    if selection.terse {
        return text;
    }
    if text.is_empty() {
        return "\nNo module(s) found!\n\n".to_owned();
    }
    let legend = legend(flags_used.iter().map(String::as_str));
    format!("{text}{legend}\n\"module avail TEXT\" shows only the names that contain TEXT.\n\n")
}

/// One name on each line; `names`: before the versions of a name a line with the name, as Lmod prints it.
fn terse_lines(shown: &[(&Shelf, &Module)], names: bool) -> String {
    let mut text = String::new();
    let mut last = "";
    for (shelf, module) in shown {
        if names && shelf.name != last && !shelf.name.is_empty() {
            text.push_str(&format!("{}/\n", shelf.name));
        }
        last = &shelf.name;
        text.push_str(&format!("{}\n", module.full_name));
    }
    text
}

fn by_name(a: &str, b: &str) -> std::cmp::Ordering {
    let ((a_name, a_version), (b_name, b_version)) = (split_name(a), split_name(b));
    let key = crate::tree::order_key;
    let versions = || crate::version::compare(a_version.unwrap_or(""), b_version.unwrap_or(""));
    key(a_name).cmp(&key(b_name)).then_with(versions)
}

/// The files of default modules, each with whether it was chosen among several.
struct Defaults<'a>(HashMap<&'a OsStr, bool>);

impl<'a> Defaults<'a> {
    fn of(walked: &'a [(PathBuf, Vec<Shelf>)]) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Shelf>> = BTreeMap::new();
        for shelf in walked.iter().flat_map(|(_, shelves)| shelves).filter(|shelf| !shelf.name.is_empty()) {
            by_name.entry(&shelf.name).or_default().push(shelf);
        }
        let chosen = by_name.values().filter_map(|shelves| {
            let several = shelves.iter().map(|shelf| shelf.modules.len()).sum::<usize>() > 1;
            Some((Tree::default_of(shelves)?.file.as_os_str(), several))
        });
        Self(chosen.collect())
    }

    fn contains(&self, module: &Module) -> bool {
        self.0.contains_key(module.file.as_os_str())
    }

    fn is_among_several(&self, module: &Module) -> bool {
        self.0.get(module.file.as_os_str()) == Some(&true)
    }
}

fn flags(session: &Session, module: &Module, defaults: &Defaults) -> String {
    let loaded = session.look(|w| w.state.modules.iter().find(|m| m.full_name == module.full_name).cloned());
    let loaded = loaded.filter(|loaded| loaded.file == module.file);
    let flags = [
        (module.hidden, "H"),
        (loaded.as_ref().is_some_and(|loaded| loaded.sticky), "S"),
        (loaded.is_some(), "L"),
        (defaults.is_among_several(module), "D"),
    ];
    flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag).collect::<Vec<_>>().join(",")
}

/// `module show`, `help`, `whatis`: the text, and the failure that cut it short, if one did.
pub fn describe(
    session: &Session,
    lua: &Lua,
    mode: Mode,
    names: &[String],
    width: usize,
) -> (String, Option<Failure>) {
    let mut text = String::new();
    for name in names {
        let Some(module) = session.find(name) else {
            return (text, Some(Failure::unknown(std::slice::from_ref(name))));
        };
        if module.language == Language::Tcl {
            return (text, Some(Failure::tcl(&module)));
        }
        let rule = "-".repeat(width.saturating_sub(4));
        let (frame, result) = session.evaluate(lua, mode, &module, name);
        match mode {
            Mode::Show => {
                let file = module.file.display();
                text.push_str(&format!("{rule}\n   {file}:\n{rule}\n{}\n", frame.output));
            }
            Mode::Help => {
                let heading = format!(" Module Specific Help for \"{}\" ", module.full_name);
                let body =
                    if frame.output.is_empty() { "This module has no help text.\n" } else { &frame.output };
                text.push_str(&format!("\n{heading:-^width$}\n{body}\n"));
            }
            _ => text.push_str(&frame.output),
        }
        if let Err(failure) = result {
            return (text, Some(failure));
        }
    }
    (text, None)
}

/// What the user should know after a change.
pub fn notices(session: &Session, moved: &Moved) -> String {
    session.look(|w| {
        let mut text = String::new();
        for (heading, names) in [("Inactive", &moved.inactive), ("Activating", &moved.activated)] {
            if !names.is_empty() {
                text.push_str(&format!("\n{heading} Modules:\n"));
                for (index, name) in names.iter().enumerate() {
                    text.push_str(&format!("  {}) {name}\n", index + 1));
                }
            }
        }
        let replaced = session.replaced();
        if !replaced.is_empty() {
            text.push_str("\nThe following have been reloaded with a version change:\n");
            for (index, (old, new)) in replaced.iter().enumerate() {
                text.push_str(&format!("  {}) {old} => {new}\n", index + 1));
            }
            text.push('\n');
        }
        if !w.kept.is_empty() {
            text.push_str("The following modules were not unloaded:\n");
            text.push_str("  (Use \"module --force purge\" to unload all):\n\n");
            for (index, name) in w.kept.iter().enumerate() {
                text.push_str(&format!("  {}) {name}\n", index + 1));
            }
        }
        let missing = w.state.missing_dependencies();
        if !missing.is_empty() {
            text.push_str("\nThe following dependent module(s) are not currently loaded: ");
            let missing: Vec<String> =
                missing.iter().map(|(name, by)| format!("{name} (required by: {by})")).collect();
            text.push_str(&format!("{}\n", missing.join(", ")));
        }
        text
    })
}
