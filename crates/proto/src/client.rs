//! One blocking connection to the controller.

use crate::frame::{self, FrameError};
use crate::message::{AccountingQuery, Ask, Request, Response};
use crate::place::Place;
use bivouac_types::JobId;
use bivouac_types::info::JobInfo;
use bivouac_types::priority::JobFactors;
use std::io::{self, BufReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What the accounting holds.
#[derive(Default)]
pub struct Accounted {
    /// Jobs, each run of a requeued one by itself, in no order.
    pub jobs: Vec<JobInfo>,
    /// Jobs whose record is damaged, or was written by a version that said it otherwise.
    pub damaged: Vec<JobId>,
}

/// A connection.
pub struct Client {
    stream: BufReader<UnixStream>,
    /// Sent with every request: the owner acts as operator.
    pub admin: bool,
}

impl Client {
    /// Connects to the cluster's controller.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` when no controller runs.
    pub fn connect(place: &Place) -> io::Result<Client> {
        Ok(Client { stream: BufReader::new(place.connect()?), admin: false })
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
        self.send(body)?;
        self.more()
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
        let mut all = Vec::new();
        let mut part = self.call(ask)?;
        loop {
            match part {
                Response::Jobs { rows, more } => {
                    all.extend(rows);
                    if !more {
                        return Ok(Ok(all));
                    }
                }
                other => return Ok(Err(other)),
            }
            part = self.more()?;
        }
    }

    /// Asks for the factors of pending jobs' priorities and collects all parts of the answer.
    ///
    /// # Errors
    /// As [`Client::call`]; `Ok(Err(_))` is the controller's refusal.
    pub fn priorities(&mut self) -> Result<Result<Vec<JobFactors>, Response>, FrameError> {
        let mut all = Vec::new();
        let mut part = self.call(Ask::Priorities)?;
        loop {
            let Response::Priorities { rows, more } = part else { return Ok(Err(part)) };
            all.extend(rows);
            if !more {
                return Ok(Ok(all));
            }
            part = self.more()?;
        }
    }

    /// Asks for jobs of the accounting and collects all parts of the answer.
    ///
    /// # Errors
    /// As [`Client::call`]; `Ok(Err(_))` is the controller's refusal.
    pub fn accounting(&mut self, query: AccountingQuery) -> Result<Result<Accounted, Response>, FrameError> {
        let mut all = Accounted::default();
        let mut part = self.call(Ask::Accounting(query))?;
        loop {
            let Response::Records { records, damaged, more } = part else { return Ok(Err(part)) };
            all.damaged.extend(damaged);
            for record in records {
                match serde_json::from_str(record.body.get()) {
                    Ok(job) => all.jobs.push(job),
                    Err(_) => all.damaged.push(record.job),
                }
            }
            if !more {
                return Ok(Ok(all));
            }
            part = self.more()?;
        }
    }
}
