//! GRES: the `Gres=` of a node's line, and gres.conf.

use crate::Build;
use crate::keys::GRES;
use crate::lines::Line;
use crate::values;
use bivouac_types::config::{GresConfig, NodeConfig};

/// `gpu:a100:2,lic:no_consume:4K`.
///
/// # Errors
/// Which part is none.
pub(crate) fn of_node(text: &str) -> Result<Vec<GresConfig>, String> {
    let mut all = Vec::new();
    for part in values::words(text) {
        if part.eq_ignore_ascii_case("none") {
            continue;
        }
        let bad = || format!("Gres \"{part}\" is no NAME[:TYPE]:COUNT");
        // `(S:0-1)` is how scontrol prints sockets.
        let bare = part.split('(').next().unwrap_or_default();
        let fields: Vec<&str> = bare.split(':').collect();
        if fields.contains(&"no_consume") {
            return Err(format!("Gres \"{part}\": no_consume is not available here: leave it out"));
        }
        let (name, kind, count) = match fields[..] {
            [name] => (name, None, Some(1)),
            [name, last] => match values::scaled(last) {
                Some(count) => (name, None, Some(count)),
                None => (name, Some(last), Some(1)),
            },
            [name, kind, count] => (name, Some(kind), values::scaled(count)),
            _ => return Err(bad()),
        };
        let count = count.and_then(|c| u32::try_from(c).ok()).ok_or_else(bad)?;
        if name.is_empty() || kind == Some("") {
            return Err(bad());
        }
        if count > 0 {
            all.push(GresConfig { name: name.to_owned(), kind: kind.map(str::to_owned), count });
        }
    }
    if let Some(g) = all
        .iter()
        .find(|g| g.kind.is_some() && all.iter().any(|h: &GresConfig| h.name == g.name && h.kind.is_none()))
    {
        return Err(format!("Gres of {} are given both with and without a type", g.name));
    }
    Ok(all)
}

impl Build {
    /// gres.conf says what a node's line counts: names, types and numbers must fit. Types that only gres.conf has
    /// become those of the node's GRES.
    pub(crate) fn gres_conf(&mut self, lines: &[Line], types: &[String], nodes: &mut [NodeConfig]) {
        // Per node and name: counts by type.
        for line in lines {
            let entry = self.entry(line, GRES);
            let Some(name) = entry.get("Name") else { continue };
            if !types.iter().any(|t| t == name) {
                self.problem(&entry.place, format!("Name={name} is not in GresTypes of slurm.conf"));
                continue;
            }
            let files = entry.get("File").or(entry.get("MultipleFiles")).map(values::hosts_of_files);
            let files = match files.transpose() {
                Ok(files) => files,
                Err(e) => {
                    self.problem(&entry.place, e);
                    None
                }
            };
            let count = entry.read(self, "Count", values::scaled).or(files).unwrap_or(1);
            let names = match entry.get("NodeName").map(values::hosts).transpose() {
                Ok(names) => names,
                Err(e) => {
                    self.problem(&entry.place, e);
                    continue;
                }
            };
            let Some(kind) = entry.get("Type") else { continue };
            let named = |n: &&mut NodeConfig| names.as_ref().is_none_or(|l| l.contains(&n.name));
            for node in nodes.iter_mut().filter(named) {
                give_type(node, name, kind, count);
            }
        }
    }
}

/// A node's line counts GRES without a type: gres.conf has the type of `count` of them.
fn give_type(node: &mut NodeConfig, name: &str, kind: &str, count: u64) {
    if node.gres.iter().any(|g| g.name == name && g.kind.as_deref() == Some(kind)) {
        return;
    }
    let Some(at) = node.gres.iter().position(|g| g.name == name && g.kind.is_none()) else { return };
    let taken = u32::try_from(count).unwrap_or(u32::MAX).min(node.gres[at].count);
    node.gres[at].count -= taken;
    let typed = GresConfig { name: name.to_owned(), kind: Some(kind.to_owned()), count: taken };
    match node.gres[at].count {
        0 => node.gres[at] = typed,
        _ => node.gres.insert(at, typed),
    }
}
