//! slurm.conf and the files beside it: from text to a [`ClusterConfig`], with everything that is wrong told at once.
//!
//! **Owns** the syntax of Slurm's configuration files, THE table of their keys ([`keys`]) with what becomes of each
//! here, and the lines of `scontrol show config`. **Must never know** a file system, a clock or the controller:
//! text comes in by a function, and what depends on the machine is left to the caller.
//!
//! **Start reading** at [`read`]; then `keys/` (the table), `parameters.rs` (what each honoured key sets),
//! `node.rs` and `partition.rs`. Users read docs/slurm-conf.md, which is made from the table.

mod accounting;
mod differences;
mod entry;
mod gres;
pub mod keys;
mod lines;
mod node;
mod parameters;
mod partition;
mod show;
mod topology;
mod values;

pub use differences::differences;
pub use lines::{Diagnostic, Place};
pub use show::{Facts, Lines, show};

use bivouac_types::config::{ClusterConfig, QosConfig};
use bivouac_types::parameters::Association;
use lines::{Line, Open};

/// The file that must be there.
pub const SLURM_CONF: &str = "slurm.conf";
/// Files beside it that are read if they are there.
pub const BESIDE: [&str; 5] =
    ["gres.conf", "topology.conf", "cgroup.conf", accounting::DUMP, accounting::QOS];

/// What the files say.
#[derive(Debug)]
pub struct Outcome {
    /// The cluster; none if something is wrong.
    pub config: Option<ClusterConfig>,
    /// Everything that is wrong, by file and line.
    pub problems: Vec<Diagnostic>,
    /// Keys that were given and cannot matter here, each with the reason.
    pub listed: Vec<Diagnostic>,
}

/// Reads the configuration in a folder. `open` gives the text of a file of the folder (a name) or of any other (an
/// absolute path); `dir` stands before names in diagnostics. `cluster` replaces ClusterName.
pub fn read(dir: &str, cluster: Option<&str>, open: Open) -> Outcome {
    let mut problems = Vec::new();
    let main = format!("{}/{SLURM_CONF}", dir.trim_end_matches('/'));
    let whole = |file: &str, text: String| Diagnostic { place: Place { file: file.into(), line: 0 }, text };
    let mut file = |name: &str, problems: &mut Vec<Diagnostic>| -> Option<(String, String)> {
        let path = format!("{}/{name}", dir.trim_end_matches('/'));
        match open(&path) {
            Ok(Some(text)) => Some((path, text)),
            Ok(None) => None,
            Err(e) => {
                problems.push(whole(&path, e));
                None
            }
        }
    };
    let Some((path, text)) = file(SLURM_CONF, &mut problems) else {
        if problems.is_empty() {
            problems.push(whole(&main, "there is no such file".into()));
        }
        return Outcome { config: None, problems, listed: Vec::new() };
    };
    let mut texts: Vec<Option<(String, String)>> = Vec::new();
    for name in BESIDE {
        texts.push(file(name, &mut problems));
    }
    let name = cluster.map_or_else(|| cluster_name(&text), str::to_owned);
    // Includes are meant from the folder of the configuration.
    let mut included = |name: &str| match name.starts_with('/') {
        true => open(name),
        false => open(&format!("{}/{name}", dir.trim_end_matches('/'))),
    };
    let mut lines = |given: Option<&(String, String)>, problems: &mut Vec<Diagnostic>| -> Vec<Line> {
        given.map_or_else(Vec::new, |(path, text)| lines::read(path, text, &name, &mut included, problems))
    };
    let slurm = lines(Some(&(path, text)), &mut problems);
    let [gres, topology, cgroup] = [0, 1, 2].map(|n| lines(texts[n].as_ref(), &mut problems));
    let mut build = Build { problems, listed: Vec::new() };
    let associations = texts[3].as_ref().map(|(path, text)| build.associations(path, text));
    let qos = texts[4].as_ref().map(|(path, text)| build.qos(path, text));
    let config = build.cluster(dir, cluster, &slurm, Beside { gres, topology, cgroup, associations, qos });
    let Build { mut problems, mut listed } = build;
    problems.sort();
    listed.sort();
    Outcome { config: config.filter(|_| problems.is_empty()), problems, listed }
}

/// The lines of the files beside slurm.conf.
struct Beside {
    gres: Vec<Line>,
    topology: Vec<Line>,
    cgroup: Vec<Line>,
    associations: Option<Vec<Association>>,
    qos: Option<Vec<QosConfig>>,
}

/// What was found while building.
struct Build {
    problems: Vec<Diagnostic>,
    listed: Vec<Diagnostic>,
}

impl Build {
    fn problem(&mut self, place: &Place, text: impl Into<String>) {
        self.problems.push(Diagnostic { place: place.clone(), text: text.into() });
    }
}

/// ClusterName, which `%c` in the names of included files stands for, before anything else is read.
fn cluster_name(text: &str) -> String {
    let pairs = text.lines().filter_map(|l| lines::pairs(l).ok()).flatten();
    // The last one counts.
    let named = pairs.filter(|p| p.key.eq_ignore_ascii_case("ClusterName"));
    named.fold(String::new(), |_, p| p.value)
}
