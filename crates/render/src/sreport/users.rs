//! user TopUsage and cluster UserUtilizationByAccount: users by what they used.

use super::accounts::associations;
use super::amounts::{Measure, TresName};
use super::field::{Field, Fields};
use super::period::Period;
use super::sheet::{Line, Report};
use super::usage::Usage;
use jiff::tz::TimeZone;

/// Which of the two reports it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// user TopUsage: so many lines at most.
    Top(usize),
    /// cluster UserUtilizationByAccount.
    All,
}

/// Which lines are shown.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// accounts=.
    pub accounts: Option<Vec<String>>,
    /// users=.
    pub users: Option<Vec<String>>,
    /// group: a user's accounts in one line.
    pub group: bool,
    /// The cluster, unless another one was asked for.
    pub cluster: Option<String>,
}

struct Row<'a> {
    cluster: &'a str,
    login: &'a str,
    proper: String,
    account: String,
    name: &'a TresName,
    count: u64,
    used: u64,
    whole: u64,
}

impl Line for Row<'_> {
    fn cell(&self, field: Field, measure: &Measure) -> String {
        match field {
            Field::Cluster => self.cluster.to_owned(),
            Field::Login => self.login.to_owned(),
            Field::Proper => self.proper.clone(),
            Field::Account => self.account.clone(),
            Field::TresName => self.name.to_string(),
            Field::TresCount => self.count.to_string(),
            Field::Used => measure.form.show(self.used, self.whole),
            Field::Energy => measure.form.show(0, 0),
            _ => String::new(),
        }
    }
}

/// A user, his accounts and what he used.
struct User {
    login: String,
    accounts: Vec<String>,
    used: Vec<u64>,
}

/// The report. `proper` gives a user's name in full.
#[allow(clippy::too_many_arguments, reason = "each of them is one of the report's own")]
pub fn by_user(
    usage: &Usage<'_>,
    order: Order,
    filter: &UserFilter,
    period: &Period,
    measure: &Measure,
    fields: &Fields,
    zone: &TimeZone,
    proper: &dyn Fn(&str) -> String,
) -> Report {
    let what = match order {
        Order::Top(most) => format!("Top {most} Users"),
        Order::All => "Cluster/User/Account Utilization".to_owned(),
    };
    let title = vec![period.title(&what, zone, true), measure.title()];
    let names = measure.names();
    let mut users = users(usage, names, filter);
    // Equals by name.
    users.sort_by(|a, b| b.used.first().cmp(&a.used.first()).then_with(|| a.login.cmp(&b.login)));
    if let Order::Top(most) = order {
        // None at all is one, for Slurm.
        users.truncate(most.max(1));
    }
    let totals: Vec<(u64, u64)> = names.iter().map(|name| (usage.total(name), usage.count(name))).collect();
    let mut rows = Vec::new();
    for user in &users {
        let Some(cluster) = &filter.cluster else { break };
        let (login, account) = (&*user.login, user.accounts.join(", "));
        for ((name, used), (whole, count)) in names.iter().zip(&user.used).zip(&totals) {
            let (proper, account, count) = (proper(login), account.clone(), *count);
            rows.push(Row { cluster, login, proper, account, name, count, used: *used, whole: *whole });
        }
    }
    let lines: Vec<&dyn Line> = rows.iter().map(|row| row as &dyn Line).collect();
    Report::new(title, fields, measure, &lines)
}

fn users(usage: &Usage<'_>, names: &[TresName], filter: &UserFilter) -> Vec<User> {
    let in_accounts = |account: &str| filter.accounts.as_ref().is_none_or(|a| a.iter().any(|a| a == account));
    let in_users =
        |user: &str| filter.users.as_ref().is_none_or(|u| u.iter().any(|u| u.eq_ignore_ascii_case(user)));
    let mut all: Vec<User> = Vec::new();
    for of in associations(usage, names).into_iter().rev() {
        let (account, Some(login)) = (of.share.account, of.share.user) else { continue };
        if of.used.iter().all(|n| *n == 0) || !in_accounts(&account) || !in_users(&login) {
            continue;
        }
        match all.iter_mut().find(|u| filter.group && u.login == login) {
            Some(user) => {
                user.accounts.push(account);
                user.used.iter_mut().zip(&of.used).for_each(|(sum, n)| *sum += n);
            }
            None => all.push(User { login, accounts: vec![account], used: of.used }),
        }
    }
    all
}
