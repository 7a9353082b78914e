//! One blocking connection to the controller.

use crate::frame::{self, FrameError};
use crate::message::{Ask, Request, Response};
use crate::place::Place;
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;

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

    /// Sends a request and reads one response.
    ///
    /// # Errors
    /// What the frames say; the connection is of no use afterwards.
    pub fn call(&mut self, body: Ask) -> Result<Response, FrameError> {
        frame::write(self.stream.get_mut(), &Request { admin: self.admin, body })?;
        frame::read(&mut self.stream)
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
    pub fn jobs(
        &mut self,
        ask: Ask,
    ) -> Result<Result<Vec<bivouac_types::info::JobInfo>, Response>, FrameError> {
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
}
