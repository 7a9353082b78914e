//! From the lines of slurm.conf to the cluster.

use crate::entry::Defaults;
use crate::keys::{self, CGROUP, DOWN_NODE, Key, Kind, NODE, NODE_SET, NULL, PARTITION, Standing};
use crate::lines::{Line, Place};
use crate::partition::Memory;
use crate::values;
use crate::{Beside, Build, Diagnostic, SLURM_CONF};
use bivouac_types::config::{ClusterConfig, InitialState, LimitClock, QosConfig, valid_cluster_name};
use bivouac_types::parameters::{Enforce, EnforcePartLimits, LicenseConfig, MemoryLimits, Parameters};
use bivouac_types::{Duration, Mpi, TimeLimit};
use std::collections::{BTreeMap, BTreeSet};

/// The keys outside node, partition and similar lines, with the place where each was given last.
#[derive(Default)]
struct Given(BTreeMap<&'static str, (Place, String)>);

impl Given {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|(_, value)| value.as_str())
    }

    fn count<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.parse().ok()
    }

    fn yes(&self, key: &str) -> bool {
        self.get(key).and_then(values::boolean).unwrap_or(false)
    }

    fn seconds(&self, key: &str) -> Option<Duration> {
        self.get(key).map(values::seconds)
    }

    fn program(&self, key: &str) -> Option<String> {
        self.get(key).filter(|v| v.starts_with('/')).map(str::to_owned)
    }

    fn words(&self, key: &str) -> Vec<String> {
        self.get(key).map(values::words).unwrap_or_default()
    }
}

/// The plugin that constrains memory, or the one that samples it, is told to.
fn memory_limits(given: &Given, cgroup: &Given) -> MemoryLimits {
    let has = |key: &str, word: &str| given.words(key).iter().any(|w| w.trim().eq_ignore_ascii_case(word));
    let constrained = has("TaskPlugin", "task/cgroup") && cgroup.yes("ConstrainRAMSpace");
    let sampled = has("JobAcctGatherParams", "OverMemoryKill")
        && given.get("JobAcctGatherType").is_some_and(|t| !t.eq_ignore_ascii_case("jobacct_gather/none"));
    if constrained || sampled { MemoryLimits::All } else { MemoryLimits::None }
}

impl Build {
    /// The cluster of these lines. `cluster` replaces ClusterName.
    pub(crate) fn cluster(
        &mut self,
        dir: &str,
        cluster: Option<&str>,
        lines: &[Line],
        beside: Beside,
    ) -> Option<ClusterConfig> {
        let main = Place { file: format!("{}/{SLURM_CONF}", dir.trim_end_matches('/')).into(), line: 0 };
        let (mut node_lines, mut down, mut sets, mut parts) = (vec![], vec![], vec![], vec![]);
        let mut given = Given::default();
        let mut shown = BTreeMap::new();
        for line in lines {
            let Some(first) = line.pairs.first() else { continue };
            match first.key.to_ascii_lowercase().as_str() {
                "nodename" => node_lines.push(line),
                "downnodes" => down.push(line),
                "nodeset" => sets.push(line),
                "partitionname" => parts.push(line),
                "frontendname" => {
                    self.problem(&line.place, "FrontendName: there are no front-end nodes here")
                }
                _ => self.parameters(line, keys::parameter, &mut given, &mut shown),
            }
        }

        let mut nodes = Vec::new();
        let mut named = BTreeSet::new();
        let mut defaults = Defaults::default();
        let mut cpus = 0;
        for line in node_lines {
            let entry = self.entry(line, NODE);
            if entry.get("NodeName").is_some_and(|n| n.eq_ignore_ascii_case("default")) {
                defaults.add(entry, "NodeName");
                continue;
            }
            let entry = defaults.under(entry);
            for node in self.nodes(&entry) {
                cpus += u64::from(node.cpus());
                if cpus > ClusterConfig::MAX_CPUS {
                    self.problem(&line.place, ClusterConfig::too_many_cpus(cpus));
                    return None;
                }
                if named.insert(node.name.clone()) {
                    nodes.push(node);
                } else {
                    self.problem(&entry.place, format!("node {} is named twice", node.name));
                }
            }
        }
        for line in down {
            let entry = self.entry(line, DOWN_NODE);
            self.down_nodes(&entry, &mut nodes);
        }
        let future: Vec<String> =
            nodes.iter().filter(|n| n.state == InitialState::Future).map(|n| n.name.clone()).collect();
        let types = given.words("GresTypes");
        self.gres_conf(&beside.gres, &types, &mut nodes);
        if let Some((node, g)) = nodes.iter().find_map(|n| {
            n.gres.iter().find(|g| !types.contains(&g.name)).map(|g| (n.name.clone(), g.name.clone()))
        }) {
            self.problem(
                &main,
                format!("node {node} has Gres={g}, which is not in GresTypes: add GresTypes={g}"),
            );
        }
        let mut node_sets = BTreeMap::new();
        for line in sets {
            let entry = self.entry(line, NODE_SET);
            self.node_set(&entry, &nodes, &mut node_sets);
        }

        let memory = Memory {
            def_per_cpu: given.get("DefMemPerCPU").and_then(values::limit).flatten(),
            def_per_node: given.get("DefMemPerNode").and_then(values::limit).flatten(),
            max_per_cpu: given.get("MaxMemPerCPU").and_then(values::limit).flatten(),
            max_per_node: given.get("MaxMemPerNode").and_then(values::limit).flatten(),
        };
        let mut partitions = Vec::new();
        let mut defaults = Defaults::default();
        for line in parts {
            let entry = self.entry(line, PARTITION);
            if entry.get("PartitionName").is_some_and(|n| n.eq_ignore_ascii_case("default")) {
                defaults.add(entry, "PartitionName");
                continue;
            }
            let entry = defaults.under(entry);
            for partition in self.partitions(&entry, &nodes, &node_sets, memory) {
                if partitions
                    .iter()
                    .any(|p: &bivouac_types::config::PartitionConfig| p.name == partition.name)
                {
                    self.problem(&entry.place, format!("partition {} is named twice", partition.name));
                } else {
                    partitions.push(partition);
                }
            }
        }
        for p in &partitions {
            if let Some(a) = p.alternate.as_ref().filter(|a| !partitions.iter().any(|q| q.name == **a)) {
                self.problem(&main, format!("partition {}: Alternate={a} does not exist", p.name));
            }
        }
        // Of several default partitions the last one is it, as in Slurm.
        if let Some(last) = partitions.iter().rposition(|p| p.default) {
            partitions[..last].iter_mut().for_each(|p| p.default = false);
        }
        let switches = self.switches(&beside.topology, &nodes);
        nodes.retain(|n| n.state != InitialState::Future);
        partitions.iter_mut().for_each(|p| p.nodes.retain(|n| !future.contains(n)));

        let mut cgroup = BTreeMap::new();
        let mut constrain = Given::default();
        for line in &beside.cgroup {
            self.parameters(line, |name| keys::find(CGROUP, name), &mut constrain, &mut cgroup);
        }
        let licenses = self.licenses(&given);
        let mut parameters = self.typed(&given);
        let qos = self.known_qos(&main, &beside, &partitions);
        parameters.associations = beside.associations.unwrap_or_default();
        parameters.conf_dir = Some(dir.to_owned());
        parameters.given = shown;
        parameters.cgroup = cgroup;
        parameters.memory_limits = memory_limits(&given, &constrain);
        parameters.licenses = licenses;
        parameters.switches = switches;
        let storage = given.get("AccountingStorageType").unwrap_or_default();
        let has_accounting = storage.eq_ignore_ascii_case("accounting_storage/slurmdbd");
        if parameters.enforce.associations && parameters.associations.is_empty() {
            let text = "AccountingStorageEnforce asks for associations: put what `sacctmgr dump CLUSTER` writes into sacctmgr.dump beside slurm.conf";
            self.problem(&main, text);
        }
        let config = ClusterConfig {
            cluster: cluster.or(given.get("ClusterName")).unwrap_or_default().to_owned(),
            site: format!("{}/{}", dir.trim_end_matches('/'), crate::SLURM_CONF),
            nodes,
            partitions,
            qos,
            accounts: Vec::new(),
            default_account: None,
            default_qos: has_accounting.then(|| "normal".to_owned()),
            overcommit: true,
            kill_wait: given.seconds("KillWait").unwrap_or(Duration::from_secs(30)),
            min_job_age: match given.seconds("MinJobAge") {
                // 0 means for ever.
                Some(Duration::ZERO) => Duration(u64::MAX / 2),
                age => age.unwrap_or(Duration::from_secs(300)),
            },
            max_array_size: given.count("MaxArraySize").unwrap_or(1001),
            max_job_count: given.count("MaxJobCount").unwrap_or(10_000),
            first_job_id: given.count("FirstJobId").unwrap_or(1),
            limit_clock: LimitClock::Wall,
            // Without SlurmUser, it is the owner.
            owner_is_operator: given.get("SlurmUser").is_none(),
            job_requeue: given.get("JobRequeue").is_none_or(|v| values::boolean(v) != Some(false)),
            parameters,
        };
        if config.cluster.is_empty() {
            self.problem(&main, "ClusterName needs to be specified");
        } else if !valid_cluster_name(&config.cluster) {
            let rule = "letters, digits, `.`, `_` and `-`, at most 64, not beginning with a dot or dash";
            self.problem(&main, format!("ClusterName={}: a cluster's name has {rule}", config.cluster));
        }
        if config.nodes.is_empty() {
            self.problem(&main, "there is no NodeName line: a cluster needs nodes");
        }
        if config.partitions.is_empty() {
            self.problem(&main, "there is no PartitionName line: a cluster needs a partition");
        }
        let known = |name: &String| config.qos(name).is_some();
        for partition in config.partitions.iter().filter(|p| p.qos.as_ref().is_some_and(|q| !known(q))) {
            let name = partition.qos.as_deref().unwrap_or_default();
            self.problem(&main, format!("Partition {} has an invalid qos ({name})", partition.name));
        }
        if self.problems.is_empty()
            && let Err(e) = config.validate()
        {
            self.problem(&main, e.to_string());
        }
        Some(config)
    }

    /// The pairs of an ordinary line: each is looked up, checked, and kept as it is shown.
    fn parameters(
        &mut self,
        line: &Line,
        find: impl Fn(&str) -> Option<&'static Key>,
        given: &mut Given,
        shown: &mut BTreeMap<String, String>,
    ) {
        for pair in &line.pairs {
            let Some(key) = find(&pair.key) else {
                self.problem(&line.place, format!("Parsing error at unrecognized key: {}", pair.key));
                continue;
            };
            let value = match values::shown(key, &pair.value) {
                Ok(value) => value,
                Err(e) => {
                    let advice = match key.standing {
                        Standing::Refused(advice) => advice.to_owned(),
                        _ => known(key.kind),
                    };
                    let sep = if advice.is_empty() { "" } else { ": " };
                    self.problem(&line.place, format!("{} {e}{sep}{advice}", key.name));
                    continue;
                }
            };
            // A value that the table lists by name is available; of others only the default.
            let by_name = matches!(key.kind, Kind::OneOf(_) | Kind::Words(_));
            match key.standing {
                Standing::Refused(advice) if !by_name && value != key.default => {
                    let text = format!("{}={} is not available here: {advice}", key.name, pair.value);
                    self.problem(&line.place, text);
                    continue;
                }
                Standing::Listed(why) => {
                    let text = format!("{}={} changes nothing here: {why}", key.name, pair.value);
                    self.listed.push(Diagnostic { place: line.place.clone(), text });
                }
                _ => {}
            }
            let value = match key.name {
                // The further controllers of an installation stand by.
                "SlurmctldHost" if shown.contains_key(key.name) => continue,
                _ => value,
            };
            shown.insert(key.name.to_owned(), value);
            given.0.insert(key.name, (line.place.clone(), pair.value.clone()));
        }
    }

    /// The QOS of `sacctmgr.qos`; without it those that the dump names, without limits. `normal` is always there.
    fn known_qos(
        &mut self,
        main: &Place,
        beside: &Beside,
        partitions: &[bivouac_types::config::PartitionConfig],
    ) -> Vec<QosConfig> {
        let plain = |name: &str| QosConfig { name: name.to_owned(), ..QosConfig::default() };
        let mut qos = beside.qos.clone().unwrap_or_default();
        if !qos.iter().any(|q| q.name == "normal") {
            qos.insert(0, plain("normal"));
        }
        let named = beside.associations.iter().flatten().flat_map(|a| a.qos.iter().chain(&a.default_qos));
        for name in named {
            if qos.iter().any(|q| q.name == *name) {
                continue;
            }
            match beside.qos {
                Some(_) => self.problem(main, format!("QOS {name} of sacctmgr.dump is not in sacctmgr.qos")),
                None => qos.push(plain(name)),
            }
        }
        for p in partitions {
            let names = p.allow_qos.iter().chain(&p.deny_qos).chain(&p.qos);
            for name in names.filter(|n| !qos.iter().any(|q| q.name == **n)).cloned().collect::<Vec<_>>() {
                let text =
                    format!("partition {}: QOS {name} does not exist; sacctmgr.qos defines QOS", p.name);
                self.problem(main, text);
            }
        }
        qos
    }

    fn licenses(&mut self, given: &Given) -> Vec<LicenseConfig> {
        let Some((place, text)) = given.0.get("Licenses") else { return Vec::new() };
        let mut all: Vec<LicenseConfig> = Vec::new();
        for part in values::words(text) {
            let (name, count) = part.split_once([':', '*']).unwrap_or((&part, "1"));
            match count.parse() {
                Ok(count) if !name.is_empty() && !all.iter().any(|l| l.name == name) => {
                    all.push(LicenseConfig { name: name.to_owned(), count });
                }
                _ => self.problem(place, format!("Invalid Licenses value: \"{part}\" is no NAME:COUNT")),
            }
        }
        all
    }

    /// The parameters that something here acts on.
    fn typed(&mut self, given: &Given) -> Parameters {
        let mut p = Parameters::default();
        let words = given.words("AccountingStorageEnforce");
        let has =
            |name: &str| words.iter().any(|w| w.eq_ignore_ascii_case(name) || w.eq_ignore_ascii_case("all"));
        p.enforce = Enforce {
            // Each of the others brings this one along.
            associations: has("associations") || has("limits") || has("qos") || has("safe") || has("wckeys"),
            limits: has("limits") || has("safe") || has("qos"),
            qos: has("qos"),
            safe: has("safe"),
        };
        p.enforce_part_limits = match given.get("EnforcePartLimits").map(str::to_ascii_uppercase).as_deref() {
            Some("ALL") => EnforcePartLimits::All,
            Some("ANY") => EnforcePartLimits::Any,
            _ => EnforcePartLimits::No,
        };
        let time = |key: &str| given.get(key).and_then(values::time).and_then(TimeLimit::duration);
        let priority = &mut p.priority;
        priority.multifactor =
            given.get("PriorityType").is_some_and(|t| t.eq_ignore_ascii_case("priority/multifactor"));
        priority.age = given.count("PriorityWeightAge").unwrap_or(0);
        priority.assoc = given.count("PriorityWeightAssoc").unwrap_or(0);
        priority.fairshare = given.count("PriorityWeightFairShare").unwrap_or(0);
        priority.tres = given.get("PriorityWeightTRES").map(str::to_owned);
        priority.job_size = given.count("PriorityWeightJobSize").unwrap_or(0);
        priority.partition = given.count("PriorityWeightPartition").unwrap_or(0);
        priority.qos = given.count("PriorityWeightQOS").unwrap_or(0);
        priority.favor_small = given.yes("PriorityFavorSmall");
        priority.max_age = time("PriorityMaxAge").unwrap_or(priority.max_age);
        priority.flags = given.words("PriorityFlags").iter().map(|f| f.to_ascii_uppercase()).collect();
        let programs = &mut p.programs;
        let one = |key: &str| given.program(key).into_iter().collect::<Vec<String>>();
        programs.prolog = one("Prolog");
        programs.epilog = one("Epilog");
        programs.prolog_slurmctld = one("PrologSlurmctld");
        programs.epilog_slurmctld = one("EpilogSlurmctld");
        programs.task_prolog = given.program("TaskProlog");
        programs.task_epilog = given.program("TaskEpilog");
        programs.srun_prolog = given.program("SrunProlog");
        programs.srun_epilog = given.program("SrunEpilog");
        programs.timeout = given.seconds("PrologEpilogTimeout").filter(|t| t.as_secs() < 65_534);
        programs.mail = Some(given.program("MailProg").unwrap_or_else(|| "/bin/mail".to_owned()));
        programs.mail_domain = given.get("MailDomain").map(str::to_owned);
        p.over_time_limit = match given.get("OverTimeLimit").map(values::limit) {
            Some(Some(Some(minutes))) => Duration::from_secs(minutes.min(65_533) * 60),
            Some(Some(None)) => Duration(u64::MAX),
            _ => Duration::ZERO,
        };
        p.inactive_limit = given.seconds("InactiveLimit").unwrap_or_default();
        p.gather_period = given.get("JobAcctGatherFrequency").and_then(bivouac_types::usage::task_period);
        p.wait_time = given.seconds("WaitTime").unwrap_or_default();
        p.kill_on_bad_exit = given.yes("KillOnBadExit");
        p.mpi_default = given.get("MpiDefault").and_then(Mpi::parse).unwrap_or_default();
        p.job_file_append = given.yes("JobFileAppend");
        p.return_to_service = given.count("ReturnToService").unwrap_or(0);
        p.job_submit = given.words("JobSubmitPlugins");
        p.scheduler = given.words("SchedulerParameters");
        p.disable_root_jobs = given.yes("DisableRootJobs");
        // What else stands there is about sockets and credentials, of which there are none.
        for word in given.words("AuthInfo") {
            let Some(seconds) = word.strip_prefix("cred_expire=") else { continue };
            match (seconds.parse(), given.0.get("AuthInfo")) {
                (Ok(seconds), _) if seconds > 0 => p.requeue_delay = Some(Duration::from_secs(seconds)),
                (_, Some((place, _))) => self.problem(place, format!("Invalid AuthInfo value: \"{word}\"")),
                _ => {}
            }
        }
        for (key, codes) in
            [("RequeueExit", &mut p.requeue_exit), ("RequeueExitHold", &mut p.requeue_exit_hold)]
        {
            if let Some((place, text)) = given.0.get(key) {
                match values::exit_codes(text) {
                    Some(found) => *codes = found,
                    None => self.problem(place, format!("{key} value \"{text}\" is no list of exit codes")),
                }
            }
        }
        p
    }
}

/// The words that a key takes, for an error.
fn known(kind: Kind) -> String {
    match kind {
        Kind::OneOf(words) => format!("use {}", words.join(", ")),
        Kind::Words(words) if words.len() < 12 => format!("use {}", words.join(", ")),
        _ => String::new(),
    }
}

/// The text of a key as `scontrol show config` prints it: as given, else its default.
pub(crate) fn shown<'a>(parameters: &'a Parameters, key: &'a Key) -> &'a str {
    parameters.given.get(key.name).map_or(key.default, String::as_str)
}

/// Whether a text is Slurm's "not set".
pub(crate) fn is_set(text: &str) -> bool {
    text != NULL && !text.is_empty()
}
