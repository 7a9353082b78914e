//! From specs to records: parsing specs, virtual packages, the solver, and its refusals in conda's words.

use std::path::Path;
use std::sync::Arc;

use rattler_conda_types::{
    GenericVirtualPackage, MatchSpec, Matches, PackageNameMatcher, ParseStrictness, RepoDataRecord, Subdir,
};
use rattler_repodata_gateway::RepoData;
use rattler_solve::{
    ChannelPriority as Priority, ChannelRepoData, SolveError, SolverImpl, SolverTask, resolvo,
};
use rattler_virtual_packages::{VirtualPackageOverrides, VirtualPackages};

use crate::channel::{Tier, printable, resolve_one};
use crate::config::{ChannelPriority, Config};
use crate::error::{CondaError, Result, with_causes};

/// A spec as written, and parsed.
#[derive(Debug, Clone)]
pub struct Spec {
    /// As the user wrote it.
    pub text: String,
    /// Parsed; a channel in it is resolved by our configuration.
    pub spec: MatchSpec,
}

/// Parses specs. A channel that a spec names (`conda-forge::numpy`) is appended to `tiers` if it is not among them.
///
/// # Errors
/// `InvalidMatchSpec`, naming the spec.
pub fn parse_specs(
    config: &Config,
    texts: &[String],
    tiers: &mut Vec<Tier>,
    cwd: &Path,
) -> Result<Vec<Spec>> {
    texts.iter().map(|text| parse_spec(config, text, tiers, cwd)).collect()
}

fn parse_spec(config: &Config, text: &str, tiers: &mut Vec<Tier>, cwd: &Path) -> Result<Spec> {
    let bad = |what: &str| CondaError::new("InvalidMatchSpec", format!("Invalid spec '{text}': {what}"));
    let (channel, rest) = match text.split_once("::") {
        Some((channel, rest)) if !channel.contains(['[', ' ', '=']) => (Some(channel), rest),
        _ => (None, text),
    };
    if rest.contains("://") || rest.ends_with(".conda") || rest.ends_with(".tar.bz2") {
        return Err(bad("package files and URLs are not supported yet; name the package"));
    }
    let mut spec =
        MatchSpec::from_str(rest, ParseStrictness::Lenient).map_err(|error| bad(&with_causes(&error)))?;
    if !matches!(spec.name, PackageNameMatcher::Exact(_)) {
        return Err(bad("a package name without wildcards is needed"));
    }
    if let Some(channel) = channel {
        let tier = resolve_one(config, channel.trim(), cwd)?;
        let known = tiers.iter().find(|known| known.urls == tier.urls);
        let named = known.unwrap_or(&tier).channels().into_iter().next();
        if known.is_none() {
            tiers.push(tier);
        }
        spec.channel = named.map(Arc::new);
    }
    Ok(Spec { text: text.to_owned(), spec })
}

/// The package's name in a spec.
pub fn name_of(spec: &MatchSpec) -> &str {
    match &spec.name {
        PackageNameMatcher::Exact(name) => name.as_normalized(),
        _ => "",
    }
}

/// What this machine (or `CONDA_OVERRIDE_*`) offers: `__glibc`, `__linux`, `__cuda` and so on.
///
/// # Errors
/// A variable `CONDA_OVERRIDE_*` that holds no version.
pub fn virtual_packages(subdir: Subdir) -> Result<Vec<GenericVirtualPackage>> {
    let overrides = VirtualPackageOverrides::from_env();
    let found = VirtualPackages::detect_for_platform(subdir, &overrides, None)
        .map_err(|error| CondaError::value(format!("virtual packages: {}", with_causes(&error))))?;
    Ok(found.into_generic_virtual_packages().collect())
}

/// Solves.
///
/// # Errors
/// `PackagesNotFoundError` when no channel has anything that fits a spec, `LibMambaUnsatisfiableError` with the
/// solver's explanation when specs contradict one another.
pub fn solve(
    config: &Config,
    tiers: &[Tier],
    subdir: Subdir,
    specs: &[Spec],
    repodata: &[RepoData],
    virtual_packages: Vec<GenericVirtualPackage>,
) -> Result<Vec<RepoDataRecord>> {
    let missing: Vec<&Spec> = specs
        .iter()
        .filter(|spec| !name_of(&spec.spec).starts_with("__"))
        .filter(|spec| {
            // The solver judges channels; here only name, version and build count.
            let anywhere = MatchSpec { channel: None, ..spec.spec.clone() };
            !repodata.iter().flat_map(RepoData::iter).any(|record| anywhere.matches(record))
        })
        .collect();
    if !missing.is_empty() {
        return Err(not_found(tiers, subdir, &missing));
    }
    let available: Vec<_> = repodata
        .iter()
        .map(|records| ChannelRepoData { records, multi_channel: records.multi_channel() })
        .collect();
    let task = SolverTask {
        virtual_packages,
        specs: specs.iter().map(|spec| spec.spec.clone()).collect(),
        channel_priority: match config.channel_priority {
            ChannelPriority::Strict => Priority::Strict,
            ChannelPriority::Flexible => Priority::Flexible,
            ChannelPriority::Disabled => Priority::Disabled,
        },
        ..available.into_iter().collect::<SolverTask<'_, _>>()
    };
    let solution = resolvo::Solver.solve(task).map_err(|error| unsatisfiable(tiers, &error))?;
    let mut records = solution.records;
    records.sort_by(|a, b| a.package_record.name.cmp(&b.package_record.name));
    Ok(records)
}

fn not_found(tiers: &[Tier], subdir: Subdir, missing: &[&Spec]) -> CondaError {
    let missing: String = missing.iter().map(|spec| format!("\n  - {}", spec.text)).collect();
    let channels: String = tiers
        .iter()
        .flat_map(|tier| &tier.urls)
        .flat_map(|url| {
            [format!("\n  - {}/{subdir}", printable(url)), format!("\n  - {}/noarch", printable(url))]
        })
        .collect();
    CondaError::new(
        "PackagesNotFoundError",
        format!(
            "The following packages are not available from current channels:\n{missing}\n\n\
             Current channels:\n{channels}\n\n\
             Check the spelling and the version, or name another channel (-c CHANNEL, or channels: in the file)."
        ),
    )
}

fn unsatisfiable(tiers: &[Tier], error: &SolveError) -> CondaError {
    let explanation = match error {
        SolveError::Unsolvable(reasons) => reasons.join("\n"),
        other => with_causes(other),
    };
    let channels: String =
        tiers.iter().flat_map(|tier| &tier.urls).map(|url| format!("\n  - {}", printable(url))).collect();
    CondaError::new(
        "LibMambaUnsatisfiableError",
        format!(
            "Encountered problems while solving:\n{}\n\nCurrent channels:\n{channels}\n\n\
             Nothing was changed. Loosen or remove one of the specs named above.",
            explanation.trim_end()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;
    use proptest::prelude::*;

    fn parse(text: &str, tiers: &mut Vec<Tier>) -> Result<Spec> {
        let vars = Vars::from([("HOME", "/nonexistent/h"), ("CONDA_ROOT", "/nonexistent/r")]);
        let config = Config::load(&vars, Path::new("/x"), Path::new("/")).unwrap();
        parse_spec(&config, text, tiers, Path::new("/"))
    }

    #[test]
    fn specs_are_read_and_bring_their_channel() {
        let mut tiers = Vec::new();
        let spec = parse("conda-forge::numpy>=1.2,<2", &mut tiers).unwrap();
        assert_eq!(name_of(&spec.spec), "numpy");
        assert_eq!(tiers.len(), 1);
        parse("conda-forge::scipy", &mut tiers).unwrap();
        parse("python=3.10.*=*_cpython", &mut tiers).unwrap();
        assert_eq!(tiers.len(), 1, "a channel is added once");
        for bad in ["", "num*", "https://h/c/linux-64/a-1-0.conda", "./a-1-0.tar.bz2", "python>>3"] {
            assert_eq!(parse(bad, &mut tiers).unwrap_err().name, "InvalidMatchSpec", "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_spec_panics(text in "[a-z=<>!~*.,|0-9 :\\[\\]'\"/_-]{0,24}", any in "\\PC{0,16}") {
            let _ = parse(&text, &mut Vec::new());
            let _ = parse(&any, &mut Vec::new());
        }
    }
}
