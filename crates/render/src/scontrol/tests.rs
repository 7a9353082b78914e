use super::*;
use crate::fixture::{jobs, nodes, partitions, settings};
use crate::{Machine, Settings};
use bivouac_types::config::{ClusterConfig, LimitClock};
use bivouac_types::info::{JobInfo, LicenseInfo};
use bivouac_types::node::{NodeAuthor, NodeFlag, NodeReason, Standing};
use bivouac_types::parameters::SwitchConfig;
use bivouac_types::partition::PartitionChange;
use bivouac_types::{Duration, JobState, PendingReason, TimeLimit, Timestamp, Uid};

const PLAIN: Form = Form { oneliner: false, details: false };
const DETAILS: Form = Form { oneliner: false, details: true };
const ONE_LINE: Form = Form { oneliner: true, details: false };

fn job(id: u32) -> JobInfo {
    jobs().into_iter().find(|j| j.id.0 == id).unwrap()
}

/// A record with the blanks at the ends of its lines made visible.
fn visible(text: &str) -> String {
    text.replace(" \n", "|\n")
}

#[test]
fn a_running_job() {
    insta::assert_snapshot!(visible(&show_job(&job(1), PLAIN, &settings())), @r"
    JobId=1 JobName=longnamejob
       UserId=alice(1000) GroupId=alice(1000) MCS_label=N/A
       Priority=4294901759 Nice=0 Account=acct1 QOS=normal
       JobState=RUNNING Reason=None Dependency=(null)
       Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
       RunTime=00:00:02 TimeLimit=01:00:00 TimeMin=N/A
       SubmitTime=2026-11-22T15:38:59 EligibleTime=2026-11-22T15:38:59
       AccrueTime=2026-11-22T15:38:59
       StartTime=2026-11-22T15:39:00 EndTime=2026-11-22T16:39:00 Deadline=N/A
       SuspendTime=None SecsPreSuspend=0 LastSchedEval=Unknown Scheduler=Main
       Partition=main AllocNode:Sid=localhost:0
       ReqNodeList=(null) ExcNodeList=(null)
       NodeList=n[1-2]
       BatchHost=n1
       NumNodes=2 NumCPUs=3 NumTasks=3 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
       TRES=cpu=3,mem=2G,node=2,billing=3
       Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=*
       MinCPUsNode=1 MinMemoryNode=1G MinTmpDiskNode=0
       Features=(null) DelayBoot=00:00:00
       OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null)
       Command=/tmp/j/run.sh
       WorkDir=/tmp/j
       StdErr=/tmp/j/slurm-1.out
       StdIn=/dev/null
       StdOut=/tmp/j/slurm-1.out
       Power=
      |
    ");
    assert!(show_job(&job(1), PLAIN, &settings()).ends_with("   Power=\n   \n\n"));
}

#[test]
fn a_job_with_gpus_in_detail() {
    let text = show_job(&job(7), DETAILS, &settings());
    for line in [
        "   DerivedExitCode=0:0\n   RunTime=00:00:02 TimeLimit=UNLIMITED TimeMin=N/A\n",
        "StartTime=2026-11-22T15:39:00 EndTime=Unknown Deadline=N/A\n",
        "   TRES=cpu=1,mem=8000M,node=1,billing=1,gres/gpu=2\n",
        "   JOB_GRES=gpu:a100:2\n     Nodes=g1 CPU_IDs=0 Mem=8000 GRES=gpu:a100:2(IDX:0-1)\n   MinCPUsNode=1 MinMemoryNode=0 ",
        "   Comment=a comment \n   StdErr=",
        "   Power=\n   TresPerNode=gres:gpu:a100:2\n   \n\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let text = show_job(&job(1), DETAILS, &settings());
    assert!(
        text.contains(
            "   JOB_GRES=(null)\n     Nodes=n1 CPU_IDs=0-1 Mem=1024 GRES=\n     Nodes=n2 CPU_IDs=0 "
        ),
        "{text}"
    );
}

#[test]
fn jobs_that_wait() {
    let held = show_job(&job(3), PLAIN, &settings());
    for line in [
        "   Priority=0 Nice=0 ",
        "JobState=PENDING Reason=JobHeldUser Dependency=(null)\n",
        "EligibleTime=Unknown\n   AccrueTime=Unknown\n   StartTime=Unknown EndTime=Unknown Deadline=N/A\n",
        "   NodeList=\n   NumNodes=1 NumCPUs=1 ",
        "MinCPUsNode=1 MinMemoryCPU=100M ",
    ] {
        assert!(held.contains(line), "{line} is not in\n{held}");
    }
    let later = show_job(&job(4), PLAIN, &settings());
    assert!(later.contains("StartTime=2026-11-22T16:38:59 EndTime=2026-11-22T17:38:59 "), "{later}");
    assert!(later.contains("   Partition=gpu,main "), "{later}");
    let depends = show_job(&job(10), PLAIN, &settings());
    for line in [
        "JobId=10 ArrayJobId=10 ArrayTaskId=5,7 JobName=dep\n",
        "Reason=Dependency Dependency=afterok:1(unfulfilled)\n   Requeue=0 ",
        "ReqNodeList=(null) ExcNodeList=n3\n",
        "NumNodes=2-2 NumCPUs=8 NumTasks=4 CPUs/Task=2 ",
        "NtasksPerN:B:S:C=2:0:*:* ",
        "   MinCPUsNode=4 MinMemoryCPU=100M ",
        "   Power=\n   MailUser=root MailType=END\n   \n\n",
    ] {
        assert!(depends.contains(line), "{line} is not in\n{depends}");
    }
    let mut planned = job(8);
    planned.planned_nodes = vec!["n1".into(), "n2".into()];
    let text = show_job(&planned, PLAIN, &settings());
    assert!(text.contains("   NodeList=\n   SchedNodeList=n[1-2]\n   NumNodes="), "{text}");
    assert!(text.contains("ReqNodeList=n1 ExcNodeList") && text.contains("Features=milan&rh8 "), "{text}");
    assert!(text.contains("OverSubscribe=NO "), "{text}");
}

#[test]
fn arrays_and_one_line_records() {
    let rest = show_job(&job(2), ONE_LINE, &settings());
    assert!(
        rest.starts_with(
            "JobId=2 ArrayJobId=2 ArrayTaskId=3-10%2 ArrayTaskThrottle=2 JobName=arr UserId=alice(1000) "
        ),
        "{rest}"
    );
    assert!(rest.ends_with(" Power= \n") && rest.lines().count() == 1, "{rest}");
    let task = show_job(&job(11), PLAIN, &settings());
    assert!(
        task.starts_with("JobId=11 ArrayJobId=2 ArrayTaskId=1 ArrayTaskThrottle=2 JobName=arr\n"),
        "{task}"
    );
    assert!(task.contains("   StdErr=/tmp/j/slurm-2_1.out\n"), "{task}");
}

#[test]
fn jobs_that_ended() {
    let text = show_job(&job(5), PLAIN, &settings());
    assert!(
        text.contains("JobState=FAILED Reason=NonZeroExitCode ") && text.contains("ExitCode=3:0\n"),
        "{text}"
    );
    assert!(text.contains("StartTime=2026-11-22T15:39:00 EndTime=2026-11-22T15:39:00 "), "{text}");
    let mut cancelled = job(4);
    (cancelled.state, cancelled.start, cancelled.end) =
        (JobState::Cancelled, None, Some(crate::fixture::NOW));
    assert_eq!(cancelled.reason, PendingReason::BeginTime);
    let text = show_job(&cancelled, PLAIN, &settings());
    assert!(text.contains("JobState=CANCELLED Reason=BeginTime "), "{text}");
    assert!(text.contains("StartTime=2026-11-22T15:39:02 EndTime=2026-11-22T15:39:02 "), "{text}");
}

#[test]
fn a_node() {
    let nodes = nodes();
    let machine = Machine {
        arch: "x86_64".into(),
        os: "Linux 6.1.0 #1 SMP".into(),
        boot: Some(Timestamp::from_secs(1_795_338_000)),
        load: Some(1.949),
        free_mb: Some(19548),
    };
    let settings = Settings { machine, ..settings() };
    insta::assert_snapshot!(visible(&show_node(&nodes[3], DETAILS, &settings)), @r"
    NodeName=g1 Arch=x86_64 CoresPerSocket=4|
       CPUAlloc=1 CPUEfctv=8 CPUTot=8 CPULoad=1.95
       AvailableFeatures=(null)
       ActiveFeatures=(null)
       Gres=gpu:a100:3
       GresDrain=N/A
       GresUsed=gpu:a100:2(IDX:0-1)
       NodeAddr=g1 NodeHostName=g1 Version=22.05.8
       OS=Linux 6.1.0 #1 SMP|
       RealMemory=8000 AllocMem=8000 FreeMem=19548 Sockets=2 Boards=1
       State=MIXED ThreadsPerCore=1 TmpDisk=0 Weight=10 Owner=N/A MCS_label=N/A
       Partitions=gpu|
       BootTime=2026-11-22T09:00:00 SlurmdStartTime=2026-11-22T15:38:38
       LastBusyTime=2026-11-22T15:38:38
       CfgTRES=cpu=8,mem=8000M,billing=8,gres/gpu=3
       AllocTRES=cpu=1,mem=8000M,gres/gpu=2
       CapWatts=n/a
       CurrentWatts=0 AveWatts=0
       ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s
    ");
    let text = show_node(&nodes[2], PLAIN, &settings);
    assert!(text.contains("   State=IDLE ") && text.contains("\n   AllocTRES=\n   CapWatts"), "{text}");
    assert!(text.contains("   Gres=(null)\n   NodeAddr="), "{text}");
    let mut ending = nodes[0].clone();
    ending.completing = true;
    let text = show_node(&ending, ONE_LINE, &settings);
    assert!(text.contains(" State=MIXED+COMPLETING ") && text.lines().count() == 1, "{text}");
    assert!(text.starts_with("NodeName=n1 Arch=x86_64 CoresPerSocket=8  CPUAlloc=4 "), "{text}");
}

#[test]
fn a_node_that_operators_changed() {
    let mut node = nodes().swap_remove(1);
    let by = NodeAuthor { uid: Uid(0), user: "root".into(), at: crate::fixture::NOW };
    node.stand.standing = Standing::Down;
    node.stand.flags = [NodeFlag::Drain, NodeFlag::NotResponding].into();
    node.stand.reason = Some(NodeReason { text: "bad fan".into(), by: Some(by) });
    node.stand.comment = Some("my comment".into());
    node.stand.active_features = Some(Vec::new());
    node.stand.cpu_bind = Some("cores".into());
    node.config.port = Some(20051);
    let text = show_node(&node, PLAIN, &settings());
    for part in [
        " CpuBind=cores CoresPerSocket=8 \n",
        "   AvailableFeatures=milan\n   ActiveFeatures=(null)\n",
        " NodeHostName=n2 Port=20051 Version=22.05.8\n",
        "   State=DOWN+DRAIN+NOT_RESPONDING ",
        "   BootTime=None ",
        "Temp=n/s\n   Reason=bad fan [root@2026-11-22T15:39:02]\n   Comment=my comment\n\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_partition_that_operators_changed() {
    let (mut partition, nodes) = (partitions().swap_remove(0), nodes());
    for change in [
        PartitionChange::Alternate(Some("debug".into())),
        PartitionChange::CpuBind(Some("cores".into())),
        PartitionChange::Qos(Some("short".into())),
        PartitionChange::DenyAccounts(vec!["other".into()]),
        PartitionChange::AllowQos(vec!["a".into(), "b".into()]),
        PartitionChange::MaxMemPerCpu(Some(500)),
        PartitionChange::OverTimeLimit(Some(TimeLimit::Unlimited)),
        PartitionChange::JobDefaults(vec![("DefCpuPerGPU".into(), 2)]),
        PartitionChange::Billing(Some("CPU=2,Mem=0.5G".into())),
    ] {
        change.apply(&mut partition.config);
    }
    let text = show_partition(&partition, &nodes, PLAIN, &settings());
    for part in [
        "   AllowGroups=ALL DenyAccounts=other AllowQos=a,b\n",
        "   AllocNodes=ALL Alternate=debug Default=YES CpuBind=cores  QoS=short\n",
        "   OverTimeLimit=UNLIMITED PreemptMode=OFF\n",
        "   JobDefaults=DefCpuPerGPU=2\n   DefMemPerCPU=100 MaxMemPerCPU=500\n",
        ",billing=53\n   TRESBillingWeights=CPU=2,Mem=0.5G\n\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    partition.config.inherits_max_mem = true;
    let text = show_partition(&partition, &nodes, PLAIN, &settings());
    assert!(
        text.contains("   DefMemPerCPU=100 MaxMemPerNode=UNLIMITED\n"),
        "what is the cluster's is not shown: {text}"
    );
    partition.config.nodes.clear();
    let text = show_partition(&partition, &nodes, PLAIN, &settings());
    assert!(text.contains("   Nodes=(null)\n") && text.contains("   TRES=(null)\n"), "{text}");
}

#[test]
fn licences() {
    let licence = |name: &str, total, used| LicenseInfo { name: name.into(), total, used };
    let all = [licence("ansys", 2, 0), licence("matlab", 4, 3)];
    let ansys = "LicenseName=ansys\n    Total=2 Used=0 Free=2 Reserved=0 Remote=no\n";
    let matlab = "LicenseName=matlab\n    Total=4 Used=3 Free=1 Reserved=0 Remote=no\n";
    assert_eq!(show_licenses(&all, None, PLAIN), format!("{ansys}{matlab}"));
    assert_eq!(show_licenses(&all, Some("matlab"), PLAIN), matlab);
    assert_eq!(show_licenses(&all, Some("nope"), PLAIN), "");
    let line = "LicenseName=ansys Total=2 Used=0 Free=2 Reserved=0 Remote=no\n";
    assert_eq!(show_licenses(&all[..1], None, ONE_LINE), line);
    assert_eq!(show_licenses(&[], None, PLAIN), "No licenses configured in Slurm.\n");
}

#[test]
fn switches() {
    let switch = |name: &str, nodes: &[&str], switches: &[&str]| SwitchConfig {
        name: name.into(),
        nodes: nodes.iter().map(|n| (*n).to_owned()).collect(),
        switches: switches.iter().map(|n| (*n).to_owned()).collect(),
    };
    let all =
        [switch("s0", &["n1", "n2"], &[]), switch("s1", &["n3"], &[]), switch("top", &[], &["s0", "s1"])];
    insta::assert_snapshot!(show_topology(&all, None).unwrap(), @r"
    SwitchName=s0 Level=0 LinkSpeed=1 Nodes=n[1-2]
    SwitchName=s1 Level=0 LinkSpeed=1 Nodes=n3
    SwitchName=top Level=1 LinkSpeed=1 Nodes=n[1-3] Switches=s[0-1]
    ");
    let of_node = show_topology(&all, Some("n3")).unwrap();
    assert!(of_node.starts_with("SwitchName=s1 ") && of_node.contains("\nSwitchName=top "), "{of_node}");
    assert_eq!(show_topology(&all, Some("s0")).unwrap().lines().count(), 1);
    assert_eq!(show_topology(&[], None).unwrap_err(), "No topology information available");
    assert_eq!(
        show_topology(&all, Some("nope")).unwrap_err(),
        "Topology information contains no switch or node named nope"
    );
    // Switches in a circle are no reason to go round for ever.
    let circle = [switch("a", &["n1"], &["b"]), switch("b", &[], &["a"])];
    assert!(show_topology(&circle, None).is_ok());
}

#[test]
fn partitions_with_and_without_limits() {
    let (partitions, nodes) = (partitions(), nodes());
    insta::assert_snapshot!(show_partition(&partitions[0], &nodes, PLAIN, &settings()), @r"
    PartitionName=main
       AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
       AllocNodes=ALL Default=YES QoS=N/A
       DefaultTime=01:00:00 DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO
       MaxNodes=UNLIMITED MaxTime=1-00:00:00 MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED
       Nodes=n[1-3]
       PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO
       OverTimeLimit=NONE PreemptMode=OFF
       State=UP TotalCPUs=24 TotalNodes=3 SelectTypeParameters=NONE
       JobDefaults=(null)
       DefMemPerCPU=100 MaxMemPerNode=UNLIMITED
       TRES=cpu=24,mem=12000M,node=3,billing=24
    ");
    insta::assert_snapshot!(show_partition(&partitions[1], &nodes, PLAIN, &settings()), @r"
    PartitionName=gpu
       AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
       AllocNodes=ALL Default=NO QoS=N/A
       DefaultTime=NONE DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO
       MaxNodes=1 MaxTime=UNLIMITED MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED
       Nodes=g1
       PriorityJobFactor=1 PriorityTier=2 RootOnly=NO ReqResv=NO OverSubscribe=NO
       OverTimeLimit=NONE PreemptMode=OFF
       State=UP TotalCPUs=8 TotalNodes=1 SelectTypeParameters=NONE
       JobDefaults=(null)
       DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED
       TRES=cpu=8,mem=8000M,node=1,billing=8,gres/gpu=3
    ");
    let text = show_partition(&partitions[0], &nodes, ONE_LINE, &settings());
    assert!(
        text.starts_with("PartitionName=main AllowGroups=ALL ") && text.ends_with(",billing=24\n"),
        "{text}"
    );
}

#[test]
fn the_configuration() {
    let config = ClusterConfig {
        cluster: "camp".into(),
        site: "local".into(),
        nodes: nodes().into_iter().map(|n| n.config).collect(),
        partitions: partitions().into_iter().map(|p| p.config).collect(),
        qos: Vec::new(),
        accounts: Vec::new(),
        default_account: None,
        default_qos: None,
        overcommit: false,
        kill_wait: Duration::from_secs(3),
        min_job_age: Duration::from_secs(300),
        max_array_size: 1001,
        max_job_count: 10_000,
        first_job_id: 1,
        limit_clock: LimitClock::Wall,
        owner_is_operator: true,
        job_requeue: true,
        parameters: Default::default(),
    };
    let running = Running { host: "vm".into(), state_dir: "/state".into(), ..Running::default() };
    let text = show_config(&config, &running, &settings());
    assert!(
        text.starts_with(
            "Configuration data as of 2026-11-22T15:39:02\nAccountingStorageBackupHost = (null)\n"
        )
    );
    assert!(text.ends_with("\n\nSlurmctld(primary) at vm is UP\n"), "{text}");
    for line in [
        "AccountingStorageTRES   = cpu,mem,energy,node,billing,fs/disk,vmem,pages,gres/gpu\n",
        "ClusterName             = camp\n",
        "GresTypes               = gpu\n",
        "KillWait                = 3 sec\n",
        "MaxArraySize            = 1001\n",
        "MinJobAge               = 300 sec\n",
        "PriorityType            = priority/basic\n",
        "SLURM_VERSION           = 22.05.8\n",
        "SchedulerType           = sched/backfill\n",
        "SelectType              = select/cons_tres\n",
        "SelectTypeParameters    = CR_CORE_MEMORY\n",
        "StateSaveLocation       = /state\n",
    ] {
        assert!(text.contains(&format!("\n{line}")), "{line} is not in\n{text}");
    }
    let keys: Vec<&str> =
        text.lines().skip(1).filter_map(|l| l.split_once(" = ")).map(|(k, _)| k.trim()).collect();
    assert!(["AccountingStorageType", "MinJobAge", "MaxArraySize"].iter().all(|k| keys.contains(k)));
}

#[test]
fn the_controller_answers_or_not() {
    assert_eq!(ping("vm", true), "Slurmctld(primary) at vm is UP");
    assert_eq!(ping("vm", false), "Slurmctld(primary) at vm is DOWN");
}
