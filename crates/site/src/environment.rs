//! Changes to an environment, as the entries `NAME=value` that a process is started with. Values are bytes:
//! they may hold newlines and need not be UTF-8, and names of exported bash functions end in `%%`.

/// What a site changes in the environment of a login or a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteEnvironment {
    /// Marks an environment that has been through here, so that its modules are the site's.
    pub(crate) mark: Option<String>,
    /// Set whatever was there.
    pub(crate) set: Vec<(String, String)>,
    /// Set where nothing was there: what the user may have changed since (loaded modules, for one).
    pub(crate) default: Vec<(String, String)>,
    /// Put in front of PATH if not in it yet.
    pub(crate) path_first: Vec<String>,
}

/// Names the site whose modules and conda an environment has.
pub(crate) const MARK: &str = "BIVOUAC_SITE";
/// The user's own BASH_ENV, which our file reads at its end.
pub(crate) const OWN_BASH_ENV: &str = "BIVOUAC_BASH_ENV";

/// PATH where there is none: programs must be found by jobs that export nothing, too.
const STANDARD_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// State of a host's module system and conda, which has no meaning at another site.
const FOREIGN: &[&str] = &[
    "LOADEDMODULES",
    "_LMFILES_",
    "MODULE",
    "__MODULES",
    "LMOD_",
    "__LMOD",
    "_ModuleTable",
    "__Init_Default_Modules",
    "BASH_FUNC_module%%",
    "BASH_FUNC_ml%%",
    "BASH_FUNC_conda%%",
    "BASH_FUNC_mamba%%",
    "CONDA_",
    "_CE_",
];

impl SiteEnvironment {
    /// Applies the changes to entries `NAME=value`. An environment that comes from elsewhere than this site
    /// loses the host's module and conda state first. Applying twice gives the same as once.
    pub fn apply(&self, entries: &mut Vec<Vec<u8>>) {
        let mark = self.mark.as_ref().map(|m| entry(MARK, m.as_bytes()));
        if let Some(mark) = mark.filter(|m| !entries.contains(m)) {
            entries.retain(|e| !FOREIGN.iter().any(|name| e.starts_with(name.as_bytes())));
            entries.retain(|e| name_of(e) != MARK.as_bytes());
            entries.push(mark);
        }
        let bash_env = self.set.iter().find(|(name, _)| name == "BASH_ENV");
        if let Some((_, ours)) = bash_env
            && let Some(theirs) = get(entries, "BASH_ENV").filter(|v| *v != ours.as_bytes() && !v.is_empty())
        {
            let theirs = theirs.to_vec();
            put(entries, OWN_BASH_ENV, &theirs);
        }
        for (name, value) in &self.set {
            put(entries, name, value.as_bytes());
        }
        for (name, value) in &self.default {
            if get(entries, name).is_none() {
                put(entries, name, value.as_bytes());
            }
        }
        for folder in self.path_first.iter().rev() {
            let path = get(entries, "PATH").filter(|p| !p.is_empty()).unwrap_or(STANDARD_PATH).to_vec();
            if !path.split(|b| *b == b':').any(|part| part == folder.as_bytes()) {
                put(entries, "PATH", &[folder.as_bytes(), b":", &path].concat());
            }
        }
    }

    /// The value that [`SiteEnvironment::apply`] gives a variable whatever was there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.set.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn entry(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"=", value].concat()
}

fn name_of(entry: &[u8]) -> &[u8] {
    entry.split(|b| *b == b'=').next().unwrap_or(entry)
}

fn get<'a>(entries: &'a [Vec<u8>], name: &str) -> Option<&'a [u8]> {
    let found = entries.iter().find(|e| name_of(e) == name.as_bytes())?;
    found.get(name.len() + 1..)
}

fn put(entries: &mut Vec<Vec<u8>>, name: &str, value: &[u8]) {
    entries.retain(|e| name_of(e) != name.as_bytes());
    entries.push(entry(name, value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes() -> SiteEnvironment {
        let pair = |(n, v): (&str, &str)| (n.to_owned(), v.to_owned());
        SiteEnvironment {
            mark: Some("alpine".into()),
            set: [("HOME", "/home/alice"), ("BASH_ENV", "/ours")].map(pair).to_vec(),
            default: [("LOADEDMODULES", "slurm/alpine")].map(pair).to_vec(),
            path_first: vec!["/.bivouac/bin".into()],
        }
    }

    fn applied(entries: &[&str]) -> Vec<String> {
        let mut entries: Vec<Vec<u8>> = entries.iter().map(|e| e.as_bytes().to_vec()).collect();
        changes().apply(&mut entries);
        let mut text: Vec<String> = entries.iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect();
        text.sort();
        text
    }

    #[test]
    fn an_environment_of_the_host_loses_its_modules() {
        let host = ["PATH=/usr/bin", "HOME=/root", "LOADEDMODULES=gcc/9", "CONDA_PREFIX=/opt/c", "EDITOR=vi"];
        assert_eq!(
            applied(&host),
            [
                "BASH_ENV=/ours",
                "BIVOUAC_SITE=alpine",
                "EDITOR=vi",
                "HOME=/home/alice",
                "LOADEDMODULES=slurm/alpine",
                "PATH=/.bivouac/bin:/usr/bin",
            ]
        );
    }

    #[test]
    fn an_environment_of_the_site_keeps_them() {
        let site =
            ["BIVOUAC_SITE=alpine", "LOADEDMODULES=anaconda/2022.10", "PATH=/env/bin:/.bivouac/bin:/usr/bin"];
        let text = applied(&site);
        assert!(text.contains(&"LOADEDMODULES=anaconda/2022.10".to_owned()));
        assert!(text.contains(&"PATH=/env/bin:/.bivouac/bin:/usr/bin".to_owned()), "{text:?}");
    }

    #[test]
    fn the_users_own_bash_env_is_remembered() {
        assert!(applied(&["BASH_ENV=/theirs"]).contains(&"BIVOUAC_BASH_ENV=/theirs".to_owned()));
        assert!(!applied(&["BASH_ENV=/ours"]).iter().any(|e| e.starts_with("BIVOUAC_BASH_ENV")));
    }

    #[test]
    fn an_absent_path_becomes_the_usual_one_behind_ours() {
        let path =
            "PATH=/.bivouac/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin".to_owned();
        assert!(applied(&[]).contains(&path));
        assert!(applied(&["PATH="]).contains(&path));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn twice_is_as_once(entries in prop::collection::vec("[A-Z_%]{0,9}=?(/?[a-z:\n]{0,5}){0,3}", 0..8)) {
            let mut once: Vec<Vec<u8>> = entries.into_iter().map(String::into_bytes).collect();
            changes().apply(&mut once);
            let mut twice = once.clone();
            changes().apply(&mut twice);
            once.sort();
            twice.sort();
            prop_assert_eq!(once, twice);
        }
    }
}
