//! Environment markers of Python requirements (`python_version < "3.11" and extra == "test"`), evaluated for a CPython on
//! Linux. Grammar: the Python packaging specification of dependency specifiers.

use crate::interpreter::Version;

/// The values that a marker asks for.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The Python it is for.
    pub python: Version,
}

impl Target {
    fn value(&self, variable: &str) -> Option<String> {
        Some(match variable {
            "python_version" => self.python.major_minor(),
            "python_full_version" | "implementation_version" => self.python.to_string(),
            "os_name" => "posix".to_owned(),
            "sys_platform" => "linux".to_owned(),
            "platform_system" => "Linux".to_owned(),
            "platform_machine" => std::env::consts::ARCH.to_owned(),
            "platform_python_implementation" => "CPython".to_owned(),
            "implementation_name" => "cpython".to_owned(),
            // No extra is ever asked for.
            "extra" | "platform_release" | "platform_version" => String::new(),
            _ => return None,
        })
    }
}

/// Whether the marker holds for the target.
///
/// # Errors
/// What is wrong with the marker's text.
pub fn holds(marker: &str, target: Target) -> Result<bool, String> {
    let tokens = tokens(marker)?;
    let mut parser = Parser { tokens: &tokens, target, depth: 0 };
    let value = parser.any()?;
    match parser.tokens.first() {
        None => Ok(value),
        Some(token) => Err(format!("{token:?} is left over")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Operator(&'static str),
    Open,
    Close,
}

const OPERATORS: [&str; 8] = ["===", "==", "!=", "<=", ">=", "~=", "<", ">"];

fn tokens(marker: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '(' => {
                tokens.push(Token::Open);
                1
            }
            ')' => {
                tokens.push(Token::Close);
                1
            }
            '\'' | '"' => {
                let end = rest[1..].find(first).ok_or("a quote is not closed")?;
                tokens.push(Token::Text(rest[1..=end].to_owned()));
                end + 2
            }
            c if c.is_ascii_alphabetic() => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            _ => {
                let operator = OPERATORS
                    .into_iter()
                    .find(|operator| rest.starts_with(operator))
                    .ok_or_else(|| format!("{first:?} is not expected"))?;
                tokens.push(Token::Operator(operator));
                operator.len()
            }
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    target: Target,
    depth: usize,
}

/// A value, and whether it came from a variable that holds a version.
struct Operand {
    text: String,
    version: bool,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<bool, String> {
        let mut value = self.all()?;
        while self.keyword("or") {
            value |= self.all()?;
        }
        Ok(value)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut value = self.one()?;
        while self.keyword("and") {
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.tokens.first() == Some(&Token::Open) {
            self.depth += 1;
            if self.depth > 50 {
                return Err("it is nested too deep".to_owned());
            }
            self.tokens = &self.tokens[1..];
            let value = self.any()?;
            self.depth -= 1;
            return match self.take() {
                Some(Token::Close) => Ok(value),
                _ => Err("a bracket is not closed".to_owned()),
            };
        }
        let left = self.operand()?;
        let operator = match self.take() {
            Some(Token::Operator(operator)) => operator,
            Some(Token::Word(word)) if word == "in" => "in",
            Some(Token::Word(word)) if word == "not" && self.keyword("in") => "not in",
            _ => return Err("a comparison is expected".to_owned()),
        };
        let right = self.operand()?;
        compare(&left, operator, &right)
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.take() {
            Some(Token::Text(text)) => Ok(Operand { text, version: false }),
            Some(Token::Word(word)) => {
                let text = self.target.value(&word).ok_or_else(|| format!("there is no variable {word}"))?;
                let version = ["python_version", "python_full_version", "implementation_version"];
                Ok(Operand { text, version: version.contains(&word.as_str()) })
            }
            _ => Err("a variable or a quoted text is expected".to_owned()),
        }
    }

    fn take(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(own)) if own == word);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }
}

fn compare(left: &Operand, operator: &str, right: &Operand) -> Result<bool, String> {
    match operator {
        "in" => return Ok(right.text.contains(&left.text)),
        "not in" => return Ok(!right.text.contains(&left.text)),
        "===" => return Ok(left.text == right.text),
        _ => {}
    }
    if !(left.version || right.version) {
        return match operator {
            "==" => Ok(left.text == right.text),
            "!=" => Ok(left.text != right.text),
            _ => Err(format!("{operator} compares versions only")),
        };
    }
    if let Some(family) = right.text.strip_suffix(".*") {
        let same = numbers(&left.text)?.starts_with(&numbers(family)?);
        return match operator {
            "==" => Ok(same),
            "!=" => Ok(!same),
            _ => Err(format!("{operator} takes no .*")),
        };
    }
    let (mut a, mut b) = (numbers(&left.text)?, numbers(&right.text)?);
    let family = b.len().saturating_sub(1);
    let length = a.len().max(b.len());
    a.resize(length, 0);
    b.resize(length, 0);
    Ok(match operator {
        "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        ">=" => a >= b,
        _ => a >= b && a[..family] == b[..family],
    })
}

fn numbers(version: &str) -> Result<Vec<u64>, String> {
    version
        .trim()
        .split('.')
        .map(|part| part.parse().map_err(|_| format!("{version} is no version")))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn on_3_10(marker: &str) -> Result<bool, String> {
        holds(marker, Target { python: Version { minor: 10, patch: 13 } })
    }

    #[test]
    fn markers_of_real_wheels() {
        for (marker, expected) in [
            (r#"python_version < "3.11""#, true),
            (r#"python_version == "3.11""#, false),
            (r#"python_version >= "3.9""#, true), // as versions: as texts "3.10" is less
            (r#"extra == "test""#, false),
            (r#"python_version < "3.8" and extra == "core""#, false),
            (r#"(sys_platform == "linux" or os_name == 'nt') and python_full_version >= "3.10.2""#, true),
            (r#"platform_system != "Windows""#, true),
            (r#"python_version ~= "3.9""#, true),
            (r#"python_version ~= "3.9.1""#, false),
            (r#"python_version == "3.*""#, true),
            (r#""linux" in sys_platform"#, true),
            (r#"sys_platform not in "win32 darwin""#, true),
            (r#"python_version < "3" or python_version > "3.9" and os_name == "posix""#, true),
        ] {
            assert_eq!(on_3_10(marker), Ok(expected), "{marker}");
        }
    }

    #[test]
    fn broken_markers_are_refused() {
        for marker in [
            "",
            "python_version",
            "python_version <",
            "moon == 'full'",
            "(os_name == 'posix'",
            "os_name == 'posix' os_name",
            "os_name == 'posix",
            "python_version < 'three'",
            "os_name < 'posix'",
            "@",
        ] {
            assert!(on_3_10(marker).is_err(), "{marker}");
        }
        assert!(on_3_10(&"(".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(marker in r#"(\(|\)|and |or |in |not |"3\.[0-9*]"|'x|python_version|os_name|<|==|~=| |é){0,12}"#) {
            let _ = on_3_10(&marker);
        }
    }
}
