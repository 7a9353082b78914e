//! JSON: two blanks for each level, slashes escaped, lists and objects on several lines even when they are empty.

use super::Value;
use crate::settings::push;

pub(super) fn write(value: &Value, level: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => push(out, format_args!("{value}")),
        Value::Int(value) => push(out, format_args!("{value}")),
        Value::Float(value) if value.is_finite() => push(out, format_args!("{value:?}")),
        // JSON has no word for it.
        Value::Float(_) => out.push_str("null"),
        Value::Text(text) => string(text, out),
        Value::List(list) => {
            block('[', ']', list.len(), level, out, |n, out| write(&list[n], level + 1, out))
        }
        Value::Object(fields) => block('{', '}', fields.len(), level, out, |n, out| {
            let (name, value) = &fields[n];
            string(name, out);
            out.push_str(": ");
            write(value, level + 1, out);
        }),
    }
}

fn block(
    open: char,
    close: char,
    entries: usize,
    level: usize,
    out: &mut String,
    entry: impl Fn(usize, &mut String),
) {
    out.push(open);
    for n in 0..entries {
        out.push_str(if n > 0 { ",\n" } else { "\n" });
        blanks(level + 1, out);
        entry(n, out);
    }
    out.push('\n');
    blanks(level, out);
    out.push(close);
}

fn blanks(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", level));
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => push(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
