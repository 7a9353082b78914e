//! The programs that sites add: seff, seff-array, jobstats, suuser, suacct.

use bivouac_e2e::{Camp, Said};

/// So dear that seconds are seen in hours.
const CONF: &str = "ClusterName=rehearsal\nSlurmctldHost=n1\nNodeName=n1 CPUs=8 RealMemory=4000\n\
    PartitionName=main Nodes=n1 Default=YES DefMemPerCPU=100 MaxTime=60 TRESBillingWeights=CPU=1000000.0\n";

fn on(script: &str) -> Said {
    let camp = Camp::new();
    camp.file("conf/slurm.conf", CONF);
    camp.run("bivouac", ["ephemeral", "--slurm-conf", "conf", "--", "bash", "-c", script])
}

#[test]
fn what_a_job_used_of_what_it_had() {
    let said = on(
        "sbatch -Q -W -J half -n2 -t 5 --wrap 'i=0; while [ $i -lt 4000000 ]; do i=$((i + 1)); done; exit 3'
         seff 1; echo; seff 99; echo $?; seff",
    );
    let (job, rest) = said.out.split_once("\n\n").unwrap();
    let lines: Vec<&str> = job.lines().collect();
    assert_eq!((lines[0], lines[1]), ("Job ID: 1", "Cluster: rehearsal"), "{said:?}");
    assert_eq!(lines[3..6], ["State: FAILED (exit code 3)", "Nodes: 1", "Cores per node: 2"]);
    let percent = lines[7].strip_prefix("CPU Efficiency: ").and_then(|l| l.split('%').next()).unwrap();
    let percent: f64 = percent.parse().unwrap();
    // At most one of two CPUs was busy; CPU time and wall-clock time are whole seconds.
    assert!(percent > 0.0 && percent <= 75.0, "{job}");
    assert!(lines[9].starts_with("Memory Utilized: ") && lines[10].ends_with("% of 200.00 MB"), "{job}");
    assert!(rest.starts_with("1\nPurpose: show how well a job used what it had asked for\n"), "{rest}");
    assert!(said.err.contains("seff: error: Job 99 not found"), "{said:?}");
}

#[test]
fn the_tasks_of_an_array() {
    let said = on("sbatch -Q -W -a 1-3 -t 5 --wrap 'sleep 0.1'; sbatch -Q -W -a 1-2 --wrap 'exit 1'
         seff-array 1; seff 1_2 | head -2; seff 1; echo $?");
    assert!(said.out.contains("\nJob Status\nCOMPLETED: 3\n-----"), "{said:?}");
    assert!(said.out.contains("\nAverage CPU Efficiency ") && said.out.contains("\nTime Efficiency (%)\n"));
    assert!(said.out.contains("\n+0.00e+00 - +1.00e+01  [3]  ████████████████████████████████████████\n"));
    assert!(said.out.contains("\nArray Job ID: 1_2\n") && said.out.ends_with("\n1\n"), "{said:?}");
    assert!(
        said.err.contains("seff: error: 1 is an array: name one of its tasks, as 1_1, or use seff-array 1")
    );
}

#[test]
fn units_of_users_and_accounts() {
    let said = on(
        "me=$(id -un); sbatch -Q -W -A proj -n2 --wrap 'sleep 1.5'; sbatch -Q -W -A proj -J second-job --wrap true
         suuser $me 3; suacct proj; jobstats $me; suuser; suuser $me x; suuser nobody-here",
    );
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[0].starts_with("SU used by user ") && lines[0].ends_with(" in the last 3 days:"),
        "{said:?}"
    );
    assert_eq!(lines[1], "Cluster|Account|Login|Proper Name|Used|Energy|");
    let cells: Vec<&str> = lines[2].split('|').collect();
    assert_eq!((cells[0], cells[1], cells[5]), ("rehearsal", "proj", "0"), "{said:?}");
    let used: u64 = cells[4].parse().unwrap();
    assert!((500..3000).contains(&used), "{used}");
    assert_eq!(lines[3], "SU used by account (allocation) proj in the last 30 days:");
    assert_eq!(lines[4], "Cluster|Account|Login|Proper Name|Used|Energy");
    assert_eq!(lines[5], format!("rehearsal|proj|||{used}|0"));
    assert!(lines[6].starts_with("rehearsal| proj|"), "{said:?}");
    assert!(
        lines[7].starts_with("job stats for user ")
            && lines[8].starts_with("jobid        jobname  partition")
    );
    assert!(lines[11].starts_with("2            second-j main"), "{said:?}");
    assert!(lines[12].starts_with("Purpose: ") && said.err.contains("x is no number of days"), "{said:?}");
    assert_eq!(lines.last().copied(), Some("Cluster|Account|Login|Proper Name|Used|Energy|"));
}
