//! Clusters of a slurm.conf: the example is rehearsed, changed while jobs run, and broken; programs run around jobs.

use bivouac_e2e::{Camp, kill};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const SIGKILL: i32 = 9;

/// The folder `conf` with a copy of the example.
fn example(camp: &Camp) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/slurm-conf");
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        camp.file(&format!("conf/{name}"), &std::fs::read_to_string(&path).unwrap());
    }
    camp.path("work/conf")
}

fn up(camp: &Camp, dir: &Path) -> bivouac_e2e::Said {
    camp.bivouac(["up", "--slurm-conf", dir.to_str().unwrap()])
}

#[test]
fn the_example_is_rehearsed() {
    let camp = Camp::new();
    let conf = example(&camp);
    up(&camp, &conf).ok();
    let said = camp.run("sinfo", ["-h", "-N", "-o", "%N %P %c %m %f %G"]).ok();
    assert_eq!(
        said,
        "c1 main* 8 16000 intel (null)\nc2 main* 8 16000 intel (null)\n\
         g1 main* 8 32000 amd,fast gpu:a100:2\ng1 gpu 8 32000 amd,fast gpu:a100:2\n\
         g2 main* 8 32000 amd,fast gpu:a100:2\ng2 gpu 8 32000 amd,fast gpu:a100:2\n"
    );
    let config = camp.run("scontrol", ["show", "config"]).ok();
    for line in [
        "ClusterName             = test",
        "KillWait                = 10 sec",
        "Licenses                = matlab:4",
    ] {
        assert!(config.contains(&format!("\n{line}\n")), "{line} is not in\n{config}");
    }
    let status = camp.complete_status();
    assert_eq!(status.site, format!("{}/slurm.conf", conf.canonicalize().unwrap().display()));
    let id = camp.sbatch([
        "-p",
        "gpu",
        "--gres=gpu:1",
        "-o",
        "out",
        "--wrap",
        "until test -e go; do sleep 0.02; done; echo $SLURM_JOB_NODELIST $SLURM_MEM_PER_CPU",
    ]);
    camp.until("the job runs", || camp.run("squeue", ["-h", "-o", "%T"]).out == "RUNNING\n");

    // It belongs to its configuration: another controller comes back with it.
    kill(status.controller_pid, SIGKILL);
    let again = camp.status_without(status.controller_pid);
    assert_eq!(again.site, status.site);

    // Changed while the job runs.
    let text = camp.read("conf/slurm.conf");
    camp.file("conf/slurm.conf", &format!("{text}\nKillWait=7\nPartitionName=more Nodes=c1\n"));
    let said = up(&camp, &conf).ok();
    assert!(
        said.contains("KillWait: 10 sec becomes 7 sec\n") && said.contains("partition more is new\n"),
        "{said}"
    );
    camp.run("scontrol", ["reconfigure"]).ok();
    assert!(camp.run("scontrol", ["show", "config"]).ok().contains("\nKillWait                = 7 sec\n"));
    assert!(camp.run("sinfo", ["-h", "-o", "%P"]).ok().contains("more\n"));
    assert_eq!(camp.run("squeue", ["-h", "-o", "%i %T"]).ok(), format!("{id} RUNNING\n"));

    // Broken: what ran goes on.
    let changed = camp.read("conf/slurm.conf");
    camp.file("conf/slurm.conf", &format!("{changed}Nonsense=1\n"));
    let said = camp.run("scontrol", ["reconfigure"]);
    let line = changed.lines().count() + 1;
    let problem = format!("slurm.conf:{line}: Parsing error at unrecognized key: Nonsense");
    assert!(said.code == 1 && said.err.contains(&problem), "{said:?}");
    let running = camp.complete_status().controller_pid;
    kill(running, SIGKILL);
    let status = camp.status_without(running);
    assert!(status.config_problem.as_deref().is_some_and(|p| p.contains(&problem)), "{status:?}");

    // A node that a job is on cannot go.
    camp.file("conf/nodes.conf", "NodeName=c[1-2] CPUs=8 RealMemory=16000 Feature=intel\n");
    camp.file("conf/topology.conf", "");
    let fewer = changed.replace("PartitionName=gpu Nodes=g[1-2]", "PartitionName=gpu Nodes=c1");
    camp.file("conf/slurm.conf", &fewer);
    let said = camp.run("scontrol", ["reconfigure"]);
    assert!(said.code == 1 && said.err.contains(&format!("job {id}: runs on node g")), "{said:?}");

    camp.file("go", "");
    assert_eq!(camp.wait(id).code, 0);
    assert_eq!(camp.read("out").trim_end(), "g1 500");
    camp.run("scontrol", ["reconfigure"]).ok();
    assert_eq!(camp.run("sinfo", ["-h", "-N", "-p", "main", "-o", "%N"]).ok(), "c1\nc2\n");
}

#[test]
fn another_configuration_needs_another_name() {
    let camp = Camp::new();
    let conf = example(&camp);
    up(&camp, &conf).ok();
    camp.file("other/slurm.conf", "ClusterName=x\nNodeName=n1\nPartitionName=p Nodes=n1\nKillWait=3\n");
    let said = up(&camp, &camp.path("work/other"));
    assert!(said.code == 1 && said.err.contains("another site needs another name"), "{said:?}");
    assert!(
        said.err.contains("node n1 is new") && said.err.contains("KillWait: 10 sec becomes 3 sec"),
        "{said:?}"
    );
    let checked = camp.bivouac(["up", "--slurm-conf", conf.to_str().unwrap(), "--dry-run"]).ok();
    assert!(checked.contains("SlurmctldHost=localhost changes nothing here"), "{checked}");
    for (dir, problem) in [("nowhere", "No such file or directory"), ("conf/gres.conf", "is no folder")] {
        let said = up(&camp, &camp.path("work").join(dir));
        assert!(said.code == 1 && said.err.contains(problem), "{said:?}");
    }
}

/// A cluster with programs that write what they are called with into `log`; one fails while `fail-NAME` is there.
fn with_programs(camp: &Camp) {
    let work = camp.path("work").display().to_string();
    let mut conf =
        "ClusterName=x\nNodeName=n[1-2] CPUs=4 RealMemory=1000\nPartitionName=p Nodes=ALL Default=YES\n\
                    DefMemPerCPU=10\nRequeueExit=7\nAuthInfo=cred_expire=1\n"
            .to_owned();
    let programs = ["Prolog", "Epilog", "PrologSlurmctld", "EpilogSlurmctld", "MailProg"];
    for name in programs {
        let script = format!(
            "#!/bin/sh\necho \"{name} $SLURM_JOB_ID ${{SLURMD_NODENAME:--}} ${{SLURM_JOB_EXIT_CODE2:--}} $*\" >> {work}/log\n\
             test ! -e {work}/fail-{name}\n"
        );
        let path = camp.file(&format!("bin/{name}"), &script);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        conf.push_str(&format!("{name}={}\n", path.display()));
    }
    camp.file("log", "");
    camp.file("conf/slurm.conf", &conf);
    up(camp, &camp.path("work/conf")).ok();
}

fn logged(camp: &Camp, line: &str) -> bool {
    camp.read("log").lines().any(|l| l.trim_end() == line)
}

#[test]
fn programs_run_around_jobs_and_mail_is_sent() {
    let camp = Camp::new();
    with_programs(&camp);
    let id = camp.sbatch([
        "-N2",
        "--mail-type=ALL",
        "--mail-user=ann",
        "-J",
        "tea",
        "--wrap",
        "echo job >> log; exit 3",
    ]);
    assert_eq!(camp.wait(id).code, 3);
    let last = format!("EpilogSlurmctld {id} - 3:0");
    camp.until("the last epilog has run", || logged(&camp, &last));
    let log = camp.read("log");
    let at = |line: &str| {
        let line = line.replace("ID", &id.to_string());
        log.lines().position(|l| l.trim_end() == line).unwrap_or_else(|| panic!("{line} is not in\n{log}"))
    };
    assert!(at("PrologSlurmctld ID - -") < at("Prolog ID n1 -") && at("Prolog ID n1 -") < at("job"), "{log}");
    assert!(at("job") < at("Epilog ID n1 3:0") && at("Epilog ID n1 3:0") < at("Epilog ID n2 3:0"), "{log}");
    for (event, end) in
        [("Began", ", Queued time 00:00:00 ann"), ("Failed", ", Run time 00:00:00, FAILED, ExitCode 3 ann")]
    {
        let mail = format!("-s Slurm Job_id={id} Name=tea {event}{end}");
        camp.until("the mail is sent", || {
            camp.read("log").lines().any(|l| l.starts_with("MailProg") && l.ends_with(&mail))
        });
    }
}

#[test]
fn a_prolog_that_fails_holds_the_job_and_drains_the_node() {
    let camp = Camp::new();
    with_programs(&camp);
    camp.file("fail-Prolog", "");
    let id = camp.sbatch(["-w", "n1", "--wrap", "echo job >> log"]);
    camp.until("the job is held", || {
        camp.run("squeue", ["-h", "-o", "%T %r"]).out == "PENDING launch failed requeued held\n"
    });
    assert_eq!(camp.run("sinfo", ["-h", "-R", "-o", "%E %N"]).ok(), "Prolog error n1\n");
    std::fs::remove_file(camp.path("work/fail-Prolog")).unwrap();
    camp.run("scontrol", ["update", "NodeName=n1", "State=RESUME"]).ok();
    camp.run("scontrol", ["release", &id.to_string()]).ok();
    assert_eq!(camp.wait(id).code, 0);
    assert_eq!(camp.read("log").lines().filter(|l| *l == "job").count(), 1);

    let first = format!("Epilog {id} n1 0:0");
    camp.until("its epilog has run", || logged(&camp, &first));
    camp.file("fail-Epilog", "");
    let id = camp.sbatch(["-w", "n2", "--wrap", "true"]);
    assert_eq!(camp.wait(id).code, 0);
    camp.until("the node is drained", || {
        camp.run("sinfo", ["-h", "-R", "-o", "%E %N"]).out == "Epilog error n2\n"
    });
}

#[test]
fn a_controller_that_dies_with_a_prolog_runs_it_again() {
    let camp = Camp::new();
    with_programs(&camp);
    let work = camp.path("work").display().to_string();
    let slow = format!("#!/bin/sh\necho begun >> {work}/log\nuntil test -e {work}/go; do sleep 0.02; done\n");
    let path = camp.file("bin/Prolog", &slow);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let id = camp.sbatch(["--wrap", "echo job >> log"]);
    camp.until("the prolog runs", || logged(&camp, "begun"));
    let status = camp.complete_status();
    kill(status.controller_pid, SIGKILL);
    camp.until("it runs again", || camp.read("log").lines().filter(|l| *l == "begun").count() == 2);
    camp.file("go", "");
    assert_eq!(camp.wait(id).code, 0);
    assert_eq!(camp.read("log").lines().filter(|l| *l == "job").count(), 1);
}

#[test]
fn a_job_that_exits_with_a_code_to_requeue_runs_again() {
    let camp = Camp::new();
    with_programs(&camp);
    let id = camp.sbatch(["--wrap", "echo job >> log; test $SLURM_RESTART_COUNT || exit 7"]);
    assert_eq!(camp.wait(id).code, 0);
    assert_eq!(camp.read("log").lines().filter(|l| *l == "job").count(), 2);
    let records = camp.run("sacct", ["-X", "-n", "-P", "-D", "-o", "State,ExitCode", "-j", &id.to_string()]);
    assert_eq!(records.ok(), "REQUEUED|7:0\nCOMPLETED|0:0\n");
}

#[test]
fn a_script_finds_its_nodes_name_and_all_nodes_lead_to_this_machine() {
    for camp in [Some(Camp::new()), Camp::of_ordinary_user()].into_iter().flatten() {
        let conf = example(&camp);
        up(&camp, &conf).ok();
        let ask = "hostname; echo $SLURMD_NODENAME; srun -l hostname | sort; getent hosts c1 g2; id -un";
        let id = camp.sbatch(["-W", "-N", "2", "-w", "c2,g1", "-o", "out", "--wrap", ask]);
        assert_eq!(camp.wait(id).code, 0);
        let user = camp.run("id", ["-un"]).ok();
        let told = camp.read("out");
        if told.lines().next() == Some(camp.run("hostname", [""; 0]).ok().trim()) {
            eprintln!("SKIPPED: this machine makes no namespaces");
            continue;
        }
        let addresses = "127.0.0.1       c1\n127.0.0.1       g2\n";
        assert_eq!(told, format!("c2\nc2\n0: c2\n1: g1\n{addresses}{user}"));
        // Whoever escaped is found there as well.
        let id = camp.sbatch(["-o", "out", "--wrap", "setsid sh -c 'echo $$ > pid; exec sleep 300' & wait"]);
        camp.until("it has escaped", || camp.path("work/pid").exists() && !camp.read("pid").is_empty());
        let pid = camp.read("pid").trim().to_owned();
        camp.run("scancel", [id.to_string()]).ok();
        camp.wait(id);
        // Killed before the job's end is told; the kernel may take a moment to bury it.
        camp.until("nothing of the job is left", || !Path::new("/proc").join(&pid).exists());
    }
}
