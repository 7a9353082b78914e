//! Which of the job's nodes a step may use (-N, -r, -w, -x), as srun finds out before it asks. Pure.

use bivouac_options::srun::Request;

/// What the job has and the step asks for.
pub struct Nodes {
    /// The job's nodes in order.
    pub job: Vec<String>,
    /// How many are asked for.
    pub count: Option<u32>,
    /// Nodes that must be among them.
    pub listed: Vec<String>,
}

impl Nodes {
    /// The nodes that must not be used.
    ///
    /// # Errors
    /// The errors to print, in Slurm's words.
    pub fn excluded(&self, request: &Request) -> Result<Vec<String>, Vec<String>> {
        let have = self.job.len() as u32;
        if let Some(first) = request.relative {
            if !self.listed.is_empty() || request.exclude.is_some() {
                return Err(vec!["-r,--relative not allowed with -w,--nodelist or -x,--exclude.".into()]);
            }
            let nodes = self.count.unwrap_or(have);
            if first.saturating_add(nodes) > have {
                return Err(vec![format!(
                    "--relative and --nodes option incompatible with count of allocated nodes ({first}+{nodes}>{have})"
                )]);
            }
            return Ok(self.job[..first as usize].to_vec());
        }
        let excluded = request.exclude.clone().unwrap_or_default().names;
        if let Some(both) = self.listed.iter().find(|name| excluded.contains(name)) {
            return Err(vec![
                "Job not submitted.".into(),
                format!("Requested node {both} is also in the excluded list."),
            ]);
        }
        let left = self.job.iter().filter(|name| !excluded.contains(name)).count() as u32;
        let only = |asked: u32| format!("Only allocated {left} nodes asked for {asked}");
        match self.count {
            _ if left == 0 && have > 0 => Err(vec!["Hostlist is empty!  Can't run job.".into()]),
            Some(asked) if asked > left && left < have => {
                Err(vec!["Are required nodes explicitly excluded?".into(), only(asked)])
            }
            Some(asked) if asked > have && have > 0 => Err(vec![only(asked)]),
            _ => Ok(excluded),
        }
    }
}

/// Whether --ntasks-per-node says something else than the tasks and nodes that are asked for. It then does not count.
pub fn contradicts(per_node: u32, tasks: u32, nodes: u32) -> bool {
    tasks > per_node && tasks != per_node.saturating_mul(nodes)
}
