//! What the actions of modulefiles mean: doing them at load, undoing them at unload, noting or printing them.

use mlua::Lua;

use crate::action::{Action, LoadKind, Mode};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::pathlist::{Counts, End, PathList};
use crate::session::{Frame, Session, Working};
use crate::shell::Statement;
use crate::state::{Encoded, Loaded, Undo};
use crate::tree::split_name;

/// Adds to a module's record what `action` says of it.
pub(crate) fn note(action: &Action, record: &mut Loaded) {
    let undo = match action {
        Action::Setenv { name, .. } => Undo::Variable(name.clone()),
        Action::Pushenv { name, .. } => Undo::Pushed(name.clone()),
        Action::AddPath { end, name, value, delimiter } => Undo::path(*end, name, value, delimiter),
        Action::SetAlias { name, .. } => Undo::Alias(name.clone()),
        Action::SetFunction { name, .. } => Undo::Function(name.clone()),
        Action::Load { kind: LoadKind::DependsOn, modules } => {
            record.depends.extend(modules.iter().cloned());
            return;
        }
        Action::Load { kind: LoadKind::Load | LoadKind::Try, modules } => Undo::Modules(modules.clone()),
        Action::Family { name } => {
            record.families.push(name.clone());
            return;
        }
        Action::AddProperty { name, value } => {
            record.sticky |= name == "lmod" && value == "sticky";
            return;
        }
        _ => return,
    };
    record.undo.push(undo);
}

/// Adds to the output of `show`, `help` and `whatis`.
pub(crate) fn collect(mode: Mode, action: &Action, frame: &mut Frame) {
    match (mode, action) {
        (Mode::Show, action) => frame.output.push_str(&format!("{action}\n")),
        (Mode::Help, Action::Help { text }) => frame.output.push_str(&format!("{text}\n")),
        (Mode::Whatis, Action::Whatis { text }) => {
            frame.output.push_str(&format!("{:<20}: {text}\n", frame.record.full_name));
        }
        _ => {}
    }
}

fn edit_path(
    working: &mut Working,
    name: &str,
    delimiter: &[u8],
    edit: impl FnOnce(&mut PathList, &mut Counts),
) {
    let mut list = PathList::split(working.environment.get(name), delimiter);
    let counts = working.state.counts.entry(name.to_owned()).or_default();
    edit(&mut list, counts);
    if counts.is_empty() {
        working.state.counts.remove(name);
    }
    working.environment.put(name, list.join());
}

fn release(working: &mut Working, end: End, name: &str, value: &[u8], delimiter: &[u8]) {
    let elements = PathList::arguments(value, delimiter);
    edit_path(working, name, delimiter, |list, counts| list.release(&elements, end, counts));
}

fn push_value(working: &mut Working, name: &str, value: Option<Vec<u8>>) {
    let before = working.environment.get(name).map(|value| Encoded(value.to_vec()));
    let stack = working.state.stacks.entry(name.to_owned()).or_insert_with(|| vec![before]);
    stack.push(value.clone().map(Encoded));
    working.environment.put(name, value);
}

/// Takes `value` (the newest, where it is not given or not found) off the stack of a variable. Only where it was the
/// newest does the variable change: to the one below it.
fn pop_value(working: &mut Working, name: &str, value: Option<&Option<Vec<u8>>>) {
    let Some(stack) = working.state.stacks.get_mut(name) else {
        working.environment.unset(name);
        return;
    };
    let wanted = |entry: &Option<Encoded>| value.is_some_and(|v| v.as_ref() == entry.as_ref().map(|e| &e.0));
    let newest = stack.len().saturating_sub(1);
    let at = stack.iter().skip(1).rposition(wanted).map_or(newest, |at| at + 1);
    stack.remove(at);
    if at == newest {
        let below = stack.last().cloned().flatten().map(|value| value.0);
        working.environment.put(name, below);
    }
    if stack.len() <= 1 {
        working.state.stacks.remove(name);
    }
}

fn family_variables(name: &str) -> [String; 2] {
    let name = name.to_uppercase();
    [format!("LMOD_FAMILY_{name}"), format!("LMOD_FAMILY_{name}_VERSION")]
}

/// Removes the variables of a family.
pub(crate) fn leave_family(environment: &mut Environment, name: &str) {
    family_variables(name).iter().for_each(|variable| environment.unset(variable));
}

impl Session {
    /// Does `action` for the module being loaded.
    pub(crate) fn carry_out(&self, lua: &Lua, action: Action) -> Result<(), Failure> {
        self.top(|frame| note(&action, &mut frame.record));
        match action {
            Action::Setenv { name, value } => self.change(|w| w.environment.set(&name, value)),
            Action::Unsetenv { name } => self.change(|w| w.environment.unset(&name)),
            Action::Pushenv { name, value } => self.change(|w| push_value(w, &name, value)),
            Action::AddPath { end, name, value, delimiter } => {
                let elements = PathList::arguments(&value, &delimiter);
                self.change(|w| {
                    edit_path(w, &name, &delimiter, |list, counts| list.insert(&elements, end, counts))
                });
            }
            Action::RemovePath { name, value, delimiter } => {
                let elements = PathList::arguments(&value, &delimiter);
                self.change(|w| {
                    edit_path(w, &name, &delimiter, |list, counts| list.remove_all(&elements, counts))
                });
            }
            Action::SetAlias { name, value } => self.statement(Statement::Alias(name, value)),
            Action::UnsetAlias { name } => self.statement(Statement::Unalias(name)),
            Action::SetFunction { name, sh, .. } => self.statement(Statement::Function(name, sh)),
            Action::UnsetFunction { name } => self.statement(Statement::Unfunction(name)),
            Action::Execute { command, modes } => self.execute(command, &modes, "load"),
            Action::Load { kind, modules } => return self.load_from_file(lua, kind, &modules),
            Action::Unload { modules } => modules.iter().for_each(|module| self.unload_asked(lua, module)),
            Action::Conflict { modules } => return self.refuse_conflict(&modules),
            Action::Prereq { modules, any } => return self.require(&modules, any),
            Action::Family { name } => return self.join_family(lua, &name),
            Action::Message { text } => self.tell(&format!("{text}\n")),
            Action::Warning { text } => self.warn(&text),
            Action::ShellText { text } => self.statement(Statement::Text(text)),
            Action::AddProperty { .. }
            | Action::Extensions { .. }
            | Action::Whatis { .. }
            | Action::Help { .. } => {}
        }
        Ok(())
    }

    /// Undoes `action` for the module being unloaded. What took something away is not undone, as in Lmod.
    pub(crate) fn carry_back(&self, lua: &Lua, action: Action) -> Result<(), Failure> {
        match action {
            Action::Pushenv { name, value } => self.change(|w| pop_value(w, &name, Some(&value))),
            Action::Execute { command, modes } => self.execute(command, &modes, "unload"),
            Action::Message { text } => self.tell(&format!("{text}\n")),
            Action::Warning { text } => self.warn(&text),
            Action::ShellText { text } => self.statement(Statement::Text(text)),
            Action::Family { name } => self.change(|w| leave_family(&mut w.environment, &name)),
            action => {
                let mut record = Loaded::default();
                note(&action, &mut record);
                record.undo.iter().for_each(|undo| self.undo(lua, undo));
            }
        }
        Ok(())
    }

    /// Undoes one noted effect.
    pub(crate) fn undo(&self, lua: &Lua, undo: &Undo) {
        match undo {
            Undo::Variable(name) => self.change(|w| w.environment.unset(name)),
            Undo::Pushed(name) => self.change(|w| pop_value(w, name, None)),
            Undo::Front(name, value, delimiter) => {
                self.change(|w| release(w, End::Front, name, &value.0, &delimiter.0));
            }
            Undo::Back(name, value, delimiter) => {
                self.change(|w| release(w, End::Back, name, &value.0, &delimiter.0))
            }
            Undo::Alias(name) => self.statement(Statement::Unalias(name.clone())),
            Undo::Function(name) => self.statement(Statement::Unfunction(name.clone())),
            Undo::Modules(modules) => modules.iter().rev().for_each(|module| self.unload_asked(lua, module)),
        }
    }

    /// Defines aliases and functions again.
    pub(crate) fn refresh(&self, action: Action) {
        match action {
            Action::SetAlias { name, value } => self.statement(Statement::Alias(name, value)),
            Action::UnsetAlias { name } => self.statement(Statement::Unalias(name)),
            Action::SetFunction { name, sh, .. } => self.statement(Statement::Function(name, sh)),
            Action::UnsetFunction { name } => self.statement(Statement::Unfunction(name)),
            _ => {}
        }
    }

    fn execute(&self, command: Vec<u8>, modes: &[String], now: &str) {
        if modes.iter().any(|mode| mode == now || mode == "all") {
            self.statement(Statement::Command(command));
        }
    }

    fn load_from_file(&self, lua: &Lua, kind: LoadKind, modules: &[String]) -> Result<(), Failure> {
        for module in modules {
            let present = self.look(|w| w.state.find(module).is_some());
            if kind == LoadKind::DependsOn && present {
                continue;
            }
            let result = self.load(lua, module, kind == LoadKind::DependsOn);
            match result {
                Err(failure) if kind == LoadKind::Try && failure.is_unknown_name() => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn refuse_conflict(&self, modules: &[String]) -> Result<(), Failure> {
        let own = self.top(|frame| frame.record.full_name.clone()).unwrap_or_default();
        let found: Vec<&str> =
            modules.iter().map(String::as_str).filter(|m| self.look(|w| w.state.find(m).is_some())).collect();
        if found.is_empty() {
            return Ok(());
        }
        let found = found.join(" ");
        Err(Failure::error(format!(
            "Cannot load module \"{own}\" because these module(s) are loaded:\n   {found}"
        )))
    }

    fn require(&self, modules: &[String], any: bool) -> Result<(), Failure> {
        let own = self.top(|frame| frame.record.full_name.clone()).unwrap_or_default();
        let missing: Vec<&str> =
            modules.iter().map(String::as_str).filter(|m| self.look(|w| w.state.find(m).is_none())).collect();
        if missing.is_empty() || (any && missing.len() < modules.len()) {
            return Ok(());
        }
        let which = if any { "one of these module(s)" } else { "these module(s)" };
        let missing = missing.join(" ");
        Err(Failure::error(format!("Cannot load module \"{own}\" without {which} loaded:\n   {missing}")))
    }

    fn join_family(&self, lua: &Lua, family: &str) -> Result<(), Failure> {
        let own = self.top(|frame| frame.record.full_name.clone()).unwrap_or_default();
        let members: Vec<String> = self.look(|w| {
            let members = w.state.modules.iter().filter(|m| m.families.iter().any(|name| name == family));
            members.map(|m| m.full_name.clone()).collect()
        });
        for member in members {
            self.unload(lua, &member);
            self.tell(&format!("\nLmod is automatically replacing \"{member}\" with \"{own}\".\n\n"));
        }
        let (name, version) = split_name(&own);
        let [name_variable, version_variable] = family_variables(family);
        self.change(|w| {
            w.environment.set(&name_variable, name);
            w.environment.set(&version_variable, version.unwrap_or("false"));
        });
        Ok(())
    }
}
