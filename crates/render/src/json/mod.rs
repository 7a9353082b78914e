//! What --json and --yaml print: one tree of values, written as Slurm 22.05's two serializers write it.
//!
//! The shapes are those of the REST interface v0.0.38: [`document`] is the frame around what a command lists.

use std::borrow::Cow;

mod text;
mod yaml;

#[cfg(test)]
mod tests;

/// The form in which a tree is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// --json.
    Json,
    /// --yaml.
    Yaml,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known, or not set.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Named values in order.
    Object(Vec<(Cow<'static, str>, Value)>),
}

impl Value {
    /// The tree as text. JSON ends without a line feed, as Slurm's does.
    pub fn print(&self, form: Form) -> String {
        let mut out = String::new();
        match form {
            Form::Json => text::write(self, 0, &mut out),
            Form::Yaml => yaml::write(self, &mut out),
        }
        out
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Int(value.into())
    }
}

impl From<u64> for Value {
    /// Numbers that JSON readers cannot hold are printed as the largest they can.
    fn from(value: u64) -> Value {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::from(value as u64)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(text.clone())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Value {
        values.into_iter().collect()
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Value {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

/// An object of these fields.
pub fn object<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// Which of the two interfaces describes the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// Of the controller: squeue, sinfo.
    Controller,
    /// Of the accounting: sacct.
    Accounting,
}

/// The whole answer: who made it, what went wrong, and the list that was asked for.
pub fn document(interface: Interface, errors: Vec<Value>, name: &'static str, list: Vec<Value>) -> Value {
    let (plugin, title) = match interface {
        Interface::Controller => ("openapi/v0.0.38", "Slurm OpenAPI v0.0.38"),
        Interface::Accounting => ("openapi/dbv0.0.38", "Slurm OpenAPI DB v0.0.38"),
    };
    let version = object([("major", Value::Int(22)), ("micro", Value::Int(8)), ("minor", Value::Int(5))]);
    object([
        (
            "meta",
            object([
                ("plugin", object([("type", plugin.into()), ("name", title.into())])),
                ("Slurm", object([("version", version), ("release", "22.05.8".into())])),
            ]),
        ),
        ("errors", Value::List(errors)),
        (name, Value::List(list)),
    ])
}
