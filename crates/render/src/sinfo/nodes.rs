//! The columns of sinfo.

use super::group::Group;
use super::states::{self, Share};
use crate::scontrol::{free_memory, load, over_subscribe, preempt_mode};
use crate::settings::{Settings, push};
use crate::table::{Column, Table};
use bivouac_types::config::{NodeConfig, PartitionState};
use bivouac_types::info::NodeInfo;
use bivouac_types::node::{NodeReason, NodeState};
use bivouac_types::{HostList, TaskSet, TimeLimit};

/// The table of nodes and partitions.
pub struct Nodes;

impl Table for Nodes {
    type Row<'a> = Group<'a>;
    fn columns() -> &'static [Column<Nodes>] {
        COLUMNS
    }

    fn keeps_heading(column: &Column<Nodes>) -> bool {
        matches!(column.name, "nodelist" | "nodehost" | "nodeaddr")
    }

    const ALL_IS_A_NAME: bool = true;

    /// Slurm's `%all` has a blank behind the columns of capital letters.
    fn after(column: &Column<Nodes>, last: bool) -> &'static str {
        match (column.letter.is_some_and(|c| c.is_ascii_uppercase()), last) {
            (true, true) => " ",
            (true, false) => " |",
            (false, _) => "|",
        }
    }
}

/// SlurmdPort, where the configuration says no other.
pub(super) const PORT: u16 = 6818;

type C = Column<Nodes>;
type Row<'a> = Group<'a>;

fn number(out: &mut String, n: impl std::fmt::Display) {
    push(out, format_args!("{n}"));
}

/// The least value of the nodes, with a `+` if they differ.
fn least(row: &Row<'_>, out: &mut String, value: impl Fn(&NodeConfig) -> u64) {
    let values = || row.nodes.iter().map(|n| value(&n.config));
    let least = values().min().unwrap_or(0);
    number(out, least);
    if values().any(|v| v != least) {
        out.push('+');
    }
}

/// A state in one of sinfo's forms.
fn state(row: &Row<'_>, out: &mut String, form: fn(&NodeState) -> String) {
    match row.nodes.first() {
        Some(node) => out.push_str(&form(&node.state())),
        None => out.push_str("n/a"),
    }
}

fn rank(row: &Row<'_>) -> u32 {
    row.nodes.first().map_or(0, |n| states::rank(&n.state()))
}

fn cpus(row: &Row<'_>, _: &Settings, out: &mut String) {
    let (mut used, mut idle, mut other) = (0, 0, 0);
    for node in &row.nodes {
        let own = states::cpus(node, &node.state());
        (used, idle, other) = (used + own.0, idle + own.1, other + own.2);
    }
    push(out, format_args!("{used}/{idle}/{other}/{}", used + idle + other));
}

/// Nodes in use, idle ones and others.
fn counts(row: &Row<'_>) -> (usize, usize, usize) {
    let count = |share| row.nodes.iter().filter(|n| states::share(&n.state()) == share).count();
    (count(Share::Allocated), count(Share::Idle), count(Share::Other))
}

fn list(row: &Row<'_>, out: &mut String, of: impl Fn(&NodeInfo) -> &[String]) {
    match row.nodes.first().map(|n| of(n)).filter(|list| !list.is_empty()) {
        Some(list) => out.push_str(&list.join(",")),
        None => out.push_str("(null)"),
    }
}

/// `gpu:a100:3`, or `(null)`.
pub(crate) fn write_gres(node: &NodeConfig, out: &mut String) {
    if node.gres.is_empty() {
        out.push_str("(null)");
    }
    for (n, g) in node.gres.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        match &g.kind {
            Some(kind) => push(out, format_args!("{comma}{}:{kind}:{}", g.name, g.count)),
            None => push(out, format_args!("{comma}{}:{}", g.name, g.count)),
        }
    }
}

/// `gpu:a100:2(IDX:0-1)`, or `(null)`.
pub(crate) fn write_gres_used(node: &NodeInfo, out: &mut String) {
    if node.config.gres.is_empty() {
        out.push_str("(null)");
    }
    for (n, g) in node.config.gres.iter().enumerate() {
        let used = node.alloc_gres.iter().filter(|s| s.name == g.name && s.kind == g.kind);
        let set: TaskSet = used.flat_map(|s| s.indices.iter().copied()).collect();
        let comma = if n > 0 { "," } else { "" };
        let kind = g.kind.as_deref().map_or(String::new(), |k| format!("{k}:"));
        let list = if set.is_empty() { "N/A".to_owned() } else { ranges(&set) };
        push(out, format_args!("{comma}{}:{kind}{}(IDX:{list})", g.name, set.len()));
    }
}

/// `0-1,3`: ranges only, unlike the `0-4:2` of arrays.
pub(crate) fn ranges(set: &TaskSet) -> String {
    let part = |&(a, b): &(u32, u32)| if a == b { a.to_string() } else { format!("{a}-{b}") };
    set.ranges().iter().map(part).collect::<Vec<_>>().join(",")
}

fn of_first(row: &Row<'_>, out: &mut String, write: impl Fn(&NodeInfo, &mut String)) {
    match row.nodes.first() {
        Some(node) => write(node, out),
        None => out.push_str("n/a"),
    }
}

fn names(row: &Row<'_>, _: &Settings, out: &mut String) {
    match &row.nodes[..] {
        [] => {}
        [one] => out.push_str(&one.config.name),
        many => number(out, many.iter().map(|n| n.config.name.as_str()).collect::<HostList>().sorted()),
    }
}

/// A limit as sinfo and scontrol show partitions': `1-00:00:00`, or `infinite`.
fn limit(out: &mut String, limit: TimeLimit) {
    match limit {
        TimeLimit::Unlimited => out.push_str("infinite"),
        limit => out.push_str(&limit.squeue()),
    }
}

fn size(row: &Row<'_>, _: &Settings, out: &mut String) {
    let config = &row.partition.config;
    let least = config.min_nodes.max(1);
    match config.max_nodes {
        Some(most) if most == least => number(out, most),
        Some(most) => push(out, format_args!("{least}-{most}")),
        None => push(out, format_args!("{least}-infinite")),
    }
}

fn partition(row: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str(&row.partition.config.name);
    if row.partition.config.default {
        out.push('*');
    }
}

/// What the partition allows, or `all`.
fn all_or(list: &[String], out: &mut String) {
    if list.is_empty() { out.push_str("all") } else { out.push_str(&list.join(",")) }
}

fn available(row: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str(match row.partition.config.state {
        PartitionState::Up => "up",
        PartitionState::Down => "down",
        PartitionState::Drain => "drain",
        PartitionState::Inactive => "inact",
    });
}

/// Something of the reason why the first node is out of service, and of who said so.
fn reason(
    row: &Row<'_>,
    out: &mut String,
    none: &str,
    write: impl Fn(&NodeReason, &mut String) -> Option<()>,
) {
    let reason = row.nodes.first().and_then(|n| n.stand.reason.as_ref());
    if reason.and_then(|r| write(r, out)).is_none() {
        out.push_str(none);
    }
}

fn text_or_null(row: &Row<'_>, out: &mut String, text: impl Fn(&NodeInfo) -> Option<&String>) {
    out.push_str(row.nodes.first().and_then(|n| text(n)).map_or("(null)", String::as_str));
}

fn smallest(row: &Row<'_>, value: impl Fn(&NodeConfig) -> u64) -> Option<u64> {
    row.nodes.iter().map(|n| value(&n.config)).min()
}

static COLUMNS: &[Column<Nodes>] = &[
    C::new('a', "available", "AVAIL", available).text(),
    C::new('b', "features_act", "ACTIVE_FEATURES", |r, _, o| {
        list(r, o, |n| n.stand.active_features(&n.config))
    })
    .text(),
    C::new('c', "cpus", "CPUS", |r, _, o| least(r, o, |n| n.cpus().into()))
        .by(|a, b, _| smallest(a, |n| n.cpus().into()).cmp(&smallest(b, |n| n.cpus().into()))),
    C::new('d', "disk", "TMP_DISK", |r, _, o| least(r, o, |n| n.tmp_disk_mb))
        .by(|a, b, _| smallest(a, |n| n.tmp_disk_mb).cmp(&smallest(b, |n| n.tmp_disk_mb))),
    C::new('e', "freemem", "FREE_MEM", |_, s, o| o.push_str(&free_memory(s))).text(),
    C::new('f', "features", "AVAIL_FEATURES", |r, _, o| list(r, o, |n| &n.config.features)).text(),
    C::new('g', "groups", "GROUPS", |r, _, o| all_or(&r.partition.config.allow_groups, o)).text(),
    C::new('h', "oversubscribe", "OVERSUBSCRIBE", |r, _, o| o.push_str(over_subscribe(&r.partition.config)))
        .text(),
    C::new('l', "time", "TIMELIMIT", |r, _, o| limit(o, r.partition.config.max_time))
        .by(|a, b, _| a.partition.config.max_time.cmp(&b.partition.config.max_time)),
    C::new('m', "memory", "MEMORY", |r, _, o| least(r, o, |n| n.memory_mb))
        .by(|a, b, _| smallest(a, |n| n.memory_mb).cmp(&smallest(b, |n| n.memory_mb))),
    C::new('n', "nodehost", "HOSTNAMES", |r, _, o| {
        of_first(r, o, |n, o| o.push_str(n.config.hostname.as_ref().unwrap_or(&n.config.name)));
    })
    .text(),
    C::new('o', "nodeaddr", "NODE_ADDR", |r, _, o| {
        of_first(r, o, |n, o| o.push_str(n.config.address.as_ref().unwrap_or(&n.config.name)));
    })
    .text(),
    C::new('p', "prioritytier", "PRIO_TIER", |r, _, o| number(o, r.partition.config.priority_tier))
        .by(|a, b, _| a.partition.config.priority_tier.cmp(&b.partition.config.priority_tier)),
    C::new('r', "root", "ROOT", |r, _, o| {
        o.push_str(if r.partition.config.root_only { "yes" } else { "no" })
    })
    .text(),
    C::new('s', "size", "JOB_SIZE", size).by(|a, b, _| {
        let most = |r: &Row<'_>| r.partition.config.max_nodes.unwrap_or(u32::MAX);
        most(a).cmp(&most(b))
    }),
    C::new('t', "statecompact", "STATE", |r, _, o| state(r, o, states::compact))
        .by(|a, b, _| rank(a).cmp(&rank(b))),
    C::new('u', "user", "USER", |r, _, o| {
        reason(r, o, "Unknown", |why, o| {
            o.push_str(&why.by.as_ref()?.user);
            Some(())
        });
    })
    .text(),
    C::new('v', "version", "VERSION", |_, _, o| o.push_str(crate::scontrol::VERSION)).text(),
    C::new('w', "weight", "WEIGHT", |r, _, o| least(r, o, |n| n.weight.into()))
        .by(|a, b, _| smallest(a, |n| n.weight.into()).cmp(&smallest(b, |n| n.weight.into()))),
    C::new('z', "socketcorethread", "S:C:T", |r, _, o| {
        least(r, o, |n| n.sockets.into());
        o.push(':');
        least(r, o, |n| n.cores_per_socket.into());
        o.push(':');
        least(r, o, |n| n.threads_per_core.into());
    })
    .text(),
    C::new('A', "nodeai", "NODES(A/I)", |r, _, o| {
        let (used, idle, _) = counts(r);
        push(o, format_args!("{used}/{idle}"));
    })
    .by(|a, b, _| counts(a).cmp(&counts(b))),
    C::new('B', "maxcpuspernode", "MAX_CPUS_PER_NODE", |r, _, o| {
        match r.partition.config.max_cpus_per_node {
            Some(most) => number(o, most),
            None => o.push_str("UNLIMITED"),
        }
    })
    .text(),
    C::new('C', "cpusstate", "CPUS(A/I/O/T)", cpus),
    C::new('D', "nodes", "NODES", |r, _, o| number(o, r.nodes.len()))
        .by(|a, b, _| a.nodes.len().cmp(&b.nodes.len())),
    C::new('E', "reason", "REASON", |r, _, o| {
        reason(r, o, "none", |why, o| {
            o.push_str(&why.text);
            Some(())
        });
    })
    .text(),
    C::new('F', "nodeaiot", "NODES(A/I/O/T)", |r, _, o| {
        let (used, idle, other) = counts(r);
        push(o, format_args!("{used}/{idle}/{other}/{}", r.nodes.len()));
    })
    .by(|a, b, _| counts(a).cmp(&counts(b))),
    C::new('G', "gres", "GRES", |r, _, o| of_first(r, o, |n, o| write_gres(&n.config, o))).text(),
    C::new('H', "timestamp", "TIMESTAMP", |r, s, o| {
        reason(r, o, "Unknown", |why, o| {
            s.time(o, Some(why.by.as_ref()?.at), "Unknown");
            Some(())
        });
    })
    .text(),
    C::new('I', "priorityjobfactor", "PRIO_JOB_FACTOR", |r, _, o| {
        number(o, r.partition.config.priority_job_factor)
    })
    .by(|a, b, _| a.partition.config.priority_job_factor.cmp(&b.partition.config.priority_job_factor)),
    C::new('L', "defaulttime", "DEFAULTTIME", |r, _, o| match r.partition.config.default_time {
        Some(time) => limit(o, time),
        None => o.push_str("n/a"),
    })
    .text(),
    C::new('M', "preemptmode", "PREEMPT_MODE", |r, _, o| o.push_str(preempt_mode(&r.partition.config)))
        .text(),
    C::new('N', "nodelist", "NODELIST", names).by(|a, b, _| {
        let least = |r: &Row<'_>| {
            let names = r.nodes.iter().map(|n| n.config.name.as_str()).collect::<HostList>().sorted();
            names.names.into_iter().next()
        };
        let both: HostList = least(a).into_iter().chain(least(b)).collect();
        let first = both.sorted().names.into_iter().next();
        match (least(a), least(b)) {
            (a, b) if a == b => std::cmp::Ordering::Equal,
            (a, _) if a == first => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        }
    }),
    C::new('O', "cpusload", "CPU_LOAD", |_, s, o| o.push_str(&load(s))).text(),
    C::new('P', "partition", "PARTITION", partition).text(),
    C::new('R', "partitionname", "PARTITION", |r, _, o| o.push_str(&r.partition.config.name)).text(),
    C::new('S', "allocnodes", "ALLOCNODES", |r, _, o| all_or(&r.partition.config.alloc_nodes, o)).text(),
    C::new('T', "statelong", "STATE", |r, _, o| state(r, o, states::long))
        .by(|a, b, _| rank(a).cmp(&rank(b))),
    C::new('U', "userlong", "USER", |r, _, o| {
        reason(r, o, "Unknown", |why, o| {
            let by = why.by.as_ref()?;
            push(o, format_args!("{}({})", by.user, by.uid));
            Some(())
        });
    })
    .text(),
    C::new('V', "cluster", "CLUSTER", |_, _, o| o.push_str("N/A")).text(),
    C::new('X', "sockets", "SOCKETS", |r, _, o| least(r, o, |n| n.sockets.into())).text(),
    C::new('Y', "cores", "CORES", |r, _, o| least(r, o, |n| n.cores_per_socket.into())).text(),
    C::new('Z', "threads", "THREADS", |r, _, o| least(r, o, |n| n.threads_per_core.into())).text(),
    // Without a letter.
    C::new('\0', "allocmem", "ALLOCMEM", |r, _, o| of_first(r, o, |n, o| number(o, n.alloc_mem_mb))),
    C::new('\0', "comment", "COMMENT", |r, _, o| text_or_null(r, o, |n| n.stand.comment.as_ref())),
    C::new('\0', "extra", "EXTRA", |r, _, o| text_or_null(r, o, |n| n.stand.extra.as_ref())),
    C::new('\0', "gresused", "GRES_USED", |r, _, o| of_first(r, o, write_gres_used)),
    C::new('\0', "port", "PORT", |r, _, o| of_first(r, o, |n, o| number(o, n.config.port.unwrap_or(PORT)))),
    C::new('\0', "statecomplete", "STATECOMPLETE", |r, _, o| state(r, o, states::complete)),
];
