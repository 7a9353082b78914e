//! What configuration files mean, and what is said of those that are wrong.

use bivouac_slurmconf::{Facts, Outcome, differences, read, show};
use bivouac_types::TimeLimit;
use bivouac_types::config::{ClusterConfig, InitialState, PartitionState};
use bivouac_types::parameters::Association;
use proptest::prelude::*;
use std::collections::BTreeMap;

const LEAST: &str =
    "ClusterName=c\nNodeName=n[1-2] CPUs=4 RealMemory=1000\nPartitionName=p Nodes=ALL Default=YES\n";

fn reading(files: &[(&str, &str)]) -> Outcome {
    let files: BTreeMap<String, String> =
        files.iter().map(|(name, text)| (format!("/conf/{name}"), (*text).to_owned())).collect();
    read("/conf", None, &mut |name| Ok(files.get(name).cloned()))
}

fn good(text: &str) -> ClusterConfig {
    let outcome = reading(&[("slurm.conf", text)]);
    assert_eq!(outcome.problems, [], "{text}");
    outcome.config.expect("a configuration")
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let outcome = reading(files);
    assert!(outcome.config.is_none());
    outcome.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn nodes_are_filled_in_as_slurm_does() {
    // Observed: `scontrol show node` of 22.05.8 for each of these lines.
    for (line, shape) in [
        ("CPUs=8", (1, 8, 1, 1, 8)),
        ("CPUs=8 CoresPerSocket=4", (1, 2, 4, 1, 8)),
        ("CPUs=8 ThreadsPerCore=2", (1, 4, 1, 2, 8)),
        ("Sockets=2 CoresPerSocket=4 ThreadsPerCore=2", (1, 2, 4, 2, 16)),
        ("CPUs=8 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2", (1, 2, 4, 2, 8)),
        ("CPUs=8 Boards=2 SocketsPerBoard=2 CoresPerSocket=2", (2, 4, 2, 1, 8)),
        ("Procs=2", (1, 2, 1, 1, 2)),
    ] {
        let config = good(&format!("ClusterName=c\nNodeName=n {line}\nPartitionName=p Nodes=n\n"));
        let n = &config.nodes[0];
        let found = (n.boards, n.sockets, n.cores_per_socket, n.threads_per_core, n.cpus());
        assert_eq!(found, shape, "{line}");
    }
    let config = good(
        "ClusterName=c\nnodename=DEFAULT CPUs=4\nNodeName=DEFAULT RealMemory=77 Feature=a\n\
         NodeName=u[1-2],v CPUs=2 NodeAddr=10.0.0.[1-3] NodeHostname=h Port=[7001-7003] Weight=3\n\
         NodeName=w State=DRAIN Reason=\"a b\" Features=x,y\nNodeName=f State=FUTURE\n\
         DownNodes=u1 Reason=broken\nNodeSet=set Feature=x Nodes=v\nPartitionName=p Nodes=set,u[1-2],f\n",
    );
    let names: Vec<&str> = config.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["u1", "u2", "v", "w"]);
    let (u1, v, w) = (&config.nodes[0], &config.nodes[2], &config.nodes[3]);
    assert_eq!((u1.state, u1.reason.as_deref()), (InitialState::Down, Some("broken")));
    assert_eq!((u1.cpus(), u1.memory_mb, u1.port, u1.weight), (2, 77, Some(7001), 3));
    assert_eq!((v.address.as_deref(), v.hostname.as_deref()), (Some("10.0.0.3"), Some("h")));
    assert_eq!((w.state, w.cpus(), w.features.len()), (InitialState::Drain, 4, 2));
    assert_eq!(config.partitions[0].nodes, ["w", "v", "u1", "u2"]);
}

#[test]
fn more_cpus_than_tables_can_hold_are_refused() {
    let lines: String = (1..=3).map(|n| format!("NodeName=a{n}-[1-60000] CPUs=1024\n")).collect();
    let conf = format!("ClusterName=c\n{lines}PartitionName=p Nodes=ALL\n");
    assert_eq!(
        problems(&[("slurm.conf", &conf)]),
        [
            "/conf/slurm.conf:3: the nodes have 67109888 CPUs together, more than 67108864: tables of them would exhaust \
          this machine's memory"
        ]
    );
}

#[test]
fn partitions_take_defaults_and_the_clusters_memory() {
    let config = good(
        "ClusterName=c\nDefMemPerCPU=100\nMaxMemPerNode=900\nNodeName=n[1-2]\nPartitionName=DEFAULT MaxTime=10\n\
         PartitionName=a Nodes=ALL Default=YES\n\
         PartitionName=b,c Nodes=n1 State=drain MaxTime=INFINITE DefaultTime=1-0 MinNodes=1 MaxNodes=2 DefMemPerNode=5 \
         Hidden=YES AllowAccounts=x,y DenyQos=normal OverSubscribe=EXCLUSIVE PriorityTier=3 OverTimeLimit=2 Default=YES\n\
         PartitionName=empty\nPartitionName=high DefaultTime=20\nPartitionName=low DefaultTime=10\n",
    );
    let p = |name: &str| config.partition(name).expect("partition");
    assert_eq!(p("a").max_time, TimeLimit::Minutes(10));
    assert_eq!((p("a").def_mem_per_cpu_mb, p("a").max_mem_per_node_mb), (Some(100), Some(900)));
    let c = p("c");
    assert_eq!((c.state, c.max_time), (PartitionState::Drain, TimeLimit::Unlimited));
    assert_eq!((c.def_mem_per_cpu_mb, c.def_mem_per_node_mb), (None, Some(5)));
    assert_eq!(c.allow_accounts, ["x", "y"]);
    assert_eq!(
        (c.over_subscribe.as_deref(), c.over_time_limit),
        (Some("EXCLUSIVE"), Some(TimeLimit::Minutes(2)))
    );
    assert_eq!(config.default_partition().map(|p| p.name.as_str()), Some("c"), "the last one");
    assert!(p("empty").nodes.is_empty());
    // As Slurm 22.05 shows it: a default above the most is none.
    assert_eq!((p("high").default_time, p("low").default_time), (None, Some(TimeLimit::Minutes(10))));
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    let text = "ClusterName=c\nFoo=1\nKillWait=abc\nPrivateData=jobs\nsome words\nSelectType=select/linear\n\
                NodeName=n1 CPUs=3 Sockets=2 CoresPerSocket=4 Bar=3\nNodeName=n[1-2\nNodeName=n2 State=CLOUD\n\
                NodeName=n2\nNodeName=n3 Gres=gpu:2\nPartitionName=p Nodes=n9 OverSubscribe=FORCE MaxTime=never\n\
                PartitionName=q LLN=YES ExclusiveUser=no\nSchedulerParameters=bla\nLicenses=a:x\nProlog=bin/x\nFrontendName=f\n";
    let expected = "\
/conf/slurm.conf: node n3 has Gres=gpu, which is not in GresTypes: add GresTypes=gpu
/conf/slurm.conf:2: Parsing error at unrecognized key: Foo
/conf/slurm.conf:3: KillWait value \"abc\" is not a valid number
/conf/slurm.conf:4: PrivateData value \"jobs\" is not available: everybody sees every job: set it to none
/conf/slurm.conf:5: Parse error: \"some words\" is no Key=Value
/conf/slurm.conf:6: SelectType value \"select/linear\" is not available: CPUs, memory and GRES are allotted one by one: use select/cons_tres
/conf/slurm.conf:7: CPUs=3 is neither Sockets(2)*CoresPerSocket(4)=8 nor Sockets*CoresPerSocket*ThreadsPerCore(1)=8
/conf/slurm.conf:7: Parsing error at unrecognized key: Bar
/conf/slurm.conf:8: \"n[1-2\" is no hostlist: unbalanced bracket
/conf/slurm.conf:9: State=CLOUD is not available: use UNKNOWN, DOWN, DRAIN, FAIL or FUTURE
/conf/slurm.conf:10: node n2 is named twice
/conf/slurm.conf:12: MaxTime value \"never\" is not valid
/conf/slurm.conf:12: OverSubscribe=FORCE is not available here: jobs do not share CPUs; use FORCE:1 or NO
/conf/slurm.conf:12: node n9 does not exist
/conf/slurm.conf:13: LLN=YES is not available here: nodes are filled one after the other: leave it out
/conf/slurm.conf:14: SchedulerParameters value \"bla\" is not available
/conf/slurm.conf:15: Invalid Licenses value: \"a:x\" is no NAME:COUNT
/conf/slurm.conf:16: Prolog value \"bin/x\" is not an absolute path
/conf/slurm.conf:17: FrontendName: there are no front-end nodes here";
    assert_eq!(problems(&[("slurm.conf", text)]).join("\n"), expected);
    assert_eq!(problems(&[]), ["/conf/slurm.conf: there is no such file"]);
    // It names a folder below the state folder.
    for name in ["../other", "/etc", ".hidden", "a b"] {
        let text = LEAST.replace("ClusterName=c", &format!("ClusterName=\"{name}\""));
        let told = problems(&[("slurm.conf", &text)]);
        assert!(told[0].starts_with(&format!("/conf/slurm.conf: ClusterName={name}: ")), "{told:?}");
    }
    // A file in which nothing stands is as wrong as one in which too little does.
    assert_eq!(problems(&[("slurm.conf", "# soon\n")]), problems(&[("slurm.conf", "KillWait=3\n")]));
    assert_eq!(
        problems(&[("slurm.conf", "KillWait=3\n")]),
        [
            "/conf/slurm.conf: ClusterName needs to be specified",
            "/conf/slurm.conf: there is no NodeName line: a cluster needs nodes",
            "/conf/slurm.conf: there is no PartitionName line: a cluster needs a partition",
        ]
    );
}

#[test]
fn faults_of_the_files_beside_have_their_places_too() {
    let files = [
        ("slurm.conf", &*format!("{LEAST}GresTypes=gpu\nAccountingStorageEnforce=qos\n")),
        ("gres.conf", "Name=gpu Count=2 Wrong=1\nName=nic\n"),
        ("topology.conf", "SwitchName=s Nodes=n9\nSwitchName=t\nNodes=n1\n"),
        ("cgroup.conf", "ConstrainCores=maybe\nNope=1\n"),
        (
            "sacctmgr.dump",
            "Cluster - 'c':QOS='normal'\nParent - 'nope'\nUser 'x'\nUser - 'a':MaxJobs=3\nBird - 'x'\n",
        ),
        ("sacctmgr.qos", "Name|Priority|MaxTRESPU|Flags\nnormal|x||\nlong|1|cpu=4,disk=3|DenyOnLimit\n"),
    ];
    let expected = "\
/conf/cgroup.conf:1: ConstrainCores value \"maybe\" is neither YES nor NO
/conf/cgroup.conf:2: Parsing error at unrecognized key: Nope
/conf/gres.conf:1: Parsing error at unrecognized key: Wrong
/conf/gres.conf:2: Name=nic is not in GresTypes of slurm.conf
/conf/sacctmgr.dump:2: the parent account nope is not defined above
/conf/sacctmgr.dump:3: this is no line of `sacctmgr dump`: KIND - 'NAME':Key=value:...
/conf/sacctmgr.dump:4: MaxJobs=3 is not available here: limits of associations come later; leave it out, or use those of a QOS
/conf/sacctmgr.dump:5: `bird` is none of Cluster, Parent, Account and User
/conf/sacctmgr.qos:2: priority value \"x\" is not a valid number
/conf/sacctmgr.qos:3: flags=DenyOnLimit is not available here: flags of a QOS come later; leave it empty
/conf/sacctmgr.qos:3: maxtrespu: \"disk=3\" is no cpu=, mem=, node= or gres/NAME=
/conf/topology.conf:1: node n9 does not exist
/conf/topology.conf:2: switch t needs either Nodes or Switches
/conf/topology.conf:3: the line has no SwitchName";
    assert_eq!(problems(&files).join("\n"), expected);
}

#[test]
fn a_dump_and_its_qos_are_understood() {
    let outcome = reading(&[
        (
            "slurm.conf",
            &format!(
                "{LEAST}AccountingStorageEnforce=limits,qos\nAccountingStorageType=accounting_storage/slurmdbd\n"
            ),
        ),
        (
            "sacctmgr.dump",
            "# comment\nCluster - 'c':Fairshare=1:QOS='normal'\nParent - 'root'\n\
             Account - 'proj':Description='a b:c':Organization='x':Fairshare=30:QOS='normal,short'\nParent - 'proj'\n\
             User - 'ann':DefaultAccount='proj':Coordinator='proj':DefaultQOS='short'\n\
             User - 'bob':Partition='p':DefaultAccount='other':Fairshare=parent:Priority=7\n",
        ),
        (
            "sacctmgr.qos",
            "Name|Priority|MaxWall|MaxTRESPU|MaxJobsPU\nnormal|0|||\nshort|10|00:10:00|cpu=4,mem=10G,gres/gpu=2|2\n",
        ),
    ]);
    assert_eq!(outcome.problems, []);
    let config = outcome.config.expect("a configuration");
    let short = config.qos("short").expect("the QOS");
    assert_eq!(
        (short.priority, short.max_wall, short.max_jobs_per_user),
        (10, Some(TimeLimit::Minutes(10)), Some(2))
    );
    assert_eq!((short.max_per_user.cpus, short.max_per_user.mem_mb), (Some(4), Some(10 << 10)));
    let p = &config.parameters;
    assert!(p.enforce.associations && p.enforce.limits && p.enforce.qos && !p.enforce.safe);
    let of = |user: &str| p.associations.iter().find(|a| a.user.as_deref() == Some(user)).expect("the user");
    let proj = p.associations.iter().find(|a| a.account == "proj" && a.user.is_none()).expect("the account");
    assert_eq!((proj.fairshare, of("ann").fairshare), (Some(30), None));
    assert_eq!((of("bob").fairshare, of("bob").priority), (Some(Association::PARENT), 7));
    assert!(of("ann").is_default && !of("bob").is_default);
    assert_eq!(
        (of("ann").default_qos.as_deref(), of("bob").partition.as_deref()),
        (Some("short"), Some("p"))
    );
    let account =
        p.associations.iter().find(|a| a.user.is_none() && a.account == "proj").expect("the account");
    assert_eq!(
        (account.coordinators.clone(), account.parent.as_deref()),
        (vec!["ann".to_owned()], Some("root"))
    );
}

#[test]
fn gres_conf_gives_types_to_what_a_node_counts() {
    let outcome = reading(&[
        (
            "slurm.conf",
            "ClusterName=c\nGresTypes=gpu\nNodeName=n[1-2] Gres=gpu:3\nPartitionName=p Nodes=ALL\n",
        ),
        (
            "gres.conf",
            "NodeName=n1,other Name=gpu Type=a100 File=/dev/nvidia[0-1]\nNodeName=n1 Name=gpu Type=v100 Count=1\n",
        ),
    ]);
    assert_eq!(outcome.problems, []);
    let nodes = outcome.config.expect("a configuration").nodes;
    let gres = |n: usize| -> Vec<(Option<&str>, u32)> {
        nodes[n].gres.iter().map(|g| (g.kind.as_deref(), g.count)).collect()
    };
    assert_eq!(gres(0), [(Some("a100"), 2), (Some("v100"), 1)]);
    assert_eq!(gres(1), [(None, 3)]);
}

#[test]
fn parameters_are_shown_as_scontrol_shows_them() {
    // Key, value and line of 22.05.8 for it.
    let text = "KillWait=12\nOverTimeLimit=5\nSuspendTime=NONE\nPriorityType=priority/multifactor\nPriorityMaxAge=2-0\n\
                PriorityCalcPeriod=10\nPriorityFavorSmall=YES\nEnforcePartLimits=all\nDisableRootJobs=YES\nSlurmdDebug=3\n\
                SlurmctldDebug=debug\nUsePAM=0\nTrackWCKey=no\nLicenses=a:4,b:2\nMaxMemPerCPU=400\nEpilogMsgTime=3000\n\
                ResumeRate=10\nVSizeFactor=101\nPreemptExemptTime=1:00\nProctrackType=proctrack/cgroup\nJobRequeue=0\n\
                Prolog=/bin/true\nSlurmctldHost=a(10.0.0.1)\nSlurmctldHost=b\nPropagateResourceLimitsExcept=MEMLOCK\nSlurmdUser=bob\n\
                AccountingStorageType=accounting_storage/slurmdbd\n";
    let outcome = reading(&[
        ("slurm.conf", &format!("{LEAST}{text}")),
        ("cgroup.conf", "AllowedRAMSpace=90\nConstrainCores=yes\n"),
    ]);
    assert_eq!(outcome.problems, []);
    let config = outcome.config.expect("a configuration");
    let facts = Facts {
        host: "vm",
        state_dir: "/state",
        owner: "ann(7)",
        users: &[("bob".to_owned(), 8)],
        boot_time: "B",
        next_job_id: 9,
    };
    let (lines, cgroup) = show(&config, &facts);
    let value = |key: &str| lines.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    for (key, shown) in [
        ("KillWait", "12 sec"),
        ("OverTimeLimit", "5 min"),
        ("SuspendTime", "INFINITE"),
        ("PriorityMaxAge", "2-00:00:00"),
        ("PriorityCalcPeriod", "00:10:00"),
        ("PriorityFavorSmall", "Yes"),
        ("PriorityWeightFairShare", "0"),
        ("EnforcePartLimits", "ALL"),
        ("DisableRootJobs", "Yes"),
        ("SlurmdDebug", "info"),
        ("SlurmctldDebug", "debug"),
        ("UsePam", "No"),
        ("Licenses", "a:4,b:2"),
        ("MaxMemPerCPU", "400"),
        ("DefMemPerNode", "UNLIMITED"),
        ("EpilogMsgTime", "3000 usec"),
        ("ResumeRate", "10 nodes/min"),
        ("VSizeFactor", "101 percent"),
        ("PreemptExemptTime", "00:01:00"),
        ("JobRequeue", "0"),
        ("Prolog", "/bin/true"),
        ("Epilog", "(null)"),
        ("SlurmctldHost[0]", "a(10.0.0.1)"),
        ("PropagateResourceLimits", "(null)"),
        ("NEXT_JOB_ID", "9"),
        ("BOOT_TIME", "B"),
        ("SlurmUser", "ann(7)"),
        ("SLURM_CONF", "/conf/slurm.conf"),
        ("MaxNodeCount", "2"),
        ("PowerPlugin", ""),
        ("SlurmdUser", "bob(8)"),
        ("AccountingStorageUser", "N/A"),
        ("MaxDBDMsgs", "20008"),
    ] {
        assert_eq!(value(key), Some(shown), "{key}");
    }
    assert_eq!(value("MaxMemPerNode"), None);
    let cgroup: BTreeMap<_, _> = cgroup.into_iter().collect();
    assert_eq!((cgroup["AllowedRAMSpace"].as_str(), cgroup["ConstrainCores"].as_str()), ("90.0%", "yes"));
    assert_eq!((cgroup["MinRAMSpace"].as_str(), cgroup["MemorySwappiness"].as_str()), ("30 MB", "(null)"));
}

#[test]
fn what_differs_is_named() {
    let (old, new) = (good(LEAST), good(&LEAST.replace("n[1-2]", "n[2-3]").replace("1000", "2000")));
    assert_eq!(
        differences(&old, &new),
        ["node n2 is another", "node n3 is new", "node n1 is gone", "partition p is another"]
    );
    let more = good(&format!("{LEAST}KillWait=3\n"));
    assert_eq!(differences(&old, &more), ["KillWait: not given becomes 3 sec"]);
    assert_eq!(differences(&old, &old), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_text_makes_it_panic(text in "([A-Za-z]{1,12}=[ -~]{0,12}[ \n]){0,6}", other in "[ -~\n]{0,60}") {
        for prefix in ["", LEAST, "NodeName=", "PartitionName=p "] {
            let _ = reading(&[
                ("slurm.conf", &format!("{prefix}{text}")),
                ("gres.conf", &other),
                ("sacctmgr.dump", &other),
                ("sacctmgr.qos", &format!("Name|MaxTRES|GrpTRES\n{other}")),
                ("topology.conf", &text),
            ]);
        }
    }

    #[test]
    fn shapes_of_nodes_hold_together(cpus in 0u64..70_000, s in 0u64..70_000, c in 0u64..300, t in 0u64..9) {
        let line = format!("NodeName=n CPUs={cpus} Sockets={s} CoresPerSocket={c} ThreadsPerCore={t}");
        let outcome = reading(&[("slurm.conf", &format!("ClusterName=c\n{line}\nPartitionName=p Nodes=n\n"))]);
        if let Some(config) = outcome.config {
            prop_assert!(u64::from(config.nodes[0].cpus()) == cpus);
        }
    }
}

/// AccountingStorageEnforce=safe is taken because there is nothing that it could check.
#[test]
fn limits_that_safe_is_about_are_refused_by_name() {
    let conf = "ClusterName=c\nAccountingStorageEnforce=safe\nNodeName=n1\nPartitionName=p Nodes=n1\n";
    let said = problems(&[
        ("slurm.conf", conf),
        ("sacctmgr.dump", "Cluster - 'c':GrpTRESMins='cpu=10'\n"),
        ("sacctmgr.qos", "Name|GrpTRESMins\nnormal|cpu=10\n"),
    ]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|text| text.to_ascii_lowercase().contains("grptresmins=cpu=10")), "{said:?}");
}
