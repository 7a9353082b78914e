//! The functions that modulefiles call, and the reading of their arguments.
//!
//! Functions that do something are rows of [`ACTIONS`]; those that answer a question are defined in [`define`]; those
//! of Lmod that do not exist here yet are in [`REFUSED`], so that a file that needs one is refused by its name.

use std::path::Path;
use std::rc::Rc;

use mlua::{Lua, LuaString, Table, Value, Variadic};

use crate::action::{Action, LoadKind};
use crate::arguments::Arguments;
use crate::failure::{Failure, FailureKind};
use crate::interpreter::Host;
use crate::pathlist::End;

type Reader = fn(&mut Arguments) -> Result<Action, String>;

const ACTIONS: &[(&str, Reader)] = &[
    ("setenv", |a| Ok(Action::Setenv { name: a.shell_name("name")?, value: a.bytes("value")? })),
    ("unsetenv", |a| {
        let name = a.shell_name("name")?;
        a.skip(1); // Lmod lets a file say which value it means; at load the variable goes away whatever it holds.
        Ok(Action::Unsetenv { name })
    }),
    ("pushenv", |a| Ok(Action::Pushenv { name: a.shell_name("name")?, value: a.bytes_or_false("value")? })),
    ("prepend_path", |a| add_path(a, End::Front)),
    ("append_path", |a| add_path(a, End::Back)),
    ("remove_path", |a| {
        let (name, value, delimiter) = path_arguments(a)?;
        Ok(Action::RemovePath { name, value, delimiter })
    }),
    ("set_alias", |a| Ok(Action::SetAlias { name: a.function_name("name")?, value: a.bytes("value")? })),
    ("unset_alias", |a| Ok(Action::UnsetAlias { name: a.function_name("name")? })),
    ("set_shell_function", |a| {
        let (name, sh) = (a.function_name("name")?, a.bytes("sh body")?);
        let csh = if a.is_empty() { Vec::new() } else { a.bytes("csh body")? };
        Ok(Action::SetFunction { name, sh, csh })
    }),
    ("unset_shell_function", |a| {
        let name = a.function_name("name")?;
        a.skip(2);
        Ok(Action::UnsetFunction { name })
    }),
    ("execute", |a| {
        let command = a.named_bytes("cmd")?.ok_or("cmd= is missing")?;
        let modes = a.named_texts("modeA")?.unwrap_or_else(|| vec!["load".to_owned()]);
        match modes.iter().find(|mode| !matches!(mode.as_str(), "load" | "unload" | "all")) {
            Some(mode) => Err(format!("modeA holds \"{mode}\"; known are \"load\", \"unload\" and \"all\"")),
            None => Ok(Action::Execute { command, modes }),
        }
    }),
    ("load", |a| load(a, LoadKind::Load)),
    ("always_load", |a| load(a, LoadKind::Always)),
    ("try_load", |a| load(a, LoadKind::Try)),
    ("try_add", |a| load(a, LoadKind::Try)),
    ("depends_on", |a| load(a, LoadKind::DependsOn)),
    ("unload", |a| Ok(Action::Unload { modules: a.texts("module")? })),
    ("conflict", |a| Ok(Action::Conflict { modules: a.texts("module")? })),
    ("prereq", |a| Ok(Action::Prereq { modules: a.texts("module")?, any: false })),
    ("prereq_any", |a| Ok(Action::Prereq { modules: a.texts("module")?, any: true })),
    ("family", |a| {
        let name = a.text("family")?;
        let known = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !known {
            return Err(format!("\"{name}\" is no name of a family (letters, digits, underscore)"));
        }
        Ok(Action::Family { name })
    }),
    ("add_property", |a| Ok(Action::AddProperty { name: a.text("property")?, value: a.text("value")? })),
    ("extensions", |a| Ok(Action::Extensions { names: a.texts("extension")? })),
    ("whatis", |a| Ok(Action::Whatis { text: a.text("text")? })),
    ("help", |a| Ok(Action::Help { text: a.texts("text")?.join("\n") })),
    ("LmodMessage", |a| Ok(Action::Message { text: a.texts("text")?.join(" ") })),
    ("LmodWarning", |a| Ok(Action::Warning { text: a.texts("text")?.join(" ") })),
];

/// Lmod's functions that this release does not have.
const REFUSED: &[&str] = &[
    "atleast",
    "atmost",
    "between",
    "latest",
    "color_banner",
    "colorize",
    "complete",
    "convertToCanonical",
    "depends_on_any",
    "extensionsA",
    "forbid",
    "haveDynamicMPATH",
    "hide",
    "hierarchyA",
    "inherit",
    "isPending",
    "is_spider",
    "load_any",
    "loaded_modules",
    "mgrload",
    "remove_property",
    "requireFullName",
    "source_sh",
    "uncomplete",
    "userInGroup",
    "userInGroups",
];

fn add_path(a: &mut Arguments, end: End) -> Result<Action, String> {
    let (name, value, delimiter) = path_arguments(a)?;
    Ok(Action::AddPath { end, name, value, delimiter })
}

fn path_arguments(a: &mut Arguments) -> Result<(String, Vec<u8>, Vec<u8>), String> {
    let (name, value) = (a.shell_name("name")?, a.bytes("value")?);
    let named = a.named_bytes("delim")?;
    if a.next_is_number() {
        return Err("a priority for an element comes in a later release; leave the number out".to_owned());
    }
    let delimiter = match named {
        Some(delimiter) => delimiter,
        None if a.is_empty() => b":".to_vec(),
        None => a.bytes("delimiter")?,
    };
    if delimiter.is_empty() { Err("the delimiter is empty".to_owned()) } else { Ok((name, value, delimiter)) }
}

fn load(a: &mut Arguments, kind: LoadKind) -> Result<Action, String> {
    Ok(Action::Load { kind, modules: a.texts("module")? })
}

/// Puts all functions of modulefiles into `base`.
pub fn define(lua: &Lua, base: &Table, host: &Rc<dyn Host>) -> mlua::Result<()> {
    base.set("bivouac_compile", base.get::<Value>("load")?)?;
    for &(name, reader) in ACTIONS {
        let on = Rc::clone(host);
        let function = lua.create_function(move |lua, values: Variadic<Value>| {
            let mut arguments = Arguments::new(lua, values.into_iter().collect())?;
            let action = reader(&mut arguments).and_then(|action| arguments.finish().map(|()| action));
            let action = action.map_err(|text| misuse(lua, name, &text))?;
            on.perform(lua, action).map_err(mlua::Error::external)
        })?;
        base.set(name, function)?;
    }
    for &name in REFUSED {
        let function = lua.create_function(move |lua, _: Variadic<Value>| -> mlua::Result<()> {
            Err(misuse(lua, name, "this function of Lmod comes in a later release"))
        })?;
        base.set(name, function)?;
    }
    define_endings(lua, base)?;
    define_questions(lua, base, host)?;
    define_paths(lua, base)
}

/// The error of a wrong call, with the file and line of the caller.
fn misuse(lua: &Lua, function: &str, text: &str) -> mlua::Error {
    let place = lua.inspect_stack(1, |debug| {
        let source = debug.source();
        format!("{}:{}: ", source.short_src.unwrap_or_default(), debug.current_line().unwrap_or_default())
    });
    mlua::Error::RuntimeError(format!("{}{function}(): {text}", place.unwrap_or_default()))
}

fn define_endings(lua: &Lua, base: &Table) -> mlua::Result<()> {
    let endings = [("LmodError", FailureKind::Error), ("LmodBreak", FailureKind::Break)];
    for (name, kind) in endings {
        let function = lua.create_function(move |lua, values: Variadic<Value>| -> mlua::Result<()> {
            let mut arguments = Arguments::new(lua, values.into_iter().collect())?;
            let text = match kind {
                FailureKind::Break if arguments.is_empty() => String::new(),
                _ => arguments.texts("text").map_err(|text| misuse(lua, name, &text))?.join(" "),
            };
            Err(mlua::Error::external(Failure::of_kind(kind, text)))
        })?;
        base.set(name, function)?;
    }
    Ok(())
}

fn define_questions(lua: &Lua, base: &Table, host: &Rc<dyn Host>) -> mlua::Result<()> {
    let on = Rc::clone(host);
    base.set("isloaded", lua.create_function(move |_, module: String| Ok(on.is_loaded(&module)))?)?;
    let on = Rc::clone(host);
    base.set("isAvail", lua.create_function(move |_, module: String| Ok(on.is_available(&module)))?)?;
    let on = Rc::clone(host);
    base.set("mode", lua.create_function(move |_, ()| Ok(on.mode().name()))?)?;
    let on = Rc::clone(host);
    base.set("myShellName", lua.create_function(move |_, ()| Ok(on.shell_name()))?)?;
    base.set("LmodVersion", lua.create_function(|_, ()| Ok(crate::LMOD_VERSION))?)?;
    base.set("myShellType", lua.create_function(|_, ()| Ok("sh"))?)?;

    type Part = fn(&crate::interpreter::Identity) -> Vec<u8>;
    let parts: [(&str, Part); 5] = [
        ("myModuleName", |id| crate::tree::split_name(&id.full_name).0.into()),
        ("myModuleVersion", |id| crate::tree::split_name(&id.full_name).1.unwrap_or_default().into()),
        ("myModuleFullName", |id| id.full_name.clone().into()),
        ("myModuleUsrName", |id| id.asked.clone().into()),
        ("myFileName", |id| {
            use std::os::unix::ffi::OsStrExt;
            id.file.as_os_str().as_bytes().to_vec()
        }),
    ];
    for (name, part) in parts {
        let on = Rc::clone(host);
        base.set(name, lua.create_function(move |lua, ()| lua.create_string(part(&on.identity())))?)?;
    }
    for name in ["capture", "subprocess"] {
        let on = Rc::clone(host);
        let function = lua.create_function(move |lua, command: LuaString| {
            lua.create_string(crate::library::capture(&on, &command)?)
        })?;
        base.set(name, function)?;
    }
    Ok(())
}

fn define_paths(lua: &Lua, base: &Table) -> mlua::Result<()> {
    let join = lua.create_function(|lua, values: Variadic<Value>| {
        let mut arguments = Arguments::new(lua, values.into_iter().collect())?;
        arguments.texts("part").map(|parts| path_join(&parts)).map_err(|text| misuse(lua, "pathJoin", &text))
    })?;
    base.set("pathJoin", join)?;
    base.set("isDir", lua.create_function(|_, path: String| Ok(Path::new(&path).is_dir()))?)?;
    base.set("isFile", lua.create_function(|_, path: String| Ok(Path::new(&path).is_file()))?)?;
    let split = lua.create_function(|_, path: String| {
        let at = path.rfind('/').map_or(0, |at| at + 1);
        Ok((path[..at].to_owned(), path[at..].to_owned()))
    })?;
    base.set("splitFileName", split)?;
    base.set("dirname", lua.create_function(|_, path: String| Ok(path[..after_slash(&path)].to_owned()))?)?;
    base.set(
        "barefilename",
        lua.create_function(|_, path: String| Ok(path[after_slash(&path)..].to_owned()))?,
    )?;
    base.set("extname", lua.create_function(|_, path: String| Ok(path[extension(&path)..].to_owned()))?)?;
    base.set("removeExt", lua.create_function(|_, path: String| Ok(path[..extension(&path)].to_owned()))?)
}

fn after_slash(path: &str) -> usize {
    path.rfind('/').map_or(0, |at| at + 1)
}

fn extension(path: &str) -> usize {
    let name = after_slash(path);
    path[name..].rfind('.').map_or(path.len(), |at| name + at)
}

/// Joins parts by single slashes; empty parts and `.` steps vanish, a trailing slash too.
fn path_join(parts: &[String]) -> String {
    let absolute =
        parts.iter().find(|part| !part.trim().is_empty()).is_some_and(|part| part.trim().starts_with('/'));
    let steps: Vec<&str> = parts
        .iter()
        .flat_map(|part| part.trim().split('/'))
        .filter(|step| !step.is_empty() && *step != ".")
        .collect();
    format!("{}{}", if absolute { "/" } else { "" }, steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::path_join;

    #[test]
    fn path_join_joins_by_single_slashes() {
        let join = |parts: &[&str]| path_join(&parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>());
        assert_eq!(join(&["/a/", "/b"]), "/a/b");
        assert_eq!(join(&["a", "b", "c/"]), "a/b/c");
        assert_eq!(join(&["/a", "../b"]), "/a/../b");
        assert_eq!(join(&["", "b"]), "b");
        assert_eq!(join(&["/"]), "/");
    }
}
