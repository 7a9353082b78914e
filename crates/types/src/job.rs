//! What a user asks for: the one form into which arguments, `#SBATCH` lines and `SBATCH_*` variables are
//! parsed, which travels to the controller and is stored with the job.

use crate::array::ArraySpec;
use crate::depend::Dependency;
use crate::hostlist::HostList;
use crate::license::LicenseRequest;
use crate::memory::MemRequest;
use crate::noted::Noted;
use crate::time::{Duration, TimeLimit, Timestamp};
use crate::tres::GresRequest;
use serde::{Deserialize, Serialize};

/// A job as asked for. `None` means: not said, the cluster's default holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobSpec {
    /// What runs in it.
    #[serde(skip_serializing_if = "JobKind::is_batch")]
    pub kind: JobKind,
    /// -J: the job's name; sbatch fills in the script's name, `wrap` or `sbatch`.
    pub name: String,
    /// -A.
    pub account: Option<String>,
    /// -p: one or several partitions.
    pub partitions: Vec<String>,
    /// -q.
    pub qos: Option<String>,
    /// --comment.
    pub comment: Option<String>,
    /// What an administrator noted (`scontrol update AdminComment=`).
    pub admin_comment: Option<String>,
    /// -D: absolute path of the working directory.
    pub work_dir: String,
    /// The submitted script's absolute path (scontrol's `Command=`), or none for standard input and --wrap.
    pub command: Option<String>,
    /// -i: pattern of the input file; none: /dev/null.
    pub std_in: Option<String>,
    /// -o: pattern of the output file; none: `slurm-%j.out` (`slurm-%A_%a.out` for arrays).
    pub std_out: Option<String>,
    /// -e: pattern of the error file; none: as standard output.
    pub std_err: Option<String>,
    /// --open-mode; none: truncate at the first start, append after a requeue.
    pub open_mode: Option<OpenMode>,
    /// -t.
    pub time_limit: Option<TimeLimit>,
    /// --time-min: the least time limit that will do.
    pub time_min: Option<TimeLimit>,
    /// --deadline: it must be able to end by then.
    pub deadline: Option<Timestamp>,
    /// -b.
    pub begin: Option<Timestamp>,
    /// -d.
    pub dependency: Option<Dependency>,
    /// -a.
    pub array: Option<ArraySpec>,
    /// What it needs of nodes.
    pub resources: ResourceRequest,
    /// -H.
    pub hold: bool,
    /// --requeue / --no-requeue; none: the cluster's JobRequeue.
    pub requeue: Option<bool>,
    /// --nice.
    pub nice: i32,
    /// --priority; none: as computed.
    pub priority: Option<u32>,
    /// What an administrator adds to the priority (`scontrol update SiteFactor=`).
    #[serde(skip_serializing_if = "is_zero")]
    pub site_factor: i32,
    /// Since when its age counts, where that is later than since it could start (`scontrol update ResetAccrueTime`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accrues_from: Option<Timestamp>,
    /// `scontrol update Reboot=`: shown; the nodes here have nothing to reboot.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reboot: bool,
    /// --kill-on-invalid-dep; none: the cluster's default.
    pub kill_on_invalid_dep: Option<bool>,
    /// --no-kill: it goes on when a node of it fails.
    pub no_kill: bool,
    /// -L: licences of the whole job.
    pub licenses: Vec<LicenseRequest>,
    /// --reservation: one of these, joined by commas.
    pub reservation: Option<String>,
    /// --wckey.
    pub wckey: Option<String>,
    /// --mail-type: Slurm's words, upper case, in the given order.
    pub mail_types: Vec<String>,
    /// --mail-user.
    pub mail_user: Option<String>,
    /// --export.
    pub export: Export,
    /// --signal.
    pub signal: Option<SignalRequest>,
    /// --switches.
    pub switches: Option<SwitchRequest>,
    /// --delay-boot.
    pub delay_boot: Option<Duration>,
    /// --network.
    pub network: Option<String>,
    /// --batch: features wanted of the node of the batch script.
    pub batch_features: Option<String>,
    /// --acctg-freq: how often it is looked at what its processes use, in seconds; 0: only when they end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acctg_freq: Option<u32>,
    /// What changes nothing here.
    #[serde(skip_serializing_if = "Noted::is_empty")]
    pub noted: Noted,
    /// The command line of the submission (sacct's SubmitLine).
    pub submit_line: String,
    /// The host on which sbatch ran (SLURM_SUBMIT_HOST, scontrol's AllocNode).
    pub submit_host: String,
    /// The session in which sbatch ran (scontrol's Sid).
    pub submit_sid: u32,
    /// The folder in which sbatch ran (SLURM_SUBMIT_DIR).
    pub submit_dir: String,
    /// A folder of the host that the submitter sees at its own path, and the job is to see too where a site's view would
    /// hide it: outside a view the working directory, inside one what that view keeps.
    pub kept_dir: Option<String>,
}

/// What runs in a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// A script (sbatch).
    #[default]
    Batch,
    /// Nothing but steps: the resources are its client's (salloc, srun) until he gives them back or is gone.
    Allocation {
        /// salloc --no-shell: it outlives its client.
        kept: bool,
    },
}

impl JobKind {
    /// Whether it has a script.
    pub fn is_batch(&self) -> bool {
        *self == JobKind::Batch
    }
}

fn is_zero(n: &i32) -> bool {
    *n == 0
}

/// The resources a job asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceRequest {
    /// -N min[-max].
    pub nodes: Option<NodeRange>,
    /// -n.
    pub ntasks: Option<u32>,
    /// -c.
    pub cpus_per_task: Option<u32>,
    /// CPUs of the whole job, once `scontrol update` has changed CPUs or tasks: they do not follow from one another any
    /// more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// What these were before: Slurm does not count the memory anew that it shows of a pending job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_before: Option<u32>,
    /// --ntasks-per-node.
    pub ntasks_per_node: Option<u32>,
    /// --ntasks-per-socket.
    pub ntasks_per_socket: Option<u32>,
    /// --ntasks-per-core.
    pub ntasks_per_core: Option<u32>,
    /// --ntasks-per-gpu.
    pub ntasks_per_gpu: Option<u32>,
    /// --mincpus: CPUs of a node, at least.
    pub min_cpus: Option<u32>,
    /// --mem, --mem-per-cpu or --mem-per-gpu.
    pub mem: Option<MemRequest>,
    /// --tmp: TmpDisk of a node, at least, MiB.
    pub tmp_mb: Option<u64>,
    /// --gres, per node.
    pub gres: Vec<GresRequest>,
    /// --gpus and its like.
    pub gpus: GpuRequest,
    /// --sockets-per-node: of a node, at least.
    pub sockets_per_node: Option<u32>,
    /// --cores-per-socket: of a node, at least.
    pub cores_per_socket: Option<u32>,
    /// --threads-per-core: threads of a core that are used.
    pub threads_per_core: Option<u32>,
    /// --core-spec or --thread-spec.
    pub specialized: Option<Specialized>,
    /// -C: the expression as given.
    pub constraint: Option<String>,
    /// --prefer: the expression as given.
    pub prefer: Option<String>,
    /// -w: nodes that must be among the job's.
    pub nodelist: Option<HostList>,
    /// -x: nodes that must not be.
    pub exclude: Option<HostList>,
    /// --exclusive: whole nodes.
    pub exclusive: bool,
    /// --exclusive=user and --exclusive=mcs: whose jobs alone may be on its nodes beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_for: Option<OnlyFor>,
    /// -s: shares its resources with others where the partition lets it.
    pub oversubscribe: bool,
    /// -O: one CPU for each node, whatever the number of tasks.
    pub overcommit: bool,
    /// --distribution with `:block`, or by planes: a node's sockets are filled one after the other.
    pub fill_sockets: bool,
    /// --contiguous: adjacent nodes.
    pub contiguous: bool,
    /// --spread-job: as many nodes as possible.
    pub spread_job: bool,
    /// --use-min-nodes: the smaller number of nodes is preferred to an earlier start.
    pub use_min_nodes: bool,
}

/// --gpus, --gpus-per-node, --gpus-per-socket, --gpus-per-task and --cpus-per-gpu; every entry is named `gpu`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GpuRequest {
    /// --gpus: of the whole job.
    pub per_job: Vec<GresRequest>,
    /// --gpus-per-node.
    pub per_node: Vec<GresRequest>,
    /// --gpus-per-socket.
    pub per_socket: Vec<GresRequest>,
    /// --gpus-per-task.
    pub per_task: Vec<GresRequest>,
    /// --cpus-per-gpu.
    pub cpus_per_gpu: Option<u32>,
}

impl ResourceRequest {
    /// Whether it asks for GPUs, by whatever option.
    pub fn asks_gpus(&self) -> bool {
        let gpus = &self.gpus;
        let lists = [&gpus.per_job, &gpus.per_node, &gpus.per_socket, &gpus.per_task];
        self.gres.iter().any(|g| g.name == "gpu" && g.count > 0)
            || lists.iter().any(|list| list.iter().any(|g| g.count > 0))
    }
}

/// Whose jobs may be on a job's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnlyFor {
    /// Those of the same user.
    User,
    /// Those with the same security label; there are none, so it means nothing.
    Mcs,
}

/// What is set aside for the system on each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Specialized {
    /// --core-spec.
    Cores(u32),
    /// --thread-spec.
    Threads(u32),
}

/// --switches=count[@time].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRequest {
    /// Leaf switches, at most.
    pub count: u32,
    /// How long they are waited for; none: as long as the cluster allows.
    pub wait: Option<Duration>,
}

/// -N: how many nodes, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRange {
    /// At least.
    pub min: u32,
    /// At most; none: as the job fits best, at least `min`.
    pub max: Option<u32>,
}

/// --open-mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenMode {
    /// `append`.
    Append,
    /// `truncate`.
    Truncate,
}

/// --export: what of the caller's environment goes along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Export {
    /// ALL (also when nothing is said), with further NAME=value assignments.
    #[default]
    All,
    /// NONE: the user's login environment is loaded instead.
    None,
    /// A list of names and NAME=value assignments without ALL: these and the user's login environment.
    Names,
}

impl Export {
    /// Whether the job starts from the user's login environment (SLURM_GET_USER_ENV=1).
    pub fn loads_login_environment(&self) -> bool {
        !matches!(self, Export::All)
    }
}

/// --signal=[{R|B}:]sig[@seconds].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalRequest {
    /// Signal number.
    pub signal: i32,
    /// Seconds before the time limit.
    pub seconds: u32,
    /// `B:`: the batch shell only.
    pub batch_only: bool,
    /// `R:`: it may overlap with a reservation that has MaxStartDelay.
    #[serde(default)]
    pub reservation: bool,
}
