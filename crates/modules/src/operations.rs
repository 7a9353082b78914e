//! Loading and unloading: the rules of one version for each name, of references between modules, of sticky modules.

use std::path::{Path, PathBuf};

use mlua::Lua;

use crate::action::Mode;
use crate::failure::{Failure, FailureKind};
use crate::hierarchy::same_name;
use crate::pathlist::PathList;
use crate::session::Session;
use crate::tree::{Language, Module, split_name};

impl Session {
    /// Looks into the files of modules of which only name and file are known.
    pub fn inspect(&self, lua: &Lua, positions: &[usize]) {
        for &position in positions {
            let Some(known) = self.look(|w| w.state.modules.get(position).cloned()) else { continue };
            let module = if known.file.is_file() {
                let language = if is_lua(&known.file) { Language::Lua } else { Language::Tcl };
                Some(Module { full_name: known.full_name, file: known.file, language, hidden: known.hidden })
            } else {
                self.find(&known.full_name).filter(|found| found.full_name == known.full_name)
            };
            let Some(module) = module.filter(|module| module.language == Language::Lua) else { continue };
            let asked = module.full_name.clone();
            let (frame, _) = self.evaluate(lua, Mode::Inspect, &module, &asked);
            self.change(|w| w.state.modules[position] = frame.record);
        }
    }

    /// Loads what the user named, all or nothing. Unknown names are collected into one failure.
    pub fn load_asked(&self, lua: &Lua, names: &[String]) -> Result<(), Failure> {
        self.attempt(|| {
            let mut unknown = Vec::new();
            for name in names {
                match self.load(lua, name, false) {
                    Err(failure) if failure.is_unknown_name() => unknown.push(name.clone()),
                    result => result?,
                }
            }
            if unknown.is_empty() { Ok(()) } else { Err(Failure::unknown(&unknown)) }
        })
    }

    /// Loads what the user named, passing over names that are unknown.
    pub fn try_load_asked(&self, lua: &Lua, names: &[String]) -> Result<(), Failure> {
        self.attempt(|| {
            for name in names {
                match self.load(lua, name, false) {
                    Err(failure) if failure.is_unknown_name() => {}
                    result => result?,
                }
            }
            Ok(())
        })
    }

    /// Unloads what the user named and loads other names, all or nothing (`ml -x y`).
    pub fn unload_and_load(&self, lua: &Lua, unload: &[String], load: &[String]) -> Result<(), Failure> {
        self.attempt(|| {
            unload.iter().for_each(|name| self.unload_asked(lua, name));
            self.load_asked(lua, load)
        })
    }

    /// Loads one module. Another version of its name is unloaded first; on failure that one is back again.
    pub(crate) fn load(&self, lua: &Lua, asked: &str, only_dependency: bool) -> Result<(), Failure> {
        let Some(module) = self.find(asked) else { return Err(Failure::unknown(&[asked.to_owned()])) };
        if module.language == Language::Tcl {
            return Err(Failure::tcl(&module));
        }
        let name = split_name(&module.full_name).0;
        if self.is_pending(Mode::Load, name) {
            return Ok(()); // Two modules that load each other.
        }
        let result = self.attempt(|| {
            let old = self.look(|w| w.state.modules.iter().find(|loaded| loaded.name() == name).cloned());
            if let Some(old) = &old {
                self.unload(lua, &old.full_name);
            }
            let (mut frame, result) = self.evaluate(lua, Mode::Load, &module, asked);
            result?;
            frame.record.only_dependency =
                only_dependency && old.as_ref().is_none_or(|old| old.only_dependency);
            self.change(|w| {
                w.state.modules.push(frame.record);
                w.state.inactive.retain(|inactive| !same_name(inactive, name));
            });
            Ok(())
        });
        match result {
            Err(failure) if failure.kind == FailureKind::Break => {
                if !failure.text.is_empty() {
                    self.tell(&format!("{}\n", failure.text));
                }
                Ok(())
            }
            result => result,
        }
    }

    /// Unloads what a name means, if it is loaded; a sticky module stays unless forced, and is noted as kept.
    pub(crate) fn unload_asked(&self, lua: &Lua, asked: &str) {
        let found =
            self.look(|w| w.state.find(asked).map(|module| (module.full_name.clone(), module.sticky)));
        match found {
            Some((full_name, true)) if !self.force => self.change(|w| w.kept.push(full_name)),
            Some((full_name, _)) => self.unload(lua, &full_name),
            None => self.change(|w| w.state.inactive.retain(|inactive| !same_name(inactive, asked))),
        }
    }

    /// Unloads a loaded module by evaluating its file as it is now, inverted. Where that cannot be done, what the
    /// session remembers is undone. Modules loaded only for it go too.
    pub(crate) fn unload(&self, lua: &Lua, full_name: &str) {
        let found = self.change(|w| {
            let position = w.state.modules.iter().position(|module| module.full_name == full_name)?;
            Some(w.state.modules.remove(position))
        });
        let Some(loaded) = found else { return };
        let asked = loaded.asked.clone().unwrap_or_else(|| loaded.full_name.clone());
        let module = Module {
            full_name: loaded.full_name.clone(),
            file: loaded.file.clone(),
            language: Language::Lua,
            hidden: loaded.hidden,
        };
        let inverted = self.attempt(|| {
            if !module.file.is_file() {
                return Err(Failure::error("the modulefile is gone"));
            }
            if !is_lua(&module.file) {
                return Err(Failure::error("Tcl modulefiles come in a later release"));
            }
            self.evaluate(lua, Mode::Unload, &module, &asked).1
        });
        if let Err(failure) = inverted {
            loaded.undo.iter().for_each(|undo| self.undo(lua, undo));
            if failure.kind != FailureKind::Break {
                let (name, file) = (&loaded.full_name, loaded.file.display());
                let text = failure.text.trim_end();
                self.warn(&format!("{name} is unloaded from memory, not by its file {file}: {text}"));
            }
        }
        self.change(|w| {
            loaded
                .families
                .iter()
                .for_each(|family| crate::perform::leave_family(&mut w.environment, family));
        });
        for dependency in loaded.depends.iter().rev() {
            let unneeded = self.look(|w| {
                let module = w.state.find(dependency)?;
                let needed = !module.only_dependency || w.state.dependents(module).next().is_some();
                (!needed).then(|| module.full_name.clone())
            });
            if let Some(full_name) = unneeded {
                self.unload(lua, &full_name);
            }
        }
    }

    /// Unloads `old` and loads `new` in its place.
    pub fn swap(&self, lua: &Lua, old: &str, new: &str) -> Result<(), Failure> {
        self.attempt(|| {
            let Some(loaded) = self.look(|w| w.state.find(old).cloned()) else {
                return Err(Failure::error(format!("Swap failed: \"{old}\" is not loaded.")));
            };
            let module = self.find(new);
            let same_name = module.is_some_and(|module| split_name(&module.full_name).0 == loaded.name());
            if !same_name {
                self.unload(lua, &loaded.full_name);
            }
            self.load_asked(lua, &[new.to_owned()])
        })
    }

    /// Unloads everything, last loaded first; sticky modules stay unless forced.
    pub fn purge(&self, lua: &Lua) {
        let names: Vec<String> = self.look(|w| w.state.modules.iter().map(|m| m.full_name.clone()).collect());
        for name in names.iter().rev() {
            self.unload_asked(lua, name);
        }
        self.change(|w| {
            w.kept.reverse();
            w.state.inactive.clear();
        });
    }

    /// Loads everything that is loaded once more, from the files as they are now.
    pub fn update(&self, lua: &Lua) -> Result<(), Failure> {
        self.attempt(|| {
            let modules = self.look(|w| w.state.modules.clone());
            modules.iter().rev().for_each(|module| self.unload(lua, &module.full_name));
            for module in modules.iter().filter(|module| !module.only_dependency) {
                if !self.look(|w| w.state.modules.iter().any(|m| m.full_name == module.full_name)) {
                    self.load_asked(lua, std::slice::from_ref(&module.full_name))?;
                }
            }
            Ok(())
        })
    }

    /// Unloads everything and loads what the system loads at login, from the MODULEPATH of the login where it is known.
    pub fn reset(&self, lua: &Lua) -> Result<(), Failure> {
        self.attempt(|| {
            let modules = self.look(|w| w.state.modules.clone());
            modules.iter().rev().for_each(|module| self.unload(lua, &module.full_name));
            self.change(|w| {
                w.state.inactive.clear();
                if let Some(path) = w.environment.get("LMOD_DEFAULT_MODULEPATH").map(<[u8]>::to_vec) {
                    w.environment.set("MODULEPATH", path);
                }
            });
            self.load_system_default(lua)
        })
    }

    /// Loads the modules of LMOD_SYSTEM_DEFAULT_MODULES (colon separated) that are not loaded yet.
    pub fn load_system_default(&self, lua: &Lua) -> Result<(), Failure> {
        let names = self.look(|w| w.environment.text("LMOD_SYSTEM_DEFAULT_MODULES")).unwrap_or_default();
        let wanted = names.split(':').map(str::trim).filter(|name| !name.is_empty());
        let missing: Vec<String> =
            wanted.filter(|name| self.look(|w| w.state.find(name).is_none())).map(str::to_owned).collect();
        self.load_asked(lua, &missing)
    }

    /// Defines the aliases and functions of all loaded modules again: a new shell does not inherit them.
    pub fn refresh_all(&self, lua: &Lua) {
        for loaded in self.look(|w| w.state.modules.clone()) {
            let asked = loaded.asked.unwrap_or_else(|| loaded.full_name.clone());
            let module = Module {
                full_name: loaded.full_name,
                file: loaded.file,
                language: Language::Lua,
                hidden: loaded.hidden,
            };
            if let (_, Err(failure)) = self.evaluate(lua, Mode::Refresh, &module, &asked)
                && failure.kind != FailureKind::Break
            {
                self.warn(&format!("{} is not refreshed: {}", module.full_name, failure.text.trim_end()));
            }
        }
    }

    /// Puts folders into MODULEPATH, in front or (`append`) behind. A folder that is not there is warned of.
    pub fn use_folders(&self, folders: &[String], append: bool) -> Result<(), Failure> {
        for folder in folders {
            if folder.is_empty() || folder.contains([':', '\0']) {
                return Err(Failure::error(format!("\"{folder}\" cannot stand in MODULEPATH")));
            }
            let folder = absolute(folder);
            if !folder.is_dir() {
                self.warn(&format!(
                    "{} is no folder now; it is put into MODULEPATH all the same",
                    folder.display()
                ));
            }
            self.edit_module_path(&folder, |elements, folder| {
                elements.retain(|element| element != &folder);
                elements.insert(if append { elements.len() } else { 0 }, folder);
            });
        }
        Ok(())
    }

    /// Takes folders out of MODULEPATH.
    pub fn unuse_folders(&self, folders: &[String]) {
        for folder in folders {
            self.edit_module_path(&absolute(folder), |elements, folder| elements.retain(|e| e != &folder));
        }
    }

    fn edit_module_path(&self, folder: &Path, edit: impl FnOnce(&mut Vec<Vec<u8>>, Vec<u8>)) {
        use std::os::unix::ffi::OsStrExt;
        let folder = PathList::arguments(folder.as_os_str().as_bytes(), b":").concat();
        self.change(|w| {
            let value = w.environment.get("MODULEPATH");
            let mut elements: Vec<Vec<u8>> = PathList::split(value, b":")
                .elements()
                .filter(|e| !e.is_empty())
                .map(<[u8]>::to_vec)
                .collect();
            edit(&mut elements, folder);
            let value = if elements.is_empty() { None } else { Some(elements.join(&b':')) };
            w.environment.put("MODULEPATH", value);
        });
    }
}

/// The folder's path from the root; where the current folder is gone, as it was given.
fn absolute(folder: &str) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| PathBuf::from(folder))
}

fn is_lua(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "lua")
}
