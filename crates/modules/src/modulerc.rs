//! Files beside modulefiles that mark a default, name aliases and hide versions: `.modulerc.lua`, `.modulerc`,
//! `.version`.
//!
//! The Lua file is evaluated with the few functions that it may use. Of the Tcl files only the lines that mark a
//! default are read; a line that is not understood is reported and passed over, never guessed at.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use crate::interpreter;

/// What such a file says. Names are relative to the file's folder or full, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleRc {
    /// Versions marked as default: name of the module (empty: the one of the file's folder) to version.
    pub defaults: BTreeMap<String, String>,
    /// Other names: alias to what it stands for.
    pub aliases: BTreeMap<String, String>,
    /// Full names that `avail` does not show and no default chooses.
    pub hidden: BTreeSet<String>,
    /// Modulefiles hidden by their path.
    pub hidden_files: BTreeSet<String>,
    /// What could not be read, with file and line.
    pub problems: Vec<String>,
}

impl ModuleRc {
    /// Reads the first of `.modulerc.lua`, `.modulerc`, `.version` that is in `names`, the listing of `folder`.
    pub fn read(folder: &Path, names: &BTreeSet<String>) -> Self {
        match [".modulerc.lua", ".modulerc", ".version"].into_iter().find(|name| names.contains(*name)) {
            None => Self::default(),
            Some(".modulerc.lua") => Self::evaluate(&folder.join(".modulerc.lua")),
            Some(name) => {
                let file = folder.join(name);
                match std::fs::read(&file) {
                    Ok(text) => Self::scan(&file, &String::from_utf8_lossy(&text)),
                    Err(error) => Self::of_problem(format!("cannot read {}: {error}", file.display())),
                }
            }
        }
    }

    fn of_problem(problem: String) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    fn version(&mut self, module: &str, symbol: &str) {
        let (name, version) = crate::tree::split_name(module);
        // "/1.0", "./1.0" and "1.0" speak of the folder's own module.
        let (name, version) = match version {
            Some(version) => (if name == "." { "" } else { name }, version),
            None => ("", name),
        };
        if symbol == "default" {
            self.defaults.insert(name.to_owned(), version.to_owned());
        } else {
            self.aliases.insert(format!("{name}/{symbol}"), format!("{name}/{version}"));
        }
    }

    fn evaluate(file: &Path) -> Self {
        let found = Rc::new(RefCell::new(Self::default()));
        let result = Self::run(file, &found);
        let mut found = found.borrow().clone();
        if let Err(error) = result {
            found.problems.push(format!("{}: {}", file.display(), interpreter::message(&error)));
        }
        found
    }

    fn run(file: &Path, found: &Rc<RefCell<Self>>) -> mlua::Result<()> {
        let lua = interpreter::plain()?;
        let globals = lua.globals();
        type Pair = fn(&mut ModuleRc, &str, &str);
        let pairs: [(&str, Pair); 2] = [
            ("module_version", Self::version),
            ("module_alias", |rc, alias, target| _ = rc.aliases.insert(alias.to_owned(), target.to_owned())),
        ];
        for (name, apply) in pairs {
            let found = Rc::clone(found);
            let function = lua.create_function(move |_, (a, b): (String, String)| {
                apply(&mut found.borrow_mut(), &a, &b);
                Ok(())
            })?;
            globals.set(name, function)?;
        }
        type Single = fn(&mut ModuleRc, String);
        let singles: [(&str, Single); 2] = [
            ("hide_version", |rc, name| _ = rc.hidden.insert(name)),
            ("hide_modulefile", |rc, path| _ = rc.hidden_files.insert(path)),
        ];
        for (name, apply) in singles {
            let found = Rc::clone(found);
            let function = lua.create_function(move |_, text: String| {
                apply(&mut found.borrow_mut(), text);
                Ok(())
            })?;
            globals.set(name, function)?;
        }
        let source = std::fs::read(file)?;
        lua.load(source)
            .set_name(format!("@{}", file.display()))
            .set_mode(mlua::chunk::ChunkMode::Text)
            .exec()
    }

    fn scan(file: &Path, text: &str) -> Self {
        let mut found = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line
                .split_whitespace()
                .map(|word| word.trim_matches(|c| matches!(c, '"' | '{' | '}')))
                .collect();
            match words.as_slice() {
                ["set", "ModulesVersion", version] => {
                    found.defaults.insert(String::new(), (*version).to_owned());
                }
                ["module-version", module, symbols @ ..] if !symbols.is_empty() => {
                    symbols.iter().for_each(|symbol| found.version(module, symbol));
                }
                ["module-alias", alias, target] => {
                    found.aliases.insert((*alias).to_owned(), (*target).to_owned());
                }
                _ => found.problems.push(format!(
                    "{}:{}: only lines that mark a default or an alias are read from this file; left out: {line}",
                    file.display(),
                    index + 1
                )),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tcl_lines_mark_defaults_and_others_are_reported_with_their_line() {
        let rc = ModuleRc::scan(
            Path::new("/m/.modulerc"),
            "#%Module\nset ModulesVersion \"1.2\"\nmodule-version gcc/9.1 default stable\nputs hello\n",
        );
        assert_eq!(rc.defaults[""], "1.2");
        assert_eq!(rc.defaults["gcc"], "9.1");
        assert_eq!(rc.aliases["gcc/stable"], "gcc/9.1");
        assert_eq!(rc.problems.len(), 1);
        assert!(rc.problems[0].starts_with("/m/.modulerc:4: "), "{:?}", rc.problems);
    }

    #[test]
    fn lua_file_is_evaluated_and_its_error_names_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".modulerc.lua");
        std::fs::write(&file, "module_version('/1.0', 'default')\nhide_version('a/2')\nnosuch()\n").unwrap();
        let rc = ModuleRc::read(folder.path(), &BTreeSet::from([".modulerc.lua".to_owned()]));
        assert_eq!(rc.defaults[""], "1.0");
        assert!(rc.hidden.contains("a/2"));
        assert!(rc.problems[0].contains(":3:"), "{:?}", rc.problems);
    }

    proptest! {
        #[test]
        fn scan_takes_any_text(text in "\\PC{0,60}") {
            let _ = ModuleRc::scan(Path::new("x"), &text);
        }
    }
}
