//! Effects on the outside: a launch order from a job, everything else by its attempt.

use crate::controller::Controller;
use crate::keeper_mail::{message, theirs};
use crate::{clock, environment, limits, spool};
use bivouac_core::{Effect, KeeperReport};
use bivouac_keeper::order::{LaunchOrder, LoginEnv, Stream};
use bivouac_keeper::protocol::ToKeeper;
use bivouac_proto::message::Payload;
use bivouac_proto::place::Account;
use bivouac_site::{JobPlace, Session, User};
use bivouac_types::Attempt;
use bivouac_types::info::JobInfo;
use bivouac_types::job::OpenMode;
use bivouac_types::parameters::MemoryLimits;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// cgroup.conf's MinRAMSpace: less is never enforced.
const MIN_MEMORY_MB: u64 = 30;

/// Submissions looked at per script that is dropped.
const DROP_SHARE: usize = 64;

/// Why a launch order could not be made.
pub(crate) enum NotOrdered {
    /// Room on the disk would help: it is tried again.
    Later(String),
    /// It never will.
    Never(String),
}

impl std::fmt::Display for NotOrdered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (NotOrdered::Later(what) | NotOrdered::Never(what)) = self;
        f.write_str(what)
    }
}

impl Controller {
    pub(crate) fn perform(&mut self, effect: Effect) {
        match &effect {
            Effect::Launch { attempt } => self.launch(*attempt),
            Effect::StartStep { attempt, step } => self.start_step(*attempt, *step),
            Effect::AckKeeper { attempt } => self.epilogs(*attempt),
            Effect::DropPayload { payload } => self.drop_script(payload.0.clone()),
            _ => {}
        }
        let notice = self.notice(&effect);
        if let Some(link) = &mut self.keeper {
            if let Some((attempt, text)) = notice {
                link.send(&ToKeeper::Note { attempt: theirs(attempt), text });
            }
            for message in message(&effect) {
                link.send(&message);
            }
        }
    }

    /// A script's file goes with the last submission that needs it: another one of the same content may be about to be
    /// executed from the same file. Looking through all submissions is shared by a number of drops in proportion.
    fn drop_script(&mut self, payload: String) {
        self.dropped.insert(payload);
        let submissions = &self.cluster.state().submissions;
        if self.dropped.len() * DROP_SHARE < submissions.len() {
            return;
        }
        let needed: BTreeSet<&str> =
            submissions.values().filter(|s| !s.is_over()).map(|s| s.payload.0.as_str()).collect();
        for payload in self.dropped.iter().filter(|p| !needed.contains(p.as_str())) {
            spool::remove(&self.place.state_dir, payload);
        }
        self.dropped.clear();
    }

    /// Without a keeper nothing is lost: when one is there, everything that should run is asked for again.
    fn launch(&mut self, attempt: Attempt) {
        if self.keeper.is_none() || !self.prologs_are_over(attempt) {
            return;
        }
        match self.order(attempt) {
            Ok(None) => {}
            Ok(Some(order)) => {
                if let Some(link) = &mut self.keeper {
                    link.send(&ToKeeper::Launch(Box::new(order)));
                }
            }
            Err(NotOrdered::Later(what)) => {
                say!("{}: job {} waits to be launched: {what}", clock::wall().as_secs(), attempt.job);
                self.try_later(attempt);
            }
            Err(NotOrdered::Never(what)) => {
                say!("{}: job {} cannot be launched: {what}", clock::wall().as_secs(), attempt.job);
                self.report_later(KeeperReport::LaunchFailed { attempt, what });
            }
        }
    }

    pub(crate) fn payload(&self, id: &str) -> Result<Payload, String> {
        let bytes = self.store.payload(id).map_err(|e| e.to_string())?;
        let (_, payload): (u32, Payload) =
            serde_json::from_slice(&bytes).map_err(|e| format!("payload {id} cannot be read: {e}"))?;
        Ok(payload)
    }

    /// None if the attempt is not one to be launched any more.
    fn order(&mut self, attempt: Attempt) -> Result<Option<LaunchOrder>, NotOrdered> {
        let now = self.clock.now();
        let Some(job) = self.cluster.job(attempt.job).filter(|j| j.attempt() == attempt && j.run().is_some())
        else {
            return Ok(None);
        };
        let Some(submission) = self.cluster.submission(job) else { return Ok(None) };
        let payload_id = submission.payload.0.clone();
        let Some(row) = self.row(attempt.job, now) else { return Ok(None) };
        let payload = self.payload(&payload_id).map_err(NotOrdered::Never)?;
        let Some(account) = self.names.account(row.uid.0).cloned() else {
            return Err(NotOrdered::Never(format!("user {} is not in the passwd database", row.uid)));
        };
        let session = self.job_session(&account, &row)?;
        if !row.spec.kind.is_batch() {
            return Ok(Some(self.holding(attempt, &row, &account, session)));
        }
        let script =
            spool::script(&self.place.state_dir, &payload_id, &payload.script.0, row.uid.0, row.gid.0)
                .map_err(later)?;
        let script = match &session.plan {
            Some(_) => Path::new(bivouac_view::RUN)
                .join(script.strip_prefix(&self.place.state_dir).unwrap_or(&script)),
            None => script,
        };
        let (argv, argv0) = command_line(&script, &payload, self.site.has_view());

        let mut env: Vec<Vec<u8>> = payload.env.iter().map(|e| e.0.clone()).collect();
        let umask = submitted_umask(&env);
        let limits = limits::take(&mut env, &self.config.parameters.given);
        // A job that a step submits is none of that step's.
        env.retain(|e| !is_of(e, "SLURM_UMASK") && !e.starts_with(b"SLURM_STEP"));
        let login_env = row.spec.export.loads_login_environment().then(|| {
            let mut base = login_base(&account);
            session.environment.apply(&mut base);
            LoginEnv { shell: account.shell.as_os_str().as_bytes().to_vec(), base }
        });
        if login_env.is_none() {
            session.environment.apply(&mut env);
        }
        let mut set: Vec<(&str, Vec<u8>)> =
            environment::batch(&row, &self.config).into_iter().map(|(n, v)| (n, v.into_bytes())).collect();
        if !env.iter().any(|e| is_of(e, "TMPDIR")) {
            set.push(("TMPDIR", b"/tmp".to_vec()));
        }
        env.retain(|entry| !set.iter().any(|(name, _)| is_of(entry, name)));
        env.extend(set.iter().map(|(name, value)| [name.as_bytes(), b"=", value].concat()));
        if session.plan.is_none() {
            let way = self.way_here();
            env.retain(|entry| !is_of(entry, "BIVOUAC_CLUSTER") && !is_of(entry, "BIVOUAC_STATE_DIR"));
            env.extend(way);
        }
        let append = match row.spec.open_mode {
            Some(OpenMode::Append) => true,
            Some(OpenMode::Truncate) => false,
            None => self.config.parameters.job_file_append,
        };
        let write = |path: &str| Stream::Write { path: path.into(), append };
        let stderr = if row.std_err == row.std_out { Stream::SameAsStdout } else { write(&row.std_err) };
        let stdin =
            if row.std_in == "/dev/null" { Stream::Null } else { Stream::Read(row.std_in.clone().into()) };
        Ok(Some(LaunchOrder {
            gather: u32::try_from(self.gather_period(row.id)).unwrap_or(u32::MAX),
            attempt: theirs(attempt),
            uid: row.uid.0,
            gid: row.gid.0,
            groups: crate::names::groups_of(&account),
            argv,
            argv0,
            env,
            login_env,
            cwd: row.spec.work_dir.clone().into(),
            fallback_cwd: Some(b"/tmp".to_vec()),
            stdin,
            stdout: write(&row.std_out),
            stderr,
            umask,
            cpus: self.pinned_cpus(&row),
            nice: 0,
            view: self.view_of(&session, &row),
            scratch: session.scratch.map(|p| p.as_os_str().as_bytes().to_vec()),
            limits,
            memory: self.memory_limit(&row),
        }))
    }

    /// The order for an allocation: nothing is run, its processes are those of its steps.
    fn holding(&self, attempt: Attempt, row: &JobInfo, account: &Account, session: Session) -> LaunchOrder {
        LaunchOrder {
            attempt: theirs(attempt),
            uid: row.uid.0,
            gid: row.gid.0,
            groups: crate::names::groups_of(account),
            cwd: b"/".to_vec(),
            umask: 0o022,
            cpus: self.pinned_cpus(row),
            memory: self.memory_limit(row),
            scratch: session.scratch.map(|p| p.as_os_str().as_bytes().to_vec()),
            ..LaunchOrder::default()
        }
    }

    /// What leads the commands of a job without a view to this cluster.
    pub(crate) fn way_here(&self) -> [Vec<u8>; 2] {
        let root = self.place.state_dir.parent().unwrap_or(Path::new("/"));
        [
            [b"BIVOUAC_CLUSTER=", self.place.cluster.as_bytes()].concat(),
            [b"BIVOUAC_STATE_DIR=", root.as_os_str().as_bytes()].concat(),
        ]
    }

    /// What the keeper sets up around a job's processes.
    pub(crate) fn view_of(&mut self, session: &Session, row: &JobInfo) -> Option<Vec<u8>> {
        match &session.plan {
            Some(plan) => Some(plan.encode()),
            None => self.node_names(row.batch_host().unwrap_or_default()).map(|names| names.encode()),
        }
    }

    /// What a job's processes start with on their node.
    pub(crate) fn job_session(&self, account: &Account, row: &JobInfo) -> Result<Session, NotOrdered> {
        let user = User { name: account.name.clone(), home: account.home.clone() };
        let node = row.batch_host().unwrap_or_default().to_owned();
        let place =
            JobPlace { job: row.id.to_string(), node, kept: row.spec.kept_dir.as_deref().map(Into::into) };
        self.installed.job(&user, self.access, &place).map_err(|e| NotOrdered::Never(e.to_string()))
    }

    /// What all processes of a job together may have, bytes: what it was given on all of its nodes, which are one machine.
    fn memory_limit(&self, row: &JobInfo) -> Option<u64> {
        let limited = match self.config.parameters.memory_limits {
            MemoryLimits::None => false,
            MemoryLimits::Asked => row.spec.resources.mem.is_some(),
            MemoryLimits::All => true,
        };
        let given: u64 = row.nodes.iter().map(|share| share.mem_mb).sum();
        (limited && given > 0).then(|| given.max(MIN_MEMORY_MB).saturating_mul(1 << 20))
    }

    /// Where nodes promise no more than the machine has, CPU n of the node is the n-th CPU that the daemon may use.
    pub(crate) fn pinned_cpus(&self, row: &JobInfo) -> Option<Vec<u32>> {
        if self.config.overcommit {
            return None;
        }
        let machine = own_cpus();
        let cpus: Vec<u32> =
            row.batch_share()?.cpus.iter().filter_map(|c| machine.get(*c as usize).copied()).collect();
        (!cpus.is_empty()).then_some(cpus)
    }
}

/// What is executed: the script itself; a `#!/bin/sh` script by bash in its sh mode where the site's sh is bash, so that
/// the functions in the environment (`module`, `conda`) work in it as they do there.
fn command_line(script: &Path, payload: &Payload, sh_is_bash: bool) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let script_bytes = script.as_os_str().as_bytes().to_vec();
    let args = payload.args.iter().map(|a| a.0.clone());
    match shebang(&payload.script.0) {
        Some((interpreter, option))
            if sh_is_bash && is_sh(interpreter) && Path::new("/bin/bash").exists() =>
        {
            let option = option.map(<[u8]>::to_vec);
            let argv = std::iter::once(b"/bin/bash".to_vec()).chain(option).chain([script_bytes]).chain(args);
            (argv.collect(), Some(b"sh".to_vec()))
        }
        _ => (std::iter::once(script_bytes).chain(args).collect(), None),
    }
}

fn is_sh(interpreter: &[u8]) -> bool {
    matches!(interpreter, b"/bin/sh" | b"/usr/bin/sh")
}

/// Interpreter and its one argument, as the kernel reads them.
fn shebang(script: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let line = script.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?.trim_ascii();
    match line.iter().position(|b| matches!(b, b' ' | b'\t')) {
        None => Some((line, None)),
        Some(at) => Some((&line[..at], Some(line[at..].trim_ascii()))),
    }
}

/// What login(1) would give a shell.
fn login_base(account: &Account) -> Vec<Vec<u8>> {
    let pair = |name: &str, value: &[u8]| [name.as_bytes(), b"=", value].concat();
    vec![
        pair("HOME", account.home.as_os_str().as_bytes()),
        pair("USER", account.name.as_bytes()),
        pair("LOGNAME", account.name.as_bytes()),
        pair("SHELL", account.shell.as_os_str().as_bytes()),
        pair("MAIL", format!("/var/mail/{}", account.name).as_bytes()),
        pair("PATH", b"/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
    ]
}

fn is_of(entry: &[u8], name: &str) -> bool {
    entry.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}

/// sbatch passes its umask on as SLURM_UMASK.
fn submitted_umask(env: &[Vec<u8>]) -> u32 {
    let entry = env.iter().find(|e| is_of(e, "SLURM_UMASK"));
    let digits = entry.and_then(|e| std::str::from_utf8(&e["SLURM_UMASK=".len()..]).ok());
    digits.and_then(|d| u32::from_str_radix(d, 8).ok()).filter(|m| *m <= 0o777).unwrap_or(0o022)
}

fn later(e: io::Error) -> NotOrdered {
    NotOrdered::Later(e.to_string())
}

/// The CPUs this process may use, ascending.
fn own_cpus() -> Vec<u32> {
    // SAFETY: a zeroed set is valid, and its size is passed.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Vec::new();
        }
        (0..libc::CPU_SETSIZE as usize).filter(|c| libc::CPU_ISSET(*c, &set)).map(|c| c as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_types::Blob;

    fn payload(script: &str) -> Payload {
        Payload { script: script.into(), args: vec![Blob::from("a b")], env: Vec::new() }
    }

    #[test]
    fn a_script_for_sh_is_run_by_bash_as_sh_where_the_site_does_so() {
        let path = Path::new("/spool/slurm_script");
        let (argv, argv0) = command_line(path, &payload("#!/bin/sh -e\necho\n"), true);
        assert_eq!(argv, [&b"/bin/bash"[..], b"-e", b"/spool/slurm_script", b"a b"]);
        assert_eq!(argv0.as_deref(), Some(&b"sh"[..]));
        for (script, sh_is_bash) in
            [("#!/bin/sh\n", false), ("#!/bin/bash\n", true), ("#!/usr/bin/env python3\n", true)]
        {
            let (argv, argv0) = command_line(path, &payload(script), sh_is_bash);
            assert_eq!((argv[0].as_slice(), argv0), (&b"/spool/slurm_script"[..], None), "{script}");
        }
    }
}
