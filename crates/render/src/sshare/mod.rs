//! sshare: the shares and the usage of associations.

mod tree;

pub use tree::{RunMins, Share, tree};

use crate::settings::{Settings, push};
use crate::table::{Column, Layout, Table};

/// One line.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The association.
    pub share: &'a Share,
    /// Blanks before its account.
    pub indent: usize,
    /// Whether the cluster has priority/multifactor: without it nothing is compared.
    pub multifactor: bool,
}

/// The table of associations.
pub struct Shares;

impl Table for Shares {
    type Row<'a> = Row<'a>;
    fn columns() -> &'static [Column<Shares>] {
        COLUMNS
    }
}

/// The fields without -o.
pub const DEFAULT_FORMAT: &str = "Account,User,RawShares,NormShares,RawUsage,EffectvUsage,FairShare";
/// The same with -m.
pub const PARTITION_FORMAT: &str =
    "Account,User,Partition,RawShares,NormShares,RawUsage,EffectvUsage,FairShare";
/// The fields of -l.
pub const LONG_FORMAT: &str = "Account,User,RawShares,NormShares,RawUsage,NormUsage,EffectvUsage,FairShare,LevelFS,GrpTRESMins,TRESRunMins";
/// The fields of -l -m.
pub const LONG_PARTITION_FORMAT: &str = "Account,User,Partition,RawShares,NormShares,RawUsage,NormUsage,EffectvUsage,\
    FairShare,LevelFS,GrpTRESMins,TRESRunMins";

/// Which lines are shown.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// -A.
    pub accounts: Option<Vec<String>>,
    /// -u; none: -a.
    pub users: Option<Vec<String>>,
    /// -U: no accounts.
    pub users_only: bool,
}

impl Filter {
    /// The lines of a tree.
    pub fn rows<'a>(&self, tree: &'a [Share], multifactor: bool) -> Vec<Row<'a>> {
        let shown = |share: &&Share| match &share.user {
            Some(user) => self.users.as_ref().is_none_or(|u| u.contains(user)),
            None => !self.users_only,
        };
        let within = |share: &&Share| self.accounts.as_ref().is_none_or(|a| a.contains(&share.account));
        let indent = |share: &Share| match (self.users_only, &self.accounts) {
            (true, _) => 0,
            (false, Some(_)) => usize::from(share.user.is_some()),
            (false, None) => share.depth,
        };
        let row = |share: &'a Share| Row { share, indent: indent(share), multifactor };
        tree.iter().filter(shown).filter(within).map(row).collect()
    }
}

/// Parses -o: names, which may be cut short, with `%width` (negative: to the left). `separator` is none for a table.
///
/// # Errors
/// The first name that is no field.
pub fn layout(format: &str, separator: Option<&str>, trailing: bool) -> Result<Layout<Shares>, String> {
    let mut fields = Vec::new();
    for word in format.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let (name, width) = match word.split_once('%') {
            Some((name, width)) => (name, width.parse::<i32>().ok()),
            None => (word, None),
        };
        let begins = |c: &&Column<Shares>| {
            c.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let column = COLUMNS.iter().find(begins).ok_or_else(|| name.to_owned())?;
        let default = if column.left { -(column.width as i32) } else { column.width as i32 };
        fields.push((column, Some(width.unwrap_or(default)).filter(|_| separator.is_none())));
    }
    Ok(Layout::fields(fields, separator.unwrap_or(" "), trailing))
}

/// What --helpformat prints: the names in four columns.
pub fn help_format() -> String {
    let mut names: Vec<&str> = COLUMNS.iter().map(|c| c.name).collect();
    names.sort_unstable();
    let mut out = String::new();
    for line in names.chunks(4) {
        let line: Vec<String> = line.iter().map(|name| format!("{name:<17}")).collect();
        out += &line.join(" ");
        out.push('\n');
    }
    out
}

type C = Column<Shares>;

fn tres(out: &mut String, amounts: RunMins) {
    let RunMins { cpu, mem, node, gpu } = amounts;
    push(
        out,
        format_args!("cpu={cpu:.0},mem={mem:.0},energy=0,node={node:.0},billing={cpu:.0},fs/disk=0,vmem=0,"),
    );
    push(out, format_args!("pages=0,gres/gpu={gpu:.0}"));
}

fn factor(row: &Row<'_>, out: &mut String, value: f64) {
    push(out, format_args!("{:.6}", if row.multifactor { value } else { 0.0 }));
}

static COLUMNS: &[Column<Shares>] = &[
    C::new('\0', "Account", "Account", |r, _, o| {
        push(o, format_args!("{:1$}{2}", "", r.indent, r.share.account))
    })
    .left(20),
    C::new('\0', "Cluster", "Cluster", |_, s: &Settings, o| o.push_str(&s.cluster)).right(10),
    C::new('\0', "EffectvUsage", "EffectvUsage", |r, _, o| factor(r, o, r.share.effective_usage)).right(13),
    C::new('\0', "FairShare", "FairShare", |r, _, o| {
        if let Some(rank) = r.share.fairshare {
            factor(r, o, rank);
        }
    })
    .right(10),
    C::new('\0', "GrpTRESMins", "GrpTRESMins", |_, _, _| {}).right(30),
    C::new('\0', "GrpTRESRaw", "GrpTRESRaw", |r, _, o| {
        let minutes = r.share.usage as f64 / 60.0;
        tres(o, RunMins { cpu: minutes.floor(), ..RunMins::default() });
    })
    .right(30),
    C::new('\0', "ID", "ID", |r, _, o| push(o, format_args!("{}", r.share.id))).right(6),
    C::new('\0', "LevelFS", "LevelFS", |r, _, o| {
        if !r.share.is_root() && !r.share.is_parents() && r.multifactor {
            push(o, format_args!("{:.6}", r.share.level));
        }
    })
    .right(10),
    C::new('\0', "NormShares", "NormShares", |r, _, o| {
        if r.multifactor {
            factor(r, o, r.share.norm_shares);
        }
    })
    .right(11),
    C::new('\0', "NormUsage", "NormUsage", |r, _, o| {
        if !r.share.is_root() {
            factor(r, o, r.share.norm_usage);
        }
    })
    .right(11),
    C::new('\0', "Partition", "Partition", |r, _, o| o.push_str(r.share.partition.as_deref().unwrap_or("")))
        .right(12),
    C::new('\0', "RawShares", "RawShares", |r, _, o| match r.share.shares {
        Some(_) if r.share.is_parents() => o.push_str("parent"),
        Some(shares) => push(o, format_args!("{shares}")),
        None => {}
    })
    .right(10),
    C::new('\0', "RawUsage", "RawUsage", |r, _, o| push(o, format_args!("{}", r.share.usage))).right(11),
    C::new('\0', "TRESRunMins", "TRESRunMins", |r, _, o| tres(o, r.share.run_mins)).right(30),
    C::new('\0', "User", "User", |r, _, o| o.push_str(r.share.user.as_deref().unwrap_or(""))).right(10),
];

#[cfg(test)]
mod tests;
