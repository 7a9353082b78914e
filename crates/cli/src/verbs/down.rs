//! `bivouac down`: stops the controller; running jobs go on unless they are cancelled.

use super::{Words, fail, place};
use crate::cluster::connect_to;
use bivouac_proto::client::Client;
use bivouac_proto::frame::FrameError;
use bivouac_proto::message::{Ask, Response};
use std::io;
use std::process::ExitCode;

pub(super) fn run(mut words: Words) -> ExitCode {
    let cancel = words.flag("--cancel");
    if let Err(code) = words.end() {
        return code;
    }
    match down(cancel) {
        Ok(code) | Err(code) => code,
    }
}

fn down(cancel: bool) -> Result<ExitCode, ExitCode> {
    let place = place()?;
    let mut client = match Client::connect(&place) {
        Ok(client) => client,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            if !place.has_keeper() {
                println!("cluster {} is not running", place.cluster);
                return Ok(ExitCode::SUCCESS);
            }
            if !cancel {
                println!("cluster {} is down; its running jobs go on", place.cluster);
                return Ok(ExitCode::SUCCESS);
            }
            // Its jobs outlived the controller: only a controller can end them in order.
            connect_to(&place, None).map_err(fail)?
        }
        Err(e) => return Err(fail(e)),
    };
    let running = match client.call(Ask::Status).map_err(fail)? {
        Response::Status(status) => status.running(),
        _ => 0,
    };
    match client.call(Ask::Shutdown { cancel }) {
        // An end without an answer is an end, too.
        Ok(Response::Done) | Err(FrameError::Closed) => {
            // The connection ends with the process: only then is the database closed.
            let _ = client.more();
            let jobs = if running == 1 { "1 running job" } else { &format!("{running} running jobs") };
            match (running, cancel) {
                (0, _) => println!("cluster {} is down", place.cluster),
                (_, true) => println!("cluster {} is down; {jobs} ended", place.cluster),
                (1, false) => println!("cluster {} is down; {jobs} goes on", place.cluster),
                (_, false) => println!("cluster {} is down; {jobs} go on", place.cluster),
            }
            Ok(ExitCode::SUCCESS)
        }
        Ok(Response::Rejected(e)) => Err(fail(e)),
        Ok(other) => Err(fail(format!("unexpected answer {other:?}"))),
        Err(e) => Err(fail(e)),
    }
}
