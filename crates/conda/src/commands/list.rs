//! `conda list`: packages of an environment, those of pip included.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rattler_conda_types::PrefixRecord;

use crate::args::{Opt, Stop, help, parse, switch};
use crate::channel;
use crate::commands::{Context, PRESENTATION, TARGET, print_json};
use crate::environments::is_environment;
use crate::error::{CondaError, Result};
use crate::replace;

const LIST: &[Opt] = &[
    switch("canonical", None, "Output canonical names of packages only."),
    switch("full-name", Some('f'), "Only search for full names, i.e. ^<regex>$."),
    switch("explicit", None, "List explicitly all installed conda packages with URL."),
    switch("md5", None, "Add MD5 hashsum when using --explicit."),
    switch("export", Some('e'), "Output explicit, machine-readable requirement strings."),
    switch("no-pip", None, "Do not include pip-only installed packages."),
];
const TABLE: &[&[Opt]] = &[TARGET, LIST, PRESENTATION];

/// One line of the list.
struct Row {
    name: String,
    version: String,
    build: String,
    channel: String,
    url: Option<String>,
    md5: Option<String>,
    subdir: String,
}

/// `conda list [PATTERN]`.
///
/// # Errors
/// No such environment.
pub fn run(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, TABLE, Stop::Never)?;
    if parsed.has("help") {
        let usage = "list [-n ENVIRONMENT | -p PATH] [options] [pattern]";
        print!("{}", help(usage, "List installed packages in a conda environment.", TABLE));
        return Ok(());
    }
    let prefix = context.target(&parsed)?;
    replace::settle(&context.config, &prefix);
    if !is_environment(&prefix) && prefix != context.config.root {
        return Err(CondaError::no_environment_at(&prefix));
    }
    let mut rows = rows(context, &prefix, parsed.has("no-pip") || parsed.has("explicit"))?;
    match parsed.words.as_slice() {
        [] => {}
        [pattern] => rows.retain(|row| matches(pattern, &row.name, parsed.has("full-name"))),
        more => return Err(CondaError::usage(format!("unrecognized arguments: {}", more[1..].join(" ")))),
    }
    if parsed.has("json") {
        print_json(&rows.iter().map(Row::json).collect());
    } else if parsed.has("explicit") {
        println!(
            "# This file may be used to create an environment using:\n# $ conda create --name <env> --file <this file>\n\
             # platform: {}\n@EXPLICIT",
            rattler_conda_types::Subdir::current().map_or("unknown", |subdir| subdir.as_str())
        );
        for row in &rows {
            let md5 = row
                .md5
                .as_ref()
                .filter(|_| parsed.has("md5"))
                .map(|md5| format!("#{md5}"))
                .unwrap_or_default();
            println!("{}{md5}", row.url.as_deref().unwrap_or_default());
        }
    } else if parsed.has("export") {
        println!(
            "# This file may be used to create an environment using:\n# $ conda create --name <env> --file <this file>"
        );
        for row in &rows {
            println!("{}={}={}", row.name, row.version, row.build);
        }
    } else if parsed.has("canonical") {
        for row in &rows {
            println!("{}-{}-{}", row.name, row.version, row.build);
        }
    } else {
        println!("# packages in environment at {}:\n#", prefix.display());
        println!("# {:<23} {:<15} {:>15}  Channel", "Name", "Version", "Build");
        for row in &rows {
            println!("{:<25} {:<15} {:>15}  {}", row.name, row.version, row.build, row.channel);
        }
    }
    Ok(())
}

impl Row {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "version": self.version,
            "build_string": self.build,
            "channel": self.channel,
            "dist_name": format!("{}-{}-{}", self.name, self.version, self.build),
            "platform": self.subdir,
            "url": self.url,
        })
    }
}

fn rows(context: &Context, prefix: &Path, without_pip: bool) -> Result<Vec<Row>> {
    let records: Vec<PrefixRecord> = match PrefixRecord::collect_from_prefix(prefix) {
        Ok(records) => records,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(CondaError::io("read the packages of", prefix, &error)),
    };
    let defaults = channel::resolve_one(&context.config, "defaults", &context.cwd)
        .map(|tier| tier.urls)
        .unwrap_or_default();
    let mut rows: Vec<Row> = records.iter().map(|record| row(context, record, &defaults)).collect();
    if !without_pip {
        let owned: BTreeSet<&Path> =
            records.iter().flat_map(|record| &record.files).map(PathBuf::as_path).collect();
        rows.extend(pip_rows(prefix, &owned));
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

fn row(context: &Context, record: &PrefixRecord, defaults: &[url::Url]) -> Row {
    let package = &record.repodata_record.package_record;
    let url = record.repodata_record.channel.clone().unwrap_or_default();
    // Channels of `defaults` are left blank, as conda does.
    let of_defaults =
        defaults.iter().any(|member| member.as_str().trim_end_matches('/') == url.trim_end_matches('/'));
    Row {
        name: package.name.as_normalized().to_owned(),
        version: package.version.to_string(),
        build: package.build.to_string(),
        channel: if of_defaults { String::new() } else { channel::label(&context.config, &[], &url) },
        url: Some(record.repodata_record.url.to_string()),
        md5: package.md5.map(|md5| crate::lock::hex(&md5)),
        subdir: package.subdir.clone(),
    }
}

/// Python packages that no conda package owns: every `*.dist-info` below a `site-packages`.
fn pip_rows(prefix: &Path, owned: &BTreeSet<&Path>) -> Vec<Row> {
    let lib = prefix.join("lib");
    let pythons = std::fs::read_dir(&lib).into_iter().flatten().flatten();
    let mut rows = Vec::new();
    for site in pythons
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python"))
        .map(|entry| entry.path().join("site-packages"))
    {
        for entry in std::fs::read_dir(&site).into_iter().flatten().flatten() {
            let metadata = entry.path().join("METADATA");
            let relative = metadata.strip_prefix(prefix).unwrap_or(&metadata);
            if entry.path().extension().is_none_or(|e| e != "dist-info") || owned.contains(relative) {
                continue;
            }
            let text = std::fs::read_to_string(&metadata).unwrap_or_default();
            let field = |key: &str| {
                text.lines()
                    .take_while(|line| !line.is_empty())
                    .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
                    .map(str::to_owned)
            };
            if let (Some(name), Some(version)) = (field("Name"), field("Version")) {
                rows.push(Row {
                    name: name.to_lowercase().replace(['_', '.'], "-"),
                    version,
                    build: "pypi_0".into(),
                    channel: "pypi".into(),
                    url: None,
                    md5: None,
                    subdir: "pypi".into(),
                });
            }
        }
    }
    rows
}

/// Conda takes a regular expression. Here `^` and `$` anchor, `.*` and `*` stand for any text, and the rest is literal.
fn matches(pattern: &str, name: &str, full: bool) -> bool {
    let (start, rest) = pattern.strip_prefix('^').map_or((full, pattern), |rest| (true, rest));
    let (end, rest) = rest.strip_suffix('$').map_or((full, rest), |rest| (true, rest));
    let parts: Vec<&str> = rest.split('*').map(|part| part.strip_suffix('.').unwrap_or(part)).collect();
    let mut at = 0;
    for (index, part) in parts.iter().enumerate() {
        let found = if index == 0 && start {
            name.starts_with(part).then_some(0)
        } else if index + 1 == parts.len() && end {
            name.len().checked_sub(part.len()).filter(|place| *place >= at && name.ends_with(part))
        } else {
            name[at..].find(part).map(|place| at + place)
        };
        match found {
            Some(place) => at = place + part.len(),
            None => return false,
        }
    }
    !end || parts.len() > 1 || !start || at == name.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn no_pattern_panics(pattern in "[a-b^$.*é]{0,8}", name in "[a-bé]{0,6}", full: bool) {
            matches(&pattern, &name, full);
            prop_assert!(matches("", &name, false));
            prop_assert!(matches(&name, &name, true));
        }
    }

    #[test]
    fn patterns_select_names() {
        for (pattern, full, name, expected) in [
            ("num", false, "numpy", true),
            ("num", true, "numpy", false),
            ("numpy", true, "numpy", true),
            ("^num", false, "numpy", true),
            ("py$", false, "numpy", true),
            ("^numpy$", false, "numpydoc", false),
            ("^num.*oc$", false, "numpydoc", true),
            ("pandas", false, "numpy", false),
        ] {
            assert_eq!(matches(pattern, name, full), expected, "{pattern} {name}");
        }
    }
}
