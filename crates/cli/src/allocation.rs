//! The resources of a job for a client of its own (salloc, srun outside a job): asked for, waited for, attended and given
//! back. The job is the client's for as long as his connection lives, or he finds the controller again.

use crate::cluster;
use crate::refusal;
use crate::report;
use crate::signals::Signals;
use crate::submission::{self, fail};
use bivouac_options::Program;
use bivouac_proto::client::Client;
use bivouac_proto::frame::FrameError;
use bivouac_proto::message::{
    AllocationNews, Ask, Grant, JobQuery, JobTarget, Milestone, Response, Submission,
};
use bivouac_proto::message::{CancelRequest, SignalScope};
use bivouac_types::{ExitStatus, JobId, JobState, PendingReason};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the planner's first word on a job is waited for, before the job is said to wait.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// How long granted nodes may take to be ready without a word.
const READY_SOON: Duration = Duration::from_secs(1);
/// A controller that is gone is sought so often, each time after a pause.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// The signals that make a client give up a job that waits.
pub const ABORTING: [i32; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2];

/// What a client wants.
pub struct Wanted {
    /// salloc or srun.
    pub program: Program,
    /// The job.
    pub submission: Submission,
    /// --immediate: seconds, 1 if it has to start at once.
    pub immediate: Option<u32>,
    /// --quiet.
    pub quiet: bool,
}

/// An allocation and the way to the controller, by which its end will be heard.
pub struct Allocation {
    /// Its number.
    pub job: JobId,
    /// How long it was waited for.
    pub waited: Duration,
    program: Program,
    quiet: bool,
    line: Line,
}

/// What happens to a client.
pub enum Event {
    /// A signal has come.
    Signal(i32),
    /// The controller told how the allocation stands.
    News(AllocationNews),
    /// It is as late as was said.
    Late,
    /// The controller has been gone for too long.
    Lost,
}

impl Allocation {
    /// Asks for a job and waits until its nodes are ready.
    ///
    /// # Errors
    /// The exit code; what is in the way has been said, and no job is left.
    pub fn obtain(wanted: Wanted, signals: &mut Signals) -> Result<(Allocation, Grant), ExitCode> {
        let Wanted { program, submission, immediate, quiet } = wanted;
        let spec = submission.spec.clone();
        let (job, client) = match submission::send(submission) {
            Ok((Response::Submitted(job), client)) => (job, client),
            Ok((Response::Rejected(reject), _)) => {
                refusal::print(program, &reject, &spec);
                return Err(crate::invocation::error_exit());
            }
            Ok((other, _)) => return Err(refused(program, report::Trouble::from(other))),
            Err(e) => return Err(refused(program, e)),
        };
        let line = Line::new(job, client, Milestone::Granted);
        let mut own = Allocation { job, waited: Duration::ZERO, program, quiet, line };
        let begun = Instant::now();
        let mut news = own.first_word(signals)?;
        if matches!(news, AllocationNews::Waiting { granted: false }) {
            news =
                own.queue(immediate.map(|seconds| begun + Duration::from_secs(seconds.into())), signals)?;
            own.say(format_args!("job {job} has been allocated resources"));
        }
        own.waited = begun.elapsed();
        if program == Program::Salloc {
            own.say(format_args!("Granted job allocation {job}"));
        }
        let grant = own.until_ready(news, signals)?;
        Ok((own, grant))
    }

    /// How the job stands when the planner has looked at it once.
    fn first_word(&mut self, signals: &mut Signals) -> Result<AllocationNews, ExitCode> {
        let until = Instant::now() + FIRST_WORD;
        let mut pause = Duration::from_millis(5);
        loop {
            match self.event(signals, Some(Instant::now() + pause)) {
                Event::News(news) => return self.standing(news),
                Event::Late if Instant::now() > until || self.reason() != PendingReason::None => {
                    return Ok(AllocationNews::Waiting { granted: false });
                }
                Event::Late => pause = (pause * 2).min(Duration::from_millis(80)),
                other => self.give_up(&other)?,
            }
        }
    }

    /// The job waits, and is waited for until it is granted.
    fn queue(&mut self, until: Option<Instant>, signals: &mut Signals) -> Result<AllocationNews, ExitCode> {
        let reason = self.reason();
        if until.is_some_and(|until| until < Instant::now() + FIRST_WORD) {
            self.complete(ExitStatus::default());
            return Err(self.busy(reason));
        }
        if let Some(text) = notice(reason) {
            self.say(text);
        }
        if self.program == Program::Salloc {
            self.say(format_args!("Pending job allocation {}", self.job));
        }
        self.say(format_args!("job {} queued and waiting for resources", self.job));
        loop {
            match self.event(signals, until) {
                Event::News(news) => return self.standing(news),
                Event::Late => {
                    self.complete(ExitStatus::default());
                    let why = match self.program {
                        Program::Salloc => "Connection timed out",
                        _ => "Requested nodes are busy",
                    };
                    fail(self.program, format_args!("Unable to allocate resources: {why}"));
                    return Err(immediate_exit());
                }
                other => self.give_up(&other)?,
            }
        }
    }

    /// Waits for nodes that are made ready.
    fn until_ready(&mut self, news: AllocationNews, signals: &mut Signals) -> Result<Grant, ExitCode> {
        if let AllocationNews::Ready(grant) = news {
            return Ok(grant);
        }
        self.line.ask(Milestone::Ready);
        let mut until = Some(Instant::now() + READY_SOON);
        loop {
            match self.event(signals, until) {
                Event::News(AllocationNews::Ready(grant)) => {
                    if until.is_none() {
                        let nodes: bivouac_types::HostList = grant.nodes.iter().cloned().collect();
                        self.say(format_args!("Nodes {nodes} are ready for job"));
                    }
                    return Ok(grant);
                }
                Event::News(news) => drop(self.standing(news)?),
                Event::Late => {
                    self.say("Waiting for resource configuration");
                    until = None;
                }
                other => self.give_up(&other)?,
            }
        }
    }

    /// News of a job that is not over.
    fn standing(&self, news: AllocationNews) -> Result<AllocationNews, ExitCode> {
        let AllocationNews::Revoked { state } = news else { return Ok(news) };
        if state == JobState::Cancelled {
            self.say("Job has been cancelled");
        }
        if self.program == Program::Salloc {
            self.tell_revoked(state);
        }
        Err(refused(self.program, bivouac_types::Reject::JobFinished))
    }

    /// What else can happen to one who waits.
    fn give_up(&mut self, event: &Event) -> Result<(), ExitCode> {
        match event {
            Event::Signal(signal) if ABORTING.contains(signal) => {
                self.complete(ExitStatus::default());
                if self.program == Program::Salloc {
                    self.tell_revoked(JobState::Cancelled);
                    self.say("Job aborted due to signal");
                } else {
                    self.say(format_args!("Job allocation {} has been revoked", self.job));
                    self.say(format_args!("Force Terminated JobId={}", self.job));
                }
                Err(crate::invocation::error_exit())
            }
            Event::Lost => Err(refused(self.program, "Unable to contact slurm controller (connect failure)")),
            _ => Ok(()),
        }
    }

    /// The job could not start at once.
    fn busy(&self, reason: PendingReason) -> ExitCode {
        let text = match reason {
            PendingReason::JobHeldUser
            | PendingReason::JobHeldAdmin
            | PendingReason::BeginTime
            | PendingReason::Dependency => "Job dependency problem",
            reason => match notice(reason) {
                Some(text) => text,
                None => {
                    fail(self.program, "Unable to allocate resources: Requested nodes are busy");
                    return immediate_exit();
                }
            },
        };
        refused(self.program, text)
    }

    /// Why the job waits.
    fn reason(&self) -> PendingReason {
        let query = JobQuery { ids: Some(vec![self.job]), ..JobQuery::default() };
        let rows = report::connect().and_then(|mut client| report::jobs(&mut client, Ask::Jobs(query)));
        rows.ok().and_then(|rows| rows.first().map(|row| row.reason)).unwrap_or_default()
    }

    /// Waits for what happens next.
    pub fn event(&mut self, signals: &mut Signals, until: Option<Instant>) -> Event {
        loop {
            if let Some(signal) = signals.next() {
                return Event::Signal(signal);
            }
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                return Event::Late;
            }
            if !self.line.restore(now) {
                return Event::Lost;
            }
            let wake = until.into_iter().chain(self.line.retry_at()).min();
            let timeout = wake.map(|wake| timespec(wake.saturating_duration_since(now)));
            let mut polled = vec![PollFd::new(signals, PollFlags::IN)];
            let client = self.line.client.as_ref().filter(|_| !self.line.over);
            polled.extend(client.map(|c| PollFd::from_borrowed_fd(c.stream(), PollFlags::IN)));
            if poll(&mut polled, timeout.as_ref()).is_ok()
                && polled.get(1).is_some_and(|p| !p.revents().is_empty())
                && let Some(news) = self.line.hear()
            {
                return Event::News(news);
            }
        }
    }

    /// What becomes readable when there are news; none while the controller is gone. It is looked for anew now and then.
    pub fn line(&mut self) -> Option<BorrowedFd<'_>> {
        self.line.restore(Instant::now());
        self.line.client.as_ref().filter(|_| !self.line.over).map(Client::stream)
    }

    /// The news that have come.
    pub fn hear(&mut self) -> Option<AllocationNews> {
        self.line.hear()
    }

    /// From here on nothing is waited for any more.
    pub fn forget(&mut self) {
        self.line.over = true;
    }

    /// From here on the end of the allocation is waited for.
    pub fn attend(&mut self) {
        self.line.ask(Milestone::Revoked);
    }

    /// Gives the allocation back; its client's command ended so.
    pub fn complete(&mut self, exit: ExitStatus) {
        let _ = cluster::ask(Ask::Complete { job: self.job, exit });
    }

    /// Ends the job as scancel does.
    pub fn cancel(&self) {
        let target = JobTarget { job: self.job, tasks: None };
        let request = CancelRequest { target, signal: None, scope: SignalScope::Steps };
        let _ = cluster::ask(Ask::Cancel(request));
    }

    /// Says a line that --quiet leaves out.
    pub fn say(&self, line: impl std::fmt::Display) {
        if !self.quiet {
            // Who reads that may be gone, and the job is to be given back all the same.
            let _ = std::io::stderr().write_all(format!("{}: {line}\n", self.program).as_bytes());
        }
    }

    /// The allocation is not the client's any more.
    pub fn tell_revoked(&self, state: JobState) {
        match state {
            JobState::Timeout => self.say(format_args!(
                "Job {} has exceeded its time limit and its allocation has been revoked.",
                self.job
            )),
            _ => self.say(format_args!("Job allocation {} has been revoked.", self.job)),
        }
    }
}

/// The connection on which a client hears of his job. It is made anew where the controller went away.
struct Line {
    job: JobId,
    until: Milestone,
    client: Option<Client>,
    /// There is nothing more to hear.
    over: bool,
    failures: u32,
    retry_at: Instant,
}

impl Line {
    fn new(job: JobId, client: Client, until: Milestone) -> Line {
        let client = Some(client);
        let mut line = Line { job, until, client, over: false, failures: 0, retry_at: Instant::now() };
        line.ask(until);
        line
    }

    /// Asks for the next milestone.
    fn ask(&mut self, until: Milestone) {
        self.until = until;
        let asked = self.client.as_mut().map(|client| client.send(Ask::Attend { job: self.job, until }));
        if asked.is_none_or(|sent| sent.is_err()) {
            self.client = None;
        }
    }

    /// Sees to it that there is a connection, or will be tried again; false: it was tried too often.
    fn restore(&mut self, now: Instant) -> bool {
        if self.over || self.client.is_some() || now < self.retry_at {
            return true;
        }
        self.client = cluster::connect().ok();
        self.ask(self.until);
        if self.client.is_none() {
            self.failures += 1;
            self.retry_at = now + PAUSE;
        }
        self.failures < TRIES
    }

    /// When the next connection is tried.
    fn retry_at(&self) -> Option<Instant> {
        (self.client.is_none() && !self.over).then_some(self.retry_at)
    }

    /// The answer that has come.
    fn hear(&mut self) -> Option<AllocationNews> {
        match self.client.as_mut().map(Client::more)? {
            Ok(Response::Allocation(news)) => {
                self.failures = 0;
                Some(news)
            }
            // It ended so long ago that the controller has forgotten it.
            Ok(Response::Rejected(_)) => Some(AllocationNews::Revoked { state: JobState::Completed }),
            Ok(_) | Err(FrameError::Closed | _) => {
                self.client = None;
                self.failures += 1;
                self.retry_at = Instant::now() + PAUSE;
                None
            }
        }
    }
}

fn refused(program: Program, why: impl std::fmt::Display) -> ExitCode {
    fail(program, format_args!("{}: {why}", program.refused()))
}

/// The exit code where --immediate found no free resources.
fn immediate_exit() -> ExitCode {
    let wanted = std::env::var("SLURM_EXIT_IMMEDIATE").ok().and_then(|v| v.parse().ok());
    wanted.map_or(ExitCode::FAILURE, |code: u8| ExitCode::from(code))
}

/// What is said of a job that waits for something else than its turn.
fn notice(reason: PendingReason) -> Option<&'static str> {
    match reason {
        PendingReason::JobHeldUser => Some("Job is in held state, pending scheduler release"),
        PendingReason::PartitionTimeLimit
        | PendingReason::PartitionNodeLimit
        | PendingReason::PartitionConfig
        | PendingReason::PartitionDown
        | PendingReason::PartitionInactive => Some("Requested partition configuration not available now"),
        PendingReason::ReqNodeNotAvail | PendingReason::NodesNotInService => {
            Some("Required node not available (down, drained or reserved)")
        }
        _ => None,
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}
