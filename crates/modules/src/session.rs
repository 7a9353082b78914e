//! One command's view of the user's session: the environment and the loaded modules as they become.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;

use mlua::Lua;

use crate::action::{Action, Mode};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::interpreter::{Host, Identity};
use crate::shell::{Code, Shell, Statement};
use crate::state::{Loaded, State};
use crate::tree::{Module, Tree, split_name};

/// What a command changes; copied before each step that may fail, and put back when it does.
#[derive(Clone, Debug, Default)]
pub struct Working {
    /// The environment.
    pub environment: Environment,
    /// The loaded modules.
    pub state: State,
    /// Changes that are no variables, in order.
    pub statements: Vec<Statement>,
    /// Sticky modules that an unload or purge left loaded.
    pub kept: Vec<String>,
}

/// A modulefile under evaluation.
pub(crate) struct Frame {
    pub identity: Identity,
    pub mode: Mode,
    /// What becomes known of the module.
    pub record: Loaded,
    /// What `show`, `help` and `whatis` collect.
    pub output: String,
}

/// The session of one command.
pub struct Session {
    shell: Shell,
    /// Unload sticky modules too.
    pub(crate) force: bool,
    quiet: bool,
    pub(crate) working: RefCell<Working>,
    pub(crate) frames: RefCell<Vec<Frame>>,
    messages: RefCell<Box<dyn Write>>,
    told: RefCell<BTreeSet<String>>,
    /// Full names of the modules that were loaded when the command began.
    at_start: Vec<String>,
    module_path_at_start: Vec<u8>,
}

impl Session {
    /// The session that `environment` describes. Messages of modulefiles go to `messages` at once.
    /// The positions are those of loaded modules that [`Self::inspect`] must look into.
    pub fn new(
        shell: Shell,
        environment: Environment,
        force: bool,
        quiet: bool,
        messages: Box<dyn Write>,
    ) -> (Self, Vec<usize>) {
        let (state, unknown) = State::read(&environment);
        let at_start = state.modules.iter().map(|module| module.full_name.clone()).collect();
        let module_path_at_start = environment.get("MODULEPATH").unwrap_or_default().to_vec();
        let working = Working { environment, state, ..Working::default() };
        let session = Self {
            shell,
            force,
            quiet,
            working: RefCell::new(working),
            frames: RefCell::default(),
            messages: RefCell::new(messages),
            told: RefCell::default(),
            at_start,
            module_path_at_start,
        };
        (session, unknown)
    }

    /// Writes to the user. A reader that went away is no reason to fail.
    pub fn tell(&self, text: &str) {
        let mut messages = self.messages.borrow_mut();
        let _ = messages.write_all(text.as_bytes()).and_then(|()| messages.flush());
    }

    /// Writes a warning, once.
    pub fn warn(&self, text: &str) {
        if !self.quiet && self.told.borrow_mut().insert(text.to_owned()) {
            self.tell(&format!("Lmod Warning: {text}\n"));
        }
    }

    /// A look at the working copy.
    pub fn look<T>(&self, at: impl FnOnce(&Working) -> T) -> T {
        at(&self.working.borrow())
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Working) -> T) -> T {
        change(&mut self.working.borrow_mut())
    }

    /// Runs `step`; when it fails nothing of it remains.
    pub(crate) fn attempt<T>(&self, step: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let before = self.working.borrow().clone();
        let result = step();
        if result.is_err() {
            *self.working.borrow_mut() = before;
        }
        result
    }

    /// Modules that this command put in the place of another version: old and new full name.
    pub fn replaced(&self) -> Vec<(String, String)> {
        self.look(|w| {
            let now = |old: &String| {
                let name = split_name(old).0;
                w.state.modules.iter().find(|module| module.name() == name && module.full_name != *old)
            };
            let pairs =
                self.at_start.iter().filter_map(|old| Some((old.clone(), now(old)?.full_name.clone())));
            pairs.collect()
        })
    }

    /// The full names of the modules loaded when the command began, and what MODULEPATH offered then.
    pub(crate) fn at_start(&self) -> (&[String], Tree) {
        (&self.at_start, Tree::new(&self.module_path_at_start))
    }

    pub(crate) fn module_path_changed(&self) -> bool {
        self.look(|w| w.environment.get("MODULEPATH").unwrap_or_default() != self.module_path_at_start)
    }

    /// The modules that MODULEPATH offers now.
    pub fn tree(&self) -> Tree {
        self.look(|w| Tree::new(w.environment.get("MODULEPATH").unwrap_or_default()))
    }

    /// The module that `asked` means, with what is wrong on the way told as warnings.
    pub fn find(&self, asked: &str) -> Option<Module> {
        let tree = self.tree();
        let found = tree.find(asked);
        tree.take_problems().iter().for_each(|problem| self.warn(problem));
        found
    }

    /// The shell code that brings about what has changed.
    pub fn code(&self) -> Code {
        let mut working = self.working.borrow_mut();
        let Working { environment, state, statements, .. } = &mut *working;
        state.write(environment);
        let mut code = Code::default();
        environment.changes().for_each(|(name, value)| code.variable(name, value));
        statements.iter().for_each(|statement| code.statement(statement));
        code
    }

    pub(crate) fn statement(&self, statement: Statement) {
        if let Statement::Function(name, _) = &statement
            && !self.shell.takes_function(name)
        {
            let shell = self.shell.name();
            self.warn(&format!("the function {name} is left out: {shell} takes letters, digits and _ only"));
            return;
        }
        self.change(|w| match (w.statements.last_mut(), statement) {
            // A file may write one line in several pieces.
            (Some(Statement::Text(before)), Statement::Text(more)) => before.extend(more),
            (_, statement) => w.statements.push(statement),
        });
    }

    /// Evaluates a modulefile in `mode`; gives what became known of the module, and what was collected.
    pub(crate) fn evaluate(
        &self,
        lua: &Lua,
        mode: Mode,
        module: &Module,
        asked: &str,
    ) -> (Frame, Result<(), Failure>) {
        let identity = Identity {
            full_name: module.full_name.clone(),
            asked: asked.to_owned(),
            file: module.file.clone(),
        };
        let record = Loaded {
            full_name: module.full_name.clone(),
            file: module.file.clone(),
            asked: (asked != module.full_name).then(|| asked.to_owned()),
            hidden: module.hidden,
            ..Loaded::default()
        };
        self.frames.borrow_mut().push(Frame { identity, mode, record, output: String::new() });
        let result = crate::interpreter::evaluate(lua, &module.file);
        // Pushed above, and every evaluation inside has taken its own off again.
        let frame =
            self.frames.borrow_mut().pop().unwrap_or_else(|| unreachable!("a frame for each evaluation"));
        let within = |failure: Failure| failure.within(module.full_name.clone(), module.file.clone());
        (frame, result.map_err(within))
    }

    /// The modules being evaluated now in `mode`.
    pub(crate) fn is_pending(&self, mode: Mode, name: &str) -> bool {
        let frames = self.frames.borrow();
        frames.iter().any(|frame| frame.mode == mode && frame.record.name() == name)
    }

    pub(crate) fn top<T>(&self, at: impl FnOnce(&mut Frame) -> T) -> Option<T> {
        self.frames.borrow_mut().last_mut().map(at)
    }
}

impl Host for Session {
    fn perform(&self, lua: &Lua, action: Action) -> Result<(), Failure> {
        match self.mode() {
            Mode::Load => self.carry_out(lua, action),
            Mode::Unload => self.carry_back(lua, action),
            Mode::Inspect => {
                self.top(|frame| crate::perform::note(&action, &mut frame.record));
                Ok(())
            }
            Mode::Refresh => {
                self.refresh(action);
                Ok(())
            }
            mode => {
                self.top(|frame| crate::perform::collect(mode, &action, frame));
                Ok(())
            }
        }
    }

    fn getenv(&self, name: &str) -> Option<Vec<u8>> {
        self.look(|w| w.environment.get(name).map(<[u8]>::to_vec))
    }

    fn environment(&self) -> Vec<(String, Vec<u8>)> {
        self.look(|w| w.environment.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect())
    }

    fn is_loaded(&self, module: &str) -> bool {
        self.look(|w| w.state.find(module).is_some())
    }

    fn is_available(&self, module: &str) -> bool {
        self.find(module).is_some()
    }

    fn identity(&self) -> Identity {
        let nothing =
            || Identity { full_name: String::new(), asked: String::new(), file: Default::default() };
        self.top(|frame| frame.identity.clone()).unwrap_or_else(nothing)
    }

    fn mode(&self) -> Mode {
        self.top(|frame| frame.mode).unwrap_or(Mode::Inspect)
    }

    fn shell_name(&self) -> &'static str {
        self.shell.name()
    }
}
