//! What a job experiences: its streams, folder, environment, user, scratch folder, and what is reported of its end.

mod support;

use bivouac_keeper::order::{LoginEnv, Stream};
use bivouac_keeper::protocol::{FromKeeper, Scope, ToKeeper};
use bivouac_keeper::report::{Attempt, FailedStep, LaunchFailure};
use support::{Camp, Gate, attempt, bytes};

fn failure(camp_link: &mut support::Link, wanted: Attempt) -> LaunchFailure {
    loop {
        if let FromKeeper::LaunchFailed { attempt, failure } = camp_link.receive() {
            assert_eq!(attempt, wanted);
            camp_link.send(ToKeeper::Ack { attempt });
            return failure;
        }
    }
}

#[test]
fn exit_codes_and_signals_are_reported() {
    let camp = Camp::new();
    let (mut link, welcome) = camp.connect();
    assert!(welcome.attempts.is_empty() && welcome.notes.is_empty());
    let report = link.run(camp.order(1, "echo out; echo err >&2"));
    assert_eq!((report.exit_code(), report.signal()), (0, 0));
    assert_eq!(camp.read("out-1"), "out\nerr\n");
    assert!(report.ended_at >= report.started_at && report.started_at.boot_ms > 0);
    let report = link.run(camp.order(2, "exit 7"));
    assert_eq!((report.exit_code(), report.signal()), (7, 0));
    let report = link.run(camp.order(3, "kill -TERM $$"));
    assert_eq!((report.exit_code(), report.signal()), (0, libc::SIGTERM));
    let report = link.run(camp.order(4, "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"));
    assert!(report.used.user_us > 0 && report.used.rss_kb > 0);
}

#[test]
fn a_signal_reaches_the_batch_process_or_all() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let script = "trap 'echo parent; exit 3' USR1
        sh -c 'trap \"echo child\" USR1; sleep 1000 & echo up > up-1; wait' & wait";
    link.launch(camp.order(1, script));
    support::until("the child is up", || camp.read("up-1") == "up\n");
    link.send(ToKeeper::Signal { attempt: attempt(1), signal: libc::SIGUSR1, scope: Scope::BatchOnly });
    assert_eq!(link.exited(attempt(1)).exit_code(), 3);
    assert_eq!(camp.read("out-1"), "parent\n");
    let script = "trap 'wait; exit 4' USR1
        sh -c 'trap \"echo child; exit\" USR1; sleep 1000 & echo up > up; wait' & wait";
    link.launch(camp.order(2, script));
    support::until("the child is up", || camp.read("up") == "up\n");
    link.send(ToKeeper::Signal { attempt: attempt(2), signal: libc::SIGUSR1, scope: Scope::AllProcesses });
    assert_eq!(link.exited(attempt(2)).exit_code(), 4);
    assert_eq!(camp.read("out-2"), "child\n");
}

#[test]
fn a_signal_for_tasks_leaves_the_batch_process_and_its_own_children_alone() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let script = "trap 'echo batch' USR1
        sh -c 'trap \"echo child\" USR1; while [ ! -e told ]; do sleep 0.01; done; echo child ends' &
        SLURM_STEP_ID=0 sh -c 'trap \"echo task; touch told; exit\" USR1; echo up > up; while :; do sleep 0.01; done' &
        wait";
    link.launch(camp.order(1, script));
    support::until("the task is up", || camp.read("up") == "up\n");
    link.send(ToKeeper::Signal { attempt: attempt(1), signal: libc::SIGUSR1, scope: Scope::Tasks });
    assert_eq!(link.exited(attempt(1)).exit_code(), 0);
    let mut said: Vec<String> = camp.read("out-1").lines().map(str::to_owned).collect();
    said.sort();
    // The shell may say that a sleep of the task's was ended by the signal.
    said.retain(|l| !l.contains("signal 1"));
    assert_eq!(said, ["child ends", "task"]);
}

#[test]
fn a_note_goes_behind_what_the_job_has_written_and_before_what_it_writes_later() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let script = "echo before >&2; echo up > up; while [ ! -e go ]; do sleep 0.01; done; echo after >&2";
    link.launch(camp.order(1, script));
    support::until("the job has written", || camp.read("up") == "up\n");
    link.send(ToKeeper::Note { attempt: attempt(1), text: "*** a note ***".into() });
    // Without its marks nobody waits for a note: the next message is dealt with after it.
    link.settle();
    std::fs::write(camp.path("go"), "").unwrap();
    assert_eq!(link.exited(attempt(1)).exit_code(), 0);
    assert_eq!(camp.read("out-1"), "before\nslurmstepd: error: *** a note ***\nafter\n");
}

#[test]
fn files_that_cannot_be_opened_fail_the_launch_by_name() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let mut order = camp.order(1, "touch ran");
    order.stdout = Stream::Write { path: b"/nonexistent/out".to_vec(), append: false };
    link.launch(order);
    let what = failure(&mut link, attempt(1));
    assert_eq!((what.step, what.errno), (FailedStep::Stdio, libc::ENOENT));
    assert_eq!(what.what, "Could not open stdout file /nonexistent/out: No such file or directory");
    let mut order = camp.order(2, "touch ran");
    order.stdin = Stream::Read(b"nothing-here".to_vec());
    link.launch(order);
    assert_eq!(
        failure(&mut link, attempt(2)).what,
        "Could not open stdin file nothing-here: No such file or directory"
    );
    assert!(!camp.path("ran").exists());
}

#[test]
fn a_missing_folder_has_slurms_fallback_and_message() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let mut order = camp.order(1, "pwd");
    order.cwd = b"/nonexistent".to_vec();
    order.fallback_cwd = Some(b"/tmp".to_vec());
    assert_eq!(link.run(order).exit_code(), 0);
    let said = "slurmstepd: error: couldn't chdir to `/nonexistent': No such file or directory: going to /tmp instead\n/tmp\n";
    assert_eq!(camp.read("out-1"), said);
    let mut order = camp.order(2, "pwd");
    order.cwd = b"/nonexistent".to_vec();
    link.launch(order);
    assert_eq!(failure(&mut link, attempt(2)).step, FailedStep::Chdir);
}

#[test]
fn a_missing_program_ends_as_under_slurm() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let mut order = camp.order(1, "");
    order.argv = vec![b"/nonexistent/script".to_vec()];
    assert_eq!(link.run(order).exit_code(), libc::ENOENT);
    assert_eq!(
        camp.read("out-1"),
        "slurmstepd: error: execve(): /nonexistent/script: No such file or directory\n"
    );
}

#[test]
fn the_environment_is_exactly_the_ordered_one() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let mut order = camp.order(1, "env; ulimit -c; umask; ls /proc/self/fd | wc -l");
    order.env = vec![b"PATH=/usr/bin:/bin".to_vec(), b"A=x\ny".to_vec()];
    let core = libc::RLIMIT_CORE;
    order.limits = vec![bivouac_keeper::order::Limit { resource: core, soft: 0, hard: 0 }];
    order.umask = 0o027;
    assert_eq!(link.run(order).exit_code(), 0);
    let out = camp.read("out-1");
    assert!(
        out.contains("A=x\ny\n") && out.contains("BIVOUAC_ATTEMPT=1.0\n") && !out.contains("BIVOUAC_TEST"),
        "{out}"
    );
    // Streams and the folder that ls reads: nothing of the keeper's.
    assert!(out.ends_with("0\n0027\n4\n"), "{out}");
}

#[test]
fn the_login_environment_is_the_base() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let home = camp.path("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(
        home.join(".profile"),
        "echo Welcome, traveller\nexport FROM_LOGIN=yes\nexport BOTH=login\n",
    )
    .unwrap();
    let mut order = camp.order(1, "echo $FROM_LOGIN $BOTH $HOME");
    let base = [format!("HOME={}", home.display()), "PATH=/usr/bin:/bin".into()];
    order.env = vec![b"BOTH=order".to_vec()];
    let base: Vec<Vec<u8>> = base.into_iter().map(String::into_bytes).collect();
    order.login_env = Some(LoginEnv { shell: b"/bin/sh".to_vec(), base: base.clone() });
    assert_eq!(link.run(order.clone()).exit_code(), 0);
    assert_eq!(camp.read("out-1"), format!("yes order {}\n", home.display()));
    order.attempt = attempt(2);
    order.login_env = Some(LoginEnv { shell: b"/nonexistent/sh".to_vec(), base });
    assert_eq!(link.run(order).exit_code(), 0);
    let said =
        "slurmstepd: error: Unable to get user's local environment, running only with passed environment\n";
    assert_eq!(camp.read("out-1"), format!("{said}order {}\n", home.display()));
}

#[test]
fn the_scratch_folder_lives_as_long_as_the_job() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let scratch = camp.path("scratch-1");
    let mut order =
        camp.order(1, "mkdir -p $S/deep/er; echo x > $S/deep/er/f; ln -s .. $S/link; stat -c %a $S");
    order.env.push(format!("S={}", scratch.display()).into_bytes());
    order.scratch = Some(bytes(&scratch));
    assert_eq!(link.run(order).exit_code(), 0);
    assert_eq!(camp.read("out-1"), "700\n");
    let left = || {
        std::fs::read_dir(camp.root.path())
            .unwrap()
            .flatten()
            .any(|e| e.file_name().to_string_lossy().starts_with("scratch"))
    };
    support::until("the scratch folder is removed", || !left());
}

#[test]
fn a_doubled_launch_starts_once() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    let order = camp.order(1, &format!("echo ran >> runs; {}; exit 5", gate.wait()));
    // At once, while it is being launched; and later, when it is: it is reported again.
    link.launch(order.clone());
    link.launch(order.clone());
    let first = link.launched(attempt(1));
    link.launch(order.clone());
    assert_eq!(link.launched(attempt(1)), first);
    support::until("the job has begun", || camp.read("runs") == "ran\n");
    // A later attempt of the same job is refused while this one lives, which is killed for it.
    let mut later = order.clone();
    later.attempt.restart = 1;
    link.launch(later);
    let mut killed = None;
    let mut refused = None;
    while killed.is_none() || refused.is_none() {
        match link.receive() {
            FromKeeper::Exited(report) => killed = Some(report.signal()),
            FromKeeper::LaunchFailed { failure, .. } => refused = Some(failure.step),
            _ => {}
        }
    }
    assert_eq!((killed, refused), (Some(libc::SIGKILL), Some(FailedStep::Refused)));
    link.launch(order);
    assert_eq!(link.exited(attempt(1)).signal(), libc::SIGKILL);
    assert_eq!(camp.read("runs"), "ran\n");
}

#[test]
fn a_job_runs_in_its_site_view() {
    if let Err(why) = bivouac_view::probe() {
        eprintln!("skipped: {why}");
        return;
    }
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let folder = |path: &str| bivouac_view::SiteFolder { path: path.into(), backing: camp.path(&path[1..]) };
    for name in [bivouac_view::STATE_BIN, bivouac_view::STATE_CONDABIN, bivouac_view::STATE_PROFILE_D] {
        std::fs::create_dir_all(camp.dir.join(name)).unwrap();
    }
    let inputs = bivouac_view::ViewInputs {
        cluster: "camp".into(),
        user: "alice".into(),
        state_dir: camp.dir.clone(),
        exe_dir: "/usr/bin".into(),
        host_name: Some("c3cpu-a2-u1-1".into()),
        folders: ["/home/alice", "/projects/alice"].map(folder).to_vec(),
        home: "/home/alice".into(),
        host_home: camp.root.path().into(),
        ..Default::default()
    };
    let mut order = camp.order(1, "uname -n; pwd; echo x > made; exit 6");
    order.view = Some(inputs.plan().encode());
    order.cwd = b"/projects/alice".to_vec();
    order.stdout = Stream::Write { path: b"out".to_vec(), append: false };
    assert_eq!(link.run(order.clone()).exit_code(), 6);
    assert_eq!(camp.read("projects/alice/out"), "c3cpu-a2-u1-1\n/projects/alice\n");
    order.attempt = attempt(2);
    order.view = Some(b"no plan".to_vec());
    link.launch(order);
    assert_eq!(failure(&mut link, attempt(2)).step, FailedStep::View);
}

#[test]
fn a_root_keeper_runs_jobs_as_their_user() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("skipped: only root can become somebody else");
        return;
    }
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let home = camp.path("theirs");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    let scratch = camp.path("theirs-scratch");
    let mut order = camp.order(1, "id -u; id -g; id -G; stat -c %u $S out; touch $S/f");
    order.env.push(format!("S={}", scratch.display()).into_bytes());
    (order.uid, order.gid, order.groups) = (65534, 65534, vec![65534, 4711]);
    order.cwd = bytes(&home);
    order.stdout = Stream::Write { path: b"out".to_vec(), append: true };
    order.scratch = Some(bytes(&scratch));
    assert_eq!(link.run(order.clone()).exit_code(), 0);
    assert_eq!(camp.read("theirs/out"), "65534\n65534\n65534 4711\n65534\n65534\n");
    support::until("their scratch folder is removed", || {
        !std::fs::read_dir(camp.root.path())
            .unwrap()
            .flatten()
            .any(|e| e.file_name().to_string_lossy().contains("scratch"))
    });
    // Where they may not write, the keeper's rights do not help.
    order.attempt = attempt(2);
    order.scratch = None;
    order.stdout = Stream::Write { path: bytes(&camp.path("not-theirs")), append: false };
    link.launch(order);
    assert_eq!(failure(&mut link, attempt(2)).errno, libc::EACCES);
}

#[test]
fn another_users_job_is_refused_by_an_ordinary_keeper() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } == 0 {
        eprintln!("skipped: root may become anybody");
        return;
    }
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let mut order = camp.order(1, "true");
    order.uid += 1;
    link.launch(order);
    let what = failure(&mut link, attempt(1));
    assert_eq!((what.step, what.errno), (FailedStep::Credentials, libc::EPERM));
}
