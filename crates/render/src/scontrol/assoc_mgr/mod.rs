//! `scontrol show assoc_mgr`: users, associations and QOS with their limits and what is used of them.

mod used;

use super::Form;
use crate::sshare::Share;
use bivouac_types::Timestamp;
use bivouac_types::config::{ClusterConfig, QosConfig, TresLimit};
use bivouac_types::info::JobInfo;
use bivouac_types::parameters::Association;
use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use used::{Used, tres_names};

/// Which kinds of records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// Users.
    pub users: bool,
    /// Associations.
    pub associations: bool,
    /// QOS.
    pub qos: bool,
}

/// What is shown; empty lists: all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// flags=
    pub kinds: Kinds,
    /// users=
    pub users: Vec<String>,
    /// accounts=
    pub accounts: Vec<String>,
    /// qos=
    pub qos: Vec<String>,
}

/// What the records are made of.
pub struct Known<'a> {
    /// The configuration.
    pub config: &'a ClusterConfig,
    /// The tree of associations.
    pub shares: &'a [Share],
    /// All jobs that the accounting has, those that wait and run among them.
    pub jobs: &'a [JobInfo],
    /// The number of a user of that name.
    pub uid: &'a dyn Fn(&str) -> Option<u32>,
    /// When it is.
    pub now: Timestamp,
}

/// The text.
pub fn show_assoc_mgr(known: &Known<'_>, filter: &Filter, form: Form) -> String {
    let mut out = Text { out: "Current Association Manager state\n".to_owned(), form };
    out.blank();
    let section = |out: &mut Text, title: &str, none: &str, records: Vec<String>| {
        if records.is_empty() {
            let _ = writeln!(out.out, "No {none} currently cached in Slurm.");
            out.blank();
        } else {
            let _ = writeln!(out.out, "{title} Records");
            out.blank();
            records.iter().for_each(|record| out.out.push_str(record));
        }
        out.blank();
    };
    if filter.kinds.users {
        section(&mut out, "User", "users", users(known, filter));
    }
    if filter.kinds.associations {
        section(&mut out, "Association", "associations", associations(known, filter, form));
    }
    if filter.kinds.qos {
        section(&mut out, "QOS", "QOS", qos(known, filter, form));
    }
    // A blank line is between the sections, not behind the last one.
    if !form.oneliner && out.out.ends_with("\n\n") {
        out.out.truncate(out.out.len() - 1);
    }
    out.out
}

struct Text {
    out: String,
    form: Form,
}

impl Text {
    /// Lines between records, of which -o has none.
    fn blank(&mut self) {
        if !self.form.oneliner {
            self.out.push('\n');
        }
    }
}

fn wanted(list: &[String], name: &str) -> bool {
    list.is_empty() || list.iter().any(|n| n == name)
}

/// `camper(1001)`.
fn with_number(known: &Known<'_>, user: &str) -> String {
    // What has no account on this machine has the number that stands for none.
    format!("{user}({})", (known.uid)(user).unwrap_or(u32::MAX - 1))
}

fn users(known: &Known<'_>, filter: &Filter) -> Vec<String> {
    let all = &known.config.parameters.associations;
    let names: BTreeSet<&str> = known.shares.iter().filter_map(|s| s.user.as_deref()).collect();
    let record = |user: &str| {
        let mine = |a: &&Association| a.user.as_deref() == Some(user);
        let default = all.iter().filter(mine).find(|a| a.is_default).map(|a| &*a.account);
        let of_tree = known.shares.iter().find(|s| s.user.as_deref() == Some(user)).map(|s| &*s.account);
        let level = all.iter().filter(mine).find_map(|a| a.admin_level.as_deref()).unwrap_or("None");
        format!(
            "UserName={} DefAccount={} DefWckey= AdminLevel={level}\n",
            with_number(known, user),
            default.or(of_tree).unwrap_or_default()
        )
    };
    names.into_iter().filter(|user| wanted(&filter.users, user)).map(record).collect()
}

fn associations(known: &Known<'_>, filter: &Filter, form: Form) -> Vec<String> {
    let shares = known.shares;
    let mut used: Vec<Used> = shares.iter().map(|_| Used::default()).collect();
    for job in known.jobs {
        let of = |s: &&Share, user: Option<&str>| {
            s.account == job.account.as_deref().unwrap_or("root") && s.user.as_deref() == user
        };
        let own = shares.iter().position(|s| of(&s, Some(&job.user)));
        let mut at = own.or_else(|| shares.iter().position(|s| of(&s, None)));
        while let Some(n) = at {
            used[n].add(job, known.now);
            at = shares[n].above();
        }
    }
    let sums = shares.iter().map(|share| siblings(shares, share));
    let shown = |share: &Share| {
        wanted(&filter.accounts, &share.account)
            && share.user.as_ref().is_none_or(|user| wanted(&filter.users, user))
    };
    let names = tres_names(known.config);
    let left = left_numbers(shares);
    let all = shares.iter().zip(&used).zip(sums).zip(left).filter(|(((share, _), _), _)| shown(share));
    all.map(|(((share, used), level), left)| {
        let own = entry(known.config, share);
        let limits = |of: fn(&Association) -> Option<u32>| limit(own.and_then(of));
        let most = |name: &str, of: fn(&Association) -> Option<u32>, used: u64| match own.and_then(of) {
            Some(limit) => format!("{name}={limit}({used})"),
            None => format!("{name}="),
        };
        let user = share.user.as_deref().map(|user| with_number(known, user)).unwrap_or_default();
        let parent = share.above().filter(|_| share.user.is_none()).map(|n| &shares[n]);
        let parent =
            parent.map(|p| format!("{}({})", p.account, number(known.config, p))).unwrap_or_default();
        let none = TresLimit::default();
        let lines = vec![
            format!(
                "ClusterName={} Account={} UserName={user} Partition={} Priority={} ID={}",
                known.config.cluster,
                share.account,
                share.partition.as_deref().unwrap_or_default(),
                own.map_or(0, |a| a.priority),
                number(known.config, share)
            ),
            format!(
                "SharesRaw/Norm/Level/Factor={}/{:.2}/{level}/{:.2}",
                match share.shares {
                    _ if share.is_parents() => i32::MAX as u32,
                    shares => shares.unwrap_or(1),
                },
                share.norm_shares,
                share.fairshare.unwrap_or(0.0)
            ),
            format!(
                "UsageRaw/Norm/Efctv={:.2}/{:.2}/{:.2}",
                share.usage as f64,
                if share.is_root() { 1.0 } else { share.norm_usage },
                share.effective_usage
            ),
            format!(
                "ParentAccount={parent} Lft={left} DefAssoc={}",
                yes(own.is_some_and(|a| a.is_default && a.user.is_some()))
            ),
            format!("GrpJobs={}({}) GrpJobsAccrue=N({})", limits(|a| a.grp_jobs), used.jobs, used.accruing),
            format!(
                "GrpSubmitJobs={}({}) GrpWall=N({:.2})",
                limits(|a| a.grp_submit),
                used.submitted,
                used.wall
            ),
            format!("GrpTRES={}", used.tres(&names, &none)),
            format!("GrpTRESMins={}", used.minutes(&names)),
            format!("GrpTRESRunMins={}", used.run_minutes(&names)),
            format!(
                "{} MaxJobsAccrue= {} MaxWallPJ={}",
                most("MaxJobs", |a| a.max_jobs, used.jobs),
                most("MaxSubmitJobs", |a| a.max_submit, used.submitted),
                own.and_then(|a| a.max_wall_minutes).map(|m| m.to_string()).unwrap_or_default()
            ),
            "MaxTRESPJ=".to_owned(),
            "MaxTRESPN=".to_owned(),
            "MaxTRESMinsPJ=".to_owned(),
            "MinPrioThresh=".to_owned(),
        ];
        record(form, &lines)
    })
    .collect()
}

/// The entry of the configuration that an association is of.
fn entry<'a>(config: &'a ClusterConfig, share: &Share) -> Option<&'a Association> {
    let same = |a: &&Association| {
        a.account == share.account && a.user == share.user && a.partition == share.partition
    };
    config.parameters.associations.iter().find(same)
}

/// Its number: its place in the configuration, as the accounting has it, or in the tree.
fn number(config: &ClusterConfig, share: &Share) -> usize {
    let place = |own: &Association| config.parameters.associations.iter().position(|a| std::ptr::eq(a, own));
    entry(config, share).and_then(place).map_or(share.id as usize, |n| n + 1)
}

/// The shares of all its siblings together.
fn siblings(all: &[Share], share: &Share) -> u64 {
    if share.is_root() || share.is_parents() {
        return 1;
    }
    let same = |s: &&Share| s.above() == share.above() && !s.is_parents();
    all.iter().filter(same).filter_map(|s| s.shares).map(u64::from).sum()
}

/// The numbers of the tree's nested sets: each association is entered, and left after all that are below it.
fn left_numbers(all: &[Share]) -> Vec<usize> {
    let mut count = 0;
    let mut open: Vec<usize> = Vec::new();
    let mut left = Vec::new();
    for share in all {
        while open.len() > share.depth {
            open.pop();
            count += 1;
        }
        count += 1;
        left.push(count);
        open.push(count);
    }
    left
}

fn qos(known: &Known<'_>, filter: &Filter, form: Form) -> Vec<String> {
    let names = tres_names(known.config);
    let all = (1..).zip(&known.config.qos).filter(|(_, qos)| wanted(&filter.qos, &qos.name));
    all.map(|(id, qos): (usize, &QosConfig)| {
        let mut used = Used::default();
        let (mut accounts, mut users) = (Vec::new(), Vec::new());
        let mut jobs: Vec<&JobInfo> =
            known.jobs.iter().filter(|job| job.qos.as_deref() == Some(&qos.name)).collect();
        jobs.sort_by_key(|job| job.id);
        for job in jobs {
            used.add(job, known.now);
            if !job.state.is_ended() {
                of_whom(&mut accounts, job.account.as_deref().unwrap_or("root")).add(job, known.now);
                of_whom(&mut users, job.uid).add(job, known.now);
            }
        }
        let minutes = qos.max_wall.and_then(|limit| limit.duration()).map(|d| (d.as_secs() / 60).to_string());
        let none = TresLimit::default();
        let of = |who: &str, used: &Used, limits: &Limits<'_>| {
            let numbers = format!(
                "MaxJobs{who}={}({}) MaxJobsAccrue{who}=N({}) MaxSubmitJobs{who}={}({})",
                limit(limits.jobs),
                used.jobs,
                used.accruing,
                limit(limits.submit),
                used.submitted
            );
            [numbers, format!("MaxTRES{who}={}", used.tres(&names, limits.tres))]
        };
        let accounts = accounts.iter().map(|(name, used)| {
            let limits = Limits { jobs: None, submit: None, tres: &none };
            (name.to_string(), of("PA", used, &limits))
        });
        let users = users.iter().map(|(uid, used)| {
            let (jobs, submit) = (qos.max_jobs_per_user, qos.max_submit_per_user);
            let limits = Limits { jobs, submit, tres: &qos.max_per_user };
            (uid.to_string(), of("PU", used, &limits))
        });
        let lines = [
            format!("QOS={}({id})", qos.name),
            format!("UsageRaw={:.6}", used.seconds),
            format!(
                "GrpJobs={}({}) GrpJobsAccrue=N({}) GrpSubmitJobs=N({}) GrpWall=N({:.2})",
                limit(qos.grp_jobs),
                used.jobs,
                used.accruing,
                used.submitted,
                used.wall
            ),
            format!("GrpTRES={}", used.tres(&names, &qos.grp)),
            format!("GrpTRESMins={}", used.minutes(&names)),
            format!("GrpTRESRunMins={}", used.run_minutes(&names)),
            format!("MaxWallPJ={}", minutes.unwrap_or_default()),
            format!("MaxTRESPJ={}", amounts(&qos.max_per_job)),
            "MaxTRESPN=".to_owned(),
            "MaxTRESMinsPJ=".to_owned(),
            "MinPrioThresh= ".to_owned(),
            format!("MinTRESPJ={}", amounts(&qos.min_per_job)),
            "PreemptMode=OFF".to_owned(),
            format!("Priority={}", qos.priority),
        ];
        let mut text = record(form, &lines);
        if form.oneliner {
            text.truncate(text.len() - 1);
        }
        let tables = [("Account", accounts.collect::<Vec<_>>()), ("User", users.collect())];
        for (kind, table) in tables {
            text.push_str(&limits_of(form, kind, &table));
        }
        if form.oneliner {
            text.push('\n');
        }
        text
    })
    .collect()
}

/// What is somebody's; who had a job first stands first, as in Slurm.
fn of_whom<K: PartialEq>(all: &mut Vec<(K, Used)>, who: K) -> &mut Used {
    let at = all.iter().position(|(key, _)| *key == who).unwrap_or_else(|| {
        all.push((who, Used::default()));
        all.len() - 1
    });
    &mut all[at].1
}

/// Limits of each user or account of a QOS.
struct Limits<'a> {
    jobs: Option<u32>,
    submit: Option<u32>,
    tres: &'a TresLimit,
}

/// What each account or user has of a QOS.
fn limits_of(form: Form, kind: &str, table: &[(String, [String; 2])]) -> String {
    let mut out = String::new();
    match form.oneliner {
        true => {
            let _ = write!(out, " {kind} Limits=");
            if table.is_empty() {
                let _ = write!(out, "No {kind}s");
            }
            table.iter().for_each(|(name, [numbers, tres])| {
                let _ = write!(out, " {name}={{{numbers} {tres}}}");
            });
        }
        false => {
            let _ = writeln!(out, "    {kind} Limits");
            if table.is_empty() {
                let _ = writeln!(out, "        No {kind}s");
            }
            table.iter().for_each(|(name, [numbers, tres])| {
                let _ = writeln!(out, "      {name}\n        {numbers}\n        {tres}");
            });
        }
    }
    out
}

/// The lines of a record.
fn record(form: Form, lines: &[String]) -> String {
    lines.join(if form.oneliner { " " } else { "\n    " }) + "\n"
}

fn yes(is: bool) -> &'static str {
    if is { "Yes" } else { "No" }
}

/// A limit, or N.
fn limit<T: Display>(limit: Option<T>) -> String {
    limit.map_or_else(|| "N".to_owned(), |n| n.to_string())
}

/// `cpu=4,mem=500` of the limits that are set.
fn amounts(limit: &TresLimit) -> String {
    let fixed = [("cpu", limit.cpus), ("mem", limit.mem_mb), ("node", limit.nodes)];
    let fixed = fixed.into_iter().filter_map(|(name, n)| Some(format!("{name}={}", n?)));
    let gres = limit.gres.iter().map(|(name, n)| format!("gres/{name}={n}"));
    fixed.chain(gres).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
