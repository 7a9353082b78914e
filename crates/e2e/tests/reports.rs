//! squeue, sinfo, sacct and scontrol against a real cluster: what they say of real jobs, and how they refuse.

use bivouac_e2e::{Camp, Said};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs a command line, words separated by single blanks.
fn run(camp: &Camp, line: &str) -> Said {
    let mut words = line.split(' ');
    let program = words.next().unwrap();
    camp.run(program, words)
}

/// Its output, which must end well.
#[track_caller]
fn out(camp: &Camp, line: &str) -> String {
    run(camp, line).ok()
}

const HEADING: &str =
    "             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)\n";

#[test]
fn refusals_in_slurms_words() {
    let camp = Camp::new();
    camp.sbatch(["-H", "--wrap", "true"]);
    for (line, code, said, err) in [
        ("squeue -j 999", 1, "", "slurm_load_jobs error: Invalid job id specified\n"),
        ("squeue -j 998,999", 0, HEADING, ""),
        ("squeue -j abc", 1, "", "squeue: error: Invalid job id: abc\n"),
        ("squeue -u no-such-user", 0, HEADING, "squeue: error: Invalid user: no-such-user\n\n"),
        ("squeue -p nope", 0, HEADING, ""),
        ("squeue -w nope", 1, "", "squeue: error: Invalid node name nope\n"),
        ("squeue -s1", 1, "", "squeue: error: Invalid job_step id: 1.??\n"),
        ("squeue -S foo", 1, HEADING, "squeue: error: Invalid sort specification: o\n"),
        ("squeue -h -o %!", 0, "%!\n", "squeue: error: Invalid job format specification: !\n"),
        ("squeue -o %i -O jobid", 1, "", "squeue: error: -O (--Format) is incompatible with -o (--format)\n"),
        ("squeue -i 0", 1, "", "squeue: error: --iterate=0\n\n"),
        ("sinfo -p nope -h", 0, "", ""),
        ("sinfo -R", 0, "REASON               USER      TIMESTAMP           NODELIST\n", ""),
        ("sacct -n -j 999", 0, "", ""),
        ("sacct -n -j 1.7", 0, "", ""),
        ("sacct -j abc", 1, "", "sacct: fatal: Bad job/step specified: abc\n"),
        ("sacct -o foo", 1, "", "sacct: error: Invalid field requested: \"foo\"\n"),
        ("sacct -s foo", 1, "", "sacct: fatal: unrecognized job state value 'foo'\n"),
        ("sacct -S foo", 1, "", "Invalid time specification (pos=0): foo\n"),
        ("sacct -u no-such-user", 1, "", "sacct: error: Invalid user id: no-such-user\n"),
        ("scontrol badcmd", 1, "", "invalid keyword: badcmd\n"),
        ("scontrol show", 1, "", "too few arguments for keyword:show\n"),
        ("scontrol show foo", 1, "", "invalid entity:foo for keyword:show \n"),
        ("scontrol show job 999", 1, "", "slurm_load_jobs error: Invalid job id specified\n"),
        ("scontrol show job abc", 1, "", "scontrol_print_job error: Invalid job id specified\n"),
        ("scontrol show node nope", 1, "Node nope not found\n", ""),
        ("scontrol show partition nope", 1, "Partition nope not found\n", ""),
        (
            "scontrol hold 999",
            1,
            "",
            "Invalid job id specified for job 999\nslurm_suspend error: Invalid job id specified\n",
        ),
        ("scontrol update jobid=999 timelimit=5", 1, "", "Invalid job id specified for job 999\n"),
        ("scontrol update jobid=1 timelimit=bad", 1, "", "scontrol: error: Invalid TimeLimit value\n"),
        ("scontrol requeue 1", 1, "", "Job is pending execution for job 1\n"),
        ("scontrol -Q show job 999", 1, "", ""),
        ("scontrol show hostnames n[1-2],g1", 0, "n1\nn2\ng1\n", ""),
        ("scontrol show hostlist n1,n2,n3,g1,n2", 0, "n[1-3],g1,n2\n", ""),
        ("scontrol show hostlistsorted n3,n1,g1,n2", 0, "g1,n[1-3]\n", ""),
        ("scontrol version", 0, "slurm 22.05.8\n", ""),
        ("sinfo -V", 0, "slurm 22.05.8\n", ""),
    ] {
        let got = run(&camp, line);
        assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (code, said, err), "{line}");
    }
    let said = run(&camp, "squeue -j 1 2");
    assert_eq!((said.code, said.err.lines().next()), (1, Some("squeue: error: Unrecognized option: 2")));
    let said = run(&camp, "squeue -t foo");
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.starts_with(
        "squeue: error: Invalid job state specified: foo\nsqueue: error: Valid job states include: PENDING,"
    ));
    let said = run(&camp, "sinfo -t foo");
    assert_eq!((said.code, said.err.lines().next()), (1, Some("sinfo: error: Bad state string: \"foo\"")));
}

#[test]
fn a_held_array_in_every_view() {
    let camp = Camp::new();
    let id = camp.sbatch(["-H", "-a", "1-10%2", "-J", "arr", "-t", "5", "--mem=100", "--wrap", "true"]);
    let row = |line: &str| out(&camp, &format!("{line} -h -o %i|%t|%K|%F|%l|%m|%R"));
    let rest = format!("{id}_[1-10%2]|PD|1-10%2|{id}|5:00|100M|(JobHeldUser)\n");
    assert_eq!(row("squeue"), rest);
    assert_eq!(row(&format!("squeue -j {id}")), rest);
    assert_eq!(row(&format!("squeue -j {id}_4")), format!("{id}_4|PD|4|{id}|5:00|100M|(JobHeldUser)\n"));
    assert_eq!(row("squeue -r").lines().count(), 10);
    assert_eq!(row("squeue --me -n arr -t PD"), rest);
    assert_eq!(row("squeue -t R"), "");
    let start = out(&camp, "squeue --start -h");
    assert!(start.contains(" PD                 N/A      1 (null)               (JobHeldUser)"), "{start}");

    let record = out(&camp, &format!("scontrol -o show job {id}"));
    for part in [
        format!("JobId={id} ArrayJobId={id} ArrayTaskId=1-10%2 ArrayTaskThrottle=2 JobName=arr "),
        " Priority=0 ".into(),
        " JobState=PENDING Reason=JobHeldUser ".into(),
        " EligibleTime=Unknown ".into(),
        " TimeLimit=00:05:00 ".into(),
        " MinMemoryNode=100M ".into(),
    ] {
        assert!(record.contains(&part), "{part} is not in {record}");
    }
    assert_eq!(out(&camp, "sacct -n -X"), "", "a job that is not eligible is shown by its id only");
    assert_eq!(
        out(&camp, &format!("sacct -nXPj {id} -o jobid,state,start,nodelist")),
        format!("{id}_[1-10%2]|PENDING|Unknown|None assigned\n")
    );

    out(&camp, &format!("scontrol update jobid={id} timelimit=+5 name=renamed nice=7"));
    assert_eq!(out(&camp, "squeue -h -o %j|%l|%y"), "renamed|10:00|7\n");
    out(&camp, &format!("scontrol release {id}"));
    assert!(camp.wait(id).success());
    let states = out(&camp, &format!("sacct -nXPj {id} -o jobid,state"));
    assert_eq!(states.lines().filter(|l| l.ends_with("|COMPLETED")).count(), 10, "{states}");
    assert_eq!(out(&camp, &format!("sacct -nXPj {id}_10 -o jobid,jobname")), format!("{id}_10|renamed\n"));
}

#[test]
fn a_running_job_with_a_step_until_it_has_failed() {
    let camp = Camp::new();
    let script =
        "#!/bin/sh\nsrun -J inner sh -c 'touch started; while ! test -e go; do sleep 0.01; done'\nexit 3\n";
    camp.file("job.sh", script);
    let id = camp.sbatch(["-J", "outer", "-n", "1", "job.sh"]);
    camp.until("the step runs", || camp.path("work/started").exists());

    assert_eq!(out(&camp, "squeue -h -o %i|%t|%j|%C|%D"), format!("{id}|R|outer|1|1\n"));
    let steps = out(&camp, "squeue -s -h -o %i|%j|%A");
    assert_eq!(steps, format!("{id}.0|inner|1\n{id}.batch|batch|1\n"));
    assert_eq!(out(&camp, &format!("squeue -s{id}.0 -h -o %j")), "inner\n");
    let node = out(&camp, "squeue -h -o %N");
    let node = node.trim();
    assert_eq!(out(&camp, &format!("squeue -w {node} -h -o %i")), format!("{id}\n"));
    assert_eq!(
        out(&camp, &format!("sacct -nPj {id}.0 -o jobid,state,end")),
        format!("{id}.0|RUNNING|Unknown\n")
    );
    let state = out(&camp, "sinfo -h -o %t|%N");
    assert!(state == format!("mix|{node}\n") || state == format!("alloc|{node}\n"), "{state}");
    assert!(out(&camp, &format!("scontrol show node {node}")).contains(" CPUAlloc=1 ".trim()));
    let record = out(&camp, &format!("scontrol show job -d {id}"));
    assert!(record.contains(&format!("\n     Nodes={node} CPU_IDs=")), "{record}");

    camp.file("go", "");
    assert_eq!(camp.wait(id).code, 3);
    let rows = out(&camp, &format!("sacct -nPj {id} -o jobid,jobname,state,exitcode,ntasks"));
    assert_eq!(
        rows,
        format!("{id}|outer|FAILED|3:0|\n{id}.batch|batch|FAILED|3:0|1\n{id}.0|inner|COMPLETED|0:0|1\n")
    );
    assert_eq!(out(&camp, "squeue -h"), "");
    assert_eq!(out(&camp, "squeue -h -t all -o %t|%R"), "F|(NonZeroExitCode)\n");
    assert!(
        out(&camp, &format!("scontrol show job {id}")).contains("JobState=FAILED Reason=NonZeroExitCode ")
    );
    let failed = out(&camp, "sacct -nXP -s F -S 00:00 -E now -o jobid");
    assert_eq!(failed, format!("{id}\n"));
}

#[test]
fn variables_and_repeated_reports() {
    let camp = Camp::new()
        .with("SQUEUE_FORMAT", "%i<>%T")
        .with("SQUEUE_STATES", "PD")
        .with("SACCT_FORMAT", "jobid,state%4");
    let id = camp.sbatch(["-H", "--wrap", "true"]);
    assert_eq!(out(&camp, "squeue"), format!("JOBID<>STATE\n{id}<>PENDING\n"));
    assert_eq!(
        out(&camp, "squeue -h -O jobid:,statecompact:"),
        format!("{id}PD\n"),
        "the command line counts more"
    );
    assert_eq!(out(&camp, "squeue -t R"), "JOBID<>STATE\n");
    let said = out(&camp, &format!("sacct -Xj {id}"));
    assert_eq!(said, format!("JobID        Stat \n------------ ---- \n{id:<12} PEN+ \n"));

    let mut child = camp.command("squeue").args(["-i", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    for _ in 0..2 {
        let stamp = lines.next().unwrap();
        assert_eq!(stamp.len(), "Sun Nov 22 15:39:02 2026".len(), "{stamp}");
        assert_eq!(lines.next().unwrap(), "JOBID<>STATE");
        assert_eq!(lines.next().unwrap(), format!("{id}<>PENDING"));
        assert_eq!(lines.next().unwrap(), "");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_shown_of_an_idle_cluster() {
    let camp = Camp::new();
    assert_eq!(out(&camp, "squeue"), HEADING);
    assert_eq!(out(&camp, "squeue -s -h"), "");
    assert_eq!(out(&camp, "sacct -n"), "");
    assert_eq!(out(&camp, "scontrol show job"), "No jobs in the system\n");
    let host = out(&camp, "uname -n");
    assert_eq!(out(&camp, "scontrol ping"), format!("Slurmctld(primary) at {} is UP\n", host.trim()));
    let config = out(&camp, "scontrol show config");
    for key in [
        "ClusterName             = test\n",
        "SLURM_VERSION           = 22.05.8\n",
        "MaxArraySize            = ",
    ] {
        assert!(config.contains(key), "{key} is not in {config}");
    }
    let (summary, by_node) = (out(&camp, "sinfo -h -o %P|%t|%F"), out(&camp, "sinfo -N -h -o %t"));
    assert_eq!((summary.as_str(), by_node.as_str()), ("local*|idle|0/1/0/1\n", "idle\n"));
    assert!(out(&camp, "scontrol show partition").starts_with("PartitionName=local\n   AllowGroups=ALL "));
}
