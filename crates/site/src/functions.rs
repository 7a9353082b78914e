//! The functions `module` and `ml` as shells read them and as bash exports them: asked from the programs that
//! define them, once per installation.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{SiteError, on_file};

/// Texts of the functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Functions {
    pub bash: String,
    pub sh: String,
    pub zsh: String,
    /// Environment entries by which a bash hands them on (`BASH_FUNC_module%%`): they reach scripts for
    /// `/bin/sh`, which read no start-up file.
    pub exported: Vec<(String, String)>,
}

impl Functions {
    /// Asks `bivouac-module` in `exe_dir`.
    pub fn ask(exe_dir: &Path) -> Result<Functions, SiteError> {
        let program = exe_dir.join("bivouac-module");
        let text = |shell: &str| {
            let output =
                Command::new(&program).args(["init", shell]).env_clear().stdin(Stdio::null()).output();
            let output = output.map_err(on_file("run", &program))?;
            if output.status.success() && !output.stdout.is_empty() {
                return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
            }
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(SiteError::Machine(format!("`{} init {shell}` failed: {said}", program.display())))
        };
        let bash = text("bash")?;
        let exported = exported(&bash);
        Ok(Functions { sh: text("sh")?, zsh: text("zsh")?, bash, exported })
    }
}

/// How bash writes these functions into an environment; nothing where there is no bash, for whose scripts alone
/// the entries are.
fn exported(text: &str) -> Vec<(String, String)> {
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", "eval \"$1\"; exec env -0", "bash", text])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else { return Vec::new() };
    let entries = output.stdout.split(|b| *b == 0).map(String::from_utf8_lossy);
    let functions = entries.filter(|e| e.starts_with("BASH_FUNC_"));
    functions.filter_map(|e| e.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_writes_functions_as_it_reads_them() {
        let entries = exported("f() { echo \"a=b $1\"; }\nexport -f f\n");
        let Some((name, value)) = entries.first() else {
            eprintln!("no bash here");
            return;
        };
        assert_eq!(name, "BASH_FUNC_f%%");
        let run = Command::new("bash").args(["-c", "f c"]).env(name, value).output().expect("bash");
        assert_eq!(String::from_utf8_lossy(&run.stdout), "a=b c\n");
    }

    #[test]
    fn a_missing_program_is_named() {
        let text = Functions::ask(Path::new("/nowhere")).expect_err("missing").to_string();
        assert!(text.contains("/nowhere/bivouac-module"), "{text}");
    }
}
