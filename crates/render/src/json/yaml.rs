//! YAML 1.1 with the type of every value, as Slurm writes it; an empty text is null.

use super::Value;
use crate::settings::push;

pub(super) fn write(value: &Value, out: &mut String) {
    out.push_str("%YAML 1.1\n---");
    node(value, 0, out);
    out.push_str("...\n");
}

/// Writes a value behind what has been written of its line, and ends the line.
fn node(value: &Value, level: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str(" !!null null\n"),
        Value::Bool(value) => push(out, format_args!(" !!bool {value}\n")),
        Value::Int(value) => push(out, format_args!(" !!int {value}\n")),
        Value::Float(value) => push(out, format_args!(" !!float {value:.6}\n")),
        Value::Text(text) if text.is_empty() => out.push_str(" !!null null\n"),
        Value::Text(text) => {
            out.push_str(" !!str ");
            string(text, out);
            out.push('\n');
        }
        Value::List(list) if list.is_empty() => out.push_str(" !!seq []\n"),
        Value::List(list) => {
            out.push_str(" !!seq\n");
            for value in list {
                blanks(level, out);
                out.push('-');
                node(value, level + 1, out);
            }
        }
        Value::Object(fields) if fields.is_empty() => out.push_str(" !!map {}\n"),
        Value::Object(fields) => {
            out.push_str(" !!map\n");
            for (name, value) in fields {
                blanks(level, out);
                push(out, format_args!("!!str {name}:"));
                // A list stands below its name without a further indent.
                node(value, if matches!(value, Value::List(_)) { level } else { level + 1 }, out);
            }
        }
    }
}

fn blanks(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", level));
}

fn string(text: &str, out: &mut String) {
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        return escaped(text, out);
    }
    if is_plain(text) {
        out.push_str(text);
    } else {
        push(out, format_args!("'{}'", text.replace('\'', "''")));
    }
}

/// Whether a text can stand without quotes.
fn is_plain(text: &str) -> bool {
    let first = text.as_bytes().first().copied().unwrap_or(b' ');
    let second = text.as_bytes().get(1);
    let marks_a_node = b"-?:".contains(&first) && second.is_none_or(|c| *c == b' ');
    !(b"#,[]{}&*!|>'\"%@` ".contains(&first)
        || marks_a_node
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #"))
}

fn escaped(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            c => match u32::from(c) {
                code @ ..=0xff => push(out, format_args!("\\x{code:02X}")),
                code @ ..=0xffff => push(out, format_args!("\\u{code:04X}")),
                code => push(out, format_args!("\\U{code:08X}")),
            },
        }
    }
    out.push('"');
}
