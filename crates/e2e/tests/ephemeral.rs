//! `bivouac ephemeral`: a private cluster while a command runs, and nothing of it afterwards.

use bivouac_e2e::{Camp, alive, kill};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

/// A camp whose temporary folder is its own, so that what is left there is seen.
fn camp() -> Camp {
    settled(Camp::new())
}

fn settled(camp: Camp) -> Camp {
    let tmp = camp.path("work/tmp");
    camp.file("tmp/.keep", "");
    if let Ok(meta) = std::fs::metadata(camp.path("work")) {
        use std::os::unix::fs::MetadataExt;
        std::os::unix::fs::chown(&tmp, Some(meta.uid()), Some(meta.gid())).unwrap();
    }
    camp.with("TMPDIR", tmp.to_str().unwrap())
}

fn shell(camp: &Camp, script: &str) -> Command {
    let mut command = camp.command("bivouac");
    command.args(["ephemeral", "--", "bash", "-c", script]);
    command
}

fn background(camp: &Camp, script: &str) -> Child {
    let child = shell(camp, script).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    camp.until("the command runs", || camp.path("work/started").exists());
    child
}

fn folders(camp: &Camp) -> Vec<String> {
    let entries = std::fs::read_dir(camp.path("work/tmp")).unwrap().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).filter(|n| n != ".keep").collect()
}

#[track_caller]
fn nothing_is_left(camp: &Camp) {
    assert_eq!(folders(camp), [] as [&str; 0]);
    assert_eq!(camp.processes(), []);
}

fn a_command_has_a_cluster_of_its_own(camp: &Camp) {
    let script = "set -e; test \"$(command -v sbatch)\" = \"$BIVOUAC_STATE_DIR/ephemeral/site/bin/sbatch\"
        sbatch --parsable -W -o out --wrap 'echo from $SLURM_JOB_ID'
        sacct -n -X -P -o JobID,State; cat out; sbatch -Q --wrap 'sleep 300'; exit 7";
    let said = camp.run("bivouac", ["ephemeral", "--", "bash", "-c", script]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (7, "1\n1|COMPLETED\nfrom 1\n", ""));
    nothing_is_left(camp);
}

#[test]
fn a_command_has_a_cluster_of_its_own_and_its_exit_code_is_passed_on() {
    a_command_has_a_cluster_of_its_own(&camp());
}

#[test]
fn so_has_an_ordinary_users() {
    if let Some(camp) = Camp::of_ordinary_user() {
        a_command_has_a_cluster_of_its_own(&settled(camp));
    }
}

#[test]
fn its_shape_can_be_that_of_a_slurm_conf() {
    let camp = camp();
    let conf = "ClusterName=rehearsal\nSlurmctldHost=n1\nNodeName=n[1-4] CPUs=8 RealMemory=8000\n\
                PartitionName=main Nodes=ALL Default=YES\n";
    camp.file("conf/slurm.conf", conf);
    let run = |option: &str, value: &str| {
        camp.run("bivouac", ["ephemeral", option, value, "--", "sinfo", "-h", "-o", "%P %D %N"])
    };
    assert_eq!(run("--slurm-conf", "conf").ok(), "main* 4 n[1-4]\n");
    camp.file("conf/slurm.conf", &conf.replace("NodeName", "NodeNme"));
    let said = run("--slurm-conf", "conf");
    assert_eq!(said.code, 125);
    assert!(said.err.contains("slurm.conf:3"), "{said:?}");
    // The name is a folder's: it leads nowhere else, neither to be written nor to be taken away in the end.
    camp.file("precious/kept", "");
    camp.file("conf/slurm.conf", &conf.replace("rehearsal", "../../precious/c"));
    let said = run("--slurm-conf", "conf");
    assert_eq!(said.code, 125);
    assert!(said.err.contains("ClusterName=../../precious/c: a cluster's name has letters"), "{said:?}");
    assert!(camp.path("work/precious/kept").exists());
    nothing_is_left(&camp);
}

#[test]
fn exit_codes_are_those_of_a_shell() {
    let camp = camp();
    let code = |words: &[&str]| camp.run("bivouac", ["ephemeral", "--"].iter().chain(words)).code;
    assert_eq!(code(&["bash", "-c", "kill -TERM $$"]), 143);
    assert_eq!(code(&["no-such-command"]), 127);
    assert_eq!(code(&["/"]), 126);
    nothing_is_left(&camp);
    assert_eq!(camp.run("bivouac", ["ephemeral", "--site", "nowhere", "--", "true"]).code, 125);
    nothing_is_left(&camp);
    assert_eq!(camp.run("bivouac", ["ephemeral"]).code, 2);
    let said = camp.run("env", ["TMPDIR=/nonexistent", "bivouac", "ephemeral", "--", "true"]);
    assert_eq!(said.code, 125);
    assert!(said.err.contains("/nonexistent (TMPDIR): No such file"), "{said:?}");
    // PATH ends a folder's name at a colon, and the commands of the host would answer.
    camp.file("a:b/.keep", "");
    let said = camp.run("env", ["TMPDIR=a:b", "bivouac", "ephemeral", "--", "true"]);
    assert_eq!(said.code, 125);
    assert!(said.err.contains("a path with a colon"), "{said:?}");
}

#[test]
fn a_signal_is_passed_on_and_the_cluster_ends_after_the_command() {
    let camp = camp();
    for (signal, code) in [(libc::SIGTERM, 15), (libc::SIGINT, 2), (libc::SIGHUP, 1)] {
        let script = "trap 'squeue -h -o %i > seen; exit 15' TERM; trap 'exit 2' INT; trap 'exit 1' HUP
            sbatch -Q --wrap 'sleep 300'; touch started; while :; do sleep 0.01; done";
        let mut child = background(&camp, script);
        kill(child.id(), signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        nothing_is_left(&camp);
        std::fs::remove_file(camp.path("work/started")).unwrap();
    }
    assert_eq!(camp.read("seen"), "1\n", "the cluster was still there for the trap");
}

#[test]
fn a_job_that_does_not_want_to_end_is_killed() {
    let camp = camp();
    let script = "sbatch -Q -o out --wrap \"trap '' TERM; echo here; while :; do sleep 0.1; done\"
        until grep -qs here out; do sleep 0.01; done";
    let begun = std::time::Instant::now();
    shell(&camp, script).status().unwrap();
    assert!(begun.elapsed().as_secs() < 15, "KillWait is 30 s");
    nothing_is_left(&camp);
}

#[test]
fn kill_9_takes_the_cluster_along() {
    let camp = camp();
    let script = "sbatch -Q -o pid --wrap 'echo $$; sleep 300'
        until test -s pid; do sleep 0.01; done; trap 'touch told; exit' TERM; touch started
        while :; do sleep 0.01; done";
    let mut child = background(&camp, script);
    let job: u32 = camp.read("pid").trim().parse().unwrap();
    assert!(alive(job));
    kill(child.id(), libc::SIGKILL);
    child.wait().unwrap();
    camp.until("the cluster is gone", || folders(&camp).is_empty() && camp.processes().is_empty());
    assert!(!alive(job));
    assert!(camp.path("work/told").exists(), "the command was told to end");
}

#[test]
fn what_kills_the_guard_leaves_nothing_either() {
    let camp = camp();
    let script = "for p in /proc/[0-9]*; do test \"$(cat $p/comm 2>/dev/null)\" = bivouac-guard || continue
            tr '\\0' '\\n' < $p/environ | grep -qx \"TMPDIR=$TMPDIR\" && kill -9 ${p#/proc/} && exit 3; done";
    assert_eq!(shell(&camp, script).status().unwrap().code(), Some(3));
    nothing_is_left(&camp);
}

#[test]
fn a_controller_that_does_not_answer_is_no_hindrance() {
    let camp = camp();
    let script = "sbatch -Q -o pid --wrap 'echo $$; sleep 300'; until test -s pid; do sleep 0.01; done
        kill -STOP $(cat $BIVOUAC_STATE_DIR/ephemeral/controller.lock)";
    assert_eq!(shell(&camp, script).status().unwrap().code(), Some(0));
    let told = camp.read("pid");
    assert!(!alive(told.lines().next().unwrap().parse().unwrap()), "{told}");
    nothing_is_left(&camp);
}

#[test]
fn clusters_at_the_same_time_do_not_meet() {
    let camp = camp();
    let script = "sbatch --parsable -W -J $0 --wrap 'sleep 0.2'; squeue -h -t all -o '%i %j'";
    let all: Vec<(String, Child)> = (0..3)
        .map(|n| {
            let mut command = shell(&camp, script);
            let child = command.arg(format!("n{n}")).stdout(Stdio::piped()).spawn().unwrap();
            (format!("1\n1 n{n}\n"), child)
        })
        .collect();
    for (expected, child) in all {
        assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), expected);
    }
    nothing_is_left(&camp);
}

#[test]
fn what_outlives_its_cluster_does_not_start_it_again() {
    let camp = camp();
    let script = "cp -P $(command -v squeue) . ; (
        exec >/dev/null 2>late; touch started; while test -e $BIVOUAC_STATE_DIR; do sleep 0.01; done
        ./squeue; echo $? > code) &
        until test -e started; do sleep 0.01; done";
    shell(&camp, script).status().unwrap();
    camp.until("squeue was called", || camp.path("work/code").exists());
    assert_eq!(camp.read("code"), "1\n");
    assert!(camp.read("late").contains("BIVOUAC_STATE_DIR="), "{}", camp.read("late"));
    camp.until("all has ended", || camp.processes().is_empty());
    nothing_is_left(&camp);
}

/// Clients drop the environment: batchspawner calls sbatch without any, login shells and cron reset PATH.
#[test]
fn commands_find_their_cluster_without_a_variable() {
    let camp = camp();
    camp.file(
        "job.sh",
        "#!/bin/bash\necho job; b=$(command -v squeue)
         env -i $b -h -o %A.%j; env -i HOME=/ bash -lc \"$b -h -o %A.%j\"
         (cd / && env -i /bin/sh -c \"exec $PROGRAM squeue -h -o %A.%j\")
         setsid env -i setsid -w $PROGRAM squeue -h -o %A.%j\n",
    );
    let script = "b=$(command -v sbatch); env -i PROGRAM=$1 $b --parsable -W -J x -o out job.sh; cat out
        env -i HOME=$HOME LOGNAME=$USER SHELL=/bin/sh PATH=/usr/bin:/bin /bin/sh -c \"cd /; ${b%/*}/sacct -n -X -P -o JobName\"";
    let program = bivouac_e2e::programs().join("bivouac");
    let output = shell(&camp, script).arg("x").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "1\njob\n1.x\n1.x\n1.x\n1.x\nx\n", "{}", String::from_utf8_lossy(&output.stderr));
    nothing_is_left(&camp);
}

#[test]
fn within_a_job_of_another_cluster_it_is_no_part_of_that_job() {
    let camp = camp();
    let script = "env | grep ^SLURM_ > before; bivouac ephemeral -- bash -c \
        'env | grep ^SLURM_; sbatch --parsable -W --wrap true; squeue -h -t all -o %j'";
    let job = camp.sbatch(["-o", "out", "-J", "outer", "--wrap", script]);
    assert_eq!(camp.wait(job).code, 0);
    assert!(camp.read("before").contains("SLURM_JOB_ID"));
    assert_eq!(camp.read("out"), "1\nwrap\n");
    assert_eq!(folders(&camp), [] as [&str; 0]);
}

/// On a machine that has Slurm, a command that is not there must not be the host's: it might reach a real cluster.
#[test]
fn no_command_of_the_hosts_slurm_answers() {
    let camp = camp();
    for name in ["sview", "scrontab", "sgather"] {
        let script = format!("command -v {name}; {name} --version; echo $?");
        let said = camp.run("bivouac", ["ephemeral", "--", "bash", "-c", &script]);
        assert!(said.out.contains("/ephemeral/site/bin/") && said.out.ends_with("\n1\n"), "{said:?}");
        // Nor in a folder of `bivouac link`.
        let said = camp.run(name, ["-n"]);
        let text = format!("{name}: error: this cluster does not have {name}: ");
        assert!(said.code == 1 && said.err.starts_with(&text), "{said:?}");
        assert_eq!(camp.bivouac([name, "-n"]).err, said.err);
    }
    nothing_is_left(&camp);
}

/// Whenever the signal comes, while the cluster starts as well: it ends, and takes everything along.
#[test]
fn a_signal_during_the_start_ends_it_and_nothing_is_left() {
    let camp = camp();
    // A start that takes a while.
    camp.file(
        "conf/slurm.conf",
        "ClusterName=c\nNodeName=n[1-2000] CPUs=64\nPartitionName=p Nodes=ALL Default=YES\n",
    );
    for (tries, signal) in
        [libc::SIGTERM, libc::SIGINT, libc::SIGHUP].into_iter().cycle().take(12).enumerate()
    {
        let mut child = camp
            .command("bivouac")
            .args(["ephemeral", "--slurm-conf", "conf", "--", "sh", "-c", "touch started; exec sleep 300"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        match tries {
            // At whatever moment, or when there is a folder but no cluster yet.
            0..9 => std::thread::sleep(std::time::Duration::from_millis(10 * tries as u64)),
            _ => camp.until("there is a folder", || !folders(&camp).is_empty()),
        }
        kill(child.id(), signal);
        camp.until("it has ended", || child.try_wait().unwrap().is_some());
        let status = child.wait().unwrap();
        let told = status.code().or(status.signal().map(|signal| 128 + signal));
        assert_eq!(told, Some(128 + signal), "try {tries}: {status:?}");
        assert!(tries < 9 || !camp.path("work/started").exists(), "the command was started all the same");
        let _ = std::fs::remove_file(camp.path("work/started"));
        nothing_is_left(&camp);
    }
}
