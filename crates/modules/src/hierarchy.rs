//! Modules that come and go with the folder that holds them.
//!
//! A compiler's module may put a folder into MODULEPATH with what was built by that compiler. When the folder goes,
//! loaded modules from it are loaded again from where MODULEPATH now has them, or become inactive: they are
//! unloaded, and loaded again when a folder that has them appears.

use std::path::Path;

use mlua::Lua;

use crate::session::Session;
use crate::state::Loaded;
use crate::tree::{Tree, split_name};

/// Changes of MODULEPATH by reloaded modules make further rounds; a ring of them ends here.
const MAX_ROUNDS: usize = 8;

/// What became of modules because MODULEPATH changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Names of modules that are inactive now and were not before the command.
    pub inactive: Vec<String>,
    /// Full names of modules that were inactive and are loaded now.
    pub activated: Vec<String>,
}

impl Session {
    /// Brings the loaded and the inactive modules in line with MODULEPATH, if this command changed it.
    pub fn follow_module_path(&self, lua: &Lua) -> Moved {
        let before = self.look(|w| w.state.inactive.clone());
        let mut activated = Vec::new();
        if self.module_path_changed() {
            for _ in 0..MAX_ROUNDS {
                let moved = self.leave_folders(lua);
                let came = self.activate(lua);
                if !moved && came.is_empty() {
                    break;
                }
                activated.extend(came);
            }
        }
        let is_loaded = |name: &String| self.look(|w| w.state.modules.iter().any(|m| m.full_name == *name));
        activated.retain(is_loaded);
        let inactive =
            self.look(|w| w.state.inactive.iter().filter(|name| !before.contains(name)).cloned().collect());
        Moved { inactive, activated }
    }

    /// Reloads or unloads the modules whose folder went away; whether there were any.
    fn leave_folders(&self, lua: &Lua) -> bool {
        let tree = self.tree();
        let left: Vec<Loaded> = self.look(|w| {
            let gone = w.state.modules.iter().filter(|m| self.was_reachable(m) && !reaches(&tree, &m.file));
            gone.cloned().collect()
        });
        for module in &left {
            if !self.look(|w| w.state.modules.iter().any(|m| m.full_name == module.full_name)) {
                continue; // It went with another one.
            }
            let asked = module.asked.clone().unwrap_or_else(|| module.full_name.clone());
            let reloaded = self.load(lua, &asked, module.only_dependency);
            let elsewhere = self
                .look(|w| w.state.modules.iter().any(|m| m.name() == module.name() && m.file != module.file));
            if reloaded.is_err() || !elsewhere {
                self.unload(lua, &module.full_name);
                self.change(|w| w.state.inactive.push(asked));
            }
        }
        !left.is_empty()
    }

    /// Loads the inactive modules that MODULEPATH has again; gives their full names.
    fn activate(&self, lua: &Lua) -> Vec<String> {
        let mut activated = Vec::new();
        for asked in self.look(|w| w.state.inactive.clone()) {
            let Some(module) = self.find(&asked) else { continue };
            match self.load(lua, &asked, false) {
                Ok(()) => activated.push(module.full_name),
                Err(failure) => self.warn(&format!("{asked} stays inactive: {}", failure.text.trim_end())),
            }
        }
        activated
    }

    fn was_reachable(&self, module: &Loaded) -> bool {
        let (names, tree) = self.at_start();
        !names.contains(&module.full_name) || reaches(&tree, &module.file)
    }
}

fn reaches(tree: &Tree, file: &Path) -> bool {
    tree.roots().iter().any(|root| file.starts_with(root))
}

/// Whether two ways to ask for a module (`NAME`, `NAME/VERSION`) have one name.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    let (a, b) = (split_name(one).0, split_name(other).0);
    one == other || a == other || one == b || (a == b && one.contains('/') && other.contains('/'))
}
