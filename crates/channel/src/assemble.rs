//! The order of a build: fetch the wheels, write the packages, write the index, check that the whole works.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::{Built, Part};
use crate::error::{At, Error};
use crate::interpreter::{Interpreter, Origin, Version};
use crate::package::Record;
use crate::wheel::Wheel;
use crate::{cpython, fetch, prefix, repodata};

/// What an environment of the channel must be able to do.
const CHECK: &str = "import ctypes, sqlite3, ssl, zlib
import numpy, pandas
table = pandas.DataFrame(numpy.arange(6).reshape(3, 2), columns=['a', 'b'])
assert table.describe().loc['mean', 'a'] == 2.0";

/// Builds the whole channel in the folder `dir`, with downloads kept in `wheels`.
///
/// # Errors
/// See [`Error`]; the folder is then to be thrown away.
pub fn build(dir: &Path, wheels: &Path, interpreters: &[Interpreter]) -> Result<Built, Error> {
    let mut records: Vec<Record> = Vec::new();
    let mut pure: BTreeSet<PathBuf> = BTreeSet::new();
    // What each Python's environment is made of, for the check.
    let mut by_python: BTreeMap<Version, Vec<PathBuf>> = BTreeMap::new();
    // What can fail for lack of a network comes first.
    let mut fetched = Vec::new();
    for interpreter in interpreters {
        fetched.push(fetch::wheels(interpreter, wheels)?);
    }
    for (interpreter, wheels) in interpreters.iter().zip(fetched) {
        eprintln!("channel: packaging Python {} of {}", interpreter.version, interpreter.prefix.display());
        let mut own = vec![cpython::package(interpreter)?, cpython::python_abi(interpreter.version)];
        for path in wheels {
            let wheel = Wheel::open(&path)?;
            if wheel.is_pure() {
                pure.insert(path);
            } else {
                own.push(wheel.into_package(&[interpreter.version])?);
            }
        }
        for package in own {
            let record = package.write(dir)?;
            by_python.entry(interpreter.version).or_default().push(path_of(dir, &record));
            records.push(record);
        }
    }
    let pythons: Vec<Version> = interpreters.iter().map(|interpreter| interpreter.version).collect();
    for path in pure {
        let record = Wheel::open(&path)?.into_package(&pythons)?.write(dir)?;
        by_python.values_mut().for_each(|packages| packages.push(path_of(dir, &record)));
        records.push(record);
    }
    check_closed(&records)?;
    repodata::write(dir, &records)?;
    for (python, packages) in &by_python {
        check_works(*python, packages)?;
    }
    Ok(Built {
        pythons: pythons.iter().map(Version::to_string).collect(),
        from_pyenv: interpreters.iter().all(|interpreter| interpreter.origin == Origin::Pyenv),
        parts: records
            .iter()
            .map(|record| Part { path: relative(record), size: record.size, sha256: record.sha256.clone() })
            .collect(),
    })
}

fn relative(record: &Record) -> String {
    let subdir = record.index.get("subdir").and_then(|subdir| subdir.as_str()).unwrap_or_default();
    format!("{subdir}/{}", record.file)
}

fn path_of(dir: &Path, record: &Record) -> PathBuf {
    dir.join(relative(record))
}

/// Every package that another one depends on must be there; only conda's virtual packages (`__glibc`) come from outside.
fn check_closed(records: &[Record]) -> Result<(), Error> {
    let text = |record: &Record, key: &str| -> Vec<String> {
        match record.index.get(key) {
            Some(serde_json::Value::Array(values)) => {
                values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
            }
            Some(serde_json::Value::String(value)) => vec![value.clone()],
            _ => Vec::new(),
        }
    };
    let names: BTreeSet<String> = records.iter().flat_map(|record| text(record, "name")).collect();
    for record in records {
        for spec in text(record, "depends") {
            let name = spec.split(' ').next().unwrap_or_default();
            if !name.starts_with("__") && !names.contains(name) {
                let why = format!("it needs {spec}, which the recipe has not: add it to the pins");
                return Err(Error::malformed(&record.file, why));
            }
        }
    }
    Ok(())
}

/// Unpacks everything for one Python into a throw-away prefix and uses it.
fn check_works(python: Version, packages: &[PathBuf]) -> Result<(), Error> {
    eprintln!("channel: checking Python {python} with numpy and pandas");
    let folder = tempfile::tempdir().at("cannot make a folder in", &std::env::temp_dir())?;
    for package in packages {
        prefix::install(package, folder.path(), python)?;
    }
    let executable = folder.path().join("bin/python");
    let run = |arguments: &[&str]| -> Result<(), Error> {
        let mut command = Command::new(&executable);
        command.args(arguments).env_remove("PYTHONHOME").env_remove("PYTHONPATH").stdin(Stdio::null());
        let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output().at("cannot run", &executable)?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(Error::Check {
            what: format!("Python {python}: {}", arguments.join(" ")),
            said: String::from_utf8_lossy(&said).into_owned(),
        })
    };
    let inside =
        format!("import sys; assert sys.prefix == {:?}, sys.prefix", folder.path().display().to_string());
    run(&["-c", &inside])?;
    run(&["-c", CHECK])?;
    run(&["-m", "pip", "--disable-pip-version-check", "check"])
}
