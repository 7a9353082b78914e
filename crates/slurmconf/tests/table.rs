//! THE table against the man pages of Slurm 22.05, and docs/slurm-conf.md made from it.

// The switch that rewrites the document and the folder of manual pages are all that a test of a pure crate reads.
#![allow(clippy::disallowed_methods)]

use bivouac_slurmconf::keys::{self, Key, Kind, Standing};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAMES: &str = include_str!("man-22.05.names");

/// Words of a key's values that the man page sets like keys, and keys of front-end nodes, which are refused as a line.
const NO_KEYS: [&str; 6] =
    ["NoShared", "UsePss", "OverMemoryKill", "FrontendName", "FrontendAddr", "AllowUsers"];

fn keys_of(section: &str) -> Option<Vec<&'static Key>> {
    Some(match section {
        "slurm.conf: PARAMETERS" => keys::parameters().collect(),
        "slurm.conf: NODE CONFIGURATION" => keys::NODE.iter().collect(),
        "slurm.conf: DOWN NODE CONFIGURATION" => keys::DOWN_NODE.iter().collect(),
        "slurm.conf: NODESET CONFIGURATION" => keys::NODE_SET.iter().collect(),
        "slurm.conf: PARTITION CONFIGURATION" => keys::PARTITION.iter().collect(),
        "gres.conf: DESCRIPTION" => keys::GRES.iter().collect(),
        "topology.conf: DESCRIPTION" => keys::TOPOLOGY.iter().collect(),
        "cgroup.conf: DESCRIPTION" | "cgroup.conf: TASK/CGROUP PLUGIN" => keys::CGROUP.iter().collect(),
        _ => return None,
    })
}

#[test]
fn every_key_of_the_man_pages_is_in_the_table() {
    let mut section = "";
    let mut checked = 0;
    for line in NAMES.lines().filter(|l| !l.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
            continue;
        }
        let Some(keys) = keys_of(section) else {
            assert_eq!(section, "slurm.conf: FRONTEND NODE CONFIGURATION");
            continue;
        };
        if NO_KEYS.contains(&line) {
            continue;
        }
        let found =
            keys.iter().any(|k| k.name.eq_ignore_ascii_case(line) && k.standing != Standing::Computed);
        assert!(found, "{section}: {line} is not in the table");
        checked += 1;
    }
    assert!(checked > 270, "{checked}");
}

#[test]
fn the_table_has_no_key_that_the_man_pages_do_not_have() {
    // Of keys that are read and documented nowhere.
    let silent = [
        "JobCredentialPrivateKey",
        "JobCredentialPublicCertificate",
        "PriorityParameters",
        "Feature",
        "CPUs",
    ];
    let known: BTreeSet<String> = NAMES.lines().map(str::to_ascii_lowercase).collect();
    let all = [keys::NODE, keys::DOWN_NODE, keys::NODE_SET, keys::PARTITION, keys::GRES, keys::TOPOLOGY];
    let all = keys::parameters().chain(all.into_iter().flatten()).chain(keys::CGROUP);
    for key in all.filter(|k| k.standing != Standing::Computed) {
        let documented = known.contains(&key.name.to_ascii_lowercase());
        assert!(documented || silent.contains(&key.name), "{}", key.name);
    }
}

/// Where the man pages are installed, the list is what they say.
#[test]
fn the_list_is_that_of_the_installed_man_pages() {
    let folders = [std::env::var("BIVOUAC_SLURM_MAN").ok(), Some("/usr/share/man/man5".to_owned())];
    let page = |file: &str| -> Option<PathBuf> {
        folders.iter().flatten().map(|f| Path::new(f).join(format!("{file}.5.gz"))).find(|p| p.exists())
    };
    let mut now = NAMES.lines().next().map(|l| format!("{l}\n")).unwrap_or_default();
    for file in ["slurm.conf", "gres.conf", "topology.conf", "cgroup.conf"] {
        let Some(page) = page(file) else {
            eprintln!("the man page of {file} is not installed");
            return;
        };
        let text = Command::new("gzip").arg("-dc").arg(&page).output().expect("gzip");
        now.push_str(&names_in(file, &String::from_utf8_lossy(&text.stdout)));
    }
    assert!(now == NAMES, "the installed man pages have other keys:\n{now}");
}

/// The entries of a man page that are keys: bold words at the outermost level.
fn names_in(file: &str, roff: &str) -> String {
    let (mut out, mut section, mut written, mut depth) = (String::new(), "", "", 0u32);
    let mut lines = roff.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix(".SH") {
            (section, depth) = (name.trim().trim_matches('"'), 0);
        } else if line.starts_with(".RS") {
            depth += 1;
        } else if line.starts_with(".RE") {
            depth = depth.saturating_sub(1);
        } else if line.starts_with(".TP") && depth == 0 && section != "FILE AND DIRECTORY PERMISSIONS" {
            let entry = lines.peek().and_then(|l| l.strip_prefix("\\fB")).and_then(|l| l.split_once("\\fR"));
            let Some((name, rest)) = entry else { continue };
            let is_key = name.len() > 1
                && name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|b| b.is_ascii_alphanumeric())
                && (rest.is_empty() || rest.starts_with('='));
            if is_key {
                if written != section {
                    out.push_str(&format!("[{file}: {section}]\n"));
                    written = section;
                }
                out.push_str(&format!("{name}\n"));
            }
        }
    }
    out
}

#[test]
fn the_document_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/slurm-conf.md");
    let text = document();
    if std::env::var_os("BIVOUAC_BLESS").is_some() {
        std::fs::write(&path, &text).expect("docs/slurm-conf.md");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "docs/slurm-conf.md is not that of the table; BIVOUAC_BLESS=1 cargo test -p bivouac-slurmconf writes it"
    );
}

fn document() -> String {
    let mut text = include_str!("slurm-conf.head.md").to_owned();
    let sections: [(&str, Vec<&'static Key>); 8] = [
        ("slurm.conf", keys::parameters().collect()),
        ("NodeName= lines", keys::NODE.iter().collect()),
        ("DownNodes= lines", keys::DOWN_NODE.iter().collect()),
        ("NodeSet= lines", keys::NODE_SET.iter().collect()),
        ("PartitionName= lines", keys::PARTITION.iter().collect()),
        ("gres.conf", keys::GRES.iter().collect()),
        ("topology.conf", keys::TOPOLOGY.iter().collect()),
        ("cgroup.conf", keys::CGROUP.iter().collect()),
    ];
    for (title, keys) in sections {
        let keys: Vec<&Key> = keys.into_iter().filter(|k| k.standing != Standing::Computed).collect();
        let count = |f: fn(&Standing) -> bool| keys.iter().filter(|k| f(&k.standing)).count();
        let honoured = count(|s| *s == Standing::Honoured);
        let listed = count(|s| matches!(s, Standing::Listed(_)));
        let refused = count(|s| matches!(s, Standing::Refused(_)));
        text.push_str(&format!(
            "\n## {title}\n\n{} keys: {honoured} honoured, {listed} listed, {refused} refused.\n\n\
             | key | values | here | why, or what to do |\n|---|---|---|---|\n",
            keys.len()
        ));
        for key in keys {
            let (standing, why) = match key.standing {
                Standing::Honoured => ("honoured", ""),
                Standing::Listed(why) => ("listed", why),
                Standing::Refused(advice) => ("refused", advice),
                Standing::Computed => continue,
            };
            text.push_str(&format!("| {} | {} | {standing} | {why} |\n", key.name, values(key)));
        }
    }
    text
}

fn values(key: &Key) -> String {
    let words = |words: &[&str]| words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" ");
    match key.kind {
        Kind::Text => String::new(),
        Kind::Program => "a program's absolute path".into(),
        Kind::Count => "a number".into(),
        Kind::Unit(unit) => format!("a number ({unit})"),
        Kind::SecondsOrInfinite => "seconds, INFINITE".into(),
        Kind::YesNo | Kind::LowerYesNo => "YES, NO".into(),
        Kind::Bit => "0, 1".into(),
        Kind::Time => "a time".into(),
        Kind::Limit => "a number, UNLIMITED".into(),
        Kind::Percent => "percent".into(),
        Kind::Megabytes => "MB".into(),
        Kind::Level => "a level of logging".into(),
        Kind::OneOf(list) => words(list),
        Kind::Words(list) => words(list),
    }
}
