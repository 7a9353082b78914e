use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::SystemTime;

use super::*;
use crate::environment::SiteEnvironment;
use crate::session::{Access, JobPlace, User};

/// A cluster whose `bivouac-module` is a stand-in that says what it was called with.
struct Scene {
    dir: tempfile::TempDir,
    cluster: Cluster,
}

const MODULE: &str = "#!/bin/sh
if [ \"$1\" = init ]; then
    echo 'module() { eval \"$(\"$LMOD_CMD\" '$2' \"$@\")\"; }'
    echo 'ml() { module ml \"$@\"; }'
    [ \"$2\" != bash ] || echo 'export -f module ml'
else
    echo \"echo module for $*\"
fi
";
const CONDA: &str = "#!/bin/sh
[ \"$2\" = function ] && echo 'conda() { echo conda does \"$@\"; }; mamba() { conda \"$@\"; }'
";

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().expect("temporary folder");
        let exe_dir = dir.path().join("it's exe");
        fs::create_dir(&exe_dir).expect("folder");
        for (name, text) in [("bivouac-module", MODULE), ("bivouac-conda", CONDA), ("bivouac", "#!/bin/sh\n")]
        {
            fs::write(exe_dir.join(name), text).expect("file");
            fs::set_permissions(exe_dir.join(name), fs::Permissions::from_mode(0o755)).expect("mode");
        }
        let cluster = Cluster { name: "camp".into(), state_dir: dir.path().join("a $state"), exe_dir };
        Scene { dir, cluster }
    }

    fn install(&self, site: &str) -> Installed {
        let site = Site::load(site, Path::new("/nonexistent")).expect("profile");
        site.install(&self.cluster).unwrap_or_else(|e| panic!("{e}"))
    }

    fn user(&self) -> User {
        User { name: "alice".into(), home: self.dir.path().join("host") }
    }

    fn job(&self, installed: &Installed) -> SiteEnvironment {
        let job = JobPlace { job: "7".into(), node: "c3cpu-a2-u1-1".into(), kept: None };
        installed.job(&self.user(), Access::Fallback, &job).expect("session").environment
    }

    /// Runs a shell with the environment of a job in the fallback, or in `local`.
    fn run(&self, environment: &SiteEnvironment, program: &str, arguments: &[&str]) -> Output {
        let mut entries = vec![b"PATH=/usr/bin:/bin".to_vec(), b"HOME=/nonexistent".to_vec()];
        environment.apply(&mut entries);
        let text = |e: &Vec<u8>| String::from_utf8_lossy(e).into_owned();
        let pairs: Vec<_> = entries
            .iter()
            .map(text)
            .filter_map(|e| Some(e.split_once('=')?).map(|(n, v)| (n.to_owned(), v.to_owned())))
            .collect();
        Command::new(program).args(arguments).env_clear().envs(pairs).output().expect("shell")
    }

    fn says(&self, environment: &SiteEnvironment, program: &str, arguments: &[&str]) -> String {
        let output = self.run(environment, program, arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{program} {arguments:?}");
        text(&output.stdout)
    }
}

fn has(program: &str) -> bool {
    let found = std::env::split_paths("/usr/bin:/bin").any(|p| p.join(program).is_file());
    if !found {
        eprintln!("{program} is not on this machine");
    }
    found
}

fn all_files(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        let metadata = fs::symlink_metadata(&path).expect("metadata");
        all.push((path.clone(), metadata.modified().expect("time")));
        if metadata.is_dir() {
            all.extend(all_files(&path));
        }
    }
    all.sort();
    all
}

#[test]
fn a_second_installation_changes_nothing_and_an_old_one_is_brought_up_to_date() {
    let scene = Scene::new();
    scene.install("alpine");
    let before = all_files(&scene.cluster.state_dir);
    scene.install("alpine");
    assert_eq!(all_files(&scene.cluster.state_dir), before);

    let site = scene.cluster.state_dir.join("site");
    let old = site.join("modulefiles/anaconda/1999.01.lua");
    fs::write(&old, "").expect("file");
    fs::write(site.join("init/bash.sh"), "exit 1\n").expect("file");
    fs::remove_file(site.join("bin/sbatch")).expect("link");
    symlink("/elsewhere", site.join("bin/sbatch")).expect("link");
    scene.install("alpine");
    assert!(!old.exists());
    assert!(fs::read_to_string(site.join("init/bash.sh")).expect("file").contains("module()"));
    assert_eq!(fs::read_link(site.join("bin/sbatch")).expect("link"), scene.cluster.exe_dir.join("bivouac"));
    let names = |files: &[(PathBuf, SystemTime)]| files.iter().map(|(p, _)| p.clone()).collect::<Vec<_>>();
    assert_eq!(names(&all_files(&scene.cluster.state_dir)), names(&before), "nothing is left over");
}

#[test]
fn links_lead_where_each_side_finds_the_programs() {
    let scene = Scene::new();
    scene.install("alpine");
    let site = scene.cluster.state_dir.join("site");
    for name in COMMANDS.iter().chain(&["module", "ml"]) {
        assert!(site.join("bin").join(name).is_file(), "{name}");
        let inside = fs::read_link(site.join("view/bin").join(name)).expect("link");
        assert!(inside.starts_with(bivouac_view::LIBEXEC), "{name}");
    }
    assert!(site.join("condabin/conda").is_file() && site.join("condabin/activate").is_file());
}

#[test]
fn a_site_without_a_view_gets_the_link_folder_and_nothing_else() {
    let scene = Scene::new();
    let environment = scene.job(&scene.install("local"));
    assert_eq!(environment.get("HOME"), None);
    assert!(!scene.cluster.state_dir.join("site/bin/module").exists());
    assert!(!scene.cluster.state_dir.join("files").exists());
    let bin = scene.cluster.state_dir.join("site/bin/sbatch");
    assert_eq!(scene.says(&environment, "sh", &["-c", "command -v sbatch"]), bin.display().to_string());
    if has("bash") {
        // A login shell sets PATH anew; the start-up file puts the commands back.
        let script = scene.dir.path().join("job.sh");
        fs::write(&script, "command -v sbatch; type module 2>/dev/null || echo no module\n").expect("script");
        let seen = scene.says(&environment, "bash", &["--login", &script.display().to_string()]);
        assert_eq!(seen.lines().collect::<Vec<_>>(), [bin.display().to_string().as_str(), "no module"]);
    }
}

#[test]
fn modules_are_there_in_every_kind_of_job_script() {
    let scene = Scene::new();
    let environment = scene.job(&scene.install("alpine"));
    let script = scene.dir.path().join("job.sh");
    fs::write(&script, "set -eu\nmodule load x; ml; echo $LOADEDMODULES; command -v sbatch >/dev/null\n")
        .expect("script");
    let script = script.display().to_string();
    let expected = "module for bash load x\nmodule for bash ml\nslurm/alpine";
    if has("bash") {
        for arguments in
            [&["-eu", &script][..], &["--login", &script], &["-c", &format!("exec -a sh bash {script:?}")]]
        {
            assert_eq!(scene.says(&environment, "bash", arguments), expected, "{arguments:?}");
        }
    }
    if has("zsh") {
        let seen = scene.says(&environment, "zsh", &[&script]);
        assert_eq!(seen, expected.replace("for bash", "for zsh"));
    }
    if !has("dash") {
        return;
    }
    let read = format!(r#"eval "f=\"$ENV\""; . "$f"; . "$f"; . {script:?}"#);
    let seen = scene.says(&environment, "dash", &["-euc", &read]);
    assert_eq!(seen, expected.replace("for bash", "for sh"));
}

#[test]
fn conda_is_a_function_again_below_a_shell_that_drops_functions() {
    if !has("bash") || !has("dash") {
        return;
    }
    let scene = Scene::new();
    let environment = scene.job(&scene.install("alpine"));
    let below = "export CONDA_EXE=\"$BIVOUAC_LIBEXEC/bivouac-conda\"; dash -c 'bash -euc \"conda activate x; mamba y\"'";
    assert_eq!(scene.says(&environment, "bash", &["-euc", below]), "conda does activate x\nconda does y");
    let broken = "export CONDA_EXE=/bin/true; bash -c 'conda x; echo status $?'";
    assert_eq!(scene.says(&environment, "bash", &["-c", broken]), "status 1", "no endless loop");
}

#[test]
fn the_prompt_names_the_site_and_only_interactive_shells_have_it() {
    if !has("bash") {
        return;
    }
    let scene = Scene::new();
    let installed = scene.install("alpine");
    let login = installed.login(&scene.user(), Access::Fallback, Path::new("/")).expect("session");
    let seen = scene.run(&login.environment, "bash", &["-ic", "printf '%s' \"$PS1\""]);
    assert_eq!(String::from_utf8_lossy(&seen.stdout), "[\\u@login-ci1 \\W]\\$ ");
    assert_eq!(scene.says(&login.environment, "bash", &["-c", "echo ${PS1-none}"]), "none");
    assert!(login.start_dir.ends_with("files/home/alice"));
}

#[test]
fn the_users_own_start_up_file_is_still_read() {
    if !has("bash") {
        return;
    }
    let scene = Scene::new();
    let environment = scene.job(&scene.install("local"));
    let own = scene.dir.path().join("own.sh");
    fs::write(&own, "echo read\n").expect("file");
    let mut entries = vec![format!("BASH_ENV={}", own.display()).into_bytes()];
    environment.apply(&mut entries);
    assert!(entries.contains(&format!("BIVOUAC_BASH_ENV={}", own.display()).into_bytes()));
    let with_own = format!("export BIVOUAC_BASH_ENV='{}'; bash -euc 'echo then'", own.display());
    assert_eq!(scene.says(&environment, "bash", &["-c", &with_own]), "read\nthen");
}

#[test]
fn a_new_home_gets_start_up_files_and_an_old_one_is_left_alone() {
    let scene = Scene::new();
    let installed = scene.install("alpine");
    let home = scene.cluster.state_dir.join("files/home/alice");
    scene.job(&installed);
    assert!(home.join(".bashrc").is_file());
    assert_eq!(fs::metadata(&home).expect("home").permissions().mode() & 0o777, 0o700);
    fs::remove_file(home.join(".bashrc")).expect("remove");
    scene.job(&installed);
    assert!(!home.join(".bashrc").exists());
}

#[test]
fn another_program_finds_what_the_controller_installed() {
    let scene = Scene::new();
    let installed = scene.install("alpine");
    let site = Site::load("alpine", Path::new("/nonexistent")).expect("profile");
    let found = site.installed(&scene.cluster).expect("installed");
    assert_eq!(scene.job(&found), scene.job(&installed));
}

#[test]
fn the_literal_paths_can_be_linked_once_the_folders_are_prepared() {
    let scene = Scene::new();
    let installed = scene.install("alpine");
    installed.prepare(&scene.user()).expect("folders");
    let links = installed.path_links(&scene.user());
    let text = |p: &Path| p.display().to_string();
    let paths: Vec<String> = links.iter().map(|l| text(&l.link)).collect();
    assert_eq!(paths, ["/projects/alice", "/scratch/alpine/alice"]);
    for link in &links {
        assert!(link.target.is_dir());
        assert_eq!(fs::metadata(&link.target).expect("folder").permissions().mode() & 0o777, 0o700);
    }
    assert!(scene.install("local").path_links(&scene.user()).is_empty());
}

#[test]
fn a_missing_module_program_is_named() {
    let scene = Scene::new();
    fs::remove_file(scene.cluster.exe_dir.join("bivouac-module")).expect("remove");
    let site = Site::load("alpine", Path::new("/nonexistent")).expect("profile");
    let text = site.install(&scene.cluster).expect_err("no program").to_string();
    assert!(text.contains("bivouac-module"), "{text}");
    assert!(site.installed(&scene.cluster).is_err());
    scene.install("local");
}

#[test]
fn an_older_python_stands_in_only_where_there_is_no_exact_one() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (bin, site) = (dir.path().join("usr"), dir.path().join("site"));
    fs::create_dir(&bin).expect("folder");
    let link = |name: &str| fs::read_link(site.join("python").join(name)).ok();
    stand_ins(&site, [bin.as_path()].into_iter()).expect("no python");
    assert_eq!(link("python3"), None);
    fs::write(bin.join("python3"), "").expect("file");
    stand_ins(&site, [bin.as_path()].into_iter()).expect("python3");
    assert_eq!((link("python3"), link("python3.10")), (Some(bin.join("python3")), None));
    fs::write(bin.join("python3.10"), "").expect("file");
    stand_ins(&site, [bin.as_path()].into_iter()).expect("python3.10");
    assert_eq!(
        (link("python"), link("python3.10")),
        (Some(bin.join("python3.10")), Some(bin.join("python3.10")))
    );
    fs::remove_file(bin.join("python3.10")).expect("remove");
    stand_ins(&site, [bin.as_path()].into_iter()).expect("back");
    assert_eq!((link("python"), link("python3.10")), (Some(bin.join("python3")), None));
}
