//! The words after `module` or `ml`: options, sub-command, arguments.

use crate::suggest;

/// Options of `module`. Each has an effect on the sub-commands named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-t`: list and avail print one name on each line.
    pub terse: bool,
    /// `-d`: avail shows defaults only.
    pub default_only: bool,
    /// `-A`, `--show_hidden`: avail shows hidden modules too.
    pub hidden: bool,
    /// `--force`: sticky modules are unloaded too.
    pub force: bool,
    /// `-q`: no warnings and notices.
    pub quiet: bool,
    /// `--redirect`, `--no_redirect`: listings to standard output or not.
    pub redirect: Option<bool>,
    /// `--initial_load`: restore loads the system's default modules.
    pub initial_load: bool,
    /// `--location`: show prints the file's path only.
    pub location: bool,
    /// `--raw`: show prints the file as it is.
    pub raw: bool,
    /// `-w`: width of listings.
    pub width: Option<usize>,
}

/// What to do, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subcommand {
    /// `load`.
    Load(Vec<String>),
    /// `try-load`.
    TryLoad(Vec<String>),
    /// `unload`.
    Unload(Vec<String>),
    /// `ml -x y`: unload and load.
    UnloadLoad(Vec<String>, Vec<String>),
    /// `swap OLD NEW`.
    Swap(String, String),
    /// `purge`.
    Purge,
    /// `list`.
    List(Vec<String>),
    /// `avail`.
    Avail(Vec<String>),
    /// `show`.
    Show(Vec<String>),
    /// `help MODULE`.
    Help(Vec<String>),
    /// `whatis`.
    Whatis(Vec<String>),
    /// `use`; whether to append.
    Use(Vec<String>, bool),
    /// `unuse`.
    Unuse(Vec<String>),
    /// `is-loaded`.
    IsLoaded(Vec<String>),
    /// `is-avail`.
    IsAvail(Vec<String>),
    /// `reset`.
    Reset,
    /// `--initial_load restore`.
    InitialLoad,
    /// `update`.
    Update,
    /// `refresh`.
    Refresh,
    /// `--version`.
    Version,
    /// `help`, `--help`; nothing at all counts as a mistake, so that a script notices.
    Usage {
        /// Whether it was asked for.
        asked: bool,
    },
}

/// Sub-commands of Lmod that come later, with what does the work until then.
const LATER: &[(&[&str], &str)] = &[
    (&["spider"], "use 'module avail'"),
    (&["keyword", "key", "apropos", "search"], "use 'module avail TEXT'"),
    (&["overview", "ov"], "use 'module -d avail'"),
    (&["save", "s", "setdefault"], "write 'module load ...' lines into a file and source it"),
    (&["restore", "r", "getdefault"], "source a file of 'module load ...' lines, or use 'module reset'"),
    (&["savelist", "sl"], "collections are not kept yet"),
    (&["saverm", "disable"], "collections are not kept yet"),
    (&["describe", "mcc"], "collections are not kept yet"),
    (&["source", "sh-to-mod", "sh_to_modulefile"], "write a Lua modulefile"),
    (&["tablelist"], "use 'module -t list'"),
    (&["config"], "use 'module --version'"),
];

const WORDS: &[&str] = &[
    "load",
    "add",
    "try-load",
    "try-add",
    "unload",
    "rm",
    "del",
    "delete",
    "remove",
    "swap",
    "sw",
    "switch",
    "purge",
    "list",
    "avail",
    "av",
    "show",
    "display",
    "help",
    "whatis",
    "use",
    "unuse",
    "is-loaded",
    "is-avail",
    "reset",
    "update",
    "reload",
    "refresh",
];

impl Options {
    /// Takes the option `word` (and its value from `rest`); whether it is one.
    fn take(&mut self, word: &str, rest: &mut Vec<String>) -> Result<bool, String> {
        match word {
            "-t" | "--terse" => self.terse = true,
            "-d" | "--default" => self.default_only = true,
            "-A" | "--all" | "--show_hidden" | "--show-hidden" => self.hidden = true,
            "-f" | "--force" => self.force = true,
            "-q" | "--quiet" => self.quiet = true,
            "--redirect" => self.redirect = Some(true),
            "--no_redirect" | "--no-redirect" => self.redirect = Some(false),
            "--initial_load" => self.initial_load = true,
            "--location" | "--loc" => self.location = true,
            "--raw" => self.raw = true,
            "--ignore_cache" => {} // There is no cache: every answer is as fresh as this asks for.
            "-w" | "--width" => {
                let value = if rest.is_empty() { String::new() } else { rest.remove(0) };
                self.width = Some(width(&value)?);
            }
            _ => match word.strip_prefix("--width=") {
                Some(value) => self.width = Some(width(value)?),
                None => return Ok(false),
            },
        }
        Ok(true)
    }
}

fn width(value: &str) -> Result<usize, String> {
    value
        .parse()
        .ok()
        .filter(|width| (20..=1000).contains(width))
        .ok_or_else(|| format!("module: the width \"{value}\" is no number from 20 to 1000"))
}

/// Reads the words after `module`.
pub fn parse_module(words: &[String]) -> Result<(Options, Subcommand), String> {
    let mut options = Options::default();
    let mut plain = Vec::new();
    let mut append = false;
    let mut rest = words.to_vec();
    while !rest.is_empty() {
        let word = rest.remove(0);
        match word.as_str() {
            "-v" | "-V" | "--version" => return Ok((options, Subcommand::Version)),
            "-h" | "-H" | "-?" | "--help" => return Ok((options, Subcommand::Usage { asked: true })),
            "-a" | "--append" if plain.first().is_some_and(|first| first == "use") => append = true,
            _ if !word.starts_with('-') || word == "-" => plain.push(word),
            _ if options.take(&word, &mut rest)? => {}
            _ => {
                return Err(format!(
                    "module: the option {word} is not known in this release; see 'module help'"
                ));
            }
        }
    }
    let subcommand = subcommand(plain, append, options.initial_load)?;
    Ok((options, subcommand))
}

fn subcommand(mut plain: Vec<String>, append: bool, initial_load: bool) -> Result<Subcommand, String> {
    if plain.is_empty() {
        return Ok(Subcommand::Usage { asked: false });
    }
    let word = plain.remove(0);
    let needs = |what: &str, plain: &[String]| match plain {
        [] => Err(format!("module {word}: name at least one {what}")),
        _ => Ok(()),
    };
    Ok(match word.as_str() {
        "load" | "add" => Subcommand::Load(plain),
        "try-load" | "try-add" => Subcommand::TryLoad(plain),
        "unload" | "rm" | "del" | "delete" | "remove" => Subcommand::Unload(plain),
        "swap" | "sw" | "switch" => match <[String; 2]>::try_from(plain) {
            Ok([old, new]) => Subcommand::Swap(old, new),
            Err(plain) if plain.len() == 1 => {
                let name = crate::tree::split_name(&plain[0]).0.to_owned();
                Subcommand::Swap(name, plain[0].clone())
            }
            Err(_) => return Err(format!("module {word}: name the module to unload and the one to load")),
        },
        "purge" => Subcommand::Purge,
        "list" => Subcommand::List(plain),
        "avail" | "av" => Subcommand::Avail(plain),
        "show" | "display" => {
            needs("module", &plain)?;
            Subcommand::Show(plain)
        }
        "help" if plain.is_empty() => Subcommand::Usage { asked: true },
        "help" => Subcommand::Help(plain),
        "whatis" => {
            needs("module", &plain)?;
            Subcommand::Whatis(plain)
        }
        "use" => {
            needs("folder", &plain)?;
            Subcommand::Use(plain, append)
        }
        "unuse" => {
            needs("folder", &plain)?;
            Subcommand::Unuse(plain)
        }
        "is-loaded" => {
            needs("module", &plain)?;
            Subcommand::IsLoaded(plain)
        }
        "is-avail" => {
            needs("module", &plain)?;
            Subcommand::IsAvail(plain)
        }
        "reset" => Subcommand::Reset,
        "restore" if initial_load => Subcommand::InitialLoad,
        "update" | "reload" => Subcommand::Update,
        "refresh" => Subcommand::Refresh,
        _ => return Err(refuse(&word)),
    })
}

fn refuse(word: &str) -> String {
    if let Some((_, instead)) = LATER.iter().find(|(words, _)| words.contains(&word)) {
        return format!("module {word}: comes in a later release; {instead}");
    }
    let near =
        WORDS.iter().map(|known| (suggest::distance(word, known), known)).filter(|(d, _)| *d <= 2).min();
    let hint = near.map(|(_, known)| format!("did you mean 'module {known}'? ")).unwrap_or_default();
    format!("module: unknown sub-command \"{word}\"; {hint}'module help' lists them")
}

/// Reads the words after `ml`: `ml` lists, `ml x -y` loads and unloads, `ml SUBCOMMAND ...` is `module SUBCOMMAND ...`.
pub fn parse_ml(words: &[String]) -> Result<(Options, Subcommand), String> {
    let first = words.iter().find(|word| !word.starts_with('-'));
    let known = |word: &String| {
        WORDS.contains(&word.as_str()) || LATER.iter().any(|(words, _)| words.contains(&word.as_str()))
    };
    let asks = |word: &String| ["-v", "-V", "--version", "-h", "-H", "-?", "--help"].contains(&word.as_str());
    if first.is_some_and(known) || words.iter().any(asks) {
        return parse_module(words);
    }
    let mut options = Options::default();
    let (mut load, mut unload) = (Vec::new(), Vec::new());
    let mut rest = words.to_vec();
    while !rest.is_empty() {
        let word = rest.remove(0);
        if options.take(&word, &mut rest)? {
            continue;
        }
        match word.strip_prefix('-') {
            None => load.push(word),
            Some(name) if !name.is_empty() && !name.starts_with('-') => unload.push(name.to_owned()),
            Some(_) => {
                return Err(format!("ml: the option {word} is not known in this release; see 'module help'"));
            }
        }
    }
    if load.is_empty() && unload.is_empty() {
        return Ok((options, Subcommand::List(Vec::new())));
    }
    Ok((options, Subcommand::UnloadLoad(unload, load)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn ml_loads_unloads_lists_and_passes_subcommands_on() {
        let ml = |line| parse_ml(&words(line)).map(|(_, subcommand)| subcommand);
        assert_eq!(ml(""), Ok(Subcommand::List(vec![])));
        assert_eq!(ml("-t"), Ok(Subcommand::List(vec![])));
        assert_eq!(ml("a -b c/1"), Ok(Subcommand::UnloadLoad(words("b"), words("a c/1"))));
        assert_eq!(ml("av gcc"), Ok(Subcommand::Avail(words("gcc"))));
        assert_eq!(ml("--force purge"), Ok(Subcommand::Purge));
        assert_eq!(ml("-a"), Ok(Subcommand::UnloadLoad(words("a"), vec![])));
        assert!(ml("spider x").unwrap_err().starts_with("module spider: comes in a later release"));
        assert!(ml("--nosuch").unwrap_err().contains("--nosuch"));
    }

    #[test]
    fn module_takes_options_anywhere_and_refuses_what_it_does_not_know() {
        let (options, subcommand) = parse_module(&words("purge --force")).unwrap();
        assert!(options.force && subcommand == Subcommand::Purge);
        assert_eq!(parse_module(&words("use -a /x")).unwrap().1, Subcommand::Use(words("/x"), true));
        assert!(parse_module(&words("load -a x")).unwrap_err().contains("-a"));
        assert!(parse_module(&words("laod x")).unwrap_err().contains("'module load'"));
        assert_eq!(parse_module(&[]).unwrap().1, Subcommand::Usage { asked: false });
    }

    proptest! {
        #[test]
        fn both_take_any_words(line in proptest::collection::vec("(-{0,2}[a-z=]{0,6}|load|ml|use|-w|\\PC{0,4})", 0..5)) {
            let _ = parse_module(&line);
            let _ = parse_ml(&line);
        }
    }
}
