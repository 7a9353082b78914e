//! `bivouac down`: stops the controller; running jobs go on unless they are cancelled.

use super::{Words, fail, place};
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
            println!("cluster {} is not running", place.cluster);
            return Ok(ExitCode::SUCCESS);
        }
        Err(e) => return Err(fail(e)),
    };
    match client.call(Ask::Shutdown { cancel }) {
        // An end without an answer is an end, too.
        Ok(Response::Done) | Err(FrameError::Closed) => {
            // The connection ends with the process: only then is the database closed.
            let _ = client.more();
            println!("cluster {} is down{}", place.cluster, if cancel { "" } else { "; running jobs go on" });
            Ok(ExitCode::SUCCESS)
        }
        Ok(Response::Rejected(e)) => Err(fail(e)),
        Ok(other) => Err(fail(format!("unexpected answer {other:?}"))),
        Err(e) => Err(fail(e)),
    }
}
