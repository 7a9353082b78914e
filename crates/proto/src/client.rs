//! One blocking connection to the controller.

use crate::frame::{self, FrameError};
use crate::message::{AccountingQuery, Ask, Response};
use crate::place::Place;
use bivouac_types::JobId;
use bivouac_types::Reject;
use bivouac_types::info::JobInfo;
use bivouac_types::priority::JobFactors;
use serde::Serialize;
use std::io::{self, BufReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What the accounting holds.
#[derive(Default)]
pub struct Accounted {
    /// Jobs, each run of a requeued one by itself, in no order.
    pub jobs: Vec<JobInfo>,
    /// Jobs whose record is damaged, or was written by a version that said it otherwise.
    pub damaged: Vec<JobId>,
}

/// How long a controller that ended while it was asked is sought again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes another connection in the place of one whose controller has ended; none if that is not to be had yet.
pub type Reconnect = Box<dyn Fn() -> Option<Client> + Send>;

/// [`crate::message::Request`] of what is kept for another try.
#[derive(Serialize)]
struct Request<'a> {
    admin: bool,
    body: &'a Ask,
}

/// A connection.
pub struct Client {
    stream: BufReader<UnixStream>,
    /// Sent with every request: the owner acts as operator.
    pub admin: bool,
    /// What may be asked a second time is, if the controller ends meanwhile.
    pub reconnect: Option<Reconnect>,
}

impl Client {
    /// Connects to the cluster's controller.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` when no controller runs.
    pub fn connect(place: &Place) -> io::Result<Client> {
        Ok(Client { stream: BufReader::new(place.connect()?), admin: false, reconnect: None })
    }

    /// From here on a controller that keeps silent for so long is an error.
    ///
    /// # Errors
    /// What the socket says.
    pub fn give_up_after(&self, silence: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(silence))?;
        self.stream.get_ref().set_write_timeout(Some(silence))
    }

    /// Sends a request; the response is read by [`Client::more`].
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn send(&mut self, body: Ask) -> Result<(), FrameError> {
        self.write(&body)
    }

    fn write(&mut self, body: &Ask) -> Result<(), FrameError> {
        frame::write(self.stream.get_mut(), &Request { admin: self.admin, body })
    }

    /// What becomes readable when a response to [`Client::send`] comes.
    pub fn stream(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().as_fd()
    }

    /// Sends a request and reads one response.
    ///
    /// # Errors
    /// What the frames say; the connection is of no use afterwards.
    pub fn call(&mut self, body: Ask) -> Result<Response, FrameError> {
        let (answer, repeated) = self.persist(&body, |client| client.call_once(&body));
        Ok(match answer? {
            // The first time it was heard, and the job was over before the second.
            Response::Rejected(Reject::JobFinished) if repeated && matches!(body, Ask::Cancel(_)) => {
                Response::Done
            }
            answer => answer,
        })
    }

    fn call_once(&mut self, body: &Ask) -> Result<Response, FrameError> {
        self.write(body)?;
        self.more()
    }

    /// The answer, from another connection if the controller ends meanwhile and the request may be repeated; and whether
    /// it was.
    fn persist<T>(
        &mut self,
        body: &Ask,
        ask: impl Fn(&mut Client) -> Result<T, FrameError>,
    ) -> (Result<T, FrameError>, bool) {
        let mut answer = ask(self);
        let begun = Instant::now();
        let mut repeated = false;
        while matches!(answer, Err(FrameError::Closed | FrameError::Io(_)))
            && body.is_repeatable()
            && begun.elapsed() < PATIENCE
            && let Some(reconnect) = &self.reconnect
        {
            match reconnect() {
                Some(fresh) => {
                    self.stream = fresh.stream;
                    repeated = true;
                    answer = ask(self);
                }
                None => std::thread::sleep(PAUSE),
            }
        }
        (answer, repeated)
    }

    /// Reads one more response to the last request (`Jobs` with `more`).
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn more(&mut self) -> Result<Response, FrameError> {
        frame::read(&mut self.stream)
    }

    /// Asks for jobs and collects all parts of the answer.
    ///
    /// # Errors
    /// As [`Client::call`]; `Ok(Err(_))` is the controller's refusal.
    pub fn jobs(&mut self, ask: Ask) -> Result<Result<Vec<JobInfo>, Response>, FrameError> {
        self.collect(&ask, Vec::new, |all, part| match part {
            Response::Jobs { rows, more } => {
                all.extend(rows);
                Ok(more)
            }
            other => Err(other),
        })
    }

    /// Asks for the factors of pending jobs' priorities and collects all parts of the answer.
    ///
    /// # Errors
    /// As [`Client::call`]; `Ok(Err(_))` is the controller's refusal.
    pub fn priorities(&mut self) -> Result<Result<Vec<JobFactors>, Response>, FrameError> {
        self.collect(&Ask::Priorities, Vec::new, |all, part| match part {
            Response::Priorities { rows, more } => {
                all.extend(rows);
                Ok(more)
            }
            other => Err(other),
        })
    }

    /// Asks for jobs of the accounting and collects all parts of the answer.
    ///
    /// # Errors
    /// As [`Client::call`]; `Ok(Err(_))` is the controller's refusal.
    pub fn accounting(&mut self, query: AccountingQuery) -> Result<Result<Accounted, Response>, FrameError> {
        self.collect(&Ask::Accounting(query), Accounted::default, |all, part| {
            let Response::Records { records, damaged, more } = part else { return Err(part) };
            all.damaged.extend(damaged);
            for record in records {
                match serde_json::from_str(record.body.get()) {
                    Ok(job) => all.jobs.push(job),
                    Err(_) => all.damaged.push(record.job),
                }
            }
            Ok(more)
        })
    }

    /// All parts of an answer: `add` says whether there are more, or gives back what is none. Of an answer that breaks off
    /// nothing is kept.
    fn collect<T>(
        &mut self,
        body: &Ask,
        none: impl Fn() -> T,
        add: impl Fn(&mut T, Response) -> Result<bool, Response>,
    ) -> Result<Result<T, Response>, FrameError> {
        let (answer, _) = self.persist(body, |client| {
            let mut all = none();
            let mut part = client.call_once(body)?;
            loop {
                match add(&mut all, part) {
                    Ok(true) => part = client.more()?,
                    Ok(false) => return Ok(Ok(all)),
                    Err(other) => return Ok(Err(other)),
                }
            }
        });
        answer
    }
}
