//! The effects of sbatch's options on a cluster of four nodes with GPUs, as real Slurm 22.05.8 shows them on one.

use bivouac_e2e::Camp;

const SLURM_CONF: &str = "\
ClusterName=ref
SlurmctldHost=localhost
GresTypes=gpu
Licenses=matlab:4
NodeName=n[1-4] Sockets=2 CoresPerSocket=4 RealMemory=8000 Feature=f1 Gres=gpu:tesla:2
PartitionName=main Nodes=n[1-4] Default=YES DefMemPerCPU=100
";

fn camp() -> Camp {
    let camp = Camp::new();
    camp.file("etc/slurm.conf", SLURM_CONF);
    camp.file("etc/gres.conf", "NodeName=n[1-4] Name=gpu Type=tesla Count=2\n");
    let dir = camp.path("work/etc").display().to_string();
    camp.bivouac(["up", "--slurm-conf", &dir]).ok();
    camp
}

/// `key=value` of scontrol's record of a job, and of its environment.
fn shown(camp: &Camp, args: &[&str], keys: &[&str]) -> String {
    let all =
        [&["--wait", "-Q", "-o", "env", "--wrap", "env; scontrol -d show job $SLURM_JOB_ID"], args].concat();
    camp.run("sbatch", &all).ok();
    let said = camp.read("env");
    let words: Vec<&str> = said.split_whitespace().collect();
    let value = |key: &&str| {
        let found = words.iter().find_map(|w| w.strip_prefix(&format!("{key}=")[..]));
        found.unwrap_or("-").to_owned()
    };
    keys.iter().map(value).collect::<Vec<_>>().join(" ")
}

#[test]
fn gpus_make_nodes_tasks_cpus_and_memory() {
    let camp = camp();
    let keys = ["NumNodes", "NumCPUs", "NumTasks", "SLURM_TASKS_PER_NODE", "SLURM_GPUS_ON_NODE"];
    for (args, want) in [
        (&["--gpus=3"][..], "2 2 2 1(x2) 2"),
        (&["--gpus=2", "-N2"], "2 2 2 1(x2) 1"),
        (&["--gpus=4", "-n4"], "2 4 4 3,1 2"),
        (&["--gpus-per-node=1", "-N2"], "2 2 2 1(x2) 1"),
        (&["--gpus-per-task=1", "-n3"], "2 3 3 2,1 2"),
        (&["--ntasks-per-gpu=2", "--gpus=2"], "1 4 4 4 2"),
        (&["--gpus=2", "--cpus-per-gpu=3"], "1 6 1 6 2"),
        (&["--gres=gpu:1", "--cpus-per-gpu=2"], "1 2 1 2 1"),
        (&["--exclusive"], "1 8 1 8 2"),
    ] {
        assert_eq!(shown(&camp, args, &keys), want, "{args:?}");
    }
    let keys = ["TresPerJob", "MemPerTres", "SLURM_GPUS", "SLURM_MEM_PER_GPU", "Mem"];
    assert_eq!(
        shown(&camp, &["--gpus=tesla:2", "--mem-per-gpu=50"], &keys),
        "gres:gpu:tesla:2 gres:gpu:50 tesla:2 50 100"
    );
}

#[test]
fn shapes_and_counts_of_nodes() {
    let camp = camp();
    let keys = ["NumNodes", "NumCPUs", "NumTasks", "SLURM_TASKS_PER_NODE"];
    for (args, want) in [
        (&["--mincpus=4"][..], "1 4 1 4"),
        (&["-B2:4"], "1 8 8 8"),
        (&["--ntasks-per-socket=1", "-n4"], "2 4 4 2(x2)"),
        (&["--spread-job", "-n6"], "4 6 6 3,1(x3)"),
        (&["-N1-3"], "3 3 3 1(x3)"),
        (&["-N1-3", "--use-min-nodes"], "1 1 1 1"),
        (&["-O", "-n20"], "1 1 20 20"),
        (&["-O", "-n2", "-c2"], "1 2 2 2"),
    ] {
        assert_eq!(shown(&camp, args, &keys), want, "{args:?}");
    }
    let job = camp.sbatch(["--contiguous", "-N2", "-w", "n3", "-H", "--wrap", "true"]);
    camp.run("scontrol", ["release", &job.to_string()]).ok();
    camp.wait(job);
    let nodes = camp.run("sacct", ["-n", "-X", "-P", "-o", "nodelist", "-j", &job.to_string()]).ok();
    assert!(["n[2-3]\n", "n[3-4]\n"].contains(&nodes.as_str()), "{nodes}");
    for (args, text) in [
        (&["--mincpus=16"][..], "CPU count per node can not be satisfied"),
        (&["--tmp=1G"], "Temporary disk specification can not be satisfied"),
        (&["--sockets-per-node=3"], "Socket, core and/or thread specification can not be satisfied"),
    ] {
        let said = camp.run("sbatch", [args, &["--wrap", "true"]].concat());
        let want = format!(
            "sbatch: error: {text}\nsbatch: error: Batch job submission failed: Requested node configuration is not \
             available\n"
        );
        assert_eq!((said.code, said.err), (1, want), "{args:?}");
    }
    for (args, text) in [
        (&["--reservation=x"][..], "Requested reservation is invalid"),
        (&["-L", "nope"], "Invalid license specification"),
        (&["--prefer=nope"], "Invalid preferred feature specification"),
        (
            &["--time-min=20", "-t", "10"],
            "Invalid time-min specification (exceeds job's time or other limits)",
        ),
        (&["--deadline=2020-01-01"], "Requested time limit is invalid (missing or exceeds some limit)"),
    ] {
        let said = camp.run("sbatch", [args, &["--wrap", "true"]].concat());
        assert_eq!(
            (said.code, said.err),
            (1, format!("sbatch: error: Batch job submission failed: {text}\n"))
        );
    }
}

#[test]
fn limits_files_of_variables_and_directives_of_other_systems_reach_the_job() {
    let camp = Camp::new();
    // A cluster that the limited shell would start would be limited itself.
    camp.bivouac(["up"]).ok();
    let run = |args: &[&str]| {
        camp.run("sbatch", [&["--wait", "-Q", "-o", "out"], args].concat()).ok();
        camp.read("out")
    };
    // The shell's own limit goes along, unless it is not to.
    camp.file(
        "limit.sh",
        "#!/bin/sh\nulimit -S -n 77; exec sbatch --wait -Q -o out \"$@\" --wrap 'ulimit -n'\n",
    );
    let limited = |args: &[&str]| {
        let script = camp.path("work/limit.sh").display().to_string();
        camp.run("sh", [&[script.as_str()], args].concat()).ok();
        camp.read("out")
    };
    assert_eq!(limited(&[]), "77\n");
    assert_eq!(limited(&["--propagate=NOFILE"]), "77\n");
    assert_ne!(limited(&["--propagate=NONE"]), "77\n");
    camp.file("variables", "A=1\0B=x\ny\0");
    assert_eq!(run(&["--export-file=variables", "--wrap", "echo \"$A-$B-$HOME\""]), "1-x\ny-\n");
    let said = camp.run("sbatch", ["--export-file=99", "--wrap", "true"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "sbatch: error: Could not open user environment file 99\n")
    );
    let open = "exec sbatch -W -Q -o out --export-file=9 --wrap 'echo $A' 9<variables";
    camp.run("sh", ["-c", open]).ok();
    assert_eq!(camp.read("out"), "1\n");
    camp.file(
        "pbs.sh",
        "#!/bin/sh\n#PBS -N pbs -l nodes=1:ppn=2\n#SBATCH -J own\necho $SLURM_JOB_NAME $SLURM_NTASKS\n",
    );
    assert_eq!(run(&["pbs.sh"]), "pbs 2\n");
    assert_eq!(run(&["--ignore-pbs", "pbs.sh"]), "own\n");
    assert_eq!(run(&["-J", "line", "pbs.sh"]), "line 2\n");
}

#[test]
fn an_invalid_dependency_ends_the_job_that_says_so() {
    let camp = Camp::new();
    let failed = camp.sbatch(["--wrap", "false"]);
    camp.wait(failed);
    let after = format!("afterok:{failed}");
    let kept = camp.sbatch(["-d", &after, "--kill-on-invalid-dep=no", "--wrap", "true"]);
    let ended = camp.sbatch(["-d", &after, "--kill-on-invalid-dep=yes", "--wrap", "true"]);
    camp.until("the job is cancelled", || camp.state(ended) == "CANCELLED");
    assert_eq!(camp.state(kept), "PENDING");
    camp.run("scancel", [kept.to_string()]).ok();
}

#[test]
fn manual_pages_and_completions() {
    let camp = Camp::new();
    let job = camp.sbatch(["-H", "-J", "waits", "--wrap", "true"]).to_string();
    let dir = camp.path("pages").display().to_string();
    camp.bivouac(["man", &dir]).ok();
    let page = std::fs::read_to_string(camp.path("pages/man1/sbatch.1")).unwrap();
    assert!(page.contains(".SH NAME\nsbatch \\- submit a batch script\n"));
    let complete = |words: &[&str]| camp.bivouac([&["complete"], words].concat()).ok();
    assert_eq!(complete(&["scancel", ""]), format!("{job}\twaits\n"));
    assert!(complete(&["sbatch", "--partition="]).starts_with("--partition="));
    assert!(complete(&["squeue", "-O", "jobid,statec"]).contains("jobid,statecompact\n"));
    let letters = complete(&["squeue", "-o", "%.18i %."]);
    assert!(letters.contains("%.18i %.P\tPARTITION\n"), "{letters}");
    assert!(complete(&["sprio", "--format=%"]).contains("--format=%F\tFAIRSHARE\n"));
    camp.bivouac(["fault", "add", "refuse", "sinfo"]).ok();
    assert!(complete(&["bivouac", "fault", "clear", ""]).starts_with("1\t"));
    camp.bivouac(["fault", "clear"]).ok();
    let bash = camp.bivouac(["completion", "bash"]).ok();
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", bivouac_e2e::programs().display());
    let script = format!(
        "{bash}\nCOMP_WORDS=(sbatch --job-n); COMP_CWORD=1; _bivouac_complete 2>/dev/null; echo \"${{COMPREPLY[*]}}\"\n\
         COMP_WORDS=(scancel ''); COMP_CWORD=1; _bivouac_complete 2>/dev/null; echo \"${{COMPREPLY[*]}}\"\n\
         COMP_WORDS=(scontrol update JobId = 1 tim); COMP_CWORD=5; _bivouac_complete 2>/dev/null; echo \"${{COMPREPLY[*]}}\"\n\
         COMP_WORDS=(scontrol update JobId = ''); COMP_CWORD=4; _bivouac_complete 2>/dev/null; echo \"${{COMPREPLY[*]}}\"\n\
         complete -p squeue\n"
    );
    let out = camp.command("bash").env("PATH", path).args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(
        said,
        format!("--job-name=\n{job}\ntimelimit= timemin=\n{job}\ncomplete -F _bivouac_complete squeue\n"),
        "{out:?}"
    );
    camp.run("scancel", [job]).ok();
}
