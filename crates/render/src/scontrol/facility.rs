//! scontrol show licenses and topology.

use super::Form;
use bivouac_types::hostlist::compress;
use bivouac_types::info::LicenseInfo;
use bivouac_types::parameters::SwitchConfig;

/// All licences, or the one of a name.
pub fn show_licenses(licenses: &[LicenseInfo], name: Option<&str>, form: Form) -> String {
    if licenses.is_empty() {
        return "No licenses configured in Slurm.\n".to_owned();
    }
    let separator = if form.oneliner { " " } else { "\n    " };
    let shown = licenses.iter().filter(|l| name.is_none_or(|n| n == l.name));
    let line = |l: &LicenseInfo| {
        let free = u64::from(l.total).saturating_sub(l.used);
        let counts = format!("Total={} Used={} Free={free} Reserved=0 Remote=no", l.total, l.used);
        format!("LicenseName={}{separator}{counts}\n", l.name)
    };
    shown.map(line).collect()
}

/// The switches, all or those of a name: the switch of it, or those above the node of it.
///
/// # Errors
/// What stands behind `scontrol: error: ` where there is nothing to show.
pub fn show_topology(switches: &[SwitchConfig], name: Option<&str>) -> Result<String, String> {
    if switches.is_empty() && name.is_none() {
        return Err("No topology information available".to_owned());
    }
    let is_meant = |s: &SwitchConfig| match name {
        None => true,
        Some(name) => s.name == name || below(switches, s, 0).0.iter().any(|node| node == name),
    };
    let exact = switches.iter().any(|s| name == Some(&s.name));
    let shown: Vec<String> = switches
        .iter()
        .filter(|s| if exact { name == Some(&s.name) } else { is_meant(s) })
        .map(|s| line(switches, s))
        .collect();
    match (shown.is_empty(), name) {
        (true, Some(name)) => Err(format!("Topology information contains no switch or node named {name}")),
        _ => Ok(shown.concat()),
    }
}

fn line(switches: &[SwitchConfig], switch: &SwitchConfig) -> String {
    let (nodes, level) = below(switches, switch, 0);
    let nodes = compress(nodes.iter().map(String::as_str));
    let children = match switch.switches.is_empty() {
        true => String::new(),
        false => format!(" Switches={}", compress(switch.switches.iter().map(String::as_str))),
    };
    format!("SwitchName={} Level={level} LinkSpeed=1 Nodes={nodes}{children}\n", switch.name)
}

/// The nodes on a switch and on those below it, and how many levels of switches are below it.
fn below(switches: &[SwitchConfig], switch: &SwitchConfig, depth: usize) -> (Vec<String>, usize) {
    let (mut nodes, mut level) = (switch.nodes.clone(), 0);
    // Switches in a circle end the search.
    let children = switches.iter().filter(|s| depth < switches.len() && switch.switches.contains(&s.name));
    for child in children {
        let (more, own) = below(switches, child, depth + 1);
        nodes.extend(more);
        level = level.max(own + 1);
    }
    (nodes, level)
}
