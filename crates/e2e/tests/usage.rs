//! What steps used, as sacct and sstat tell it: of each task, of what tasks leave behind, and of batch scripts.

use bivouac_e2e::{Camp, Said};

const CONF: &str = "ClusterName=rehearsal\nSlurmctldHost=n1\nNodeName=n[1-2] CPUs=8 RealMemory=4000\n\
    PartitionName=main Nodes=n[1-2] Default=YES DefMemPerCPU=100 MaxTime=60\n";

/// Some tenths of a second of CPU time.
const BUSY: &str = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

fn on(script: &str) -> Said {
    let camp = Camp::new();
    camp.file("conf/slurm.conf", CONF);
    camp.file("busy", BUSY);
    camp.file("daemon", &format!("{BUSY}\necho $$ > daemon.pid; exec sleep 1000"));
    camp.run("bivouac", ["ephemeral", "--slurm-conf", "conf", "--", "bash", "-c", script])
}

fn mib(text: &str) -> f64 {
    let unit = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').is_empty();
    let number = text.trim_end_matches(['K', 'M']).parse::<f64>().unwrap_or_else(|_| panic!("{text}"));
    match text.chars().last() {
        Some('K') => number / 1024.0,
        Some('M') => number,
        _ if unit || number == 0.0 => number / f64::from(1 << 20),
        _ => panic!("{text}"),
    }
}

fn seconds(text: &str) -> f64 {
    let mut parts = text.rsplit(':');
    let secs: f64 = parts.next().unwrap().parse().unwrap();
    secs + parts.enumerate().map(|(n, p)| p.parse::<f64>().unwrap() * 60f64.powi(n as i32 + 1)).sum::<f64>()
}

/// `tail` holds what has no line end.
#[test]
fn each_task_of_a_step_is_measured() {
    let said = on("sbatch -Q -W -N2 -n4 -o out --wrap 'srun -n4 --acctg-freq=1 sh -c \"
        case \\$SLURM_PROCID in
        1) head -c 60000000 /dev/zero | tail >/dev/null;;
        2) . ./busy;;
        3) head -c 5000000 /dev/zero >/dev/null;;
        esac; exec sleep 2.2\"'
        sacct -j 1.0 -n -P -o NTasks,MaxRSSTask,MaxRSSNode,MaxRSS,AveRSS,MinCPUTask,AveCPU,MaxDiskReadTask,MaxDiskRead,MaxDiskWrite,MaxVMSize
        sacct -j 1.0 -n -P -o TRESUsageInMaxTask,TRESUsageInMaxNode,TRESUsageInTot,TRESUsageOutTot
        sacct -j 1 -X -n -P -o MaxRSS,TRESUsageInTot");
    let lines: Vec<&str> = said.out.lines().collect();
    let cells: Vec<&str> = lines[0].split('|').collect();
    assert_eq!((cells[0], cells[1]), ("4", "1"), "{said:?}");
    assert!(mib(cells[3]) > 56.0 && mib(cells[3]) < 90.0, "{said:?}");
    assert!(mib(cells[4]) > 14.0 && mib(cells[4]) < mib(cells[3]) / 2.0, "{said:?}");
    // Task 1 reads what its head reads, and what its tail gets.
    assert_eq!(cells[7], "1");
    assert!(mib(cells[8]) > 114.0 && mib(cells[9]) > 57.0 && mib(cells[10]) > 1.0, "{said:?}");
    let lists: Vec<&str> = lines[1].split('|').collect();
    assert!(lists[0].starts_with("cpu=") && lists[0].contains(",fs/disk=1,mem=1,"), "{said:?}");
    assert!(lists[1].contains("mem=n1,") || lists[1].contains("mem=n2,"), "{said:?}");
    let total: u64 =
        lists[2].split("fs/disk=").nth(1).and_then(|t| t.split(',').next()).unwrap().parse().unwrap();
    assert!(total > 125_000_000 && lists[3].starts_with("energy=0,fs/disk="), "{said:?}");
    assert_eq!(lines[2], "|", "a job's own line has none of it");
}

/// A daemon of a task counts with its step, and ends with it.
#[test]
fn what_tasks_leave_behind_counts_and_ends_with_the_step() {
    let said = on("sbatch -Q -W -n1 -o out --wrap 'srun sh -c \"
        env -i setsid sh ./daemon >/dev/null 2>&1 &
        while [ ! -s daemon.pid ]; do sleep 0.05; done\"
        for n in $(seq 100); do kill -0 $(cat daemon.pid) 2>/dev/null || break; sleep 0.05; done
        [ $n -lt 100 ] && echo gone'
        cat out; sacct -j 1.0 -n -P -o TotalCPU");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "gone", "{said:?}");
    assert!(seconds(lines[1]) > 0.05, "{said:?}");
}

#[test]
fn a_batch_script_and_its_daemons() {
    let said =
        on("sbatch -Q -W -o out --wrap '(env -i setsid sh -c \". ./busy; echo > done\" >/dev/null 2>&1 &)
        while [ ! -e done ]; do sleep 0.05; done'
        sacct -j 1.batch -n -P -o TotalCPU,MaxRSSNode,MaxRSSTask,NTasks");
    let cells: Vec<&str> = said.out.trim().split('|').collect();
    assert_eq!(cells[1..], ["n1", "0", "1"], "{said:?}");
    let camp = Camp::new();
    let containment = camp.run("bivouac", ["status"]).out;
    // Without a group, what ended unseen is not known.
    if containment.contains("cgroup") {
        assert!(seconds(cells[0]) > 0.05, "{said:?} ({containment})");
    }
}
