//! One `module` command from its words to the code for the shell.

use std::io::Write;
use std::rc::Rc;

use mlua::Lua;

use crate::action::Mode;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::interpreter;
use crate::options::{Options, Subcommand, parse_ml, parse_module};
use crate::report::{self, Selection};
use crate::session::Session;
use crate::shell::{Code, Shell};
use crate::suggest;

/// What a command gives back.
#[derive(Debug)]
pub struct Outcome {
    /// Code for the shell to evaluate.
    pub code: Vec<u8>,
    /// Whether it succeeded; the code ends with `false` where it did not.
    pub success: bool,
}

/// Runs `module WORDS...` (or `ml WORDS...` when the first word is `ml`) for a session whose environment is
/// `environment`. Messages go to `messages`; `width` is the terminal's. The caller prints the code.
pub fn run(
    shell: Shell,
    words: &[String],
    environment: Environment,
    messages: Box<dyn Write>,
    width: usize,
) -> Outcome {
    let parsed = match words.split_first() {
        Some((first, rest)) if first == "ml" => parse_ml(rest),
        _ => parse_module(words),
    };
    match parsed {
        Ok((options, subcommand)) => {
            Command::new(shell, options, environment, messages, width).run(&subcommand)
        }
        Err(text) => {
            let mut messages = messages;
            let _ = writeln!(messages, "{text}"); // A reader that went away is no reason to fail otherwise.
            failed(Code::default())
        }
    }
}

fn failed(mut code: Code) -> Outcome {
    code.fail();
    Outcome { code: code.into_bytes(), success: false }
}

struct Command {
    session: Rc<Session>,
    lua: Lua,
    options: Options,
    redirect: bool,
    width: usize,
    printed: std::cell::RefCell<String>,
}

impl Command {
    fn new(
        shell: Shell,
        options: Options,
        environment: Environment,
        messages: Box<dyn Write>,
        width: usize,
    ) -> Self {
        let wants =
            |value: String| matches!(value.to_lowercase().as_str(), "yes" | "y" | "1" | "on" | "true");
        let redirect =
            options.redirect.unwrap_or_else(|| environment.text("LMOD_REDIRECT").is_some_and(wants));
        let (session, unknown) = Session::new(shell, environment, options.force, options.quiet, messages);
        let session = Rc::new(session);
        // Lua's start fails only without memory; then nothing else works either.
        let lua = interpreter::new(Rc::clone(&session) as Rc<dyn interpreter::Host>, interpreter::TIME_LIMIT)
            .expect("Lua starts");
        session.inspect(&lua, &unknown);
        let width = options.width.unwrap_or(width);
        Self { session, lua, options, redirect, width, printed: Default::default() }
    }

    fn run(&self, subcommand: &Subcommand) -> Outcome {
        let result = self.execute(subcommand);
        if let Err(Some(failure)) = &result {
            self.session.tell(&failure.to_string());
            if !failure.unknown.is_empty() {
                self.session.tell(&suggest::hint(&self.session, &failure.unknown));
            }
        }
        let printed = self.printed.borrow();
        match result {
            Ok(()) => {
                let mut code = self.session.code();
                code.print(printed.as_bytes());
                Outcome { code: code.into_bytes(), success: true }
            }
            Err(_) => {
                let mut code = Code::default();
                code.print(printed.as_bytes());
                failed(code)
            }
        }
    }

    /// `Err(None)`: a plain "no", as of `is-loaded`.
    fn execute(&self, subcommand: &Subcommand) -> Result<(), Option<Failure>> {
        let (session, lua) = (&*self.session, &self.lua);
        match subcommand {
            Subcommand::Load(names) => self.changed(session.load_asked(lua, names)),
            Subcommand::TryLoad(names) => self.changed(session.try_load_asked(lua, names)),
            Subcommand::Unload(names) => self.changed(session.unload_and_load(lua, names, &[])),
            Subcommand::UnloadLoad(unload, load) => self.changed(session.unload_and_load(lua, unload, load)),
            Subcommand::Swap(old, new) => self.changed(session.swap(lua, old, new)),
            Subcommand::Purge => {
                session.purge(lua);
                self.changed(Ok(()))
            }
            Subcommand::Reset => {
                self.notice("Resetting modules to system default.\n");
                self.changed(session.reset(lua))
            }
            Subcommand::InitialLoad => self.changed(session.load_system_default(lua)),
            Subcommand::Update => self.changed(session.update(lua)),
            Subcommand::Refresh => {
                session.refresh_all(lua);
                Ok(())
            }
            Subcommand::Use(folders, append) => self.changed(session.use_folders(folders, *append)),
            Subcommand::Unuse(folders) => {
                session.unuse_folders(folders);
                self.changed(Ok(()))
            }
            Subcommand::List(patterns) => {
                self.print(&report::list(session, &self.selection(patterns)));
                Ok(())
            }
            Subcommand::Avail(patterns) => {
                self.print(&report::avail(session, &self.selection(patterns)));
                Ok(())
            }
            Subcommand::Show(names) if self.options.raw || self.options.location => self.show_file(names),
            Subcommand::Show(names) => self.describe(Mode::Show, names),
            Subcommand::Help(names) => self.describe(Mode::Help, names),
            Subcommand::Whatis(names) => self.describe(Mode::Whatis, names),
            Subcommand::IsLoaded(names) => {
                answer(names.iter().all(|name| interpreter::Host::is_loaded(session, name)))
            }
            Subcommand::IsAvail(names) => answer(names.iter().all(|name| session.find(name).is_some())),
            Subcommand::Version => {
                self.print(&format!(
                    "\nModules based on Lua: Version {} (bivouac {}, in the manner of Lmod)\n\n",
                    crate::LMOD_VERSION,
                    env!("CARGO_PKG_VERSION")
                ));
                Ok(())
            }
            Subcommand::Usage { asked } => {
                self.print(USAGE);
                answer(*asked)
            }
        }
    }

    fn selection<'a>(&self, patterns: &'a [String]) -> Selection<'a> {
        let Options { terse, default_only, hidden, .. } = self.options;
        Selection { patterns, terse, default_only, hidden, width: self.width }
    }

    fn changed(&self, result: Result<(), Failure>) -> Result<(), Option<Failure>> {
        result.map_err(Some)?;
        let moved = self.session.follow_module_path(&self.lua);
        self.notice(&report::notices(&self.session, &moved));
        Ok(())
    }

    fn notice(&self, text: &str) {
        if !self.options.quiet {
            self.session.tell(text);
        }
    }

    /// Prints a listing: to the user's messages, or by the shell to its standard output.
    fn print(&self, text: &str) {
        if self.redirect {
            self.printed.borrow_mut().push_str(text);
        } else {
            self.session.tell(text);
        }
    }

    fn describe(&self, mode: Mode, names: &[String]) -> Result<(), Option<Failure>> {
        let (text, failure) = report::describe(&self.session, &self.lua, mode, names, self.width);
        self.print(&text);
        failure.map_or(Ok(()), |failure| Err(Some(failure)))
    }

    fn show_file(&self, names: &[String]) -> Result<(), Option<Failure>> {
        for name in names {
            let Some(module) = self.session.find(name) else {
                return self.describe(Mode::Show, std::slice::from_ref(name));
            };
            if self.options.location {
                self.print(&format!("{}\n", module.file.display()));
            } else {
                let read = std::fs::read_to_string(&module.file);
                let read = read
                    .map_err(|e| Some(Failure::error(format!("cannot read {}: {e}", module.file.display()))));
                self.print(&read?);
            }
        }
        Ok(())
    }
}

fn answer(yes: bool) -> Result<(), Option<Failure>> {
    if yes { Ok(()) } else { Err(None) }
}

const USAGE: &str = "
module [options] sub-command [arguments]        (in the manner of Lmod)

Loading and unloading:
  load | add  M...              load modules; NAME means its default version
  try-load | try-add  M...      the same, passing over unknown names
  unload | rm | del  M...       unload modules
  swap | sw | switch  M1 M2     unload M1 and load M2
  purge                         unload all but sticky modules (--force: all)
  reset                         unload all, load the system's default modules
  update                        load all loaded modules once more
  refresh                       define the aliases and functions of the loaded modules again

Looking:
  list [TEXT...]                loaded modules
  avail | av [TEXT...]          modules that can be loaded
  show | display  M...          what a modulefile would do
  help  M...                    the help text of a module
  whatis  M...                  its short description
  is-loaded M, is-avail M       an exit status for scripts

Places:
  use [-a] FOLDER...            look into FOLDER too, first (-a: last)
  unuse FOLDER...               do not look there any more

Options:
  -t, --terse                   one name on each line (list, avail)
  -d, --default                 default versions only (avail)
  -A, --show_hidden             hidden modules too (avail)
  -q, --quiet                   no warnings and notices
  -w N, --width=N               width of listings
  -f, --force                   unload sticky modules too
  --redirect, --no_redirect     listings to standard output (as with LMOD_REDIRECT=yes) or standard error
  --raw, --location             show: the file as it is; only its path
  -v, --version                 the version

ml                              module list
ml x -y                         load x, unload y
ml SUB-COMMAND ...              module SUB-COMMAND ...

";
