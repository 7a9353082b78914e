//! Lua's own library where a modulefile must not reach around the session: the environment it sees, where its output
//! goes, and what ends it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};
use std::rc::Rc;

use mlua::{Lua, LuaString, Table, Value, Variadic};

use crate::action::Action;
use crate::failure::Failure;
use crate::interpreter::Host;

/// Changes `os`, `io`, `print` in `base`, and keeps Lua's `load` aside as `bivouac_compile`, because modulefiles
/// use the name `load` for modules.
pub fn adapt(lua: &Lua, base: &Table, host: &Rc<dyn Host>) -> mlua::Result<()> {
    adapt_os(lua, &base.get("os")?, host)?;
    let io: Table = base.get("io")?;
    let stdout = lua.create_table()?;
    let on = Rc::clone(host);
    let method = lua.create_function(move |lua, (this, texts): (Value, Variadic<LuaString>)| {
        write(lua, &on, texts.iter(), "", "")?;
        Ok(this)
    })?;
    stdout.set("write", method)?;
    stdout.set("flush", lua.create_function(|_, this: Value| Ok(this))?)?;
    stdout.set("close", lua.create_function(|_, _: Value| Ok(true))?)?;
    io.set("stdout", stdout.clone())?;
    let on = Rc::clone(host);
    let function = lua.create_function(move |lua, texts: Variadic<LuaString>| {
        write(lua, &on, texts.iter(), "", "")?;
        Ok(stdout.clone())
    })?;
    io.set("write", function)?;
    let on = Rc::clone(host);
    let print = lua.create_function(move |lua, values: Variadic<Value>| {
        let texts: Vec<String> = values.iter().map(Value::to_string).collect::<mlua::Result<_>>()?;
        let texts =
            texts.into_iter().map(|text| lua.create_string(text)).collect::<mlua::Result<Vec<_>>>()?;
        write(lua, &on, texts.iter(), "\t", "\n")
    })?;
    base.set("print", print)
}

fn write<'a>(
    lua: &Lua,
    host: &Rc<dyn Host>,
    texts: impl Iterator<Item = &'a LuaString>,
    between: &str,
    after: &str,
) -> mlua::Result<()> {
    let pieces: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).collect();
    let mut text = pieces.join(between.as_bytes());
    text.extend_from_slice(after.as_bytes());
    if text.contains(&0) {
        return Err(mlua::Error::external(Failure::error("a modulefile wrote a NUL byte for the shell")));
    }
    host.perform(lua, Action::ShellText { text }).map_err(mlua::Error::external)
}

fn adapt_os(lua: &Lua, os: &Table, host: &Rc<dyn Host>) -> mlua::Result<()> {
    let on = Rc::clone(host);
    let getenv = lua.create_function(move |lua, name: String| {
        on.getenv(&name).map(|value| lua.create_string(value)).transpose()
    })?;
    os.set("getenv", getenv)?;
    let exit = lua.create_function(|_, _: Variadic<Value>| -> mlua::Result<()> {
        Err(mlua::Error::RuntimeError(
            "os.exit() cannot be used in a modulefile: LmodError() refuses to load it, LmodBreak() leaves it out".into(),
        ))
    })?;
    os.set("exit", exit)?;
    let on = Rc::clone(host);
    let execute = lua.create_function(move |_, command: Option<LuaString>| {
        let Some(command) = command else { return Ok((Some(true), "exit", 0)) };
        // The command's output belongs to the user, not to the shell that evaluates ours.
        let status = shell_command(&on, &command).stdout(std::io::stderr()).status()?;
        Ok(exit_triple(status))
    })?;
    os.set("execute", execute)
}

fn exit_triple(status: std::process::ExitStatus) -> (Option<bool>, &'static str, i32) {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => ((code == 0).then_some(true), "exit", code),
        (None, signal) => (None, "signal", signal.unwrap_or(0)),
    }
}

/// The standard output of `command`, run by `sh` with the environment as the file has changed it (`capture`).
pub fn capture(host: &Rc<dyn Host>, command: &LuaString) -> std::io::Result<Vec<u8>> {
    Ok(shell_command(host, command).stderr(Stdio::inherit()).output()?.stdout)
}

fn shell_command(host: &Rc<dyn Host>, text: &LuaString) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(OsString::from_vec(text.as_bytes().to_vec())).stdin(Stdio::null()).env_clear();
    command.envs(host.environment().into_iter().map(|(name, value)| (name, OsString::from_vec(value))));
    command
}
