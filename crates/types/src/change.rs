//! What `scontrol update` changes of a job, one field at a time.

use crate::depend::Dependency;
use crate::hostlist::HostList;
use crate::job::{JobSpec, NodeRange, SwitchRequest};
use crate::license::LicenseRequest;
use crate::memory::MemRequest;
use crate::time::{Duration, TimeLimit, Timestamp};
use crate::tres::GresRequest;
use serde::{Deserialize, Serialize};

/// A change of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobChange {
    /// TimeLimit.
    TimeLimit(TimeLimit),
    /// JobName.
    Name(String),
    /// Nice.
    Nice(i32),
    /// EndTime of a running job. The controller turns it into `TimeLimit`.
    EndTime(Timestamp),
    /// Account; none: the default.
    Account(Option<String>),
    /// AdminComment.
    AdminComment(Option<String>),
    /// ArrayTaskThrottle; 0: no limit.
    ArrayTaskThrottle(u32),
    /// Comment.
    Comment(Option<String>),
    /// Contiguous.
    Contiguous(bool),
    /// CPUsPerTask.
    CpusPerTask(u32),
    /// Deadline.
    Deadline(Option<Timestamp>),
    /// DelayBoot.
    DelayBoot(Duration),
    /// Dependency; none: nothing is waited for any more.
    Dependency(Option<Dependency>),
    /// StartTime and EligibleTime: not before.
    Begin(Timestamp),
    /// ExcNodeList.
    Exclude(Option<HostList>),
    /// Features.
    Features(Option<String>),
    /// Prefer.
    Prefer(Option<String>),
    /// Gres, per node.
    Gres(Vec<GresRequest>),
    /// Licenses.
    Licenses(Vec<LicenseRequest>),
    /// MailType, upper case.
    MailType(Vec<String>),
    /// MailUser; none: the submitting user.
    MailUser(Option<String>),
    /// MinCPUsNode.
    MinCpusNode(u32),
    /// MinMemoryNode or MinMemoryCPU.
    Memory(MemRequest),
    /// MinTmpDiskNode, MiB.
    TmpDisk(u64),
    /// NumCPUs: CPUs of the whole job, whatever its tasks are.
    Cpus(u32),
    /// NumNodes.
    Nodes(NodeRange),
    /// NumTasks.
    Tasks(u32),
    /// TasksPerNode.
    TasksPerNode(u32),
    /// OverSubscribe.
    OverSubscribe(bool),
    /// Partition.
    Partitions(Vec<String>),
    /// Priority; 0 holds the job.
    Priority(u32),
    /// QOS; none: the default.
    Qos(Option<String>),
    /// ReqNodeList and NodeList: the nodes that a pending job must have, or those of its nodes that a running one keeps.
    NodeList(Option<HostList>),
    /// ReqSockets, of a node.
    Sockets(u32),
    /// ReqCores, of a socket.
    Cores(u32),
    /// ReqThreads, of a core.
    Threads(u32),
    /// Requeue.
    Requeue(bool),
    /// ReservationName.
    Reservation(Option<String>),
    /// StdOut: a pattern.
    StdOut(String),
    /// WorkDir.
    WorkDir(String),
    /// Switches; none: no limit.
    Switches(Option<SwitchRequest>),
    /// wait-for-switch.
    SwitchWait(Duration),
    /// TimeMin; none: none.
    TimeMin(Option<TimeLimit>),
    /// WCKey.
    WcKey(Option<String>),
    /// Reboot.
    Reboot(bool),
    /// ResetAccrueTime: its age counts from now on. The controller says since when.
    ResetAccrueTime,
    /// SiteFactor: added to the priority.
    SiteFactor(i32),
}

impl JobChange {
    /// Makes the change in a request. Name, nice value and time limit are kept with the job, and what the controller turns
    /// into another change is no change here.
    pub fn amend(&self, spec: &mut JobSpec) {
        let r = &mut spec.resources;
        match self.clone() {
            JobChange::TimeLimit(_)
            | JobChange::Name(_)
            | JobChange::Nice(_)
            | JobChange::EndTime(_)
            | JobChange::ResetAccrueTime => {}
            JobChange::Account(account) => spec.account = account,
            JobChange::AdminComment(text) => spec.admin_comment = text,
            JobChange::ArrayTaskThrottle(most) => {
                if let Some(array) = &mut spec.array {
                    array.max_running = Some(most).filter(|n| *n > 0);
                }
            }
            JobChange::Comment(text) => spec.comment = text,
            JobChange::Contiguous(is) => r.contiguous = is,
            JobChange::Cpus(n) => r.cpus = Some(n),
            JobChange::CpusPerTask(n) => r.cpus_per_task = Some(n),
            JobChange::Deadline(at) => spec.deadline = at,
            JobChange::DelayBoot(time) => spec.delay_boot = Some(time),
            JobChange::Dependency(dependency) => spec.dependency = dependency,
            JobChange::Begin(at) => spec.begin = Some(at),
            JobChange::Exclude(nodes) => r.exclude = nodes,
            JobChange::Features(text) => r.constraint = text,
            JobChange::Prefer(text) => r.prefer = text,
            JobChange::Gres(list) => r.gres = list,
            JobChange::Licenses(list) => spec.licenses = list,
            JobChange::MailType(types) => spec.mail_types = types,
            JobChange::MailUser(user) => spec.mail_user = user,
            JobChange::MinCpusNode(n) => r.min_cpus = Some(n),
            JobChange::Memory(mem) => r.mem = Some(mem),
            JobChange::TmpDisk(mb) => r.tmp_mb = Some(mb),
            JobChange::Nodes(range) => r.nodes = Some(range),
            JobChange::Tasks(n) => r.ntasks = Some(n),
            JobChange::TasksPerNode(n) => r.ntasks_per_node = Some(n),
            JobChange::OverSubscribe(is) => (r.oversubscribe, r.exclusive, r.only_for) = (is, !is, None),
            JobChange::Partitions(names) => spec.partitions = names,
            JobChange::Priority(n) => spec.priority = Some(n).filter(|n| *n > 0),
            JobChange::Qos(name) => spec.qos = name,
            JobChange::NodeList(nodes) => r.nodelist = nodes,
            JobChange::Sockets(n) => r.sockets_per_node = Some(n),
            JobChange::Cores(n) => r.cores_per_socket = Some(n),
            JobChange::Threads(n) => r.threads_per_core = Some(n),
            JobChange::Reboot(is) => spec.reboot = is,
            JobChange::SiteFactor(n) => spec.site_factor = n,
            JobChange::Requeue(may) => spec.requeue = Some(may),
            JobChange::Reservation(name) => spec.reservation = name,
            JobChange::StdOut(pattern) => spec.std_out = Some(pattern),
            JobChange::WorkDir(path) => spec.work_dir = path,
            JobChange::Switches(request) => spec.switches = request,
            JobChange::SwitchWait(time) => {
                if let Some(request) = &mut spec.switches {
                    request.wait = Some(time);
                }
            }
            JobChange::TimeMin(limit) => spec.time_min = limit,
            JobChange::WcKey(key) => spec.wckey = key,
        }
    }
}
