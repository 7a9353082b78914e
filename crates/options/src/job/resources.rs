//! What a job needs of nodes.

use super::{ReadFile, gpus, text};
use crate::getopt::{Choice, Given, Source};
use crate::value::{self, ValueError};
use bivouac_types::job::{NodeRange, OnlyFor, ResourceRequest};
use bivouac_types::{GresRequest, HostList, MemRequest, memory};

/// Reads the values.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong.
pub(super) fn read(
    given: &Given,
    read: ReadFile<'_>,
    warnings: &mut Vec<String>,
) -> Result<ResourceRequest, ValueError> {
    let (nodes, nodelist) = (nodes(given)?, nodelist(given, read)?);
    if let (Some(max), Some(list)) = (nodes.and_then(|n| n.max), &nodelist)
        && list.names.len() > max as usize
    {
        return Err(ValueError::plain(format!("invalid number of nodes (-N {}-{max})", list.names.len())));
    }
    specialized(given, warnings)?;
    let shape = Shape::read(given)?;
    let mut ask = ResourceRequest {
        nodes,
        ntasks: value::count(given, "ntasks")?,
        cpus_per_task: value::count(given, "cpus-per-task")?,
        ntasks_per_node: value::count(given, "ntasks-per-node")?,
        ntasks_per_socket: value::count(given, "ntasks-per-socket")?,
        ntasks_per_core: value::count(given, "ntasks-per-core")?,
        ntasks_per_gpu: value::count(given, "ntasks-per-gpu")?,
        min_cpus: value::count(given, "mincpus")?,
        mem: mem(given)?,
        tmp_mb: size(given, "tmp")?,
        gres: match given.value("gres") {
            None => Vec::new(),
            Some(text) => GresRequest::parse_list(text).ok_or_else(|| ValueError::plain(gpus::INVALID))?,
        },
        gpus: gpus::read(given)?,
        sockets_per_node: shape.sockets,
        cores_per_socket: shape.cores,
        threads_per_core: shape.threads,
        constraint: text(given, "constraint"),
        prefer: text(given, "prefer"),
        nodelist,
        exclude: hosts(given, "exclude", read)?,
        overcommit: given.has("overcommit"),
        contiguous: given.has("contiguous"),
        spread_job: given.has("spread-job"),
        use_min_nodes: given.has("use-min-nodes"),
        ..ResourceRequest::default()
    };
    sharing(given, &mut ask)?;
    if given.has("reboot") {
        (ask.exclusive, ask.only_for, ask.oversubscribe) = (true, None, false);
    }
    let count = nodes.filter(|n| n.max == Some(n.min)).map(|n| n.min);
    let listed = ask.nodelist.as_ref().map(|list| list.names.len() as u32);
    let count = count.or(listed.filter(|_| nodes.is_none())).or(given.has("extra-node-info").then_some(1));
    // A task for each unit of the smallest kind that is named, where the nodes are.
    if ask.ntasks.is_none()
        && ask.ntasks_per_node.is_none()
        && let Some((units, count)) = shape.units().zip(count)
    {
        ask.ntasks = Some(units.saturating_mul(count));
    }
    gpus::settle(&mut ask)?;
    Ok(ask)
}

fn nodes(given: &Given) -> Result<Option<NodeRange>, ValueError> {
    match value::node_range(given)? {
        Some(NodeRange { min: 0, .. }) => Err(ValueError::submission("Node count specification invalid")),
        range => Ok(range),
    }
}

/// --core-spec and --thread-spec, as where AllowSpecResourcesUsage=No ignores them.
fn specialized(given: &Given, warnings: &mut Vec<String>) -> Result<(), ValueError> {
    for (long, shown, least) in [("core-spec", "-S", 0), ("thread-spec", "--thread-spec", 1)] {
        let Some(text) = given.value(long) else { continue };
        if !text.parse::<i32>().is_ok_and(|n| n >= least) {
            return Err(ValueError::plain(format!("Invalid numeric value \"{text}\" for --{long}.")));
        }
        warnings.push(format!(
            "Ignoring {shown} since it's not allowed by configuration (AllowSpecResourcesUsage = No)"
        ));
    }
    Ok(())
}

/// Least sockets, cores and threads.
#[derive(Default)]
struct Shape {
    sockets: Option<u32>,
    cores: Option<u32>,
    threads: Option<u32>,
}

impl Shape {
    fn read(given: &Given) -> Result<Shape, ValueError> {
        let mut shape = Shape::default();
        hint(given, &mut shape)?;
        if let Some(text) = given.value("extra-node-info") {
            let mut parts = text.splitn(3, ':');
            let mut next = |which: &str| match parts.next() {
                None | Some("*" | "") => Ok(None),
                Some(part) => match part.split('-').next().and_then(|n| n.parse::<u32>().ok()) {
                    Some(n) if n > 0 => Ok(Some(n)),
                    _ => Err(ValueError::plain(format!(
                        "Invalid numeric value \"{part}\" for {which} arg of -B."
                    ))),
                },
            };
            (shape.sockets, shape.cores) = (next("first")?, next("second")?);
            shape.threads = next("third")?.or(shape.threads);
        }
        shape.sockets = value::count(given, "sockets-per-node")?.or(shape.sockets);
        shape.cores = value::count(given, "cores-per-socket")?.or(shape.cores);
        shape.threads = value::count(given, "threads-per-core")?.or(shape.threads);
        Ok(shape)
    }

    /// How many units of the smallest kind that is named a node has at least.
    fn units(&self) -> Option<u32> {
        let named = [self.sockets, self.cores, self.threads].into_iter().flatten();
        named.reduce(u32::saturating_mul)
    }
}

/// --hint: all but `multithread` use one thread of each core.
fn hint(given: &Given, shape: &mut Shape) -> Result<(), ValueError> {
    match given.value("hint").map(str::to_ascii_lowercase).as_deref() {
        None | Some("multithread") => {}
        Some("compute_bound" | "nomultithread") => shape.threads = Some(1),
        Some("memory_bound") => (shape.cores, shape.threads) = (Some(1), Some(1)),
        Some(other) => {
            return Err(ValueError::plain(format!(
                "unrecognized --hint argument \"{other}\", see --hint=help"
            )));
        }
    }
    Ok(())
}

/// --mem, --mem-per-cpu and --mem-per-gpu exclude each other, but what is written in the script or on the command line
/// replaces a variable of another one.
fn mem(given: &Given) -> Result<Option<MemRequest>, ValueError> {
    let by_variable = |c: &&Choice| matches!(c.source, Source::Variable(_));
    let all: Vec<&Choice> =
        ["mem", "mem-per-cpu", "mem-per-gpu"].iter().filter_map(|long| given.get(long)).collect();
    let (variables, written): (Vec<&Choice>, Vec<&Choice>) = all.into_iter().partition(by_variable);
    let chosen = match (written.as_slice(), variables.as_slice()) {
        ([], []) => return Ok(None),
        ([one], _) | ([], [one]) => *one,
        ([], _) => {
            return Err(ValueError::fatal(
                "SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive.",
            ));
        }
        _ => {
            return Err(ValueError::fatal("--mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive."));
        }
    };
    let mb = chosen
        .value
        .as_deref()
        .and_then(memory::parse_mb)
        .ok_or_else(|| ValueError::invalid(chosen.opt.long))?;
    Ok(Some(match chosen.opt.long {
        "mem" => MemRequest::PerNode(mb),
        _ if mb == 0 => MemRequest::PerNode(mb),
        "mem-per-cpu" => MemRequest::PerCpu(mb),
        _ => MemRequest::PerGpu(mb),
    }))
}

fn size(given: &Given, long: &'static str) -> Result<Option<u64>, ValueError> {
    super::parsed(given, long, memory::parse_mb)
}

/// -w, or -F with its file.
fn nodelist(given: &Given, read: ReadFile<'_>) -> Result<Option<HostList>, ValueError> {
    match given.last_of(&["nodefile", "nodelist"]) {
        Some(choice) if choice.opt.long == "nodefile" => {
            let name = choice.value.as_deref().unwrap_or_default();
            from_file(name, "nodefile", read).map(Some)
        }
        Some(choice) if choice.value.as_deref() == Some("") => {
            Err(ValueError::submission("Node count specification invalid"))
        }
        _ => hosts(given, "nodelist", read),
    }
}

fn hosts(given: &Given, long: &'static str, read: ReadFile<'_>) -> Result<Option<HostList>, ValueError> {
    let Some(text) = given.value(long).filter(|v| !v.is_empty()) else { return Ok(None) };
    if text.contains('/') {
        return from_file(text, long, read).map(Some);
    }
    HostList::parse(text).map(Some).map_err(|_| ValueError::submission("Invalid node name specified"))
}

/// The names in a file, separated by white space or commas.
fn from_file(name: &str, long: &str, read: ReadFile<'_>) -> Result<HostList, ValueError> {
    let text = read(name).map_err(|e| ValueError {
        level: "error",
        text: format!("slurm_allocate_resources error opening file {name}, {e}\nInvalid --{long} node file"),
        code: 255,
    })?;
    let names: Vec<&str> = text.split_whitespace().collect();
    HostList::parse(&names.join(",")).map_err(|_| ValueError::submission("Invalid node name specified"))
}

/// -s and --exclusive, of which the last counts.
fn sharing(given: &Given, ask: &mut ResourceRequest) -> Result<(), ValueError> {
    let Some(choice) = given.last_of(&["exclusive", "oversubscribe"]) else { return Ok(()) };
    if choice.opt.long == "oversubscribe" {
        ask.oversubscribe = true;
        return Ok(());
    }
    match choice.value.as_deref() {
        None | Some("exclusive") => ask.exclusive = true,
        Some("mcs") => ask.only_for = Some(OnlyFor::Mcs),
        Some("user") => ask.only_for = Some(OnlyFor::User),
        Some(_) => return Err(ValueError::invalid("exclusive")),
    }
    Ok(())
}
