use super::*;
use crate::Layout;
use crate::fixture::{self, print, settings};
use bivouac_types::Uid;
use bivouac_types::config::PartitionState;
use bivouac_types::info::NodeInfo;
use bivouac_types::node::{NodeAuthor, NodeFlag, NodeReason, Standing};
use bivouac_types::partition::PartitionChange;
use proptest::prelude::*;

/// sinfo with one of its default formats.
fn report(format: &str, by_node: bool, filter: &Filter) -> String {
    let (partitions, nodes, settings) = (fixture::partitions(), fixture::nodes(), settings());
    let mut layout = Layout::<Nodes>::letters(format).layout;
    let mut groups = match by_node {
        true => pairs(&partitions, &nodes, filter),
        false => group(&partitions, &nodes, filter, &layout, false, &settings),
    };
    sort(&mut groups, &sorting(default_sort(by_node)), &partitions, &settings);
    fit(&mut layout, &groups, by_node, &settings);
    print(&layout, groups, &settings)
}

/// sinfo -o, lines without the heading.
fn lines(format: &str, order: &str, filter: &Filter, exact: bool) -> String {
    let (partitions, nodes, settings) = (fixture::partitions(), fixture::nodes(), settings());
    let layout = Layout::<Nodes>::letters(format).layout;
    let mut groups = group(&partitions, &nodes, filter, &layout, exact, &settings);
    sort(&mut groups, &sorting(order), &partitions, &settings);
    let text = print(&layout, groups, &settings);
    text.lines().skip(1).collect::<Vec<_>>().join("\n")
}

fn of_states(text: &str) -> Filter {
    Filter { states: Some(parse_states(text).unwrap()), ..Filter::default() }
}

#[test]
fn the_default_report() {
    insta::assert_snapshot!(report(DEFAULT_FORMAT, false, &Filter::default()), @r"
    PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST
    main*        up 1-00:00:00      2    mix n[1-2]
    main*        up 1-00:00:00      1   idle n3
    gpu          up   infinite      1    mix g1
    ");
}

#[test]
fn the_long_report() {
    insta::assert_snapshot!(report(LONG_FORMAT, false, &Filter::default()), @r"
    PARTITION AVAIL  TIMELIMIT   JOB_SIZE ROOT OVERSUBS     GROUPS  NODES       STATE NODELIST
    main*        up 1-00:00:00 1-infinite   no       NO        all      2       mixed n[1-2]
    main*        up 1-00:00:00 1-infinite   no       NO        all      1        idle n3
    gpu          up   infinite          1   no       NO        all      1       mixed g1
    ");
}

#[test]
fn the_summary() {
    insta::assert_snapshot!(report(SUMMARY_FORMAT, false, &Filter::default()), @r"
    PARTITION AVAIL  TIMELIMIT   NODES(A/I/O/T) NODELIST
    main*        up 1-00:00:00          2/1/0/3 n[1-3]
    gpu          up   infinite          1/0/0/1 g1
    ");
}

#[test]
fn one_line_for_each_node() {
    let text = report(NODE_FORMAT, true, &Filter::default());
    // The last column is padded.
    insta::assert_snapshot!(text.replace(" \n", "|\n"), @r"
    NODELIST   NODES PARTITION STATE|
    g1             1       gpu mix  |
    n1             1     main* mix  |
    n2             1     main* mix  |
    n3             1     main* idle |
    ");
    let text = report(LONG_NODE_FORMAT, true, &Filter::default());
    insta::assert_snapshot!(text.replace(" \n", "|\n"), @r"
    NODELIST   NODES PARTITION       STATE CPUS    S:C:T MEMORY TMP_DISK WEIGHT AVAIL_FE REASON             |
    g1             1       gpu       mixed 8       2:4:1   8000        0     10   (null) none               |
    n1             1     main*       mixed 8       1:8:1   4000        0      1 milan,rh none               |
    n2             1     main*       mixed 8       1:8:1   4000        0      1    milan none               |
    n3             1     main*        idle 8       1:8:1   4000        0      1    milan none               |
    ");
}

#[test]
fn reasons_have_a_heading_only() {
    let text = print(&Layout::<Nodes>::letters(REASON_FORMAT).layout, [], &settings());
    assert_eq!(text, "REASON               USER      TIMESTAMP           NODELIST\n");
    let text = print(&Layout::<Nodes>::letters(LONG_REASON_FORMAT).layout, [], &settings());
    assert_eq!(text, "REASON               USER         TIMESTAMP           STATE  NODELIST\n");
}

#[test]
fn a_long_partition_name_widens_its_column() {
    let (mut partitions, mut nodes, settings) = (fixture::partitions(), fixture::nodes(), settings());
    partitions[0].config.name = "amilan-testing".into();
    nodes.iter_mut().take(3).for_each(|n| n.partitions = vec!["amilan-testing".into()]);
    let mut layout = Layout::<Nodes>::letters(DEFAULT_FORMAT).layout;
    let groups = group(&partitions, &nodes, &Filter::default(), &layout, false, &settings);
    fit(&mut layout, &groups, false, &settings);
    let text = print(&layout, groups, &settings);
    assert!(text.starts_with("PARTITION       AVAIL  TIMELIMIT"), "{text}");
    assert!(text.contains("\namilan-testing*    up 1-00:00:00      2    mix n[1-2]\n"), "{text}");
}

#[test]
fn nodes_are_grouped_by_what_is_shown() {
    let all = Filter::default();
    for (format, exact, expected) in [
        ("%C", false, "6/26/0/32"),
        ("%P %C %A %F", false, "main* 5/19/0/24 2/1 2/1/0/3\ngpu 1/7/0/8 1/0 1/0/0/1"),
        ("%N", false, "g1,n[1-3]"),
        ("%D", false, "4"),
        ("%l", false, "1-00:00:00\ninfinite"),
        ("%m", false, "4000+"),
        ("%m", true, "4000\n8000"),
        ("%z %w", false, "1+:4+:1 1+"),
        ("%f %D", false, "milan,rh8 1\nmilan 2\n(null) 1"),
        ("%G", false, "(null)\ngpu:a100:3"),
        ("%t %D %N", false, "mix 3 g1,n[1-2]\nidle 1 n3"),
        ("%n", false, "n1\nn2\nn3\ng1"),
        ("%L %s %p %a %R", false, "1:00:00 1-infinite 1 up main\nn/a 1 2 up gpu"),
        ("%E %H %u %O %e %v", false, "none Unknown Unknown N/A N/A 22.05.8"),
        ("%B %I %M %S %g %h %r", false, "UNLIMITED 1 OFF all all NO no"),
    ] {
        assert_eq!(lines(format, "#P,-t", &all, exact), expected, "{format}");
    }
}

#[test]
fn a_node_of_two_partitions_counts_once_without_partitions() {
    let (mut partitions, mut nodes, settings) = (fixture::partitions(), fixture::nodes(), settings());
    partitions[1].config.nodes.push("n1".into());
    nodes[0].partitions.push("gpu".into());
    let show = |format: &str| {
        let layout = Layout::<Nodes>::letters(format).layout;
        print(&layout, group(&partitions, &nodes, &Filter::default(), &layout, false, &settings), &settings)
    };
    assert_eq!(show("%C %D"), "CPUS(A/I/O/T) NODES\n6/26/0/32 4\n");
    assert_eq!(show("%R %N"), "PARTITION NODELIST\nmain n[1-3]\ngpu g1,n1\n");
}

#[test]
fn names_of_columns() {
    let parsed = Layout::<Nodes>::names("nodelist,partition:5,cpus:.7x,foo,gresused:");
    assert_eq!(parsed.invalid, ["foo"]);
    let (partitions, nodes, settings) = (fixture::partitions(), fixture::nodes(), settings());
    let groups = group(&partitions, &nodes, &Filter::default(), &parsed.layout, false, &settings);
    assert_eq!(
        print(&parsed.layout, groups, &settings),
        "NODELIST            PARTI   CPUSxGRES_USED\n\
         n[1-3]              main*      8x(null)\n\
         g1                  gpu        8xgpu:a100:2(IDX:0-1)\n"
    );
    for name in "AllocMem AllocNodes Available Cluster Comment Cores CPUs CPUsLoad CPUsState DefaultTime Disk Extra \
        Features features_act FreeMem Gres GresUsed Groups MaxCPUsPerNode Memory NodeAddr NodeAI NodeAIOT NodeHost \
        NodeList Nodes OverSubscribe Partition PartitionName Port PreemptMode PriorityJobFactor PriorityTier Reason \
        Root Size SocketCoreThread Sockets StateCompact StateLong StateComplete Threads Time TimeStamp User \
        UserLong Version Weight"
        .split_whitespace()
    {
        assert!(crate::table::column_named::<Nodes>(name).is_some(), "{name}");
    }
    for letter in "abBcCdDeEfFgGhHIlLmMnNoOpPrRsStTuUvVwXYZz".chars() {
        assert!(crate::table::column_of::<Nodes>(letter).is_some(), "%{letter}");
    }
}

#[test]
fn states_and_nodes_are_filtered() {
    let all = "#P,-t";
    assert_eq!(lines("%P %D %t %N", all, &of_states("idle"), false), "main* 1 idle n3\ngpu 0 n/a ");
    assert_eq!(
        lines("%P %D %t %N", all, &of_states("mix,IDLE"), false),
        "main* 2 mix n[1-2]\nmain* 1 idle n3\ngpu 1 mix g1"
    );
    assert_eq!(lines("%P %D %t", all, &of_states("mix&idle"), false), "main* 0 n/a\ngpu 0 n/a");
    assert_eq!(lines("%D %t %l", all, &of_states("mix&idle"), false), "", "without names there is no line");
    assert_eq!(lines("%N", all, &of_states("alloc"), false), "g1,n[1-2]", "mixed nodes are allocated too");
    assert_eq!(lines("%N", all, &of_states("i"), false), "n3", "words may be abbreviated");
    assert_eq!(lines("%R %D %t", all, &of_states("drain"), false), "main 0 n/a\ngpu 0 n/a");
    let gpu = Filter { partitions: Some(vec!["gpu".into(), "nope".into()]), ..Filter::default() };
    assert_eq!(lines("%P %N", all, &gpu, false), "gpu g1");
    let n1 = Filter { nodes: Some(vec!["n1".into(), "nope".into()]), ..Filter::default() };
    assert_eq!(lines("%P %N", all, &n1, false), "main* n1\ngpu ");
    assert_eq!(report(NODE_FORMAT, true, &n1).lines().count(), 2, "-N shows no empty partition");
    assert_eq!(parse_states("foo").unwrap_err().to_string(), "Bad state string: \"foo\"");
    assert!(BadState::valid().starts_with("valid states: unknown,down,idle,allocated,"));
}

#[test]
fn orders() {
    let show = |order: &str| lines("%P/%t", order, &Filter::default(), false).replace('\n', " ");
    assert_eq!(show("#P,-t"), "main*/mix main*/idle gpu/mix");
    assert_eq!(show("+P,-t"), "gpu/mix main*/mix main*/idle");
    assert_eq!(show("-P,t"), "main*/idle main*/mix gpu/mix");
    assert_eq!(show("N"), "gpu/mix main*/mix main*/idle");
    assert_eq!(show("9,P,?-t"), "gpu/mix main*/mix main*/idle", "what is no column does not count");
    assert_eq!(show("-t,#P"), "main*/mix gpu/mix main*/idle");
}

/// n1 drained, n2 draining, n3 down and without answer, g1 about to fail.
fn troubled() -> Vec<NodeInfo> {
    let mut nodes = fixture::nodes();
    let reason = |text: &str| {
        let by = NodeAuthor { uid: Uid(0), user: "root".into(), at: fixture::NOW };
        Some(NodeReason { text: text.into(), by: Some(by) })
    };
    nodes[0].alloc_cpus = 0;
    for (n, flag, text) in [
        (0, NodeFlag::Drain, "fan"),
        (1, NodeFlag::Drain, "fan"),
        (2, NodeFlag::NotResponding, "Not responding"),
    ] {
        nodes[n].stand.flags.insert(flag);
        nodes[n].stand.reason = reason(text);
    }
    nodes[2].stand.standing = Standing::Down;
    nodes[3].stand.flags.insert(NodeFlag::Fail);
    nodes
}

/// sinfo -o of troubled nodes, without the heading.
fn troubles(format: &str, filter: &Filter) -> String {
    let (partitions, nodes, settings) = (fixture::partitions(), troubled(), settings());
    let layout = Layout::<Nodes>::letters(format).layout;
    let mut groups = group(&partitions, &nodes, filter, &layout, false, &settings);
    sort(&mut groups, &sorting(default_sort(false)), &partitions, &settings);
    print(&layout, groups, &settings).lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[test]
fn nodes_that_are_out_of_service() {
    let all = Filter::default();
    assert_eq!(
        troubles("%N %t %T %A %F %C", &all),
        "n3 down* down* 0/0 0/0/1/1 0/0/8/8\n\
         n2 drng draining 1/0 1/0/0/1 1/0/7/8\n\
         n1 drain drained 0/0 0/0/1/1 0/0/8/8\n\
         g1 fail fail 1/0 1/0/0/1 1/7/0/8"
    );
    assert_eq!(troubles("%P %F %C", &all), "main* 1/0/2/3 1/0/23/24\ngpu 1/0/0/1 1/7/0/8");
    for (states, nodes) in [
        ("drain", "n[1-2]"),
        ("drained", "n1"),
        ("draining", "n2"),
        ("drng", "n2"),
        ("down", "n3"),
        ("fail", "g1"),
        ("alloc", "g1,n2"),
        ("mix", "g1"),
        ("idle", "n1"),
        ("drain&idle", "n1"),
        ("no_respond", "n3"),
        ("all", "g1,n[1-3]"),
    ] {
        assert_eq!(troubles("%N", &of_states(states)), nodes, "{states}");
    }
    let names = Layout::<Nodes>::names("nodelist:,statecomplete:").layout;
    let (partitions, nodes) = (fixture::partitions(), troubled());
    let text = print(&names, pairs(&partitions, &nodes, &all), &settings());
    assert_eq!(
        text,
        "NODELISTSTATECOMPLETE\nn1idle+drain\nn2allocated+drain\nn3down+not_responding\ng1mixed+fail\n"
    );
    let responds = |yes| Filter { responding: Some(yes), ..Filter::default() };
    assert_eq!(troubles("%N", &responds(true)), "g1,n[1-2]");
    assert_eq!(troubles("%N", &responds(false)), "n3");
}

#[test]
fn reasons_are_listed() {
    let filter = Filter { states: Some(StateFilter::out_of_service()), reasons: true, ..Filter::default() };
    insta::assert_snapshot!(troubles(REASON_FORMAT, &filter), @r"
    Not responding       root      2026-11-22T15:39:02 n3
    fan                  root      2026-11-22T15:39:02 n[1-2]
    ");
    insta::assert_snapshot!(troubles(LONG_REASON_FORMAT, &filter), @r"
    Not responding       root(0)      2026-11-22T15:39:02 down*  n3
    fan                  root(0)      2026-11-22T15:39:02 drng   n2
    fan                  root(0)      2026-11-22T15:39:02 drain  n1
    ");
    let none =
        Filter { states: Some(parse_states("alloc").unwrap()), nodes: Some(vec!["g1".into()]), ..filter };
    assert_eq!(troubles(REASON_FORMAT, &none), "", "without a reason there is no line");
}

#[test]
fn nodes_that_are_planned_or_yet_to_come() {
    let (partitions, mut nodes, settings) = (fixture::partitions(), fixture::nodes(), settings());
    nodes[0].planned = true;
    nodes[2].planned = true;
    nodes[1].stand.standing = Standing::Future;
    let layout = Layout::<Nodes>::letters("%N %t %T %F").layout;
    let groups = group(&partitions, &nodes, &Filter::default(), &layout, false, &settings);
    assert_eq!(
        print(&layout, groups, &settings),
        "NODELIST STATE STATE NODES(A/I/O/T)\n\
         n1 mix- mixed- 1/0/0/1\nn3 plnd planned 0/1/0/1\ng1 mix mixed 1/0/0/1\n"
    );
}

#[test]
fn all_columns() {
    let text = lines("%all", "N", &Filter { nodes: Some(vec!["g1".into()]), ..Filter::default() }, false);
    let line = text.lines().find(|l| l.contains("g1")).unwrap();
    assert!(line.starts_with("up|(null)|8|0|N/A|(null)|all|NO|infinite|8000|g1|g1|2|no|1|mix|"), "{line}");
    assert!(line.ends_with("|2:4:1|1/0 |UNLIMITED |1/7/0/8 |1 |none |1/0/0/1 |gpu:a100:3 |Unknown |1 |n/a |OFF |g1 |N/A |gpu |gpu |all |mixed |Unknown |N/A |2 |4 |1 "), "{line}");
}

#[test]
fn a_partition_that_operators_changed() {
    let mut partitions = fixture::partitions();
    for change in [
        PartitionChange::State(PartitionState::Inactive),
        PartitionChange::OverSubscribe(Some("FORCE:2".into())),
        PartitionChange::RootOnly(true),
        PartitionChange::AllowGroups(vec!["staff".into()]),
        PartitionChange::AllocNodes(vec!["login".into()]),
        PartitionChange::PreemptMode(Some("REQUEUE".into())),
    ] {
        change.apply(&mut partitions[1].config);
    }
    let (nodes, settings) = (fixture::nodes(), settings());
    let layout = Layout::<Nodes>::letters("%P %a %h %r %g %S %M").layout;
    let groups = group(&partitions[1..], &nodes, &Filter::default(), &layout, false, &settings);
    let text = print(&layout, groups, &settings);
    assert_eq!(text.lines().nth(1), Some("gpu inact FORCE:2 yes staff login REQUEUE"));
}

#[test]
fn the_tree_of_nodes() {
    let machine = crate::Machine {
        arch: "x86_64".into(),
        os: "Linux 6.1.0 #1 SMP".into(),
        boot: Some(bivouac_types::Timestamp::from_secs(1_795_360_370)),
        load: Some(9.19),
        free_mb: Some(18195),
    };
    let settings = Settings { machine, ..settings() };
    let tree = document(&troubled()[1..2], &settings).print(crate::json::Form::Json);
    insta::assert_snapshot!(tree);
}

#[test]
fn busy_and_ending_nodes() {
    let (partitions, mut nodes, settings) = (fixture::partitions(), fixture::nodes(), settings());
    nodes[1].alloc_cpus = 8;
    nodes[2].completing = true;
    let layout = Layout::<Nodes>::letters("%N %t %T %F").layout;
    let groups = group(&partitions, &nodes, &Filter::default(), &layout, false, &settings);
    assert_eq!(
        print(&layout, groups, &settings),
        "NODELIST STATE STATE NODES(A/I/O/T)\ng1,n1 mix mixed 2/0/0/2\nn2 alloc allocated 1/0/0/1\nn3 comp completing 1/0/0/1\n"
    );
}

/// Observed on 22.05.8: headings of node lists are not cut where the column is set to the right.
#[test]
fn headings_of_node_lists() {
    let heading = |layout: &Layout<Nodes>| {
        let mut out = Vec::new();
        layout.heading(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        heading(&Layout::letters("%5N|%.5N|%.2n|%.2o|%.2c").layout),
        "NODEL|NODELIST|HOSTNAMES|NODE_ADDR|CP\n"
    );
    let all = heading(&Layout::letters("%all").layout);
    let named = heading(&Layout::names("NodeList:3,All").layout);
    assert_eq!(named, format!("NOD{all}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_format_prints_every_node_once(format in "(%[.]?[0-9]{0,2}[a-zA-Z]|[a-z |]){0,8}", exact: bool) {
        let text = lines(&format!("{format}|%D"), "", &Filter::default(), exact);
        let total: u32 = text.lines().map(|l| l.rsplit('|').next().unwrap().parse::<u32>().unwrap()).sum();
        prop_assert_eq!(total, 4);
    }

    #[test]
    fn states_and_orders_never_panic(text in "\\PC{0,16}") {
        let _ = (parse_states(&text), sorting(&text));
    }
}
