//! A site's sessions in real views, as whoever runs the tests and, when that is root, as an ordinary user too.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bivouac_site::{Access, Cluster, Installed, JobPlace, Session, Site, User};

const NOBODY: u32 = 65534;
const MODULE: &str = "#!/bin/sh
if [ \"$1\" = init ]; then
    echo 'module() { eval \"$(\"$LMOD_CMD\" '$2' \"$@\")\"; }; ml() { module ml \"$@\"; }'
    [ \"$2\" != bash ] || echo 'export -f module ml'
else
    echo \"echo module for $*\"
fi
";

struct Scene {
    dir: tempfile::TempDir,
    installed: Installed,
    uid: Option<u32>,
}

impl Scene {
    fn new(uid: Option<u32>) -> Scene {
        let dir = tempfile::tempdir().expect("temporary folder");
        let exe_dir = dir.path().join("exe");
        fs::create_dir(&exe_dir).expect("folder");
        for (name, text) in [("bivouac-module", MODULE), ("bivouac", "#!/bin/sh\necho called as ${0##*/}\n")]
        {
            fs::write(exe_dir.join(name), text).expect("file");
            fs::set_permissions(exe_dir.join(name), fs::Permissions::from_mode(0o755)).expect("mode");
        }
        let cluster = Cluster { name: "camp".into(), state_dir: dir.path().join("state"), exe_dir };
        let site = Site::load("alpine@2023-07", Path::new("/nonexistent")).expect("profile");
        let installed = site.install(&cluster).unwrap_or_else(|e| panic!("{e}"));
        let scene = Scene { dir, installed, uid };
        fs::create_dir(scene.user().home).expect("host home");
        scene
    }

    fn user(&self) -> User {
        User { name: "ab@example.org".into(), home: self.dir.path().join("host") }
    }

    fn login(&self) -> Session {
        self.installed.login(&self.user(), Access::Namespaces, Path::new("/usr")).expect("login")
    }

    fn job(&self) -> Session {
        let place = JobPlace { job: "7".into(), node: "c3cpu-a2-u1-1".into(), kept: None };
        self.installed.job(&self.user(), Access::Namespaces, &place).expect("job")
    }

    /// What a program prints that is started in a session with these variables from outside.
    fn says(&self, session: &Session, outside: &[&str], program: &str, arguments: &[&str]) -> Vec<String> {
        own(self.dir.path(), self.uid);
        let mut entries: Vec<Vec<u8>> = outside.iter().map(|e| e.as_bytes().to_vec()).collect();
        session.environment.apply(&mut entries);
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        for entry in &entries {
            let text = String::from_utf8_lossy(entry);
            let (name, value) = text.split_once('=').expect("entry");
            command.env(name, value);
        }
        let (plan, uid) = (session.plan.clone().expect("plan"), self.uid);
        // SAFETY: after fork the child has one thread; it makes system calls and small allocations.
        unsafe {
            command.pre_exec(move || {
                if let Some(id) = uid
                    && (libc::setgroups(0, std::ptr::null()) != 0
                        || libc::setgid(id) != 0
                        || libc::setuid(id) != 0)
                {
                    return Err(io::Error::last_os_error());
                }
                plan.apply().map_err(|e| io::Error::from_raw_os_error(e.errno()))
            });
        }
        let output = command.output().expect("started in the view");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

fn own(path: &Path, uid: Option<u32>) {
    let Some(id) = uid else { return };
    lchown(path, Some(id), Some(id)).expect("own");
    if fs::symlink_metadata(path).expect("metadata").is_dir() {
        fs::read_dir(path).expect("folder").for_each(|e| own(&e.expect("entry").path(), uid));
    }
}

/// Nothing where this machine allows no views, or has no bash.
fn scenes() -> Vec<Scene> {
    if let (Access::Fallback, Some(no)) = Access::probe() {
        eprintln!("views are not tested on this machine: {no}");
        return Vec::new();
    }
    if !Path::new("/bin/bash").exists() {
        eprintln!("there is no bash on this machine");
        return Vec::new();
    }
    let root = fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    let mut uids = vec![None];
    uids.extend(root.then_some(Some(NOBODY)));
    uids.into_iter().map(Scene::new).collect()
}

#[test]
fn a_login_shell_has_the_sites_name_folders_commands_and_prompt() {
    for scene in scenes() {
        let session = scene.login();
        assert_eq!(session.start_dir, PathBuf::from("/usr"));
        let script = "uname -n; echo $HOME $HOSTNAME; cd; pwd; command -v sbatch; module load x; sbatch
            touch /projects/$USER/p /scratch/alpine/$USER/s; echo \"$PS1\"";
        let seen = scene.says(
            &session,
            &["TERM=dumb", "LOADEDMODULES=theirs"],
            "/bin/bash",
            &["--login", "-ic", script],
        );
        let home = "/home/ab@example.org";
        assert_eq!(seen[..3], ["login-ci1", &format!("{home} login-ci1"), home]);
        assert!(seen[3].ends_with("/sbatch"), "{}", seen[3]);
        assert_eq!(seen[4..6], ["module for bash load x", "called as sbatch"]);
        assert_eq!(seen[6], "[\\u@\\h \\W]\\$ ");
        let files = scene.dir.path().join("state/files");
        assert!(files.join("projects/ab@example.org/p").is_file());
        assert!(files.join("scratch/alpine/ab@example.org/s").is_file());
    }
}

#[test]
fn a_job_has_its_nodes_name_and_its_own_scratch() {
    for scene in scenes() {
        let session = scene.job();
        let scratch = session.scratch.clone().expect("scratch");
        let script =
            "uname -n; echo $SLURM_SCRATCH; echo x >$SLURM_SCRATCH/f; module load x; echo $LOADEDMODULES
            grep -c -e login-ci1 -e c3gpu /etc/hosts";
        let seen = scene.says(&session, &["PATH=/usr/bin:/bin"], "/bin/bash", &["-euc", script]);
        assert_eq!(seen[..3], ["c3cpu-a2-u1-1", "/scratch/local/7", "module for bash load x"]);
        assert_eq!(seen[3], "slurm/alpine");
        assert!(seen[4].parse::<u32>().is_ok_and(|n| n > 1), "the cluster's names resolve");
        assert_eq!(fs::read_to_string(scratch.join("f")).expect("file"), "x\n");
    }
}

#[test]
fn commands_and_modules_are_found_with_no_environment_at_all() {
    for scene in scenes() {
        let session = scene.job();
        let bare = Session { environment: Default::default(), ..session.clone() };
        // A login shell finds its way by /etc/profile.d alone.
        if Path::new("/etc/profile.d").is_dir() {
            let script = "command -v sbatch; module load x; echo $LOADEDMODULES";
            let seen = scene.says(&bare, &["HOME=/nonexistent"], "/bin/bash", &["--login", "-c", script]);
            assert!(seen[0].ends_with("/sbatch"), "{seen:?}");
            assert_eq!(seen[1..], ["module for bash load x", "slurm/alpine"]);
            let script = ". /etc/profile.d/lmod.sh; . /etc/profile.d/modules.sh; module list";
            let seen = scene.says(&bare, &["PATH=/usr/bin:/bin"], "/bin/bash", &["-euc", script]);
            assert_eq!(seen, ["module for bash list"]);
        }
        // A script for sh, run by bash in sh mode, reads no file: the functions are in the environment.
        let script = "exec -a sh bash -euc 'module load x; command -v sbatch; mkdir /projects/other 2>/dev/null || echo none'";
        let seen = scene.says(&session, &[], "/bin/bash", &["-c", script]);
        assert_eq!(seen, ["module for bash load x", "/.bivouac/bin/sbatch", "none"]);
    }
}
