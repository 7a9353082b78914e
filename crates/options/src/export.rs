//! --export of sbatch and srun: what of the caller's environment goes along.

use bivouac_types::Blob;
use bivouac_types::job::Export;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// --export as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportList {
    /// Which of the three kinds.
    pub kind: Export,
    /// Names, and assignments with their value.
    pub items: Vec<(String, Option<String>)>,
}

impl ExportList {
    /// Parses `ALL`, `NONE`, `NAME,NAME=value`, `ALL,NAME=value`. A value in single or double quotes may hold commas; double quotes stay.
    pub fn parse(text: &str) -> ExportList {
        if text.is_empty() || text.eq_ignore_ascii_case("ALL") {
            return ExportList::default();
        }
        if text.eq_ignore_ascii_case("NONE") {
            return ExportList { kind: Export::None, items: Vec::new() };
        }
        let mut list = ExportList { kind: Export::Names, items: Vec::new() };
        for item in split(text) {
            match item.split_once('=') {
                _ if item.is_empty() => {}
                None if item.eq_ignore_ascii_case("ALL") => list.kind = Export::All,
                None => list.items.push((item, None)),
                Some((name, value)) => list.items.push((name.to_owned(), Some(value.to_owned()))),
            }
        }
        list
    }

    /// The environment that goes along, `NAME=value` each, from the caller's. SLURM_* variables always do, and
    /// bivouac's own, by which commands find their cluster. An assignment wins over the caller's variable, with ALL
    /// too, whatever sbatch(1) says.
    pub fn apply(&self, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<Blob> {
        let mut out = Vec::new();
        let mut present = Vec::new();
        for (name, value) in environment {
            let bytes = name.as_bytes();
            let assigned = self.items.iter().find(|(n, _)| n.as_bytes() == bytes);
            let goes = match (&self.kind, assigned) {
                (Export::All, Some((_, Some(_)))) => false,
                (Export::All, _) => true,
                (Export::Names, Some((_, None))) => true,
                (Export::Names, Some((_, Some(_)))) => false,
                _ => bytes.starts_with(b"SLURM_") || bytes.starts_with(b"BIVOUAC_"),
            };
            if goes {
                out.push(entry(&name, &value));
                present.push(name);
            }
        }
        for (name, value) in &self.items {
            if let Some(value) = value
                && !present.iter().any(|p| p.as_bytes() == name.as_bytes())
            {
                out.push(entry(OsStr::new(name), OsStr::new(value)));
            }
        }
        out
    }
}

fn entry(name: &OsStr, value: &OsStr) -> Blob {
    Blob([name.as_bytes(), b"=", value.as_bytes()].concat())
}

/// Cuts at commas outside quotes; single quotes are taken away.
fn split(text: &str) -> Vec<String> {
    let (mut items, mut item, mut quote) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => {
                quote = None;
                // Only single quotes are taken away.
                if c == '"' {
                    item.push(c);
                }
            }
            ('\'' | '"', None) if item.ends_with('=') => {
                quote = Some(c);
                if c == '"' {
                    item.push(c);
                }
            }
            (',', None) => items.push(std::mem::take(&mut item)),
            _ => item.push(c),
        }
    }
    items.push(item);
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn applied(export: &str) -> Vec<String> {
        let environment = [
            ("HOME", "/root"),
            ("EDITOR", "vi"),
            ("SLURM_X", "1"),
            ("BIVOUAC_CLUSTER", "c"),
            ("BASH_FUNC_module%%", "() { :\n}"),
        ];
        let environment = environment.map(|(n, v)| (OsString::from(n), OsString::from(v)));
        let blobs = ExportList::parse(export).apply(environment);
        blobs.iter().map(|b| String::from_utf8_lossy(&b.0).into_owned()).collect()
    }

    #[test]
    fn what_goes_along() {
        let all =
            ["HOME=/root", "EDITOR=vi", "SLURM_X=1", "BIVOUAC_CLUSTER=c", "BASH_FUNC_module%%=() { :\n}"];
        let own = ["SLURM_X=1", "BIVOUAC_CLUSTER=c"];
        assert_eq!(applied("ALL"), all);
        assert_eq!(applied(""), all);
        assert_eq!(applied("NONE"), own);
        assert_eq!(applied("EDITOR,ARG1=test"), ["EDITOR=vi", own[0], own[1], "ARG1=test"]);
        assert_eq!(applied("EDITOR=nano"), [own[0], own[1], "EDITOR=nano"]);
        assert_eq!(applied("NOSUCH"), own);
        let but_editor = [all[0], all[2], all[3], all[4], "EDITOR=nano", "NEW=1"];
        assert_eq!(applied("ALL,EDITOR=nano,NEW=1"), but_editor);
        assert_eq!(applied("A='x,y',B=\"z,\",C=a=b"), [own[0], own[1], "A=x,y", "B=\"z,\"", "C=a=b"]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[A-C=,'\"é ]{0,16}") {
            let _ = ExportList::parse(&text).apply([]);
        }
    }
}
