//! What shells read when they start: PATH, the module command, the conda function, the prompt. No process is
//! started; the files may be read any number of times and behave under `set -eu`.

use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::embedded::Tree;
use crate::environment::OWN_BASH_ENV;
use crate::error::ProfileError;
use crate::format::Modules;
use crate::near;
use crate::sources::Sources;
use crate::view::ViewSpec;

/// A shell that reads one of our files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Sh,
    Zsh,
}

/// Where a shell finds things: one set inside a view, one outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// The installed site.
    pub site: PathBuf,
    /// The executables.
    pub libexec: PathBuf,
    /// The link folder.
    pub bin: PathBuf,
    /// conda's link folder.
    pub condabin: PathBuf,
}

impl Places {
    /// Inside a view.
    pub fn in_view() -> Places {
        Places {
            site: Path::new(bivouac_view::RUN).join("site"),
            libexec: bivouac_view::LIBEXEC.into(),
            bin: bivouac_view::BIN.into(),
            condabin: bivouac_view::CONDABIN.into(),
        }
    }

    /// Outside any view.
    pub fn on_host(state_dir: &Path, exe_dir: &Path) -> Places {
        let site = state_dir.join("site");
        Places { bin: site.join("bin"), condabin: site.join("condabin"), libexec: exe_dir.into(), site }
    }

    /// The variables that modulefiles and start-up files find their way by.
    pub fn variables(&self) -> [(&'static str, &Path); 3] {
        [
            ("BIVOUAC_SITE_DIR", &self.site),
            ("BIVOUAC_LIBEXEC", &self.libexec),
            ("BIVOUAC_CONDABIN", &self.condabin),
        ]
    }
}

/// A checked `[modules]` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleSpec {
    default: Vec<String>,
    paths: Vec<String>,
    system_name: Option<String>,
}

impl ModuleSpec {
    pub fn new(
        modules: &Modules,
        tree: Option<&Tree>,
        sources: &Sources,
    ) -> Result<ModuleSpec, ProfileError> {
        let mut default = Vec::new();
        for name in modules.default.iter().flatten() {
            check_default(name, tree).map_err(|problem| sources.error(name.span(), problem))?;
            default.push(name.as_ref().clone());
        }
        let mut paths = Vec::new();
        for path in modules.paths.iter().flatten() {
            if !path.as_ref().starts_with('/') || path.as_ref().contains([':', '\0', '\n']) {
                let problem = format!("`{}` is no absolute path, or holds a colon", path.as_ref());
                return Err(sources.error(path.span(), problem));
            }
            paths.push(path.as_ref().clone());
        }
        Ok(ModuleSpec { default, paths, system_name: modules.system_name.clone() })
    }

    /// Set in every login and job.
    pub fn fixed(&self, places: &Places) -> Vec<(String, String)> {
        let program = places.libexec.join("bivouac-module").display().to_string();
        let mut set = vec![("LMOD_CMD".to_owned(), program)];
        set.push(("LMOD_SYSTEM_DEFAULT_MODULES".into(), self.default.join(":")));
        set.extend(self.system_name.iter().map(|name| ("LMOD_SYSTEM_NAME".into(), name.clone())));
        set
    }

    /// What a shell starts with that has no modules yet. The default modules are recorded as loaded without
    /// being evaluated, so that no shell pays for them.
    pub fn initial(&self, places: &Places) -> Vec<(String, String)> {
        let tree = places.site.join("modulefiles");
        let file = |name: &String| tree.join(format!("{name}.lua")).display().to_string();
        let mut set = vec![("LOADEDMODULES".to_owned(), self.default.join(":"))];
        set.push(("_LMFILES_".into(), self.default.iter().map(file).collect::<Vec<_>>().join(":")));
        set.push(("__Init_Default_Modules".into(), "1".into()));
        set
    }

    /// MODULEPATH where none is set.
    pub fn module_path(&self, places: &Places) -> String {
        let tree = places.site.join("modulefiles").display().to_string();
        std::iter::once(tree).chain(self.paths.iter().cloned()).collect::<Vec<_>>().join(":")
    }
}

fn check_default(name: &Spanned<String>, tree: Option<&Tree>) -> Result<(), String> {
    let files: Vec<&str> = tree.iter().flat_map(|t| t.files).map(|(f, _)| *f).collect();
    let known: Vec<&str> = files.iter().filter_map(|f| f.strip_suffix(".lua")).collect();
    if known.contains(&&**name.as_ref()) {
        return Ok(());
    }
    Err(match near::nearest(name.as_ref(), known) {
        Some(near) => format!("the module tree has no `{}`; did you mean `{near}`?", name.as_ref()),
        None => format!("the module tree has no `{}`; name a module of it with its version", name.as_ref()),
    })
}

/// The file for one kind of shell. `functions` defines `module` and `ml`.
pub(crate) fn text(
    shell: Shell,
    host: &Places,
    view: Option<&ViewSpec>,
    modules: Option<&ModuleSpec>,
    functions: &str,
) -> String {
    let mut out = String::from(
        "# Written by bivouac at `bivouac up`; changes are lost. Read by shells when they start.\n",
    );
    places(&mut out, host, view.is_some());
    out.push_str(PATH);
    if let Some(modules) = modules {
        module_state(&mut out, modules);
        out.push_str(functions);
        out.push_str(match shell {
            Shell::Sh => "if [ -n \"${CONDA_EXE-}\" ]; then\n",
            Shell::Bash | Shell::Zsh => {
                "if [ -n \"${CONDA_EXE-}\" ] && ! typeset -f conda >/dev/null 2>&1; then\n"
            }
        });
        out.push_str(CONDA);
    }
    if let Some(view) = view {
        prompt(&mut out, shell, view);
    }
    if shell == Shell::Bash {
        out.push_str(&OWN_FILE.replace("@OWN@", OWN_BASH_ENV));
    }
    out
}

fn places(out: &mut String, host: &Places, has_view: bool) {
    let assign = |out: &mut String, places: &Places| {
        for (name, path) in places.variables() {
            out.push_str(&format!("    {name}={}\n", quote(&path.display().to_string())));
        }
        out.push_str(&format!("    __bivouac_bin={}\n", quote(&places.bin.display().to_string())));
    };
    let marker = bivouac_view::MARKER;
    if has_view {
        out.push_str(&format!("if [ -e {marker} ]; then\n"));
        assign(out, &Places::in_view());
        out.push_str("else\n");
        assign(out, host);
        out.push_str("fi\n");
    } else {
        assign(out, host);
    }
    out.push_str("export BIVOUAC_SITE_DIR BIVOUAC_LIBEXEC BIVOUAC_CONDABIN\n");
}

const PATH: &str = r#"case ":${PATH-}:" in
*":$__bivouac_bin:"*) ;;
*) PATH="$__bivouac_bin${PATH:+:$PATH}"; export PATH ;;
esac
unset __bivouac_bin
"#;

fn module_state(out: &mut String, modules: &ModuleSpec) {
    // The same values as a session has, with the places as the variables that were just set.
    let places = Places {
        site: "$BIVOUAC_SITE_DIR".into(),
        libexec: "$BIVOUAC_LIBEXEC".into(),
        bin: PathBuf::new(),
        condabin: PathBuf::new(),
    };
    let export = |(name, value): (String, String)| format!("export {name}={}\n", double_quote(&value));
    out.extend(modules.fixed(&places).into_iter().map(export));
    let path = double_quote(&modules.module_path(&places));
    out.push_str(&format!("if [ -z \"${{MODULEPATH+x}}\" ]; then export MODULEPATH={path}; fi\n"));
    out.push_str("if [ -z \"${__Init_Default_Modules-}${LOADEDMODULES-}\" ]; then\n");
    out.extend(modules.initial(&places).into_iter().map(export).map(|line| format!("    {line}")));
    out.push_str("fi\n");
}

/// Below a shell that drops exported functions (dash), `conda` is missing though its module is loaded. The
/// first call replaces these by conda's own text.
const CONDA: &str = r#"    conda() {
        __conda_text="$("$CONDA_EXE" shell.posix function)" || return
        [ -n "$__conda_text" ] || return
        eval "$__conda_text"
        unset __conda_text
        conda "$@"
    }
    mamba() { conda "$@"; }
fi
"#;

/// The user's own BASH_ENV, whose place ours took. As with bash itself, its value is expanded, and the file is
/// for shells that are not interactive.
const OWN_FILE: &str = r#"case $- in
*i*) ;;
*)
    eval "__bivouac_own=\"${@OWN@-}\""
    if [ -r "$__bivouac_own" ]; then . "$__bivouac_own"; fi
    unset __bivouac_own
    ;;
esac
"#;

/// Sets the prompt of an interactive shell. Without a view the machine's name is not the site's, so the site's
/// is written out.
fn prompt(out: &mut String, shell: Shell, view: &ViewSpec) {
    let Some(prompt) = view.prompt.as_deref() else { return };
    let (text, host) = match shell {
        Shell::Bash => (prompt.to_owned(), "\\h"),
        Shell::Zsh => (zsh_prompt(prompt), "%m"),
        Shell::Sh => return, // its prompts know no escapes
    };
    let parts: Vec<String> = text.split(host).map(quote).collect();
    let parts = parts.join("\"$__bivouac_host\"");
    let login = &view.login_host; // a host name: nothing in it to quote
    out.push_str(&format!(
        "case $- in
*i*)
    __bivouac_host={host}
    if [ -n \"${{BIVOUAC_ROOT-}}\" ]; then __bivouac_host=\"${{SLURMD_NODENAME:-{login}}}\"; fi
    PS1=\"${{CONDA_PROMPT_MODIFIER-}}\"{parts}
    unset __bivouac_host
    ;;
esac
",
        host = quote(host),
    ));
}

/// bash's escapes in zsh's spelling; others stay as they are.
fn zsh_prompt(prompt: &str) -> String {
    let text = prompt.replace('%', "%%");
    let pairs = [("\\u", "%n"), ("\\h", "%m"), ("\\W", "%1~"), ("\\w", "%~"), ("\\$", "%#")];
    pairs.iter().fold(text, |t, (bash, zsh)| t.replace(bash, zsh))
}

/// One word of any of the shells, taken literally.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// One word in which `$NAME` is expanded and nothing else.
fn double_quote(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('`', "\\`");
    format!("\"{text}\"")
}
