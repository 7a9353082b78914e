use super::*;
use proptest::prelude::*;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn node(line: &str) -> String {
    match node::read(&pairs(&words(line))) {
        Ok(update) => format!("{} {:?}", update.nodes.join(","), update.changes),
        Err(refusal) => refusal.lines.join(" / "),
    }
}

fn partition(line: &str) -> String {
    match partition::read(&pairs(&words(line))) {
        Ok(update) => format!("{} {:?}", update.name, update.changes),
        Err(refusal) => refusal.lines.join(" / "),
    }
}

#[test]
fn nodes() {
    for (line, expected) in [
        ("nodename=n[1-2] state=drain reason=x", "n1,n2 [State(Drain), Reason(\"x\")]"),
        ("nod=ALL s=resume", "ALL [State(Resume)]"),
        ("node=n1 w=5 co=a e=b", "n1 [Weight(5), Comment(\"a\"), Extra(\"b\")]"),
        ("node=n1 f=a,b act=a", "n1 [Features([\"a\", \"b\"]), ActiveFeatures([\"a\"])]"),
        ("node=n1 cpubind=core", "n1 [CpuBind(Some(\"cores\"))]"),
        ("node=n1 state=power_up", "n1 [State(Impossible)]"),
        ("node=n1 state=down", "You must specify a reason when DOWNING or DRAINING a node. Request denied"),
        (
            "node=n1 state=fail reason=",
            "You must specify a reason when DOWNING or DRAINING a node. Request denied",
        ),
        (
            "node=n1 state=dr reason=x",
            "Invalid input: state=dr / Request aborted / Valid states are: NoResp DRAIN FAIL FUTURE RESUME \
             POWER_DOWN POWER_UP UNDRAIN / Not all states are valid given a node's prior state",
        ),
        ("node=n1", "No changes specified"),
        (
            "node=n1 weight=x",
            "scontrol: error: Weight value (x) is not a valid number / No changes specified",
        ),
        ("node=n1 foo=bar", "Update of this parameter is not supported: foo=bar / Request aborted"),
        ("node=n1 cpubind=foo", "scontrol: error: Invalid input cpubind=foo"),
        ("node=n1 gres=gpu:x:y:z", "slurm_update error: Invalid generic resource (gres) specification"),
    ] {
        assert_eq!(node(line), expected, "{line}");
    }
}

#[test]
fn partitions() {
    for (line, expected) in [
        ("part=p state=dow maxt=5 hidd=yes", "p [State(Down), MaxTime(Minutes(5)), Hidden(true)]"),
        (
            "partitionname=p nodes=n[1-2] default=y allowqos=ALL allowaccounts=a,b",
            "p [Nodes([\"n1\", \"n2\"]), Default(true), AllowQos([]), AllowAccounts([\"a\", \"b\"])]",
        ),
        ("part=p priority=2", "p [PriorityTier(2), PriorityJobFactor(2)]"),
        ("part=p minnodes=2-3 maxnodes=unlimited", "p [MinNodes(2), MaxNodes(None)]"),
        (
            "part=p oversubscribe=force:1 shared=yes lln=no",
            "p [OverSubscribe(Some(\"FORCE:1\")), OverSubscribe(Some(\"YES:4\")), LeastLoaded(false)]",
        ),
        (
            "part=p oversubscribe=force:2",
            "scontrol: error: oversubscribe=force:2 is not available here: jobs do not share CPUs; FORCE:1 and NO are \
             the same here",
        ),
        (
            "part=p lln=yes",
            "scontrol: error: lln=yes is not available here: the nodes are one machine, and the load of one is that of \
             all",
        ),
        ("part=p exclusiveuser=yes", "p [ExclusiveUser(true)]"),
        ("part=p nodes= qos= alternate=none", "p [Nodes([]), Qos(None), Alternate(None)]"),
        (
            "part=p state=foo",
            "scontrol: error: Invalid input: state=foo / scontrol: error: Acceptable State values are UP, DOWN, \
             DRAIN and INACTIVE",
        ),
        ("part=p maxtime=bad", "scontrol: error: Invalid input maxtime=bad"),
        ("part=p prioritytier=70000", "scontrol: error: Invalid PriorityTier value: 70000"),
        ("part=p maxnodes=x", "scontrol: error: Invalid numeric value \"x\" for MaxNodes."),
        ("part=p minnodes=x", "scontrol: error: \"x\" is not a valid node count"),
        ("part=p preemptmode=x", "scontrol: error: Invalid input: preemptmode=x"),
        ("part=p jobdefaults=x", "slurm_update error: Invalid JobDefaults specification"),
        ("part=p tresbillingweights=foo", "slurm_update error: Invalid TRESBillingWeights specification"),
        (
            "part=p def=no",
            "scontrol: error: Update of this parameter is not supported: def=no\n / scontrol: error: Request \
             aborted",
        ),
        ("part=p", "p []"),
    ] {
        assert_eq!(partition(line), expected, "{line}");
    }
}

proptest! {
    #[test]
    fn any_words_are_read_or_refused(line in proptest::collection::vec("[a-zA-Z]{1,8}=?[a-z0-9,:\\[\\]=-]{0,8}", 0..5)) {
        let _ = node::read(&pairs(&line));
        let _ = partition::read(&pairs(&line));
    }
}
