//! Entering views for real: as whoever runs the tests, and, when that is root, as an ordinary user too.
//! Where the machine forbids namespaces, the tests check that `probe` says so instead.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bivouac_view::{SiteFolder, Step, ViewInputs, ViewPlan, probe};

const NOBODY: u32 = 65534;

/// A cluster's folders in a temporary place, owned by the user who shall enter the view.
struct Scene {
    dir: tempfile::TempDir,
    user: Option<u32>,
}

impl Scene {
    fn new(user: Option<u32>) -> Scene {
        let scene = Scene { dir: tempfile::tempdir().expect("temporary folder"), user };
        for folder in ["state/site/view/bin", "state/site/view/profile.d", "host/.ssh", "exe"] {
            fs::create_dir_all(scene.path(folder)).expect("folder");
        }
        scene.write("exe/bivouac", "#!/bin/sh\necho \"called as ${0##*/}\"\n");
        fs::set_permissions(scene.path("exe/bivouac"), fs::Permissions::from_mode(0o755)).expect("mode");
        std::os::unix::fs::symlink("/.bivouac/libexec/bivouac", scene.path("state/site/view/bin/sbatch"))
            .expect("link");
        scene.write("state/site/view/profile.d/zz-bivouac.sh", "SEEN_PROFILE_D=yes\n");
        scene.write("host/.ssh/config", "Host camp\n");
        scene.own(scene.dir.path());
        scene
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    fn write(&self, inside: &str, text: &str) {
        fs::write(self.path(inside), text).expect("file");
    }

    fn own(&self, path: &Path) {
        let Some(uid) = self.user else { return };
        if fs::symlink_metadata(path).expect("metadata").is_dir() {
            for entry in fs::read_dir(path).expect("folder") {
                self.own(&entry.expect("entry").path());
            }
        }
        std::os::unix::fs::lchown(path, Some(uid), Some(uid)).expect("own");
    }

    fn inputs(&self) -> ViewInputs {
        let folder = |path: &str| SiteFolder {
            path: path.into(),
            backing: self.path("state/files").join(path.trim_start_matches('/')),
        };
        ViewInputs {
            cluster: "camp".into(),
            user: "alice".into(),
            state_dir: self.path("state"),
            exe_dir: self.path("exe"),
            host_name: Some("login-ci1".into()),
            folders: vec![
                folder("/home/alice"),
                folder("/projects/alice"),
                folder("/scratch/alpine/alice"),
                SiteFolder { path: "/scratch/local/7".into(), backing: self.path("state/scratch/7") },
            ],
            home: "/home/alice".into(),
            host_home: self.path("host"),
            keep: vec![self.path("host/.ssh"), self.path("host/.gitconfig")],
            local_names: vec!["login-ci1".into(), "c3cpu-a2-u1-1".into()],
            ..ViewInputs::default()
        }
    }

    /// Runs a shell script in the view, as the scene's user.
    fn run(&self, plan: &ViewPlan, script: &str) -> Output {
        let plan = ViewPlan::decode(&plan.encode()).expect("codec");
        let user = self.user;
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", script]).env("HOME", "/home/alice");
        // SAFETY: after fork the child has one thread; it makes system calls and small allocations.
        unsafe {
            command.pre_exec(move || {
                if let Some(id) = user {
                    let none = std::ptr::null();
                    if libc::setgroups(0, none) != 0 || libc::setgid(id) != 0 || libc::setuid(id) != 0 {
                        return Err(io::Error::last_os_error());
                    }
                }
                plan.apply().map_err(|e| {
                    eprintln!("{e}");
                    io::Error::from_raw_os_error(e.errno())
                })
            });
        }
        command.output().expect("the view is entered")
    }

    fn lines(&self, plan: &ViewPlan, script: &str) -> Vec<String> {
        let output = self.run(plan, script);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {} {errors}", output.status);
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

/// The caller, and an ordinary user where the caller may become one; nothing where views cannot be had.
fn scenes() -> Vec<Scene> {
    if let Err(no) = probe() {
        assert!(!no.reason.is_empty());
        eprintln!("views are not tested on this machine: {no}");
        return Vec::new();
    }
    let root = fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    let mut users = vec![None];
    users.extend(root.then_some(Some(NOBODY)));
    users.into_iter().map(Scene::new).collect()
}

#[test]
fn site_folders_appear_backed_by_the_state_folder_and_nobody_elses_do() {
    for scene in scenes() {
        let plan = scene.inputs().plan();
        let script = "echo home >/home/alice/f; echo projects >/projects/alice/f
            echo scratch >/scratch/alpine/alice/f; echo local >/scratch/local/7/f
            ls /home /projects /scratch /scratch/alpine; cat /home/alice/.ssh/config";
        let seen = scene.lines(&plan, script);
        assert_eq!(seen[..3], ["/home:", "alice", ""]);
        assert_eq!(seen[3..6], ["/projects:", "alice", ""]);
        assert_eq!(seen[10..], ["/scratch/alpine:", "alice", "Host camp"]);
        for name in ["home", "projects", "scratch/alpine"] {
            let text = fs::read_to_string(scene.path(&format!("state/files/{name}/alice/f"))).expect("file");
            assert_eq!(text.trim(), name.split('/').next().expect("name"));
        }
        assert_eq!(fs::read_to_string(scene.path("state/scratch/7/f")).expect("file"), "local\n");
        assert!(!Path::new("/projects/alice/f").exists(), "the host's tree is untouched");
    }
}

#[test]
fn the_user_stays_who_they_are_and_the_host_stays_around_them() {
    for scene in scenes() {
        let script = "id -u; uname -n; cat /etc/hostname; ls -d /usr/bin /proc/self/fd /dev/null /bin/sh /tmp
            mkdir /elsewhere 2>/dev/null && echo made || echo refused; touch \"$TMPDIR\"/touched; pwd";
        let script = format!("TMPDIR={}; {script}", scene.dir.path().display());
        let seen = scene.lines(&scene.inputs().plan(), &script);
        let me = scene.user.unwrap_or(fs::metadata("/proc/self").expect("self").uid());
        assert_eq!(seen[0], me.to_string());
        assert_eq!(seen[1], "login-ci1");
        if Path::new("/etc/hostname").is_file() {
            assert_eq!(seen[2], "login-ci1");
        }
        let last = seen.len() - 1;
        assert_eq!(seen[last - 1], "refused", "the root of a view is read-only");
        assert_eq!(seen[last], "/");
        let touched = fs::metadata(scene.path("touched")).expect("written through");
        assert_eq!(touched.uid(), me, "files are owned by the user on the host");
        assert_ne!(fs::read_to_string("/proc/sys/kernel/hostname").expect("name").trim(), "login-ci1");
    }
}

#[test]
fn commands_are_found_by_every_way_a_shell_may_take() {
    for scene in scenes() {
        let script = "/.bivouac/bin/sbatch; cat /.bivouac/cluster; ls /.bivouac/run/site/view/bin
            grep -c c3cpu-a2-u1-1 /etc/hosts || true";
        let seen = scene.lines(&scene.inputs().plan(), script);
        assert_eq!(seen[..4], ["called as sbatch", "camp", "user=alice", "sbatch"]);
        if Path::new("/etc/hosts").is_file() {
            assert_eq!(seen[4], "1");
        }
        if Path::new("/etc/profile.d").is_dir() {
            let script = "cd /etc/profile.d; . ./zz-bivouac.sh; echo $SEEN_PROFILE_D; ls";
            let seen = scene.lines(&scene.inputs().plan(), script);
            assert_eq!(seen[0], "yes");
            for entry in fs::read_dir("/etc/profile.d").expect("folder") {
                let name = entry.expect("entry").file_name();
                assert!(seen.iter().any(|s| name == s.as_str()), "{name:?} of the host is missing");
            }
        }
        let script = "PATH=/usr/local/bin:/usr/bin:/bin; command -v sbatch || echo none; ls /usr/local/bin";
        let seen = scene.lines(&scene.inputs().plan(), script);
        assert!(["/usr/local/bin/sbatch", "none"].contains(&seen[0].as_str()), "{}", seen[0]);
        for entry in fs::read_dir("/usr/local/bin").into_iter().flatten() {
            let name = entry.expect("entry").file_name();
            assert!(seen.iter().any(|s| name == s.as_str()), "{name:?} of the host is missing");
        }
    }
}

#[test]
fn a_union_of_links_stands_in_where_an_overlay_is_refused() {
    for scene in scenes() {
        // The kernel refuses an overlay of which one layer lies inside another.
        fs::create_dir_all(scene.path("under/over")).expect("folder");
        scene.write("under/theirs.sh", "theirs ");
        scene.write("under/ours.sh", "hidden");
        scene.write("under/over/ours.sh", "ours");
        scene.own(scene.dir.path());
        let mut plan = scene.inputs().plan();
        plan.steps.push(Step::Union {
            path: scene.path("under"),
            over: scene.path("under/over"),
            or_links: true,
        });
        let script = format!("cat {0}/theirs.sh {0}/ours.sh; echo; ls {0}", scene.path("under").display());
        assert_eq!(scene.lines(&plan, &script), ["theirs ours", "ours.sh", "over", "theirs.sh"]);
        plan.steps.pop();
        plan.steps.push(Step::Union {
            path: scene.path("under"),
            over: scene.path("under/over"),
            or_links: false,
        });
        let seen = scene.lines(&plan, &script);
        assert_eq!(seen[0], "theirs hidden", "without links, the host's folder stays as it is");
    }
}

#[test]
fn a_missing_source_is_an_error_that_names_it_unless_it_is_optional() {
    for scene in scenes() {
        let mut plan = scene.inputs().plan();
        let source = scene.path("nowhere");
        let bind = |optional| Step::Bind { source: source.clone(), target: "/home/alice/x".into(), optional };
        plan.steps.push(bind(true));
        scene.lines(&plan, "test ! -e /home/alice/x");
        plan.steps.push(bind(false));
        let mut command = Command::new("/bin/true");
        // SAFETY: as in `Scene::run`.
        unsafe {
            command.pre_exec(move || match plan.apply() {
                Err(e) if e.to_string().contains("nowhere") => Err(io::Error::from_raw_os_error(e.errno())),
                _ => Ok(()),
            });
        }
        assert_eq!(command.status().expect_err("refused").kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn the_folder_that_the_user_was_in_stays_at_its_path() {
    for scene in scenes() {
        // The site replaces the folder above the temporary one, as it does with /home on a real machine.
        let here = scene.path("people/alice/src/proj");
        fs::create_dir_all(&here).expect("folder");
        fs::write(here.join("code.py"), "print()").expect("file");
        fs::create_dir_all(scene.path("people/bob")).expect("folder");
        scene.own(scene.dir.path());
        let home = scene.path("people/alice");
        let inputs = ViewInputs {
            folders: vec![SiteFolder { path: home.clone(), backing: scene.path("state/files/home") }],
            home: home.clone(),
            host_home: home.clone(),
            work_dir: Some(here.clone()),
            keep: Vec::new(),
            ..scene.inputs()
        };
        let script = format!(
            "cat {}/code.py; echo; ls {} {}; cat /.bivouac/cluster",
            here.display(),
            scene.path("people").display(),
            home.display()
        );
        let seen = scene.lines(&inputs.plan(), &script);
        assert_eq!(seen[0], "print()");
        assert_eq!(seen[2], "alice", "bob's folder is not there");
        assert_eq!(seen[5], "src", "of the host home, only what was kept");
        assert_eq!(seen.last().map(String::as_str), Some(&*format!("kept={}", here.display())));
    }
}

/// Prints what entering a view costs; run with `--no-capture`. The bound is wide: it is here to catch a
/// view that became slow by an order of magnitude.
#[test]
fn entering_is_quick() {
    for scene in scenes() {
        let plan = scene.inputs().plan();
        scene.lines(&plan, "true");
        let rounds = 50;
        let time = |with: &mut dyn FnMut()| {
            let start = std::time::Instant::now();
            (0..rounds).for_each(|_| with());
            start.elapsed().as_secs_f64() * 1e3 / f64::from(rounds)
        };
        let entered = time(&mut || drop(scene.run(&plan, ":")));
        let plain = time(&mut || drop(Command::new("/bin/sh").args(["-euc", ":"]).output()));
        println!("uid {:?}: in a view {entered:.2} ms, without {plain:.2} ms", scene.user);
        assert!(entered - plain < 50.0, "entering a view takes {:.1} ms", entered - plain);
    }
}
