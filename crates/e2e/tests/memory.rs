//! A job that has more memory than it asked for ends OUT_OF_MEMORY, and its neighbours do not notice.

use bivouac_e2e::Camp;

const EAT: &str = "echo begun; { head -c 400M /dev/zero; exec yes; } | tail";

fn out_of_memory(camp: &Camp, words: &str) {
    let neighbour = camp.sbatch(["--mem=50M", "--wrap", "while [ ! -e go ]; do sleep 0.02; done; echo well"]);
    let id = camp.sbatch(["--mem=50M", "--wrap", EAT]);
    let exit = camp.wait(id);
    assert_eq!((exit.code, exit.signal), (0, 125));
    let job = id.to_string();
    let row = camp.run("sacct", ["-n", "-P", "-j", &job, "-o", "JobID,State,ExitCode"]).ok();
    let batch = format!("{id}.batch|OUT_OF_MEMORY|0:125");
    assert!(row.starts_with(&format!("{id}|OUT_OF_MEMORY|0:125\n")) && row.contains(&batch), "{row}");
    let peak = camp.run("sacct", ["-n", "-P", "-j", &format!("{id}.batch"), "-o", "MaxRSS"]).ok();
    let kb: f64 = peak.trim().trim_end_matches('K').parse().unwrap_or_else(|_| panic!("{peak}"));
    assert!(kb > 45.0 * 1024.0, "{peak}");
    let said = format!(
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId={id}.batch. Some of your processes may have been \
         killed by the cgroup out-of-memory handler."
    );
    let out = camp.read(&format!("slurm-{id}.out"));
    assert!(out.starts_with("begun\n") && out.lines().last() == Some(&said), "{out}");
    assert_eq!(camp.state(neighbour), "RUNNING");
    camp.file("go", "");
    assert!(camp.wait(neighbour).success());
    assert_eq!(camp.read(&format!("slurm-{neighbour}.out")), "well\n");
    let status = camp.status().and_then(|s| s.memory).unwrap();
    assert!(status.contains(words), "{status}");
    let doctor = camp.bivouac(["doctor"]).ok();
    let memory = doctor.lines().find(|l| l.starts_with("memory")).unwrap();
    assert!(memory.contains(&format!("of jobs that ask for memory, {status}")), "{doctor}");
}

#[test]
fn where_control_groups_keep_the_limit_or_not() {
    out_of_memory(&Camp::new(), "");
}

#[test]
fn where_it_is_watched() {
    out_of_memory(&Camp::new().with("BIVOUAC_KILL_MODE", "search"), "watched");
}

#[test]
fn a_job_that_asks_for_no_memory_has_no_limit_of_its_own() {
    let camp = Camp::new();
    let id = camp.sbatch(["--mem=50M", "--wrap", "true"]);
    assert!(camp.wait(id).success());
    // What a job is given for the planning is no limit.
    let id = camp.sbatch(["--wrap", "head -c 100M /dev/zero | tail | wc -c"]);
    assert!(camp.wait(id).success());
}

#[test]
fn a_slurm_conf_says_whether_memory_is_constrained() {
    for (gathers, constrained, state) in [
        ("TaskPlugin=task/affinity,task/cgroup", "ConstrainRAMSpace=yes", "OUT_OF_MEMORY"),
        ("TaskPlugin=task/cgroup", "ConstrainCores=yes", "COMPLETED"),
        (
            "JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherParams=OverMemoryKill",
            "ConstrainRAMSpace=no",
            "OUT_OF_MEMORY",
        ),
    ] {
        let camp = Camp::new();
        let conf = format!(
            "ClusterName=c\nSlurmctldHost=x\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core_Memory\n\
             DefMemPerCPU=40\nNodeName=n1 CPUs=2 RealMemory=1000\nPartitionName=p Nodes=n1 Default=YES\n{gathers}\n"
        );
        camp.file("conf/slurm.conf", &conf);
        camp.file("conf/cgroup.conf", &format!("{constrained}\n"));
        camp.bivouac(["up", "--slurm-conf", camp.path("work/conf").to_str().unwrap()]).ok();
        let id = camp.sbatch(["--wrap", "head -c 150M /dev/zero | tail | wc -c"]);
        camp.wait(id);
        assert_eq!(camp.state(id), state, "{gathers} {constrained}");
    }
}
