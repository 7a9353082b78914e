//! sprio, sshare, sdiag and the reports of squeue for programs, on a cluster of a slurm.conf.

use bivouac_e2e::{Camp, Said};

const CONF: &str = "ClusterName=rehearsal\nSlurmctldHost=n1\nPriorityType=priority/multifactor\n\
    PriorityWeightJobSize=1000\nPriorityWeightPartition=2000\nPriorityWeightTRES=cpu=100,mem=50\n\
    NodeName=n[1-3] CPUs=8 RealMemory=4000\nNodeName=n4 CPUs=8 RealMemory=4000\n\
    PartitionName=main Nodes=n[1-3] Default=YES DefMemPerCPU=100 MaxTime=60\n\
    PartitionName=gpu Nodes=n4 DefMemPerCPU=100 MaxTime=60 PriorityJobFactor=20 PriorityTier=2\n";

/// Runs a script on a cluster of its own.
fn on(conf: &str, script: &str) -> Said {
    let camp = Camp::new();
    camp.file("conf/slurm.conf", conf);
    camp.run("bivouac", ["ephemeral", "--slurm-conf", "conf", "--", "bash", "-c", script])
}

/// Fills the cluster; then a small job for both partitions, a nice one and a large one wait.
const BUSY: &str = "sbatch -Q -N3 --exclusive -t 50 --wrap 'sleep 300'; sbatch -Q -p gpu --exclusive -t 50 --wrap 'sleep 300'
    sbatch -Q -p main,gpu --wrap true; sbatch -Q --nice=100 --wrap true; sbatch -Q -N3 -n24 --wrap true\n";

#[test]
fn jobs_are_ordered_by_the_sum_that_sprio_shows() {
    let script = format!(
        "{BUSY} sprio -h -o '%i %r %Y %J %P %N %T'; echo; sprio -h -S -y -o %i -p main; echo
         squeue -h -t PD -o '%i %Q' -S -p; echo; squeue -h -t PD -P -o '%i %P' -S -p; sprio -w"
    );
    let said = on(CONF, &script).ok();
    let parts: Vec<&str> = said.split("\n\n").collect();
    // The numbers are those of a real sprio with the same shapes and weights.
    assert_eq!(
        parts[0],
        "3 gpu 2154 141 2000 0 cpu=12,mem=1\n3 main 245 141 100 0 cpu=4,mem=0\n4 main 145 141 100 100 cpu=4,mem=0\n\
         5 main 960 750 100 0 cpu=100,mem=10"
    );
    assert_eq!(parts[1], "5\n3\n4");
    assert_eq!(parts[2], "5 960\n3 245\n4 145");
    assert!(parts[3].starts_with("3 gpu\n5 main\n3 main\n4 main\n"), "{said}");
    let weights = "JOBID PARTITION PRIORITY SITE JOBSIZE PARTITION TRES Weights 1 1000 2000 cpu=100,mem=50";
    assert!(parts[3].split_whitespace().collect::<Vec<_>>().join(" ").ends_with(weights), "{said}");
}

#[test]
fn without_the_multifactor_priority_sprio_says_so() {
    let camp = Camp::new();
    let said = camp.run("sprio", ["-l"]);
    let text = "You are not running a supported priority plugin\n(priority/basic).\nOnly 'priority/multifactor' is \
                supported.\n";
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (1, "", text));
    let said = camp.run("sprio", ["-j", "1_2"]);
    assert_eq!((said.code, said.err.as_str()), (1, "sprio: error: Invalid job id: 1_2\n"));
}

#[test]
fn shares_and_usage() {
    let said = on(
        CONF,
        "sbatch -Q -W -n2 --wrap 'sleep 1.2'; sshare -n -P -o account,user,rawshares,effectvusage,fairshare
         test $(sshare -n -P -U -o rawusage) -ge 2 && echo used; sshare -o nope",
    );
    let user = said.out.lines().nth(1).and_then(|l| l.split('|').nth(1)).unwrap_or_default().to_owned();
    assert_eq!(said.out, format!("root|||1.000000|\n root|{user}|1|0.000000|1.000000\nused\n"));
    assert_eq!((said.code, said.err.as_str()), (1, "sshare: error: Invalid field requested: \"nope\"\n"));
}

#[test]
fn the_controller_counts_its_work() {
    let camp = Camp::new();
    camp.run("sbatch", ["-W", "-a", "1-3", "--wrap", "true"]).ok();
    camp.run("sbatch", ["-H", "--wrap", "true"]).ok();
    camp.run("scancel", ["4"]).ok();
    camp.run("squeue", ["-h"]).ok();
    let counts = camp.run("sdiag", [""; 0]).ok();
    for line in ["Jobs submitted: 4\n", "Jobs started:   3\n", "Jobs completed: 3\n", "Jobs failed:    0\n"] {
        assert!(counts.contains(line), "{line} is not in\n{counts}");
    }
    let calls = |name: &str| counts.lines().find(|l| l.contains(name)).map(str::to_owned).unwrap_or_default();
    assert!(calls("REQUEST_SUBMIT_BATCH_JOB").contains("( 4003) count:2 "), "{counts}");
    assert!(calls("REQUEST_JOB_INFO ").contains("( 2003) count:1 "), "{counts}");
    let said = camp.run("sdiag", ["--json"]);
    assert_eq!((said.code, said.err.lines().next()), (1, Some("sdiag: unrecognized option '--json'")));
    assert_eq!(camp.run("sdiag", ["-r"]).ok(), "Reset scheduling statistics\n");
    assert!(camp.run("sdiag", [""; 0]).ok().contains("Jobs submitted: 0\n"));
}

#[test]
fn squeue_for_programs() {
    let camp = Camp::new();
    camp.run("sbatch", ["-H", "-a", "1-4%2", "-J", "arr", "--wrap", "true"]).ok();
    camp.run("scontrol", ["release", "1_3"]).ok();
    let said = camp.run("squeue", ["--json", "-h", "-o", "%i", "-u", "0"]).ok();
    let tree: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(tree["meta"]["plugin"]["type"], "openapi/v0.0.38");
    let names: Vec<&str> =
        tree["jobs"].as_array().unwrap().iter().filter_map(|j| j["name"].as_str()).collect();
    assert!(!names.is_empty() && names.iter().all(|n| *n == "arr"), "{said}");
    assert!(camp.run("squeue", ["--yaml"]).ok().starts_with("%YAML 1.1\n--- !!map\n"));
}
