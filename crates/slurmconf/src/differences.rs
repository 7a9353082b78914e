//! What differs between two configurations, for whoever brings another slurm.conf than the cluster runs on.

use bivouac_types::config::ClusterConfig;
use std::collections::BTreeSet;

/// One sentence for each difference; none if the two are the same but for where they come from.
pub fn differences(running: &ClusterConfig, new: &ClusterConfig) -> Vec<String> {
    let mut out = Vec::new();
    let (a, b) = (&running.parameters, &new.parameters);
    let keys: BTreeSet<&String> = a.given.keys().chain(b.given.keys()).collect();
    for key in keys {
        let value = |given: Option<&String>| given.map_or("not given", String::as_str).to_owned();
        let (before, after) = (a.given.get(key), b.given.get(key));
        if before != after && key != "ClusterName" {
            out.push(format!("{key}: {} becomes {}", value(before), value(after)));
        }
    }
    fn entries<T: PartialEq>(out: &mut Vec<String>, what: &str, old: &[T], new: &[T], name: fn(&T) -> &str) {
        for n in new {
            match old.iter().find(|o| name(o) == name(n)) {
                None => out.push(format!("{what} {} is new", name(n))),
                Some(o) if o != n => out.push(format!("{what} {} is another", name(n))),
                Some(_) => {}
            }
        }
        for o in old.iter().filter(|o| !new.iter().any(|n| name(n) == name(o))) {
            out.push(format!("{what} {} is gone", name(o)));
        }
    }
    entries(&mut out, "node", &running.nodes, &new.nodes, |n| &n.name);
    entries(&mut out, "partition", &running.partitions, &new.partitions, |p| &p.name);
    entries(&mut out, "QOS", &running.qos, &new.qos, |q| &q.name);
    entries(&mut out, "switch", &a.switches, &b.switches, |s| &s.name);
    if a.associations != b.associations {
        out.push("the associations are others".to_owned());
    }
    if a.cgroup != b.cgroup {
        out.push("cgroup.conf is another".to_owned());
    }
    out
}
