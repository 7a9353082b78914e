//! The tree of associations with shares and usage.
//!
//! The factors are those of Fair Tree: among siblings shares and usage are compared, and the users are ranked by
//! these comparisons from the root down.

use bivouac_types::JobState;
use bivouac_types::config::ClusterConfig;
use bivouac_types::info::JobInfo;
use bivouac_types::parameters::Association;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// An association: an account, or a user in one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// How far below the root.
    pub depth: usize,
    /// A number of its own, counted from 1.
    pub id: u32,
    /// The account.
    pub account: String,
    /// The user; none: the account itself.
    pub user: Option<String>,
    /// The partition it is for.
    pub partition: Option<String>,
    /// Shares; none: of the root, which has none.
    pub shares: Option<u32>,
    /// Shares of those of all siblings.
    pub norm_shares: f64,
    /// CPU-seconds of its jobs.
    pub usage: u64,
    /// Usage of that of the cluster.
    pub norm_usage: f64,
    /// Usage of that of the account above.
    pub effective_usage: f64,
    /// Shares compared with usage: above 1, it has had less than its part; infinite: nothing.
    pub level: f64,
    /// The user's rank: 1 is the best.
    pub fairshare: Option<f64>,
    /// What its running jobs can still use.
    pub run_mins: RunMins,
    /// Position of the account above.
    parent: Option<usize>,
}

/// Resources times minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunMins {
    /// CPUs.
    pub cpu: f64,
    /// MiB.
    pub mem: f64,
    /// Nodes.
    pub node: f64,
    /// GPUs.
    pub gpu: f64,
}

impl RunMins {
    fn add(&mut self, other: RunMins) {
        self.cpu += other.cpu;
        self.mem += other.mem;
        self.node += other.node;
        self.gpu += other.gpu;
    }
}

impl Share {
    /// Whether its shares are those of the account above.
    pub fn is_parents(&self) -> bool {
        self.shares == Some(Association::PARENT)
    }

    /// The position of the account above it in its tree.
    pub fn above(&self) -> Option<usize> {
        self.parent
    }

    /// Whether it is the root account.
    pub fn is_root(&self) -> bool {
        self.parent.is_none()
    }
}

/// The whole tree, accounts before what is in them, users before accounts. Where the configuration has no
/// associations, its accounts and everybody who ran jobs are in it with one share each, and `own`, who asks.
pub fn tree(config: &ClusterConfig, jobs: &[JobInfo], own: &str) -> Vec<Share> {
    let mut plan = Plan::new(config);
    if config.parameters.associations.is_empty() {
        plan.add_jobs(jobs);
        plan.user(config.default_account.as_deref().unwrap_or("root"), own);
    }
    let mut all = Vec::new();
    plan.place("root", None, 0, &mut all, &mut BTreeSet::new());
    enter_usage(&mut all, jobs);
    compare(&mut all, config.parameters.priority.fairshare > 0);
    rank(&mut all);
    all
}

/// Who is below whom.
#[derive(Default)]
struct Plan {
    /// Shares of each account, and the account above.
    accounts: BTreeMap<String, (u32, String)>,
    /// Shares by account, user and partition.
    users: BTreeMap<String, BTreeMap<(String, Option<String>), u32>>,
}

impl Plan {
    fn new(config: &ClusterConfig) -> Plan {
        let mut plan = Plan::default();
        for account in config.accounts.iter().chain(&config.default_account).filter(|a| *a != "root") {
            plan.accounts.insert(account.clone(), (1, "root".to_owned()));
        }
        for a in &config.parameters.associations {
            let shares = a.fairshare.unwrap_or(1);
            match &a.user {
                None if a.account == "root" => {}
                None => {
                    let parent = a.parent.clone().unwrap_or_else(|| "root".to_owned());
                    plan.accounts.insert(a.account.clone(), (shares, parent));
                }
                Some(user) => {
                    plan.account(&a.account);
                    let users = plan.users.entry(a.account.clone()).or_default();
                    users.insert((user.clone(), a.partition.clone()), shares);
                }
            }
        }
        plan
    }

    fn account(&mut self, account: &str) {
        if account != "root" && !self.accounts.contains_key(account) {
            self.accounts.insert(account.to_owned(), (1, "root".to_owned()));
        }
    }

    fn user(&mut self, account: &str, user: &str) {
        self.account(account);
        self.users.entry(account.to_owned()).or_default().entry((user.to_owned(), None)).or_insert(1);
    }

    fn add_jobs(&mut self, jobs: &[JobInfo]) {
        for job in jobs {
            self.user(job.account.as_deref().unwrap_or("root"), &job.user);
        }
    }

    /// Places an account and all below it. `above` guards against accounts that are below themselves.
    fn place(
        &self,
        account: &str,
        parent: Option<usize>,
        depth: usize,
        all: &mut Vec<Share>,
        above: &mut BTreeSet<String>,
    ) {
        if !above.insert(account.to_owned()) {
            return;
        }
        let mine = all.len();
        let share = |user: Option<String>, shares, parent, depth, id: usize| Share {
            depth,
            id: id as u32 + 1,
            account: account.to_owned(),
            user,
            shares,
            parent,
            ..Share::default()
        };
        let shares = self.accounts.get(account).map(|a| a.0);
        all.push(share(None, shares, parent, depth, mine));
        for ((user, partition), shares) in self.users.get(account).into_iter().flatten() {
            let of = share(Some(user.clone()), Some(*shares), Some(mine), depth + 1, all.len());
            all.push(Share { partition: partition.clone(), ..of });
        }
        for (name, _) in self.accounts.iter().filter(|(_, (_, parent))| parent == account) {
            self.place(name, Some(mine), depth + 1, all, above);
        }
    }
}

/// Counts each job at its user's association, or else at its account's, and at all accounts above.
fn enter_usage(all: &mut [Share], jobs: &[JobInfo]) {
    let mut at = BTreeMap::<(&str, Option<&str>), usize>::new();
    let keys: Vec<(String, Option<String>)> =
        all.iter().map(|s| (s.account.clone(), s.user.clone())).collect();
    for (n, (account, user)) in keys.iter().enumerate() {
        at.entry((account, user.as_deref())).or_insert(n);
    }
    for job in jobs.iter().filter(|j| !j.nodes.is_empty()) {
        let account = job.account.as_deref().unwrap_or("root");
        let Some(&found) = at.get(&(account, Some(&*job.user))).or_else(|| at.get(&(account, None))) else {
            continue;
        };
        let usage = job.elapsed.as_secs().saturating_mul(u64::from(job.num_cpus));
        let left = run_mins(job);
        let mut place = Some(found);
        while let Some(n) = place {
            all[n].usage = all[n].usage.saturating_add(usage);
            all[n].run_mins.add(left);
            place = all[n].parent;
        }
    }
}

/// What a running job can still use; nothing is known of one without a limit.
fn run_mins(job: &JobInfo) -> RunMins {
    let limit = job.time_limit.duration().filter(|_| job.state == JobState::Running);
    let minutes = limit.map_or(0.0, |limit| (limit - job.elapsed).as_secs() as f64 / 60.0);
    let gpus: usize =
        job.nodes.iter().flat_map(|n| &n.gres).filter(|g| g.name == "gpu").map(|g| g.indices.len()).sum();
    RunMins {
        cpu: minutes * f64::from(job.num_cpus),
        mem: minutes * job.mem_mb as f64,
        node: minutes * f64::from(job.num_nodes),
        gpu: minutes * gpus as f64,
    }
}

/// Compares each association with its siblings. Where fair share has no weight (`weighed` is false), usage is counted but
/// not compared.
fn compare(all: &mut [Share], weighed: bool) {
    let cluster = all.first().map_or(0, |root| root.usage);
    let mut sums = BTreeMap::<usize, u64>::new();
    for share in all.iter().filter(|s| !s.is_parents()) {
        if let (Some(parent), Some(shares)) = (share.parent, share.shares) {
            *sums.entry(parent).or_default() += u64::from(shares);
        }
    }
    let part = |of: u64, whole: u64| if whole > 0 { of as f64 / whole as f64 } else { 0.0 };
    for n in 0..all.len() {
        let Some(parent) = all[n].parent else {
            all[n].effective_usage = 1.0;
            continue;
        };
        let (above, usage) = (all[parent].usage, if weighed { all[n].usage } else { 0 });
        let norm_shares = match all[n].shares {
            _ if all[n].is_parents() => all[parent].norm_shares,
            shares => part(shares.unwrap_or(0).into(), sums.get(&parent).copied().unwrap_or(0)),
        };
        let share = &mut all[n];
        share.norm_shares = norm_shares;
        share.norm_usage = part(usage, cluster);
        share.effective_usage = part(usage, above);
        share.level = match share.effective_usage {
            used if used > 0.0 => norm_shares / used,
            _ => f64::INFINITY,
        };
    }
}

/// Ranks the users: the better their accounts and then they themselves compare, the higher. Equals have one rank.
fn rank(all: &mut [Share]) {
    let path = |mut n: usize| {
        let mut levels = Vec::new();
        while let Some(parent) = all[n].parent {
            levels.push(all[n].level);
            n = parent;
        }
        levels.reverse();
        levels
    };
    let mut users: Vec<(usize, Vec<f64>)> =
        (0..all.len()).filter(|&n| all[n].user.is_some()).map(|n| (n, path(n))).collect();
    users.sort_by(|a, b| better(&a.1, &b.1));
    let count = users.len() as f64;
    let mut ranks = Vec::with_capacity(users.len());
    for n in 0..users.len() {
        let same = n > 0 && better(&users[n - 1].1, &users[n].1) == Ordering::Equal;
        let rank = if same { ranks[n - 1] } else { (count - n as f64) / count };
        ranks.push(rank);
    }
    for ((n, _), rank) in users.into_iter().zip(ranks) {
        all[n].fairshare = Some(rank);
    }
}

/// The order of two paths from the root: the first level that differs decides; a path that ends counts as unused below.
fn better(a: &[f64], b: &[f64]) -> Ordering {
    let level = |path: &[f64], n: usize| path.get(n).copied().unwrap_or(f64::INFINITY);
    (0..a.len().max(b.len()))
        .map(|n| level(b, n).total_cmp(&level(a, n)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}
