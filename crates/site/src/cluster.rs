//! From a profile to the controller's configuration.

use bivouac_types::config::{ClusterConfig, LimitClock, NodeConfig, PartitionConfig, QosConfig, TresLimit};
use bivouac_types::parameters::{MemoryLimits, Parameters};
use bivouac_types::{Duration, TimeLimit};
use toml::Spanned;

use crate::error::{ProfileError, SiteError};
use crate::format::{Clock, Limited, Nodes, Partition, Profile, Qos, Tres};
use crate::machine::Machine;
use crate::near;
use crate::sources::Sources;
use crate::values::MemoryPerCpu;

/// Builds the configuration of cluster `cluster` from a merged profile. `machine` is asked only if the
/// profile has a node of the machine's own shape.
pub(crate) fn build(
    profile: &Profile,
    sources: &Sources,
    cluster: &str,
    site: &str,
    machine: impl FnOnce() -> Result<Machine, SiteError>,
) -> Result<ClusterConfig, SiteError> {
    let machine = profile.nodes.iter().any(|n| n.machine).then(machine).transpose()?;
    let mut nodes: Vec<NodeConfig> = Vec::new();
    for group in &profile.nodes {
        for node in expand(group, sources, machine.as_ref())? {
            if nodes.iter().any(|n| n.name == node.name) {
                let span = group.names.as_ref().map_or(0..0, Spanned::span);
                return Err(sources.error(span, format!("node {} is named twice", node.name)).into());
            }
            nodes.push(node);
        }
    }
    if nodes.is_empty() {
        return Err(sources.whole("it has no [[nodes]]; add at least one").into());
    }
    let names: Vec<&str> = profile.qos.iter().map(|q| &**q.name.as_ref()).collect();
    let partitions = profile
        .partitions
        .iter()
        .map(|p| partition(p, sources, &nodes, &names))
        .collect::<Result<Vec<_>, _>>()?;
    let c = &profile.cluster;
    let config = ClusterConfig {
        cluster: cluster.to_owned(),
        site: site.to_owned(),
        nodes,
        partitions,
        qos: profile.qos.iter().map(qos).collect(),
        accounts: c.accounts.clone().unwrap_or_default(),
        default_account: c.default_account.clone(),
        default_qos: c.default_qos.clone(),
        overcommit: c.overcommit.unwrap_or(false),
        kill_wait: Duration::from_secs(c.kill_wait.unwrap_or(30).into()),
        min_job_age: Duration::from_secs(c.min_job_age.unwrap_or(300).into()),
        max_array_size: c.max_array_size.unwrap_or(1001),
        max_job_count: c.max_job_count.unwrap_or(10_000),
        first_job_id: c.first_job_id.unwrap_or(1).max(1),
        limit_clock: match c.limit_clock.unwrap_or(Clock::Monotonic) {
            Clock::Monotonic => LimitClock::Monotonic,
            Clock::Wall => LimitClock::Wall,
        },
        owner_is_operator: c.owner_is_operator.unwrap_or(false),
        job_requeue: c.job_requeue.unwrap_or(true),
        parameters: Parameters {
            requeue_delay: c.requeue_delay.map(|seconds| Duration::from_secs(seconds.into())),
            memory_limits: match c.memory_limits.unwrap_or(Limited::Asked) {
                Limited::None => MemoryLimits::None,
                Limited::Asked => MemoryLimits::Asked,
                Limited::All => MemoryLimits::All,
            },
            ..Parameters::default()
        },
    };
    match config.validate() {
        Ok(()) => Ok(config),
        Err(e) => Err(located(profile, sources, &e).into()),
    }
}

/// The validator names an entry by its text; where the profile has a name of that entry, so has the error.
fn located(profile: &Profile, sources: &Sources, error: &bivouac_types::config::ConfigError) -> ProfileError {
    let named = |kind: &str, name: &Spanned<String>| error.place == format!("{kind} {}", name.as_ref());
    let partition = profile.partitions.iter().map(|p| &p.name).find(|n| named("partition", n));
    let found = partition.or_else(|| profile.qos.iter().map(|q| &q.name).find(|n| named("qos", n)));
    match found {
        Some(name) => sources.error(name.span(), error.to_string()),
        None => sources.whole(error.to_string()),
    }
}

fn expand(
    group: &Nodes,
    sources: &Sources,
    machine: Option<&Machine>,
) -> Result<Vec<NodeConfig>, ProfileError> {
    if let Some(machine) = machine.filter(|_| group.machine) {
        if let Some(names) = &group.names {
            let problem = "`machine = true` takes the machine's own name; remove `names`";
            return Err(sources.error(names.span(), problem));
        }
        let own = machine.node();
        return Ok(vec![NodeConfig {
            features: group.features.clone(),
            tmp_disk_mb: group.tmp_disk.map_or(own.tmp_disk_mb, |m| m.0),
            memory_mb: group.memory.map_or(own.memory_mb, |m| m.0),
            gres: if group.gres.is_empty() { own.gres.clone() } else { gres(group) },
            weight: group.weight.unwrap_or(own.weight),
            ..own
        }]);
    }
    let Some(names) = &group.names else {
        return Err(sources.whole("an entry of [[nodes]] has neither `names` nor `machine = true`"));
    };
    let Some(memory) = group.memory else {
        let problem = "these nodes have no `memory`; write for example memory = \"240G\"";
        return Err(sources.error(names.span(), problem));
    };
    let shape = |name: &String| NodeConfig {
        name: name.clone(),
        sockets: group.sockets.unwrap_or(1),
        cores_per_socket: group.cores_per_socket.unwrap_or(1),
        threads_per_core: group.threads_per_core.unwrap_or(1),
        memory_mb: memory.0,
        tmp_disk_mb: group.tmp_disk.map_or(0, |m| m.0),
        features: group.features.clone(),
        gres: gres(group),
        weight: group.weight.unwrap_or(1),
        ..NodeConfig::default()
    };
    Ok(names.as_ref().0.iter().map(shape).collect())
}

fn gres(group: &Nodes) -> Vec<bivouac_types::config::GresConfig> {
    group.gres.iter().map(|g| g.0.clone()).collect()
}

fn partition(
    p: &Partition,
    sources: &Sources,
    nodes: &[NodeConfig],
    qos: &[&str],
) -> Result<PartitionConfig, ProfileError> {
    let Some(hosts) = &p.nodes else {
        let problem = format!("partition {} has no `nodes`; write a hostlist or \"ALL\"", p.name.as_ref());
        return Err(sources.error(p.name.span(), problem));
    };
    let mut names = hosts.as_ref().0.clone();
    if names == ["ALL"] {
        names = nodes.iter().map(|n| n.name.clone()).collect();
    }
    let known = || nodes.iter().map(|n| n.name.as_str());
    if let Some(name) = names.iter().find(|name| !known().any(|k| k == *name)) {
        return Err(sources.error(hosts.span(), unknown("node", name, known())));
    }
    let allow_qos = p.allow_qos.as_deref().unwrap_or_default();
    if let Some(name) = allow_qos.iter().find(|name| !qos.contains(&name.as_ref().as_str())) {
        return Err(sources.error(name.span(), unknown("QoS", name.as_ref(), qos.iter().copied())));
    }
    if let Some(billing) = p.billing.as_ref().filter(|b| !is_billing(b.as_ref())) {
        let problem = format!(
            "`{}` are no weights; write for example \"CPU=1.0,GRES/gpu:a100=108.2\"",
            billing.as_ref()
        );
        return Err(sources.error(billing.span(), problem));
    }
    let members = || nodes.iter().filter(|n| names.contains(&n.name));
    let max_time = p.max_time.map_or(TimeLimit::Unlimited, |l| l.0);
    if let Some(default) = p.default_time.map(|l| l.0).filter(|default| *default > max_time) {
        let problem = format!("default_time = \"{default}\" is above max_time = \"{max_time}\"");
        return Err(sources.error(p.name.span(), problem));
    }
    Ok(PartitionConfig {
        name: p.name.as_ref().clone(),
        default: p.default.unwrap_or(false),
        default_time: p.default_time.map(|l| l.0),
        max_time,
        min_nodes: p.min_nodes.unwrap_or(0),
        max_nodes: p.max_nodes,
        max_cpus_per_node: p.max_cpus_per_node,
        def_mem_per_cpu_mb: match p.def_mem_per_cpu {
            Some(MemoryPerCpu::Megabytes(mb)) => Some(mb),
            // The smallest share, so that a whole node's CPUs always fit its memory.
            Some(MemoryPerCpu::Share) => {
                members().map(|n| (n.memory_mb / u64::from(n.cpus().max(1))).max(1)).min()
            }
            None => None,
        },
        max_mem_per_node_mb: p.max_mem_per_node.map(|m| m.0),
        allow_qos: allow_qos.iter().map(|q| q.as_ref().clone()).collect(),
        priority_tier: p.priority_tier.unwrap_or(1),
        priority_job_factor: p.priority_job_factor.unwrap_or(1),
        billing: p.billing.as_ref().map(|b| b.as_ref().clone()),
        nodes: names,
        ..PartitionConfig::default()
    })
}

/// TRESBillingWeights: `NAME=NUMBER`, separated by commas.
fn is_billing(text: &str) -> bool {
    let weight = |w: &str| w.parse::<f64>().is_ok_and(|w| w.is_finite() && w >= 0.0);
    text.split(',').all(|part| part.split_once('=').is_some_and(|(name, w)| !name.is_empty() && weight(w)))
}

fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match near::nearest(name, known) {
        Some(near) => format!("{what} {name} does not exist; did you mean {near}?"),
        None => format!("{what} {name} does not exist in this profile"),
    }
}

fn qos(q: &Qos) -> QosConfig {
    let tres = |t: &Option<Tres>| t.as_ref().map(tres).unwrap_or_default();
    QosConfig {
        name: q.name.as_ref().clone(),
        priority: q.priority.unwrap_or(0),
        max_wall: q.max_wall.map(|l| l.0),
        max_jobs_per_user: q.max_jobs_per_user,
        max_submit_per_user: q.max_submit_per_user,
        max_per_user: tres(&q.max_per_user),
        max_per_job: tres(&q.max_per_job),
        min_per_job: tres(&q.min_per_job),
        grp: tres(&q.grp),
        grp_jobs: q.grp_jobs,
    }
}

fn tres(t: &Tres) -> TresLimit {
    TresLimit {
        cpus: t.cpus,
        mem_mb: t.memory.map(|m| m.0),
        nodes: t.nodes,
        gres: t.gres.iter().map(|(name, count)| (name.clone(), *count)).collect(),
    }
}
