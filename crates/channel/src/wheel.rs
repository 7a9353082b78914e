//! Reads a wheel (a zip of files for site-packages and their `.dist-info`) and makes a conda package of it.
//! Facts of the format: the Python packaging specifications "binary distribution format" and "core metadata".

use std::io::{Read, Seek};
use std::path::Path;

use crate::error::{At, Error};
use crate::interpreter::Version;
use crate::marker::Target;
use crate::package::{Entry, Kind, PLACEHOLDER, Package};
use crate::recipe::conda_name;
use crate::requirement::{Requirement, normalized, version_spec};

/// A wheel's content, as far as a conda package needs it.
#[derive(Debug)]
pub struct Wheel {
    file: String,
    name: String,
    version: String,
    license: String,
    summary: String,
    requires: Vec<Requirement>,
    requires_python: String,
    /// Console scripts, as `name = module:function`.
    scripts: Vec<String>,
    /// Files relative to site-packages.
    files: Vec<Entry>,
}

impl Wheel {
    /// Reads the wheel at `path`.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or has what this recipe has no place for (a `.data` folder).
    pub fn open(path: &Path) -> Result<Wheel, Error> {
        let file = std::fs::File::open(path).at("cannot open", path)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Wheel::read(&name, file).map_err(|why| Error::malformed(path.display().to_string(), why))
    }

    /// Reads a wheel of the given file name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(file: &str, content: impl Read + Seek) -> Result<Wheel, String> {
        let mut zip = zip::ZipArchive::new(content).map_err(|error| format!("it is no wheel ({error})"))?;
        let mut dist_info = None;
        let mut files = Vec::new();
        let mut metadata = None;
        let mut scripts = Vec::new();
        for i in 0..zip.len() {
            let mut member = zip.by_index(i).map_err(|error| error.to_string())?;
            let path = member.name().map_err(|error| error.to_string())?.into_owned();
            if member.is_dir() {
                continue;
            }
            if !is_plain(&path) {
                return Err(format!("its member {path:?} would leave the environment"));
            }
            let (top, rest) = path.split_once('/').unwrap_or((&path, ""));
            if top.ends_with(".data") {
                return Err(format!("it has {path}; .data folders are not part of the recipe"));
            }
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).map_err(|error| format!("{path}: {error}"))?;
            if top.ends_with(".dist-info") {
                dist_info = Some(top.to_owned());
                match rest {
                    "METADATA" => metadata = Some(String::from_utf8_lossy(&bytes).into_owned()),
                    "entry_points.txt" => scripts = console_scripts(&String::from_utf8_lossy(&bytes)),
                    // So that pip, asked to upgrade the package, knows all of its files.
                    "RECORD" => bytes.extend(format!("{top}/INSTALLER,,\n").as_bytes()),
                    // Signatures of the record as it was.
                    "RECORD.jws" | "RECORD.p7s" => continue,
                    _ => {}
                }
            }
            let executable = member.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            files.push(if executable { Entry::executable(path, bytes) } else { Entry::file(path, bytes) });
        }
        let dist_info = dist_info.ok_or("it has no .dist-info folder")?;
        files.push(Entry::file(format!("{dist_info}/INSTALLER"), "conda\n"));
        let metadata = metadata.ok_or("it has no METADATA")?;
        Wheel::assemble(file, &metadata, scripts, files)
    }

    fn assemble(
        file: &str,
        metadata: &str,
        scripts: Vec<String>,
        files: Vec<Entry>,
    ) -> Result<Wheel, String> {
        let headers = headers(metadata);
        let one = |key: &str| headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, v)| *v);
        let requires: Result<Vec<_>, String> = headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case("Requires-Dist"))
            // Optional features may ask for what conda cannot say; nobody asks for the features.
            .filter(|(_, value)| !value.split_once(';').is_some_and(|(_, marker)| marker.contains("extra")))
            .map(|(_, value)| Requirement::parse(value))
            .collect();
        Ok(Wheel {
            file: file.to_owned(),
            name: normalized(one("Name").ok_or("its METADATA has no Name")?),
            version: one("Version").ok_or("its METADATA has no Version")?.to_owned(),
            license: one("License-Expression")
                .or_else(|| one("License"))
                .unwrap_or("see .dist-info")
                .to_owned(),
            summary: one("Summary").unwrap_or_default().to_owned(),
            requires: requires?,
            requires_python: version_spec(one("Requires-Python").unwrap_or_default())?,
            scripts,
            files,
        })
    }

    /// Whether one package serves every Python and platform.
    pub fn is_pure(&self) -> bool {
        self.file.ends_with("-none-any.whl")
    }

    /// The conda package. A pure wheel becomes one `noarch: python` package for all of `pythons`; any other one a
    /// package of this platform for `pythons`, which must then be one.
    ///
    /// # Errors
    /// A requirement that cannot be said in conda's words, or that differs between the Pythons of a pure wheel.
    pub fn into_package(self, pythons: &[Version]) -> Result<Package, Error> {
        let fail = |why: String| Error::malformed(self.file.clone(), why);
        let mut depends = self.requirements(pythons).map_err(fail)?;
        let platform = if self.is_pure() { None } else { pythons.first() };
        if let Some(python) = platform {
            depends.push(format!("python {}.*", python.major_minor()));
            depends.push(python_abi_spec(*python));
            depends.extend(glibc_spec(&self.file));
        } else {
            depends.push(format!("python {}", self.requires_python).trim_end().to_owned());
        }
        depends.sort();
        let site_packages = match platform {
            Some(python) => format!("lib/python{}/site-packages", python.major_minor()),
            None => "site-packages".to_owned(),
        };
        let mut entries = self.files;
        for entry in &mut entries {
            entry.path = format!("{site_packages}/{}", entry.path);
        }
        if let Some(python) = platform {
            for script in &self.scripts {
                entries.extend(console_script(script, &python.major_minor(), PLACEHOLDER));
            }
        }
        Ok(Package {
            name: conda_name(&self.name).to_owned(),
            version: self.version,
            build: platform.map_or("py_0".to_owned(), |python| format!("py3{}_0", python.minor)),
            kind: if platform.is_some() { Kind::Platform } else { Kind::Python },
            depends,
            constrains: Vec::new(),
            license: self.license,
            summary: self.summary,
            python_site_packages_path: None,
            entry_points: if platform.is_some() { Vec::new() } else { self.scripts },
            entries,
        })
    }

    fn requirements(&self, pythons: &[Version]) -> Result<Vec<String>, String> {
        let mut specs: Option<Vec<String>> = None;
        for python in pythons {
            let target = Target { python: *python };
            let own: Result<Vec<Option<String>>, String> =
                self.requires.iter().map(|requirement| requirement.match_spec(target)).collect();
            let own: Vec<String> = own?.into_iter().flatten().collect();
            match &specs {
                Some(known) if *known != own => {
                    return Err("it needs different packages on different Pythons".to_owned());
                }
                _ => specs = Some(own),
            }
        }
        Ok(specs.unwrap_or_default())
    }
}

/// The match spec that binds a package to the binary interface of one Python.
pub fn python_abi_spec(python: Version) -> String {
    format!("python_abi {}.* *_cp3{}", python.major_minor(), python.minor)
}

/// The script that a console entry point stands for, or None if the line is no entry point.
pub fn console_script(entry_point: &str, python: &str, prefix: &str) -> Option<Entry> {
    let (name, target) = entry_point.split_once('=')?;
    let (module, function) = target.trim().split_once(':')?;
    // An entry point may name extras after its function; they are nothing to the script.
    let function = function.split('[').next()?.trim();
    let (first, _) = function.split_once('.').unwrap_or((function, ""));
    let text = format!(
        "#!{prefix}/bin/python{python}\nimport sys\n\nfrom {} import {first}\n\nsys.exit({function}())\n",
        module.trim()
    );
    Some(Entry::executable(format!("bin/{}", name.trim()), text))
}

/// The lowest glibc among a wheel's manylinux tags, as a match spec.
fn glibc_spec(file: &str) -> Option<String> {
    let tags = file.strip_suffix(".whl")?.rsplit('-').next()?;
    let minor = tags
        .split('.')
        .filter_map(|tag| match tag.strip_prefix("manylinux_2_") {
            Some(rest) => rest.split('_').next()?.parse::<u32>().ok(),
            None if tag.starts_with("manylinux2014") => Some(17),
            None => None,
        })
        .min()?;
    Some(format!("__glibc >=2.{minor}"))
}

fn is_plain(path: &str) -> bool {
    !path.is_empty() && !path.contains('\\') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The header lines of a METADATA file; of a value over several lines, the first.
fn headers(metadata: &str) -> Vec<(&str, &str)> {
    metadata
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect()
}

fn console_scripts(entry_points: &str) -> Vec<String> {
    let mut section = "";
    let mut scripts = Vec::new();
    for line in entry_points.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if section == "console_scripts" && line.contains('=') && !line.starts_with('#') {
            scripts.push(line.to_owned());
        }
    }
    scripts
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use proptest::prelude::*;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::package::Content;

    const PYTHON: Version = Version { minor: 10, patch: 13 };

    fn wheel(members: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    const METADATA: &str = "Metadata-Version: 2.1\nName: Moon_Phase\nVersion: 1.2\nRequires-Python: >=3.8, <4\n\
        Requires-Dist: six>=1.5\nRequires-Dist: odd @ https://example.org ; extra == 'all'\n\nName: not a header\n";

    fn sample() -> Vec<u8> {
        wheel(&[
            ("moon_phase/__init__.py", "def main(): return 0\n"),
            ("moon_phase-1.2.dist-info/METADATA", METADATA),
            ("moon_phase-1.2.dist-info/RECORD", "moon_phase/__init__.py,,\n"),
            (
                "moon_phase-1.2.dist-info/entry_points.txt",
                "[console_scripts]\nmoon = moon_phase:main\n[other]\na = b:c\n",
            ),
        ])
    }

    #[test]
    fn a_pure_wheel_becomes_a_noarch_python_package() {
        let wheel = Wheel::read("moon_phase-1.2-py3-none-any.whl", Cursor::new(sample())).unwrap();
        let package = wheel.into_package(&[PYTHON]).unwrap();
        assert_eq!((package.name.as_str(), package.kind), ("moon-phase", Kind::Python));
        assert_eq!(package.depends, ["python >=3.8,<4", "six >=1.5"]);
        assert_eq!(package.entry_points, ["moon = moon_phase:main"]);
        let paths: Vec<_> = package.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert!(paths.contains(&"site-packages/moon_phase/__init__.py"));
        assert!(paths.contains(&"site-packages/moon_phase-1.2.dist-info/INSTALLER"));
        let record = package.entries.iter().find(|entry| entry.path.ends_with("/RECORD")).unwrap();
        let Content::File { bytes, .. } = &record.content else { panic!("no file") };
        assert!(bytes.ends_with(b"moon_phase-1.2.dist-info/INSTALLER,,\n"));
    }

    #[test]
    fn a_binary_wheel_is_bound_to_its_python_and_gets_its_scripts() {
        let file = "moon_phase-1.2-cp310-cp310-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl";
        let package = Wheel::read(file, Cursor::new(sample())).unwrap().into_package(&[PYTHON]).unwrap();
        assert_eq!(
            package.depends,
            ["__glibc >=2.24", "python 3.10.*", "python_abi 3.10.* *_cp310", "six >=1.5"]
        );
        let script = package.entries.iter().find(|entry| entry.path == "bin/moon").unwrap();
        let Content::File { bytes, executable: true } = &script.content else { panic!("no executable") };
        assert!(bytes.starts_with(format!("#!{PLACEHOLDER}/bin/python3.10\n").as_bytes()));
    }

    #[test]
    fn what_the_recipe_has_no_place_for_is_refused() {
        for (members, expected) in [
            (vec![("../evil.py", "")], "leave the environment"),
            (vec![("/etc/evil.py", "")], "leave the environment"),
            (vec![("m-1.data/scripts/m", "")], ".data"),
            (vec![("m/__init__.py", "")], "no .dist-info"),
            (vec![("m-1.dist-info/WHEEL", "")], "no METADATA"),
            (vec![("m-1.dist-info/METADATA", "Name: m\n")], "no Version"),
        ] {
            let error = Wheel::read("m-1-py3-none-any.whl", Cursor::new(wheel(&members))).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_wheels_are_answered(place in 0usize..2000, value: u8, cut in 0usize..300) {
            let mut bytes = sample();
            let place = place % bytes.len();
            bytes[place] = value;
            bytes.truncate(bytes.len() - cut);
            let _ = Wheel::read("moon_phase-1.2-py3-none-any.whl", Cursor::new(bytes));
        }
    }
}
