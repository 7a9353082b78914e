//! `bivouac doctor`: what of a job is enforced here, what is only watched, what is missing, and what would help. It starts
//! nothing; how jobs are contained is known of a cluster that runs.

use super::{Words, fail, place};
use crate::cluster::user_manager;
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response, Status};
use bivouac_types::config::ClusterConfig;
use bivouac_types::parameters::MemoryLimits;
use std::process::ExitCode;

pub(super) fn run(words: Words) -> ExitCode {
    if let Err(code) = words.end() {
        return code;
    }
    match place().and_then(|place| running(Client::connect(&place).ok())) {
        Ok(cluster) => {
            findings(cluster.as_ref()).iter().for_each(|f| print!("{f}"));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// How often a keeper that is not there is asked for again.
const KEEPER_TRIES: u32 = 40;

type Cluster = (Status, ClusterConfig);

fn running(client: Option<Client>) -> Result<Option<Cluster>, ExitCode> {
    let Some(mut client) = client else { return Ok(None) };
    let mut status = client.call(Ask::Status).map_err(fail)?;
    // A cluster that has just begun to serve still greets its keeper.
    for _ in 0..KEEPER_TRIES {
        if !matches!(&status, Response::Status(s) if s.containment.is_none()) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        status = client.call(Ask::Status).map_err(fail)?;
    }
    match (status, client.call(Ask::Config).map_err(fail)?) {
        (Response::Status(status), Response::Config(config)) => Ok(Some((*status, *config))),
        (Response::Failed(e), _) | (_, Response::Failed(e)) => Err(fail(e)),
        other => Err(fail(format!("unexpected answers {other:?}"))),
    }
}

/// How far something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Enforced,
    Watched,
    Missing,
    Unknown,
}

struct Finding {
    feature: &'static str,
    how: How,
    what: String,
    /// What would make it better.
    advice: Option<&'static str>,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.how {
            How::Enforced => "enforced",
            How::Watched => "watched",
            How::Missing => "missing",
            How::Unknown => "unknown",
        };
        writeln!(f, "{:12} {how:8}  {}", self.feature, self.what)?;
        self.advice.map_or(Ok(()), |advice| writeln!(f, "{:23}{advice}", ""))
    }
}

const CGROUPS: &str = "for control groups, run the cluster as root, or as a user with a systemd user manager \
                       (`loginctl enable-linger USER`), and start it anew";

fn findings(cluster: Option<&Cluster>) -> Vec<Finding> {
    let finding = |feature, how, what: &str, advice| Finding { feature, how, what: what.to_owned(), advice };
    let stopped = |feature| {
        let what = "the cluster is not running, or looks for its keeper";
        finding(feature, How::Unknown, what, Some("`bivouac up` starts it"))
    };
    let mut all = Vec::new();
    all.push(match cluster.and_then(|(s, _)| s.containment.as_deref()) {
        None => stopped("kill"),
        Some(words) if words.starts_with("cgroup") => finding("kill", How::Enforced, words, None),
        Some(words) => finding("kill", How::Watched, words, Some(CGROUPS)),
    });
    all.push(match cluster.and_then(|(s, c)| Some((s.memory.as_deref()?, c.parameters.memory_limits))) {
        None => stopped("memory"),
        Some((_, MemoryLimits::None)) => {
            finding("memory", How::Missing, "this cluster's configuration limits no job's memory", None)
        }
        Some((words, limits)) => {
            let whose = match limits {
                MemoryLimits::Asked => "of jobs that ask for memory",
                _ => "of all jobs",
            };
            let what = format!("{whose}, {words}");
            let enforced = words.starts_with("enforced");
            let (how, advice) = if enforced { (How::Enforced, None) } else { (How::Watched, Some(CGROUPS)) };
            finding("memory", how, &what, advice)
        }
    });
    all.push(match cluster {
        None => stopped("CPUs"),
        Some((_, c)) if c.overcommit => finding(
            "CPUs",
            How::Missing,
            "this cluster's nodes may promise more CPUs than the machine has",
            None,
        ),
        Some(_) => finding("CPUs", How::Enforced, "jobs are bound to their CPUs", None),
    });
    all.push(finding(
        "processes",
        How::Missing,
        "their number is not limited for each job",
        Some("`ulimit -u` before sbatch limits those of the user"),
    ));
    all.push(match bivouac_view::probe() {
        Ok(()) => finding("namespaces", How::Enforced, "a site's folders appear under their own paths", None),
        Err(e) => finding(
            "namespaces",
            How::Missing,
            &e.to_string(),
            Some("`bivouac setup --paths` makes a site's paths without them"),
        ),
    });
    // SAFETY: geteuid has no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    all.push(match user_manager() {
        _ if root => {
            finding("user manager", How::Enforced, "not needed: root has control groups without", None)
        }
        Some(_) => finding("user manager", How::Enforced, "a cluster gets a control group of its own", None),
        None => finding(
            "user manager",
            How::Missing,
            "systemd runs none for this user, who has no control group of his own then",
            Some("`loginctl enable-linger USER` starts one, with the packages systemd and dbus-user-session"),
        ),
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_cluster_it_says_what_it_cannot_know() {
        let all = findings(None);
        let features: Vec<&str> = all.iter().map(|f| f.feature).collect();
        assert_eq!(features, ["kill", "memory", "CPUs", "processes", "namespaces", "user manager"]);
        assert!(all[..3].iter().all(|f| f.how == How::Unknown && f.advice.is_some()));
    }
}
