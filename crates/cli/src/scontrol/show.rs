//! scontrol show.

use super::{Session, facility};
use crate::report::{self, Trouble};
use bivouac_proto::message::{Ask, JobQuery, Response};
use bivouac_proto::place::Account;
use bivouac_render::scontrol;
use bivouac_render::squeue::job_ref;
use bivouac_types::config::ClusterConfig;
use bivouac_types::hostlist::{compress, outside_brackets};
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::{HostList, JobState, TaskSet};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

/// What follows the options in `scontrol help`.
pub const HELP: &str = "
Commands:
  show job [ID]                 jobs (12, 12_3), all without an ID
  show node [NODES]             nodes
  show partition [NAME]         partitions
  show licenses [NAME]          licences
  show topology [NAME]          switches, or those above a node
  show assoc_mgr [users=NAMES] [accounts=NAMES] [qos=NAMES] [flags=users,assoc,qos]
                                users, associations and QOS, and what is used of them
  show config                   the parameters that hold here
  show hostnames [LIST]         a hostlist's names, one a line
  show hostlist NAMES           the hostlist of names
  show hostlistsorted NAMES     the same, sorted
  show step [JOB[.STEP]]        steps that run
  hold JOBS                     keep pending jobs from starting; uhold: as their users would
  release JOBS                  let held jobs start
  requeue [incomplete] JOBS     run jobs again; requeuehold: once they are released
  suspend JOBS                  stop running jobs, whose CPUs others may use; resume: let them go on
  top JOBS                      put jobs first among their user's
  notify JOB MESSAGE            write to a job's standard error
  wait_job JOB                  wait until a job runs
  update JobId=ID KEY=VALUE...  change jobs; JobName=NAME for all of a name
  update NodeName=NODES KEY=VALUE...
                                change State, Reason, Weight, Features, Gres, Comment ... of nodes
  update PartitionName=NAME KEY=VALUE...
                                change a partition
  create PartitionName=NAME KEY=VALUE...
                                make a partition
  delete PartitionName=NAME     remove a partition in which no job is
  write batch_script ID [FILE]  a job's script into a file, or - for standard output
  listpids [JOB[.STEP]]         processes of jobs
  pidinfo PID                   the job of a process
  completing                    jobs that are being ended
  errnumstr NUMBER              the text of an error number
  ping                          whether the controller answers
  reconfigure                   read the site's files again
  shutdown                      end the controller; jobs go on
  version                       the version

Without a command: commands are read from standard input. There also: exit, quit, oneliner, details, quiet, !! (the
last command again).
";

/// `show ENTITY [ID]`, also `show ENTITY=ID`.
pub fn show(entity: &str, id: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let (entity, id) = match entity.split_once('=') {
        Some((entity, id)) => (entity, Some(id)),
        None => (entity, id),
    };
    let given = id;
    let id = id.filter(|text| !text.is_empty());
    let lower = entity.to_ascii_lowercase();
    // Words may be shortened; `jobs` and `nodes` are Slurm's too.
    let is = |name: &str, least: usize| lower.len() >= least && name.starts_with(&lower);
    if is("hostnames", 5) {
        hostnames(given, session)
    } else if is("hostlist", 5) || is("hostlistsorted", 9) {
        hostlist(given, lower.len() > "hostlist".len(), session)
    } else if is("jobs", 1) {
        jobs(id, session)
    } else if is("nodes", 1) {
        facility::nodes(id, session)
    } else if is("partitions", 1) {
        facility::partitions(id, session)
    } else if is("licenses", 2) {
        facility::licenses(id, session)
    } else if is("topology", 1) {
        facility::topology(id, session)
    } else if is("reservations", 1) {
        match id {
            None => print("No reservations in the system\n"),
            Some(name) => Err(session.missing(format_args!("Reservation {name}"))),
        }
    } else if is("frontend", 1) {
        print("No nodes in the system\n")
    } else if is("burstbuffer", 2)
        || is("bbstat", 2)
        || is("dwstat", 2)
        || is("federation", 2)
        || lower == "bb"
    {
        // There are none of these, of which Slurm says nothing at all.
        Ok(())
    } else if is("aliases", 1) {
        facility::aliases(id, session)
    } else if is("daemons", 1) {
        facility::daemons(session)
    } else if is("slurmd", 1) {
        let refused = "Connection refused";
        session.fail(format_args!("scontrol: error: slurm_slurmd_info: {refused}"));
        Err(session.fail(format_args!("slurm_load_slurmd_status: {refused}")))
    } else if is("config", 1) {
        config(session)
    } else if is("steps", 1) {
        steps(id, session)
    } else {
        Err(session.fail(format_args!("invalid entity:{entity} for keyword:show ")))
    }
}

pub(super) fn lookup(session: Session, what: &'static str) -> impl Fn(Trouble) -> ExitCode {
    move |e| session.fail(format_args!("{what} error: {e}"))
}

pub(super) fn print(text: &str) -> Result<(), ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|_| ExitCode::FAILURE)
}

fn jobs(id: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let failed = lookup(session, "slurm_load_jobs");
    let settings = report::settings();
    let wanted = match id {
        None => None,
        Some(text) => {
            // One job or task: no list.
            let parsed = job_ref(text).filter(|_| !text.contains(['[', ',']));
            Some(parsed.ok_or_else(|| session.fail("scontrol_print_job error: Invalid job id specified"))?)
        }
    };
    let query = JobQuery::of_any(wanted.as_ref().map(|w| vec![w.job]));
    let mut rows =
        report::connect().and_then(|mut c| report::jobs(&mut c, Ask::Jobs(query))).map_err(failed)?;
    if let (Some(wanted), Some(text)) = (&wanted, id) {
        rows.retain(|row| wanted.covers(row));
        if let Some(task) = wanted.tasks.as_ref().filter(|t| t.len() == 1).and_then(TaskSet::first) {
            rows.iter_mut().for_each(|row| narrow(row, task));
        }
        if rows.is_empty() {
            return Err(session.missing(format_args!("Job {text}")));
        }
    }
    if rows.is_empty() {
        return print("No jobs in the system\n");
    }
    print(&rows.iter().map(|row| scontrol::show_job(row, session.form, &settings)).collect::<String>())
}

/// One task of those that wait in one record, shown as if it had one of its own.
fn narrow(row: &mut JobInfo, task: u32) {
    let Some(array) = row.array.as_mut().filter(|a| matches!(a.tasks, ArrayTasks::Pending(_))) else {
        return;
    };
    array.tasks = ArrayTasks::One(task);
    for file in [&mut row.std_out, &mut row.std_err, &mut row.std_in] {
        *file = file.replace(NO_TASK, &task.to_string());
    }
}

/// What stands for `%a` in the names of files where it is no single task.
const NO_TASK: &str = "4294967294";

fn config(session: Session) -> Result<(), ExitCode> {
    let (config, running) = loaded(session)?;
    print(&scontrol::show_config(&config, &running, &report::settings()))
}

/// The configuration, and what it does not say of the running cluster.
pub(super) fn loaded(session: Session) -> Result<(Box<ClusterConfig>, scontrol::Running), ExitCode> {
    let failed = lookup(session, "slurm_load_ctl_conf");
    let host = super::host().map_err(&failed)?;
    let mut client = report::connect().map_err(&failed)?;
    let config = match client.call(Ask::Config).map_err(Trouble::from).map_err(&failed)? {
        Response::Config(config) => config,
        other => return Err(failed(other.into())),
    };
    let status = match client.call(Ask::Status).map_err(Trouble::from).map_err(&failed)? {
        Response::Status(status) => status,
        other => return Err(failed(other.into())),
    };
    let owner = std::fs::metadata(&status.state_dir).ok().map(|m| m.uid());
    let owner = owner.and_then(|uid| Account::of_uid(uid).ok());
    let running = scontrol::Running {
        host,
        state_dir: status.state_dir.display().to_string(),
        owner: owner.map_or_else(|| "root(0)".to_owned(), |a| format!("{}({})", a.name, a.uid)),
        users: ["SlurmUser", "SlurmdUser"]
            .iter()
            .filter_map(|key| config.parameters.given.get(*key))
            .filter_map(|name| Some((name.clone(), report::uid_of(name)?)))
            .collect(),
        since: status.up_since,
        next_job_id: status.next_job_id,
    };
    Ok((config, running))
}

fn hostnames(list: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let list = list.map(str::to_owned).or_else(|| std::env::var("SLURM_JOB_NODELIST").ok());
    let Some(list) = list else {
        eprintln!("scontrol: error: host list is empty");
        return Ok(());
    };
    let names = expand(&list, session)?;
    print(&names.iter().map(|n| format!("{n}\n")).collect::<String>())
}

/// The names of a hostlist, doubles kept, which [`HostList`] would drop.
fn expand(list: &str, session: Session) -> Result<Vec<String>, ExitCode> {
    let bad = |e| session.fail(format_args!("scontrol: error: Invalid hostlist: {list}: {e}"));
    let mut names = Vec::new();
    for part in outside_brackets(list, |c| c == ',' || c.is_whitespace()) {
        names.extend(HostList::parse(part).map_err(bad)?.names);
    }
    Ok(names)
}

fn hostlist(names: Option<&str>, sorted: bool, session: Session) -> Result<(), ExitCode> {
    let Some(names) = names else {
        return Err(session.fail("invalid encode argument"));
    };
    // The names may stand in a file.
    let names = match names.starts_with('/') {
        true => std::fs::read_to_string(names)
            .map_err(|e| session.fail(format_args!("scontrol: error: {names}: {e}")))?,
        false => names.to_owned(),
    };
    let mut names = expand(&names, session)?;
    if sorted {
        // Sorted once without doubles, then with each as often as it was given.
        let order = HostList::new(names.iter().cloned()).sorted().names;
        names = order.iter().flat_map(|n| names.iter().filter(move |m| *m == n).cloned()).collect();
    }
    print(&format!("{}\n", compress(names.iter().map(String::as_str))))
}

/// The steps that run: all, of a job, or one.
fn steps(id: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let settings = report::settings();
    let (job, step) = match id {
        None => (None, None),
        Some(text) => {
            let (job, step) = text.split_once('.').map_or((text, None), |(job, step)| (job, Some(step)));
            match job_ref(job).filter(|job| job.job.0 > 0) {
                None => return Err(session.missing("Job step 0.Invalid")),
                job => (job, step),
            }
        }
    };
    let ids = job.as_ref().map(|job| vec![job.job]);
    let query = JobQuery { ids, uid: None, visible: !session.all };
    let rows = report::connect().and_then(|mut c| report::jobs(&mut c, Ask::Jobs(query)));
    let mut rows = rows.map_err(lookup(session, "slurm_get_job_steps"))?;
    rows.retain(|row| row.pid.is_some() && job.as_ref().is_none_or(|job| job.covers(row)));
    let host = super::host().unwrap_or_default();
    let mut found = false;
    for row in &rows {
        let running = row.steps.iter().filter(|s| s.end.is_none());
        for one in running.filter(|s| step.is_none_or(|wanted| s.step.to_string() == wanted)) {
            found = true;
            print(&scontrol::show_step(row, one, &host, session.form, &settings))?;
        }
    }
    match (found, id) {
        (false, Some(id)) if step.is_some() && !id.contains('_') => {
            Err(session.missing(format_args!("Job step {id}")))
        }
        // The number of the step would stand behind the point.
        (false, Some(id)) => {
            let job = id.split('.').next().unwrap_or_default();
            Err(session.missing(format_args!("Job step {job}.")))
        }
        (false, None) => print("No job steps in the system\n"),
        (true, _) => Ok(()),
    }
}

/// `completing`: jobs that are being ended.
pub fn completing(session: Session) -> Result<(), ExitCode> {
    let rows = report::connect().and_then(|mut c| report::jobs(&mut c, Ask::Jobs(JobQuery::default())));
    let rows = rows.map_err(lookup(session, "slurm_load_jobs"))?;
    let settings = report::settings();
    let completing = |row: &&bivouac_types::info::JobInfo| row.state == JobState::Completing;
    let records = rows.iter().filter(completing).map(|row| scontrol::completing(row, &settings));
    print(&records.collect::<String>())
}
