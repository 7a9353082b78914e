//! job SizesByAccount: what jobs of which size used.

use super::amounts::{Measure, TresName};
use super::field::{Field, Fields};
use super::period::Period;
use super::sheet::{Head, Report};
use super::usage::{Usage, amount};
use crate::sshare::{self, Share};
use crate::tres::Tres;
use bivouac_types::info::JobInfo;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// Sizes of jobs, in CPUs, that are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// From each number up to the next one.
    From(Vec<u32>),
    /// Each size that there is.
    Individual,
}

impl Default for Groups {
    fn default() -> Groups {
        Groups::From(vec![50, 250, 500, 1000])
    }
}

impl Groups {
    /// `50,100,150` or `individual`. None: not such a list.
    pub fn parse(text: &str) -> Option<Groups> {
        if text.eq_ignore_ascii_case("individual") {
            return Some(Groups::Individual);
        }
        text.split(',').map(|n| n.trim().parse().ok()).collect::<Option<Vec<u32>>>().map(Groups::From)
    }

    /// The least and the greatest size of each group, and its name.
    fn bounds(&self, sizes: &BTreeSet<u32>, what: &str) -> Vec<(u32, u32, String)> {
        match self {
            Groups::Individual => sizes.iter().map(|n| (*n, *n, format!("{n} {what}"))).collect(),
            Groups::From(starts) => {
                let mut bounds = Vec::new();
                let mut least = 0;
                for &next in starts {
                    let most = next.saturating_sub(1);
                    bounds.push((least, most, format!("{least}-{most} {what}")));
                    least = next;
                }
                bounds.push((least, u32::MAX, format!(">= {least} {what}")));
                bounds
            }
        }
    }
}

/// By what jobs of a size are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Their accounts.
    #[default]
    Account,
    /// Their accounts with their keys; they have none.
    AccountAndWckey,
    /// Their keys; they have none.
    Wckey,
}

/// Which accounts get a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// The named ones, or the root, each with all below it.
    #[default]
    Named,
    /// AcctAsParent: those right below them.
    Below,
    /// FlatView: each by itself.
    Flat,
}

/// Which jobs count.
#[derive(Clone, Debug, Default)]
pub struct SizeFilter {
    /// accounts=.
    pub accounts: Option<Vec<String>>,
    /// gid=.
    pub gids: Option<Vec<u32>>,
    /// jobs=: numbers of jobs, or of arrays.
    pub jobs: Option<Vec<u32>>,
    /// nodes=.
    pub nodes: Option<Vec<String>>,
    /// partitions=.
    pub partitions: Option<Vec<String>>,
    /// users=.
    pub users: Option<Vec<String>>,
    /// The cluster, unless another one was asked for.
    pub cluster: Option<String>,
}

impl SizeFilter {
    fn takes(&self, job: &JobInfo) -> bool {
        fn has<T: PartialEq<U>, U: ?Sized>(list: &Option<Vec<T>>, item: &U) -> bool {
            list.as_ref().is_none_or(|l| l.iter().any(|i| i == item))
        }
        let array = job.array.as_ref().map(|a| a.job.0);
        has(&self.users, job.user.as_str())
            && has(&self.gids, &job.gid.0)
            && has(&self.partitions, job.partition.as_str())
            && self.nodes.as_ref().is_none_or(|nodes| job.nodes.iter().any(|n| nodes.contains(&n.node)))
            && self
                .jobs
                .as_ref()
                .is_none_or(|ids| ids.contains(&job.id.0) || array.is_some_and(|a| ids.contains(&a)))
    }
}

/// What is asked of the report.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// By accounts or by keys.
    pub by: By,
    /// Which jobs.
    pub filter: SizeFilter,
    /// By which accounts.
    pub level: Level,
    /// grouping=.
    pub groups: Groups,
    /// PrintJobCount: how many jobs, not how long.
    pub count: bool,
}

/// The report. None: each size is to have a column, and there is no job.
pub fn by_size(
    usage: &Usage<'_>,
    sizes: &Sizes,
    period: &Period,
    measure: &Measure,
    fields: &Fields,
    zone: &TimeZone,
) -> Option<Report> {
    let name = &measure.names()[0];
    let what = if sizes.by == By::Wckey { "Job Sizes by Wckey" } else { "Job Sizes" };
    let mut title = vec![period.title(what, zone, true)];
    if measure.tres.is_some() {
        title.push(format!("TRES type is {name}"));
    }
    title.push(match sizes.count {
        true => "Units are in number of jobs ran".to_owned(),
        false => format!("Time reported in {}", measure.form.title("")),
    });
    let takes = |job: &JobInfo| sizes.by == By::Account && sizes.filter.takes(job);
    let jobs: Vec<(&JobInfo, u64)> = usage.jobs().filter(|(job, _)| takes(job)).collect();
    let what = if *name == TresName::Cpu { "CPUs" } else { "TRES" };
    let of_size: BTreeSet<u32> = jobs.iter().map(|(job, _)| job.num_cpus).collect();
    let bounds = sizes.groups.bounds(&of_size, what);
    if bounds.is_empty() {
        return None;
    }
    let sources = usage.sources();
    let lines = lines(&sshare::tree(sources.config, sources.jobs, ""), &jobs, sizes, &bounds, name);
    let all: u64 = lines.iter().flat_map(|(_, sums)| sums).sum();
    let mut heads = fields.heads(measure);
    let width = if measure.form.width() > 8 && !sizes.count { 20 } else { 13 };
    heads.extend(bounds.into_iter().map(|(.., text)| Head { text, width, cut: false }));
    heads.push(Head { text: "% of cluster".to_owned(), width: 12, cut: false });
    let row = |cluster: &str, account: &str, sums: &[u64]| -> Vec<String> {
        let whole: u64 = sums.iter().sum();
        let own = fields.iter().map(|f| match f.field {
            Field::Cluster => cluster.to_owned(),
            Field::Account => account.to_owned(),
            _ => String::new(),
        });
        let cells = sums.iter().map(|n| match sizes.count {
            true => n.to_string(),
            false => measure.form.show(*n, whole),
        });
        let part = super::amounts::TimeForm::Percent.show(whole, all);
        own.chain(cells).chain([part]).collect()
    };
    let cluster = sizes.filter.cluster.as_deref();
    let rows =
        cluster.into_iter().flat_map(|c| lines.iter().map(move |(account, sums)| row(c, account, sums)));
    let rows = rows.collect();
    Some(Report::of_cells(title, heads, rows))
}

/// An account and its sums, group by group.
type Sums = (String, Vec<u64>);

fn lines(
    tree: &[Share],
    jobs: &[(&JobInfo, u64)],
    sizes: &Sizes,
    bounds: &[(u32, u32, String)],
    name: &TresName,
) -> Vec<Sums> {
    let accounts: Vec<usize> = (0..tree.len()).filter(|n| tree[*n].user.is_none()).collect();
    let named = |n: usize| match &sizes.filter.accounts {
        Some(list) => list.contains(&tree[n].account),
        None => sizes.level == Level::Flat || tree[n].is_root(),
    };
    let heads: Vec<usize> = accounts
        .iter()
        .copied()
        .filter(|&n| match sizes.level {
            Level::Named | Level::Flat => named(n),
            Level::Below => tree[n].above().is_some_and(named),
        })
        .collect();
    let place = |account: &str| accounts.iter().copied().find(|&n| tree[n].account == account);
    let is_below = |n: usize, head: usize| {
        let mut at = Some(n);
        while let Some(m) = at {
            if m == head {
                return true;
            }
            at = tree[m].above();
        }
        false
    };
    let mut lines: Vec<Sums> = Vec::new();
    for head in heads {
        let mut sums = vec![0; bounds.len()];
        let mut any = false;
        for (job, secs) in jobs {
            let account = super::usage::owner(job).0;
            let mine = match sizes.level {
                Level::Flat => tree[head].account == account,
                _ => place(account).is_some_and(|n| is_below(n, head)),
            };
            if !mine {
                continue;
            }
            any = true;
            let worth = if sizes.count { 1 } else { secs * amount(&Tres::of_job(job), name) };
            for (sum, (least, most, _)) in sums.iter_mut().zip(bounds) {
                if (*least..=*most).contains(&job.num_cpus) {
                    *sum += worth;
                }
            }
        }
        if any {
            lines.push((tree[head].account.clone(), sums));
        }
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed on Slurm 22.05.8.
    #[test]
    fn groups_of_sizes() {
        let names = |text: &str| {
            let groups = Groups::parse(text)?;
            let bounds = groups.bounds(&[1, 16].into(), "CPUs");
            Some(bounds.into_iter().map(|b| b.2).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names("2,4,10").as_deref(), Some("0-1 CPUs 2-3 CPUs 4-9 CPUs >= 10 CPUs"));
        assert_eq!(names("Individual").as_deref(), Some("1 CPUs 16 CPUs"));
        assert_eq!(names("5,2").as_deref(), Some("0-4 CPUs 5-1 CPUs >= 2 CPUs"));
        assert_eq!((names("foo"), names(""), names("1,,2")), (None, None, None));
    }
}
