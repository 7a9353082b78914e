//! Finding a profile by its name, reading it, and laying it over the one it extends.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::embedded::{self, EMBEDDED};
use crate::error::{ProfileError, SiteError, on_file};
use crate::format::Profile;
use crate::near;

/// Below the home folder: where a user's own profiles lie.
pub const OWN_PROFILES: &str = ".config/bivouac/sites";

/// The texts that a profile was made from. Each has its own range of one line of positions, so that a span
/// alone says which text it belongs to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

#[derive(Debug, Clone)]
struct Source {
    file: String,
    text: String,
    start: usize,
}

impl Sources {
    /// Parses a text whose spans shall not collide with the earlier ones: it is read behind as many line
    /// ends as all earlier texts have bytes.
    fn parse(&mut self, file: &str, text: &str) -> Result<Profile, ProfileError> {
        let start = self.0.last().map_or(0, |s| s.start + s.text.len() + 1);
        let source = Source { file: file.to_owned(), text: text.to_owned(), start };
        let parsed = toml::from_str(&format!("{}{text}", "\n".repeat(start)));
        self.0.push(source);
        parsed.map_err(|e| {
            let mut error = ProfileError::from_toml(file, text, &e);
            error.place = e.span().and_then(|span| self.error(span, "").place);
            error
        })
    }

    /// An error at a span of any of the texts.
    pub fn error(&self, span: Range<usize>, problem: impl Into<String>) -> ProfileError {
        match self.0.iter().rev().find(|s| s.start <= span.start) {
            Some(s) => {
                ProfileError::new(&s.file, &s.text, Some(span.start - s.start..span.end - s.start), problem)
            }
            None => ProfileError::new("profile", "", None, problem),
        }
    }

    /// An error of the profile as a whole.
    pub fn whole(&self, problem: impl Into<String>) -> ProfileError {
        let file = self.0.last().map_or("profile", |s| &s.file);
        ProfileError::new(file, "", None, problem)
    }
}

/// A profile's name, its merged contents and the texts behind them.
pub(crate) struct Found {
    pub name: String,
    pub profile: Profile,
    pub sources: Sources,
}

/// Finds and reads the profile called `name`; `home` is the user's home folder by the passwd entry.
///
/// Search: a path (with `/`, or ending in `.toml`); [`OWN_PROFILES`]`/NAME.toml`; the embedded ones.
pub(crate) fn find(name: &str, home: &Path) -> Result<Found, SiteError> {
    let own = home.join(OWN_PROFILES);
    if name.contains('/') || name.ends_with(".toml") {
        return read(Path::new(name));
    }
    let file = own.join(format!("{name}.toml"));
    if file.is_file() {
        return read(&file);
    }
    match embedded::by_name(name) {
        Some(found) => Ok(parse_embedded(found)?),
        None => Err(unknown(name, own)),
    }
}

fn unknown(name: &str, searched: PathBuf) -> SiteError {
    let mut known: Vec<String> = embedded::names().map(str::to_owned).collect();
    for entry in std::fs::read_dir(&searched).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "toml") {
            known.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
        }
    }
    known.sort();
    known.dedup();
    if let Some(near) = near::nearest(name, known.iter().map(String::as_str)).map(str::to_owned) {
        known.sort_by_key(|k| *k != near);
    }
    SiteError::Unknown { name: name.to_owned(), searched, known }
}

fn read(path: &Path) -> Result<Found, SiteError> {
    let text = std::fs::read_to_string(path).map_err(on_file("read", path))?;
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(parse_own(&name, &path.display().to_string(), &text)?)
}

/// Parses a user's profile and lays it over the embedded one that it extends.
pub(crate) fn parse_own(name: &str, file: &str, text: &str) -> Result<Found, ProfileError> {
    let mut alone = Sources::default();
    let Some(extends) = alone.parse(file, text)?.extends else {
        let mut sources = Sources::default();
        let profile = sources.parse(file, text)?;
        return Ok(Found { name: name.to_owned(), profile, sources });
    };
    let Some(base) = embedded::by_name(extends.as_ref()) else {
        let names: Vec<&str> = embedded::names().collect();
        let known = match near::nearest(extends.as_ref(), names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", names.join(", ")),
        };
        let problem = format!("no embedded profile is called `{}`: {known}", extends.as_ref());
        return Err(alone.error(extends.span(), problem));
    };
    let mut sources = Sources::default();
    let base = sources.parse(&embedded_file(base.name), base.text)?;
    let profile = sources.parse(file, text)?.over(base);
    Ok(Found { name: name.to_owned(), profile, sources })
}

/// Parses an embedded profile.
pub(crate) fn parse_embedded(found: &embedded::Embedded) -> Result<Found, ProfileError> {
    let mut sources = Sources::default();
    let profile = sources.parse(&embedded_file(found.name), found.text)?;
    Ok(Found { name: found.name.to_owned(), profile, sources })
}

fn embedded_file(name: &str) -> String {
    format!("embedded profile {name}")
}

/// Every embedded profile, parsed; one that does not parse is a bug that the tests catch, and is left out.
pub(crate) fn all_embedded() -> impl Iterator<Item = Found> {
    EMBEDDED.iter().filter_map(|e| parse_embedded(e).ok())
}
