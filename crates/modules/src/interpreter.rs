//! The Lua interpreter that evaluates modulefiles.
//!
//! One Lua state serves a whole command. Each file gets a fresh table of globals whose missing names are looked up in
//! the shared base (Lua's library plus the functions of `functions`), so that no file sees another's globals.
//! The file's author and its user are the same person or the site, so this is no security border; it keeps accidents
//! away: `os.exit` cannot end the command, output cannot slip into the shell unseen, an endless loop ends.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::{Function, HookTriggers, Lua, Table, VmState};

use crate::action::{Action, Mode};
use crate::failure::Failure;

/// How long one modulefile may run.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
const MEMORY_LIMIT: usize = 512 << 20;
const INSTRUCTIONS_BETWEEN_CHECKS: u32 = 20_000;

/// Which module is being evaluated.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Full name: `NAME/VERSION` or `NAME`.
    pub full_name: String,
    /// The name as the user or another modulefile wrote it.
    pub asked: String,
    /// The modulefile.
    pub file: PathBuf,
}

/// What a modulefile acts upon. The session implements this; the interpreter knows nothing else of it.
pub trait Host {
    /// Does what the file asks for, in the sense of the current mode. `lua` serves to evaluate further files.
    fn perform(&self, lua: &Lua, action: Action) -> Result<(), Failure>;
    /// A variable, with the changes made so far.
    fn getenv(&self, name: &str) -> Option<Vec<u8>>;
    /// All variables, for programs that a file runs.
    fn environment(&self) -> Vec<(String, Vec<u8>)>;
    /// Whether a module is loaded.
    fn is_loaded(&self, module: &str) -> bool;
    /// Whether a module could be loaded.
    fn is_available(&self, module: &str) -> bool;
    /// The module under evaluation.
    fn identity(&self) -> Identity;
    /// Why it is evaluated.
    fn mode(&self) -> Mode;
    /// The name of the user's shell.
    fn shell_name(&self) -> &'static str;
}

struct Clock {
    limit: Duration,
    started: Cell<Instant>,
}

/// A Lua state with bounds on memory and time.
fn bounded(limit: Duration) -> mlua::Result<(Lua, Rc<Clock>)> {
    let lua = Lua::new();
    lua.set_memory_limit(MEMORY_LIMIT)?;
    let clock = Rc::new(Clock { limit, started: Cell::new(Instant::now()) });
    let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS_BETWEEN_CHECKS);
    let in_hook = Rc::clone(&clock);
    lua.set_global_hook(triggers, move |_, _| match in_hook.check() {
        Ok(()) => Ok(VmState::Continue),
        Err(failure) => Err(mlua::Error::external(failure)),
    })?;
    Ok((lua, clock))
}

/// A bounded Lua state with Lua's own library alone, for files that are not modulefiles.
pub fn plain() -> mlua::Result<Lua> {
    bounded(TIME_LIMIT).map(|(lua, _)| lua)
}

/// Makes a Lua state whose files act upon `host`, each for at most `limit`.
pub fn new(host: Rc<dyn Host>, limit: Duration) -> mlua::Result<Lua> {
    let (lua, clock) = bounded(limit)?;
    lua.set_app_data(Rc::clone(&clock));
    let base = lua.globals();
    crate::functions::define(&lua, &base, &host)?;
    crate::library::adapt(&lua, &base, &host)?;
    let check_time = lua.create_function(move |_, ()| clock.check().map_err(mlua::Error::external))?;
    let fresh_globals: Function = lua.load(PRELUDE).set_name("=prelude").call(check_time)?;
    lua.set_named_registry_value(FRESH_GLOBALS, fresh_globals)?;
    Ok(lua)
}

const FRESH_GLOBALS: &str = "bivouac.fresh_globals";

/// What is simpler in Lua: names of Lua 5.1, string methods that modulefiles use, and a maker of fresh globals.
/// A loop that catches its own interruption by `pcall` is stopped by the check behind it. Only source text is loaded:
/// a damaged binary chunk could crash the interpreter.
const PRELUDE: &str = r#"
local check_time = ...
local base, compile, compile_file = _G, _G.bivouac_compile, _G.loadfile
local caught, caught_by = pcall, xpcall
base.bivouac_compile = nil
base.unpack = table.unpack
local function checked(...) check_time() return ... end
function base.pcall(...) return checked(caught(...)) end
function base.xpcall(...) return checked(caught_by(...)) end
function string.split(text, separator)
  local from = 1
  return function()
    if not from then return nil end
    local first, last = text:find(separator or "%s+", from)
    if first and last < first then first, last = nil, nil end
    local part = text:sub(from, (first or #text + 1) - 1)
    from = last and last + 1
    return part
  end
end
function string.trim(text) return (text:gsub("^%s+", ""):gsub("%s+$", "")) end
return function()
  local globals = setmetatable({}, {__index = base})
  globals._G = globals
  function globals.loadstring(text, name) return compile(text, name, "t", globals) end
  function globals.loadfile(path) return compile_file(path, "t", globals) end
  function globals.dofile(path)
    local chunk, message = compile_file(path, "t", globals)
    if not chunk then error(message, 2) end
    return chunk()
  end
  return globals
end
"#;

/// Evaluates `file`. Fails with the file's own failure, or with one that says what Lua found wrong and where.
pub fn evaluate(lua: &Lua, file: &Path) -> Result<(), Failure> {
    let source = std::fs::read(file)
        .map_err(|error| Failure::error(format!("cannot read the modulefile {}: {error}", file.display())))?;
    let clock = lua.app_data_ref::<Rc<Clock>>().map(|clock| Rc::clone(&clock));
    if let Some(clock) = &clock {
        clock.started.set(Instant::now());
    }
    let result = evaluate_source(lua, &format!("@{}", file.display()), &source);
    if let Some(clock) = &clock {
        clock.started.set(Instant::now());
    }
    result.map_err(|error| failure(&error))
}

fn evaluate_source(lua: &Lua, name: &str, source: &[u8]) -> mlua::Result<()> {
    let fresh_globals: Function = lua.named_registry_value(FRESH_GLOBALS)?;
    let globals: Table = fresh_globals.call(())?;
    lua.load(source).set_name(name).set_mode(mlua::chunk::ChunkMode::Text).set_environment(globals).exec()
}

fn failure(error: &mlua::Error) -> Failure {
    match error.downcast_ref::<Failure>() {
        Some(failure) => failure.clone(),
        None => Failure::error(format!(
            "Unable to load module because of error when evaluating modulefile:\n     {}\n     \
             The number after the file's name is the line.",
            message(error)
        )),
    }
}

/// What Lua found wrong, without its stack.
pub fn message(error: &mlua::Error) -> String {
    let text = error.to_string();
    let text = text.split("\nstack traceback:").next().unwrap_or_default();
    text.trim_start_matches("runtime error: ").trim_start_matches("syntax error: ").to_owned()
}

impl Clock {
    fn check(&self) -> Result<(), Failure> {
        if self.started.get().elapsed() <= self.limit {
            return Ok(());
        }
        let seconds = self.limit.as_secs();
        Err(Failure::error(format!(
            "The modulefile ran for more than {seconds} seconds and was stopped; look for an endless loop in it."
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Recorder(RefCell<Vec<Action>>);

    impl Host for Recorder {
        fn perform(&self, _: &Lua, action: Action) -> Result<(), Failure> {
            self.0.borrow_mut().push(action);
            Ok(())
        }
        fn getenv(&self, name: &str) -> Option<Vec<u8>> {
            (name == "HOME").then(|| b"/home/x".to_vec())
        }
        fn environment(&self) -> Vec<(String, Vec<u8>)> {
            Vec::new()
        }
        fn is_loaded(&self, module: &str) -> bool {
            module == "there"
        }
        fn is_available(&self, module: &str) -> bool {
            module == "there"
        }
        fn identity(&self) -> Identity {
            Identity {
                full_name: "cat/name/1.0".into(),
                asked: "name".into(),
                file: "/m/cat/name/1.0.lua".into(),
            }
        }
        fn mode(&self) -> Mode {
            Mode::Load
        }
        fn shell_name(&self) -> &'static str {
            "bash"
        }
    }

    /// Evaluates `source`; gives the calls as `module show` prints them, or the failure's text.
    fn calls(source: &str, limit: Duration) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.0.lua");
        std::fs::write(&file, source).unwrap();
        let host = Rc::new(Recorder::default());
        let lua = new(Rc::clone(&host) as Rc<dyn Host>, limit).unwrap();
        evaluate(&lua, &file).map_err(|failure| failure.text)?;
        Ok(host.0.borrow().iter().map(ToString::to_string).collect())
    }

    fn of(source: &str) -> Vec<String> {
        calls(source, TIME_LIMIT).unwrap()
    }

    fn error(source: &str) -> String {
        calls(source, TIME_LIMIT).unwrap_err()
    }

    #[test]
    fn arguments_come_as_lmod_takes_them() {
        assert_eq!(
            of(r#"setenv("N", 12) setenv("F", 1.5)"#),
            [r#"setenv("N","12")"#, r#"setenv("F","1.5")"#]
        );
        assert_eq!(
            of(r#"prepend_path{"M", "a;b", delim=";"} append_path("L", "-O2", " ")"#),
            [r#"prepend_path{"M","a;b",delim=";"}"#, r#"append_path{"L","-O2",delim=" "}"#]
        );
        assert_eq!(of(r#"execute{cmd="echo", modeA={"all"}}"#), [r#"execute{cmd="echo",modeA={"all"}}"#]);
        assert_eq!(of(r#"pushenv("A", false)"#), [r#"pushenv("A",false)"#]);
    }

    #[test]
    fn questions_are_answered() {
        let source = r#"
            local parts = {myModuleName(), myModuleVersion(), myModuleFullName(), myFileName(), mode(),
                pathJoin(os.getenv("HOME"), "sub/"), tostring(isloaded("there")), tostring(isloaded("not")),
                tostring(os.getenv("NOT_SET")), tostring(isDir("/")), tostring(isFile("/"))}
            setenv("A", table.concat(parts, "|"))"#;
        let expected = r#"setenv("A","cat/name|1.0|cat/name/1.0|/m/cat/name/1.0.lua|load|/home/x/sub|true|false|nil|true|false")"#;
        assert_eq!(of(source), [expected]);
    }

    #[test]
    fn names_of_lua_5_1_and_string_methods_work() {
        let source = r#"
            local words = {}
            for word in ("a,b,,c"):split(",") do words[#words + 1] = word end
            setenv("A", table.concat(words, "|") .. ("  x "):trim() .. unpack({"u"}) .. loadstring("return 'l'")())"#;
        assert_eq!(of(source), [r#"setenv("A","a|b||cxul")"#]);
    }

    #[test]
    fn output_and_exit_do_not_reach_around_the_session() {
        assert_eq!(
            of(r#"print("a", 1) io.write("b", 2) io.stdout:write("c")"#),
            ["io.write(\"a\t1\\n\")", "io.write(\"b2\")", "io.write(\"c\")"]
        );
        assert!(error("os.exit(0)").contains("os.exit() cannot be used"));
        assert!(error("local f = nil; f()").contains("1.0.lua:1:"));
    }

    #[test]
    fn wrong_calls_name_the_function_and_the_line() {
        for (source, part) in [
            ("\nsetenv('A', nil)", ":2: setenv(): argument 2 (value) is missing or nil"),
            ("setenv('A=1;rm', 'x')", ":1: setenv(): \"A=1;rm\" is no name of a variable"),
            ("set_alias('a b', 'x')", "set_alias(): \"a b\" is no name"),
            ("setenv('A', 'x\\0y')", "holds a NUL byte"),
            ("setenv('A', {})", "setenv(): the value is a table, not a text"),
            ("prepend_path('A', 'x', 10)", "prepend_path(): a priority"),
            ("setenv('A', 'x', 'y')", "setenv(): 1 argument(s) too many"),
            ("execute{cmd='x', when='y'}", "no argument named \"when\""),
            ("\n\ninherit()", ":3: inherit(): this function of Lmod comes in a later release"),
            ("load(atleast('a', '1'))", ":1: atleast(): this function"),
            ("nosuch('a')", ":1: attempt to call a nil value (global 'nosuch')"),
            ("xx(", "near <eof>"),
        ] {
            let text = error(source);
            assert!(text.contains(part), "{source}: {text}");
        }
    }

    #[test]
    fn an_endless_file_is_stopped_even_if_it_catches_its_errors() {
        let limit = Duration::from_millis(50);
        for source in [
            "while true do end",
            "while true do pcall(function() while true do end end) end",
            "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        ] {
            assert!(calls(source, limit).unwrap_err().contains("endless loop"), "{source}");
        }
        assert!(
            error("local s = ('x'):rep(1 << 20) local t = {} for i = 1, 1e6 do t[i] = s .. i end")
                .contains("memory")
        );
    }

    #[test]
    fn globals_of_one_file_are_not_seen_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.lua"), folder.path().join("b.lua"));
        std::fs::write(&first, "leak = 1; _G.other = 2; setenv = nil; pcall = nil").unwrap();
        std::fs::write(&second, "setenv('A', tostring(leak) .. tostring(other) .. type(pcall))").unwrap();
        let host = Rc::new(Recorder::default());
        let lua = new(Rc::clone(&host) as Rc<dyn Host>, TIME_LIMIT).unwrap();
        evaluate(&lua, &first).unwrap();
        evaluate(&lua, &second).unwrap();
        assert_eq!(host.0.borrow()[0].to_string(), r#"setenv("A","nilnilfunction")"#);
    }
}
