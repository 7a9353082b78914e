//! Compiled Python files for noarch packages, which conda makes when it links them.
//!
//! Compiling is done once per package and Python version: the results are kept in the package cache and linked from
//! there. A `.pyc` names its source's time of change and size, so one that does not fit is never used.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rattler_conda_types::PrefixRecord;
use rattler_conda_types::prefix_record::{PathType, PathsEntry};

/// A Python source and its compiled file, relative to the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    source: PathBuf,
    compiled: PathBuf,
}

struct Package {
    record: PrefixRecord,
    pairs: Vec<Pair>,
    kept_at: Option<PathBuf>,
}

/// Provides compiled files for all noarch Python packages in the prefix. What does not compile is left out, as conda
/// leaves it out; Python then compiles in memory.
pub fn provide(prefix: &Path, cache: &Path) {
    let records: Vec<PrefixRecord> = PrefixRecord::collect_from_prefix(prefix).unwrap_or_default();
    let python = records.iter().find(|record| record.name().as_normalized() == "python");
    let Some((major, minor)) =
        python.and_then(|record| record.repodata_record.package_record.version.as_major_minor())
    else {
        return;
    };
    let tag = format!("cpython-{major}{minor}");
    let mut packages: Vec<Package> = records
        .into_iter()
        .filter(is_noarch_python)
        .map(|record| Package {
            pairs: record.files.iter().filter_map(|file| pair(file, &tag)).collect(),
            kept_at: record
                .repodata_record
                .package_record
                .sha256
                .map(|sha256| cache.join(format!("{}-{tag}", crate::lock::hex(&sha256)))),
            record,
        })
        .filter(|package| !package.pairs.is_empty())
        .collect();
    let mut to_compile = Vec::new();
    for package in &packages {
        let kept = package.kept_at.as_deref().is_some_and(|kept| link_kept(prefix, kept, &package.pairs));
        if !kept {
            to_compile.extend(package.pairs.iter().map(|pair| prefix.join(&pair.source)));
        }
    }
    if !to_compile.is_empty() {
        compile(prefix, &to_compile);
        for package in &packages {
            if let Some(kept) = package.kept_at.as_deref().filter(|kept| !kept.exists()) {
                keep(prefix, kept, &package.pairs);
            }
        }
    }
    for package in &mut packages {
        record_compiled(prefix, package);
    }
}

fn is_noarch_python(record: &PrefixRecord) -> bool {
    record.repodata_record.package_record.noarch.is_python()
}

/// `a/b.py` and `a/__pycache__/b.cpython-310.pyc`.
fn pair(source: &Path, tag: &str) -> Option<Pair> {
    if source.extension()? != "py" {
        return None;
    }
    let name = format!("{}.{tag}.pyc", source.file_stem()?.to_str()?);
    Some(Pair { source: source.to_owned(), compiled: source.with_file_name("__pycache__").join(name) })
}

/// Whether the compiled file was made from this source: flags 0, then the source's time and size, as PEP 552 lays out.
fn fits(compiled: &Path, source: &Path) -> bool {
    let mut head = [0u8; 16];
    let read = std::fs::File::open(compiled).and_then(|mut file| file.read_exact(&mut head));
    let (Ok(()), Ok(data)) = (read, source.metadata()) else { return false };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    word(4) == 0 && word(8) == data.mtime() as u32 && word(12) == data.size() as u32
}

/// Links the kept files of a package into the prefix; false if they are not there or do not all fit.
fn link_kept(prefix: &Path, kept: &Path, pairs: &[Pair]) -> bool {
    if !kept.is_dir() {
        return false;
    }
    let compiled: Vec<&Pair> = pairs.iter().filter(|pair| kept.join(&pair.compiled).exists()).collect();
    if !compiled.iter().all(|pair| fits(&kept.join(&pair.compiled), &prefix.join(&pair.source))) {
        return false;
    }
    compiled.iter().all(|pair| link_or_copy(&kept.join(&pair.compiled), &prefix.join(&pair.compiled)).is_ok())
}

fn link_or_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(dir) = to.parent() {
        std::fs::create_dir_all(dir)?;
    }
    if to.exists() || std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    std::fs::copy(from, to).map(drop)
}

fn compile(prefix: &Path, sources: &[PathBuf]) {
    use std::io::Write;
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut command = Command::new(prefix.join("bin/python"));
    command.args(["-Wi", "-m", "compileall", "-q", "-l", "-i", "-"]);
    if jobs > 1 {
        command.args(["-j", &jobs.to_string()]);
    }
    // Syntax errors are normal here: packages carry templates and files for other versions.
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return };
    if let Some(mut input) = child.stdin.take() {
        for source in sources {
            if writeln!(input, "{}", source.display()).is_err() {
                break;
            }
        }
    }
    let _ = child.wait();
}

/// Keeps compiled files for other environments. Built aside and renamed, so that no half of it is ever used.
fn keep(prefix: &Path, kept: &Path, pairs: &[Pair]) {
    let aside = kept.with_extension(format!("new-{}", std::process::id()));
    let fill = || -> std::io::Result<()> {
        std::fs::create_dir_all(&aside)?;
        for pair in pairs {
            let compiled = prefix.join(&pair.compiled);
            if fits(&compiled, &prefix.join(&pair.source)) {
                link_or_copy(&compiled, &aside.join(&pair.compiled))?;
            }
        }
        std::fs::rename(&aside, kept)
    };
    if fill().is_err() {
        let _ = std::fs::remove_dir_all(&aside);
    }
}

/// Notes the compiled files in the package's record, so that removing the package removes them.
fn record_compiled(prefix: &Path, package: &mut Package) {
    let known: BTreeSet<PathBuf> = package.record.files.iter().cloned().collect();
    let new: Vec<PathBuf> = package
        .pairs
        .iter()
        .map(|pair| pair.compiled.clone())
        .filter(|compiled| !known.contains(compiled) && prefix.join(compiled).exists())
        .collect();
    if new.is_empty() {
        return;
    }
    for compiled in new {
        package.record.files.push(compiled.clone());
        package.record.paths_data.paths.push(PathsEntry {
            relative_path: compiled,
            original_path: None,
            path_type: PathType::PycFile,
            no_link: false,
            sha256: None,
            sha256_in_prefix: None,
            size_in_bytes: None,
            file_mode: None,
            prefix_placeholder: None,
        });
    }
    let path = prefix.join("conda-meta").join(package.record.file_name());
    if let Err(error) = package.record.clone().write_to_path(&path, true) {
        eprintln!("WARNING: cannot update {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_files_lie_where_python_looks() {
        let pair = pair(Path::new("lib/python3.10/site-packages/a/b.py"), "cpython-310").unwrap();
        assert_eq!(pair.compiled, Path::new("lib/python3.10/site-packages/a/__pycache__/b.cpython-310.pyc"));
        assert!(super::pair(Path::new("lib/x.so"), "cpython-310").is_none());
    }

    #[test]
    fn a_compiled_file_fits_its_own_source_only() {
        let dir = tempfile::tempdir().unwrap();
        let (source, compiled) = (dir.path().join("m.py"), dir.path().join("m.pyc"));
        std::fs::write(&source, "x = 1\n").unwrap();
        let data = source.metadata().unwrap();
        let mut bytes = vec![0u8; 8];
        bytes.extend((data.mtime() as u32).to_le_bytes());
        bytes.extend((data.size() as u32).to_le_bytes());
        std::fs::write(&compiled, &bytes).unwrap();
        assert!(fits(&compiled, &source));
        std::fs::write(&source, "x = 12\n").unwrap();
        assert!(!fits(&compiled, &source));
        std::fs::write(&compiled, b"short").unwrap();
        assert!(!fits(&compiled, &source));
    }
}
