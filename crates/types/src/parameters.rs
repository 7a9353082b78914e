//! What slurm.conf says about a cluster beyond its nodes, partitions and QoS. The default is what a cluster of a
//! site profile has.

use crate::mpi::Mpi;
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which jobs are ended when they have more memory than they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryLimits {
    /// None: memory is counted.
    #[default]
    None,
    /// Those that asked for memory themselves.
    Asked,
    /// All.
    All,
}

/// The parameters that something here acts on, and the text of all that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameters {
    /// The folder of the slurm.conf that the cluster was made from; none: a site profile.
    pub conf_dir: Option<String>,
    /// Every key of slurm.conf that was given, in the man page's spelling, as `scontrol show config` prints its value.
    pub given: BTreeMap<String, String>,
    /// Keys of cgroup.conf that were given, likewise.
    pub cgroup: BTreeMap<String, String>,
    /// AccountingStorageEnforce: which names and limits are checked at submission.
    pub enforce: Enforce,
    /// EnforcePartLimits: whether what exceeds a partition's limits is refused at submission.
    pub enforce_part_limits: EnforcePartLimits,
    /// Licenses of the cluster.
    pub licenses: Vec<LicenseConfig>,
    /// How pending jobs are ordered.
    pub priority: PriorityParameters,
    /// Programs that run around jobs.
    pub programs: Programs,
    /// Who may use which account; empty: everybody any.
    pub associations: Vec<Association>,
    /// OverTimeLimit: how long a job may exceed its limit; UNLIMITED is `u64::MAX`.
    pub over_time_limit: Duration,
    /// InactiveLimit, 0: none.
    pub inactive_limit: Duration,
    /// JobAcctGatherFrequency: how often it is looked at what jobs' processes use, in seconds, 0: only when they end; none: 30.
    pub gather_period: Option<u32>,
    /// WaitTime: what srun waits after a first task has ended, 0: for ever.
    pub wait_time: Duration,
    /// KillOnBadExit: srun's default.
    pub kill_on_bad_exit: bool,
    /// MpiDefault: srun's default.
    pub mpi_default: Mpi,
    /// Which jobs have no more memory than they were given.
    pub memory_limits: MemoryLimits,
    /// JobFileAppend: output files are appended to at the first start too.
    pub job_file_append: bool,
    /// RequeueExit: exit codes with which a batch job is requeued.
    pub requeue_exit: Vec<u8>,
    /// RequeueExitHold: exit codes with which a batch job is requeued and held.
    pub requeue_exit_hold: Vec<u8>,
    /// ReturnToService: 0, 1 or 2.
    pub return_to_service: u8,
    /// JobSubmitPlugins that exist here: `all_partitions`, `require_timelimit`.
    pub job_submit: Vec<String>,
    /// SchedulerParameters, the words as given, separated.
    pub scheduler: Vec<String>,
    /// DisableRootJobs.
    pub disable_root_jobs: bool,
    /// How long a requeued job waits: cred_expire of AuthInfo, a profile's `requeue_delay`; none: Slurm's 120 seconds.
    pub requeue_delay: Option<Duration>,
    /// The switches of topology.conf; empty: no topology.
    pub switches: Vec<SwitchConfig>,
}

impl Parameters {
    /// How long a requeued job waits before it starts again.
    pub fn requeue_delay(&self) -> Duration {
        self.requeue_delay.unwrap_or(Duration::from_secs(120))
    }

    /// AccountingStoreFlags: whether scripts and environments are kept with the accounting records.
    pub fn keeps_payloads(&self) -> bool {
        let flags = self.given.get("AccountingStoreFlags").map_or("", String::as_str);
        flags.split(',').any(|flag| matches!(flag, "job_script" | "job_env"))
    }

    /// PrologFlags: whether each job has a step `extern` besides the others.
    pub fn contains_jobs(&self) -> bool {
        let flags = self.given.get("PrologFlags").map_or("", String::as_str);
        flags.split(',').any(|flag| flag.eq_ignore_ascii_case("contain") || flag.eq_ignore_ascii_case("x11"))
    }
}

/// AccountingStorageEnforce. On a site's cluster QoS and their limits are enforced, and accounts where the profile
/// lists some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforce {
    /// `associations`: a user without one cannot submit.
    pub associations: bool,
    /// `limits`: those of associations and QoS hold.
    pub limits: bool,
    /// `qos`: a QoS must be one that the association allows.
    pub qos: bool,
    /// `safe`: a job starts only if its whole run fits the limits of minutes.
    pub safe: bool,
}

impl Default for Enforce {
    fn default() -> Enforce {
        Enforce { associations: true, limits: true, qos: true, safe: false }
    }
}

/// EnforcePartLimits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnforcePartLimits {
    /// A job that exceeds a limit is accepted, and waits.
    #[default]
    No,
    /// It must fit one of its partitions.
    Any,
    /// It must fit all of its partitions.
    All,
}

/// `Licenses=NAME:COUNT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseConfig {
    /// Name.
    pub name: String,
    /// How many.
    pub count: u32,
}

/// PriorityType and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PriorityParameters {
    /// `priority/multifactor`; else `priority/basic`.
    pub multifactor: bool,
    /// PriorityWeightAge.
    pub age: u32,
    /// PriorityWeightAssoc.
    pub assoc: u32,
    /// PriorityWeightFairshare.
    pub fairshare: u32,
    /// PriorityWeightJobSize.
    pub job_size: u32,
    /// PriorityWeightPartition.
    pub partition: u32,
    /// PriorityWeightQOS.
    pub qos: u32,
    /// PriorityWeightTRES, as given.
    pub tres: Option<String>,
    /// PriorityMaxAge.
    pub max_age: Duration,
    /// PriorityFavorSmall.
    pub favor_small: bool,
    /// PriorityFlags, upper case.
    pub flags: Vec<String>,
}

impl Default for PriorityParameters {
    fn default() -> PriorityParameters {
        PriorityParameters {
            multifactor: false,
            age: 0,
            assoc: 0,
            fairshare: 0,
            job_size: 0,
            partition: 0,
            qos: 0,
            tres: None,
            max_age: Duration::from_secs(7 * 86400),
            favor_small: false,
            flags: Vec::new(),
        }
    }
}

/// Programs of the administrator, by absolute path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Programs {
    /// Prolog: on the job's nodes before its first process.
    pub prolog: Vec<String>,
    /// Epilog: on the job's nodes after its last process.
    pub epilog: Vec<String>,
    /// PrologSlurmctld: beside the controller, before the job's launch.
    pub prolog_slurmctld: Vec<String>,
    /// EpilogSlurmctld: beside the controller, after the job.
    pub epilog_slurmctld: Vec<String>,
    /// TaskProlog: before each task, as the user.
    pub task_prolog: Option<String>,
    /// TaskEpilog: after each task, as the user.
    pub task_epilog: Option<String>,
    /// SrunProlog: by srun before its step.
    pub srun_prolog: Option<String>,
    /// SrunEpilog: by srun after its step.
    pub srun_epilog: Option<String>,
    /// PrologEpilogTimeout; none: as long as it takes.
    pub timeout: Option<Duration>,
    /// MailProg, called `MailProg -s SUBJECT USER`.
    pub mail: Option<String>,
    /// MailDomain: put behind a user name without one.
    pub mail_domain: Option<String>,
}

/// A user's right to an account, or an account's own entry (`user` is none).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Association {
    /// The account.
    pub account: String,
    /// The user.
    pub user: Option<String>,
    /// Only in this partition.
    pub partition: Option<String>,
    /// The account above, of an account's own entry.
    pub parent: Option<String>,
    /// It is the account of the user's jobs that name none.
    pub is_default: bool,
    /// Fairshare: its shares among its siblings; none: 1; [`Association::PARENT`]: those of the account above.
    pub fairshare: Option<u32>,
    /// Priority.
    pub priority: u32,
    /// QOS that may be used; empty: the parent's.
    pub qos: Vec<String>,
    /// DefaultQOS.
    pub default_qos: Option<String>,
    /// Users that coordinate the account, of an account's own entry.
    pub coordinators: Vec<String>,
    /// AdminLevel of the user: `None`, `Operator`, `Administrator`.
    pub admin_level: Option<String>,
    /// MaxJobs: running jobs.
    pub max_jobs: Option<u32>,
    /// MaxSubmitJobs: pending and running jobs.
    pub max_submit: Option<u32>,
    /// GrpJobs: running jobs of the association and all below it.
    pub grp_jobs: Option<u32>,
    /// GrpSubmitJobs.
    pub grp_submit: Option<u32>,
    /// MaxWallDurationPerJob, minutes.
    pub max_wall_minutes: Option<u32>,
}

impl Association {
    /// The shares of `Fairshare=parent`, as a dump has it.
    pub const PARENT: u32 = i32::MAX as u32;
}

/// A switch of topology.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchConfig {
    /// SwitchName.
    pub name: String,
    /// Nodes directly on it.
    pub nodes: Vec<String>,
    /// Switches below it.
    pub switches: Vec<String>,
}
