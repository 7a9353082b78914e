//! `sacctmgr.dump`, what `sacctmgr dump CLUSTER file=` writes (accounts, users, coordinators and their limits), and
//! `sacctmgr.qos`, what `sacctmgr -P show qos` prints (a dump names QOS, but does not say what they are).

use crate::lines::{Diagnostic, Place};
use crate::{Build, values};
use bivouac_types::config::{QosConfig, TresLimit};
use bivouac_types::parameters::Association;
use bivouac_types::{TimeLimit, memory};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The associations' file.
pub const DUMP: &str = "sacctmgr.dump";
/// The QOS' file.
pub const QOS: &str = "sacctmgr.qos";

/// One line of a dump: `Account - 'cs':Description='x y':Fairshare=1`.
struct Record {
    what: String,
    name: String,
    fields: Vec<(String, String)>,
}

/// Cuts a line at the colons outside quotes.
fn record(line: &str) -> Option<Record> {
    let (what, rest) = line.split_once('-')?;
    let mut parts = Vec::new();
    let (mut part, mut quoted) = (String::new(), false);
    for c in rest.trim().chars() {
        match c {
            '\'' => quoted = !quoted,
            ':' if !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    let mut parts = parts.into_iter();
    let name = parts.next()?.trim().to_owned();
    let fields = parts
        .map(|p| p.split_once('=').map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())))
        .collect::<Option<Vec<_>>>()?;
    (!quoted && !name.is_empty()).then(|| Record { what: what.trim().to_ascii_lowercase(), name, fields })
}

impl Build {
    /// The associations of a dump.
    pub(crate) fn associations(&mut self, file: &str, text: &str) -> Vec<Association> {
        let file: Arc<str> = file.into();
        let mut all = vec![Association { account: "root".into(), ..Association::default() }];
        let mut parent = "root".to_owned();
        for (n, line) in (1..).zip(text.lines()) {
            let place = Place { file: file.clone(), line: n };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some(Record { what, name, fields }) = record(line) else {
                self.problem(&place, "this is no line of `sacctmgr dump`: KIND - 'NAME':Key=value:...");
                continue;
            };
            let mut entry = Association::default();
            for (key, value) in &fields {
                self.association_field(&place, &mut entry, key, value);
            }
            match what.as_str() {
                "cluster" => {
                    entry.account = "root".into();
                    all[0] = entry;
                }
                "parent" => {
                    if !all.iter().any(|a| a.user.is_none() && a.account == name) {
                        self.problem(&place, format!("the parent account {name} is not defined above"));
                    }
                    parent = name;
                }
                "account" => {
                    (entry.account, entry.parent) = (name, Some(parent.clone()));
                    all.push(entry);
                }
                "user" => {
                    let default = fields.iter().find(|(k, _)| k.eq_ignore_ascii_case("DefaultAccount"));
                    entry.is_default = default.is_none_or(|(_, v)| *v == parent);
                    (entry.account, entry.user) = (parent.clone(), Some(name));
                    all.push(entry);
                }
                other => {
                    self.problem(&place, format!("`{other}` is none of Cluster, Parent, Account and User"))
                }
            }
        }
        coordinators(&mut all);
        all
    }

    fn association_field(&mut self, place: &Place, entry: &mut Association, key: &str, value: &str) {
        let mut later = |why: &str| {
            let text = format!("{key}={value} changes nothing here: {why}");
            self.listed.push(Diagnostic { place: place.clone(), text });
        };
        match key.to_ascii_lowercase().as_str() {
            "fairshare" | "shares" => match shares(value) {
                Some(shares) => entry.fairshare = Some(shares),
                None => self.problem(place, format!("{key}={value} is no number of shares, and not `parent`")),
            },
            "priority" => match value.parse() {
                Ok(priority) => entry.priority = priority,
                Err(_) => self.problem(place, format!("{key}={value} is no number")),
            },
            "description" | "organization" | "defaultaccount" | "classification" => {}
            "defaultwckey" | "wckeys" => later("there are no workload characterization keys"),
            "qos" | "qoslevel" => entry.qos = values::words(value),
            "defaultqos" => entry.default_qos = Some(value.to_owned()),
            "partition" => entry.partition = Some(value.to_owned()),
            "coordinator" => entry.coordinators = values::words(value),
            "adminlevel" => entry.admin_level = Some(value.to_owned()),
            _ => self.problem(
                place,
                format!("{key}={value} is not available here: limits of associations come later; leave it out, or use those of a QOS"),
            ),
        }
    }

    /// The QOS of `sacctmgr -P show qos`: a line of names, then a line for each.
    pub(crate) fn qos(&mut self, file: &str, text: &str) -> Vec<QosConfig> {
        let file: Arc<str> = file.into();
        let mut lines = (1..).zip(text.lines()).filter(|(_, l)| !l.trim().is_empty());
        let Some((_, header)) = lines.next() else { return Vec::new() };
        let columns: Vec<String> = header.split('|').map(|c| c.trim().to_ascii_lowercase()).collect();
        let mut all: Vec<QosConfig> = Vec::new();
        if !columns.iter().any(|c| c == "name") {
            let place = Place { file, line: 1 };
            self.problem(
                &place,
                "the first line has no column `Name`: it is what `sacctmgr -P show qos` prints",
            );
            return all;
        }
        for (n, line) in lines {
            let place = Place { file: file.clone(), line: n };
            let mut qos = QosConfig::default();
            let row: BTreeMap<&str, &str> =
                columns.iter().map(String::as_str).zip(line.split('|').map(str::trim)).collect();
            for (column, value) in row.into_iter().filter(|(_, v)| !v.is_empty()) {
                if let Err(e) = set(&mut qos, column, value) {
                    self.problem(&place, e);
                }
            }
            if qos.name.is_empty() {
                self.problem(&place, "the QOS has no name");
            } else if all.iter().any(|q| q.name == qos.name) {
                self.problem(&place, format!("QOS {} is named twice", qos.name));
            } else {
                all.push(qos);
            }
        }
        all
    }
}

/// Fairshare: a number, or the account's own.
fn shares(text: &str) -> Option<u32> {
    match text.eq_ignore_ascii_case("parent") {
        true => Some(Association::PARENT),
        false => text.parse().ok().filter(|n| *n <= Association::PARENT),
    }
}

/// A coordinator's accounts stand with the user; what asks wants the account's users.
fn coordinators(all: &mut [Association]) {
    let named: Vec<(String, String)> = all
        .iter()
        .filter_map(|a| a.user.as_ref().map(|u| (u, &a.coordinators)))
        .flat_map(|(user, accounts)| accounts.iter().map(|a| (a.clone(), user.clone())).collect::<Vec<_>>())
        .collect();
    for a in all.iter_mut() {
        a.coordinators.clear();
        if a.user.is_none() {
            let of = named.iter().filter(|(account, _)| *account == a.account).map(|(_, user)| user.clone());
            a.coordinators.extend(of);
            a.coordinators.sort();
            a.coordinators.dedup();
        }
    }
}

/// Sets a QOS' column.
fn set(qos: &mut QosConfig, column: &str, value: &str) -> Result<(), String> {
    let count =
        || value.parse().map(Some).map_err(|_| format!("{column} value \"{value}\" is not a valid number"));
    let refused = |why: &str| Err(format!("{column}={value} is not available here: {why}"));
    match column {
        "name" => qos.name = value.to_owned(),
        "priority" => qos.priority = count()?.unwrap_or(0),
        "grptres" => qos.grp = tres(column, value)?,
        "grpjobs" => qos.grp_jobs = count()?,
        "maxtres" => qos.max_per_job = tres(column, value)?,
        "maxtrespu" => qos.max_per_user = tres(column, value)?,
        "maxjobspu" => qos.max_jobs_per_user = count()?,
        "maxsubmitpu" => qos.max_submit_per_user = count()?,
        "mintres" => qos.min_per_job = tres(column, value)?,
        "maxwall" => {
            let wall =
                TimeLimit::parse(value).ok_or_else(|| format!("MaxWall \"{value}\" is not a valid time"))?;
            qos.max_wall = Some(wall);
        }
        // What it is where nothing was set, and what only preemption and fair share would use.
        "gracetime" | "preempt" | "preemptexempttime" | "preemptmode" | "usagethres" | "usagefactor"
        | "descr" | "description" | "id" | "limitfactor" => {}
        "flags" => return refused("flags of a QOS come later; leave it empty"),
        _ => return refused("this limit comes later; leave it empty"),
    }
    Ok(())
}

/// `cpu=4,mem=10G,node=3,gres/gpu=2`.
fn tres(column: &str, text: &str) -> Result<TresLimit, String> {
    let mut limit = TresLimit::default();
    for part in values::words(text) {
        let bad = || format!("{column}: \"{part}\" is no cpu=, mem=, node= or gres/NAME=");
        let (name, value) = part.split_once('=').ok_or_else(bad)?;
        match name {
            "cpu" => limit.cpus = Some(value.parse().map_err(|_| bad())?),
            "node" => limit.nodes = Some(value.parse().map_err(|_| bad())?),
            "mem" => limit.mem_mb = Some(memory::parse_mb(value).ok_or_else(bad)?),
            _ => {
                let gres = name.strip_prefix("gres/").filter(|g| !g.contains(':')).ok_or_else(bad)?;
                limit.gres.push((gres.to_owned(), value.parse().map_err(|_| bad())?));
            }
        }
    }
    Ok(limit)
}
