//! cluster AccountUtilizationByUser: the tree of accounts and what it used.

use super::amounts::{Measure, TresName};
use super::field::{Field, Fields};
use super::period::Period;
use super::sheet::{Line, Report};
use super::usage::Usage;
use crate::sshare::{self, Share};
use jiff::tz::TimeZone;

/// Which lines are shown.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// accounts=: these and what is below them.
    pub accounts: Option<Vec<String>>,
    /// users=: these, without accounts.
    pub users: Option<Vec<String>>,
    /// tree: below each other.
    pub tree: bool,
    /// The cluster, unless another one was asked for.
    pub cluster: Option<String>,
}

struct Row<'a> {
    cluster: &'a str,
    account: String,
    login: &'a str,
    proper: String,
    name: &'a TresName,
    count: u64,
    used: u64,
    whole: u64,
}

impl Line for Row<'_> {
    fn cell(&self, field: Field, measure: &Measure) -> String {
        match field {
            Field::Cluster => self.cluster.to_owned(),
            Field::Account => self.account.clone(),
            Field::Login => self.login.to_owned(),
            Field::Proper => self.proper.clone(),
            Field::TresName => self.name.to_string(),
            Field::TresCount => self.count.to_string(),
            Field::Used => measure.form.show(self.used, self.whole),
            Field::Energy => measure.form.show(0, 0),
            _ => String::new(),
        }
    }
}

/// An association and what it used, of each resource.
pub(super) struct Used {
    pub share: Share,
    pub used: Vec<u64>,
}

/// All associations from the root down, with what they and all below them used.
pub(super) fn associations(usage: &Usage<'_>, names: &[TresName]) -> Vec<Used> {
    let sources = usage.sources();
    let tree = sshare::tree(sources.config, sources.jobs, "");
    let mut all: Vec<Used> =
        tree.into_iter().map(|share| Used { share, used: vec![0; names.len()] }).collect();
    for ((account, user), secs) in usage.by_owner(names) {
        let is = |u: &Used| u.share.account == account && u.share.user.as_deref() == Some(user);
        let mut place = all.iter().position(is);
        while let Some(n) = place {
            all[n].used.iter_mut().zip(&secs).for_each(|(sum, secs)| *sum += secs);
            place = all[n].share.above();
        }
    }
    all
}

/// The report. `proper` gives a user's name in full.
pub fn by_account(
    usage: &Usage<'_>,
    filter: &AccountFilter,
    period: &Period,
    measure: &Measure,
    fields: &Fields,
    zone: &TimeZone,
    proper: &dyn Fn(&str) -> String,
) -> Report {
    let title = vec![period.title("Cluster/Account/User Utilization", zone, true), measure.title()];
    let names = measure.names();
    let all = associations(usage, names);
    let base = |n: usize| -> Option<usize> {
        // How deep below a wanted account it lies.
        let Some(accounts) = &filter.accounts else { return Some(all[n].share.depth) };
        let mut at = Some(n);
        while let Some(m) = at {
            if all[m].share.user.is_none() && accounts.contains(&all[m].share.account) {
                return Some(all[n].share.depth - all[m].share.depth);
            }
            at = all[m].share.above();
        }
        None
    };
    let wanted = |of: &Used| match (&filter.users, &of.share.user) {
        (Some(users), Some(user)) => users.iter().any(|u| u.eq_ignore_ascii_case(user)),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let indented = filter.tree && fields.shows_tree() && filter.users.is_none();
    let totals: Vec<(u64, u64)> = names.iter().map(|name| (usage.total(name), usage.count(name))).collect();
    let mut rows = Vec::new();
    let order: Vec<usize> = match filter.users {
        Some(_) => (0..all.len()).rev().collect(),
        None => (0..all.len()).collect(),
    };
    for n in order {
        let of = &all[n];
        let (Some(cluster), Some(depth)) = (&filter.cluster, base(n)) else { continue };
        if !wanted(of) || of.used.iter().all(|u| *u == 0) {
            continue;
        }
        let login = of.share.user.as_deref().unwrap_or("");
        let account = format!("{:1$}{2}", "", if indented { depth } else { 0 }, of.share.account);
        for ((name, used), (whole, count)) in names.iter().zip(&of.used).zip(&totals) {
            let proper = if login.is_empty() { String::new() } else { proper(login) };
            let (account, used, whole, count) = (account.clone(), *used, *whole, *count);
            rows.push(Row { cluster, account, login, proper, name, count, used, whole });
        }
    }
    let lines: Vec<&dyn Line> = rows.iter().map(|row| row as &dyn Line).collect();
    Report::new(title, fields, measure, &lines)
}
