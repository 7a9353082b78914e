//! How a refused submission is said.

use crate::terminal;
use bivouac_options::Program;
use bivouac_proto::message::{Ask, Response};
use bivouac_types::{JobSpec, Reject};

/// Prints the lines that come before the refusal itself, the refusal, and hints.
pub fn print(program: Program, reject: &Reject, spec: &JobSpec) {
    let before = match reject {
        Reject::InvalidPartition(name) => Some(format!("invalid partition specified: {name}")),
        reject if is_of_nodes(reject) => Some(reject.to_string()),
        _ => None,
    };
    if let Some(line) = before {
        eprintln!("{program}: error: {line}");
    }
    said(program, &format!("{program}: error: {}: ", program.refused()), reject, spec);
}

/// The same for --test-only, which says only why.
pub fn print_of_test(program: Program, reject: &Reject, spec: &JobSpec) {
    said(program, "allocation failure: ", reject, spec);
}

fn said(program: Program, prefix: &str, reject: &Reject, spec: &JobSpec) {
    let text = match reject {
        reject if is_of_nodes(reject) => Reject::NodeConfigUnavailable.to_string(),
        other => other.to_string(),
    };
    match reject {
        // What no node is called is not even asked for.
        Reject::InvalidGres(_) => eprintln!("{program}: error: {text}"),
        _ => eprintln!("{prefix}{text}"),
    }
    if let Some(hint) = hint(reject, spec) {
        terminal::hint(hint);
    }
}

/// Whether no node has what was asked for: said first, and then that the configuration is not available.
fn is_of_nodes(reject: &Reject) -> bool {
    matches!(reject, Reject::MemorySpecification | Reject::CpusPerNode | Reject::TmpDisk | Reject::NodeShape)
}

/// Where what this cluster does not know is known, or what the refused value was.
fn hint(reject: &Reject, spec: &JobSpec) -> Option<String> {
    let (what, partition, qos) = match reject {
        Reject::InvalidPartition(name) => {
            (format!("partition {name}"), Some(name.as_str()), spec.qos.as_deref())
        }
        Reject::InvalidQos(name) => {
            (format!("QoS {name}"), spec.partitions.first().map(String::as_str), Some(name.as_str()))
        }
        Reject::InvalidAccount(name) => return Some(format!("this cluster has no account {name} for you")),
        Reject::InvalidNodeName(name) => {
            return Some(format!("this cluster has no node {name}; see sinfo -N"));
        }
        Reject::InvalidFeature(name) => {
            return Some(format!("no node has the feature {name}; see sinfo -o \"%N %f\""));
        }
        Reject::InvalidGres(name) => return Some(format!("no node has {name}; see sinfo -o \"%N %G\"")),
        _ => return None,
    };
    if let Some(allowed) = qos.and_then(|qos| allowed_instead(qos, spec)) {
        return Some(allowed);
    }
    // The other word may be one that the profile does not know either: then each is tried alone.
    let alone = match reject {
        Reject::InvalidPartition(_) => (partition, None),
        _ => (None, qos),
    };
    let site = bivouac_site::find_profile_naming(partition, qos)
        .or_else(|| bivouac_site::find_profile_naming(alone.0, alone.1))?;
    let cluster = site.split('@').next().unwrap_or(&site).to_owned();
    Some(format!(
        "{what} belongs to the site {site}: start it with `bivouac --cluster {cluster} up --site {site}`, then submit with \
         BIVOUAC_CLUSTER={cluster} or from `bivouac --cluster {cluster} login`"
    ))
}

/// For a QoS that this cluster has: the ones that the partition allows.
fn allowed_instead(qos: &str, spec: &JobSpec) -> Option<String> {
    let Ok(Response::Config(config)) = crate::cluster::ask(Ask::Config) else { return None };
    config.qos(qos)?;
    let named = spec
        .partitions
        .iter()
        .find_map(|p| config.partition(p).filter(|p| !p.allow_qos.contains(&qos.to_owned())));
    let partition = named.or_else(|| config.default_partition())?;
    Some(format!("partition {} allows the QoS {}", partition.name, partition.allow_qos.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_partition_of_a_known_site_is_explained() {
        let spec = JobSpec { qos: Some("normal".into()), ..JobSpec::default() };
        let said = hint(&Reject::InvalidPartition("amilan".into()), &spec).unwrap();
        assert!(said.contains("`bivouac --cluster alpine up --site alpine@2023-07`"), "{said}");
        assert_eq!(hint(&Reject::InvalidPartition("nope".into()), &spec), None);
    }
}
