//! The arguments of one call in a modulefile: `f("a", "b")` or `f{"a", key = "b"}`.

use std::collections::{BTreeMap, VecDeque};

use mlua::{Lua, Value};

/// Arguments not read yet. Errors are texts without the place: the caller adds it.
pub struct Arguments {
    lua: Lua,
    positional: VecDeque<Value>,
    named: BTreeMap<String, Value>,
    read: usize,
}

impl Arguments {
    /// Takes a call's values; a single table is taken apart.
    pub fn new(lua: &Lua, mut values: Vec<Value>) -> mlua::Result<Self> {
        let mut named = BTreeMap::new();
        if let [Value::Table(table)] = values.as_slice() {
            let table = table.clone();
            values = table.sequence_values().collect::<mlua::Result<_>>()?;
            let length = values.len() as i64;
            for pair in table.pairs::<Value, Value>() {
                let (key, value) = pair?;
                match key {
                    Value::Integer(index) if (1..=length).contains(&index) => {}
                    key => _ = named.insert(key.to_string()?, value),
                }
            }
        }
        Ok(Self { lua: lua.clone(), positional: values.into(), named, read: 0 })
    }

    /// Whether no positional argument is left.
    pub fn is_empty(&self) -> bool {
        self.positional.is_empty()
    }

    /// Whether the next positional argument is a number.
    pub fn next_is_number(&self) -> bool {
        self.positional.front().is_some_and(Value::is_number)
            || self.positional.front().is_some_and(Value::is_integer)
    }

    /// Leaves out up to `count` positional arguments.
    pub fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.positional.pop_front();
        }
    }

    /// Complains of what was not read.
    pub fn finish(&self) -> Result<(), String> {
        if let Some(name) = self.named.keys().next() {
            return Err(format!("it has no argument named \"{name}\""));
        }
        match self.positional.len() {
            0 => Ok(()),
            more => Err(format!("{more} argument(s) too many")),
        }
    }

    /// The next argument as bytes; numbers are written as Lua writes them.
    pub fn bytes(&mut self, what: &str) -> Result<Vec<u8>, String> {
        self.read += 1;
        let number = self.read;
        match self.positional.pop_front() {
            None | Some(Value::Nil) => Err(format!("argument {number} ({what}) is missing or nil")),
            Some(value) => self.convert(value, what),
        }
    }

    /// Like [`Self::bytes`], but `false` is allowed and means none.
    pub fn bytes_or_false(&mut self, what: &str) -> Result<Option<Vec<u8>>, String> {
        if matches!(self.positional.front(), Some(Value::Boolean(false))) {
            self.skip(1);
            return Ok(None);
        }
        self.bytes(what).map(Some)
    }

    /// The next argument as text.
    pub fn text(&mut self, what: &str) -> Result<String, String> {
        let bytes = self.bytes(what)?;
        String::from_utf8(bytes).map_err(|_| format!("the {what} is not UTF-8"))
    }

    /// All further arguments as texts, at least one.
    pub fn texts(&mut self, what: &str) -> Result<Vec<String>, String> {
        let mut texts = vec![self.text(what)?];
        while !self.is_empty() {
            texts.push(self.text(what)?);
        }
        Ok(texts)
    }

    /// The next argument as the name of a variable: anything else would be code in the user's shell.
    pub fn shell_name(&mut self, what: &str) -> Result<String, String> {
        let name = self.text(what)?;
        let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if fits { Ok(name) } else { Err(format!("\"{name}\" is no name of a variable")) }
    }

    /// The next argument as the name of an alias or a shell function: like a variable's, and `-`, `.`, `+` inside.
    pub fn function_name(&mut self, what: &str) -> Result<String, String> {
        let name = self.text(what)?;
        let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b))
            && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits { Ok(name) } else { Err(format!("\"{name}\" is no name of an alias or function")) }
    }

    /// The argument named `key`, as bytes.
    pub fn named_bytes(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.named.remove(key).map(|value| self.convert(value, key)).transpose()
    }

    /// The argument named `key`, a table of texts.
    pub fn named_texts(&mut self, key: &str) -> Result<Option<Vec<String>>, String> {
        match self.named.remove(key) {
            None => Ok(None),
            Some(Value::Table(table)) => {
                let texts = table.sequence_values::<String>().collect::<mlua::Result<_>>();
                texts.map(Some).map_err(|_| format!("{key}= holds something else than texts"))
            }
            Some(_) => Err(format!("{key}= is not a table of texts")),
        }
    }

    fn convert(&self, value: Value, what: &str) -> Result<Vec<u8>, String> {
        let kind = value.type_name();
        let text = match value {
            Value::String(_) | Value::Integer(_) | Value::Number(_) => self.lua.coerce_string(value),
            _ => Ok(None),
        };
        match text {
            Ok(Some(text)) if text.as_bytes().contains(&0) => Err(format!("the {what} holds a NUL byte")),
            Ok(Some(text)) => Ok(text.as_bytes().to_vec()),
            _ => Err(format!("the {what} is a {kind}, not a text")),
        }
    }
}
