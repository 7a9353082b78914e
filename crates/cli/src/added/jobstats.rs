//! `jobstats`.

use super::OfDays;
use crate::invocation;
use crate::report::{self, Trouble};
use bivouac_options::Program;
use bivouac_proto::message::AccountingQuery;
use bivouac_render::efficiency;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs the command.
pub fn jobstats(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Jobstats, args, |given| {
        let asked = OfDays::read(given, 5)?;
        let settings = report::settings();
        let uid = report::known_uid(Program::Jobstats, &asked.name).ok_or(ExitCode::FAILURE)?;
        let since = Some(asked.since(&settings));
        let query = AccountingQuery { uid: Some(uid), since, ..AccountingQuery::default() };
        let ask = || -> Result<_, Trouble> { Ok(report::connect()?.accounting(query)??.jobs) };
        let jobs = ask().map_err(|e| invocation::fail(Program::Jobstats, e))?;
        let text = efficiency::jobstats(&jobs, &asked.name, asked.days, &settings);
        io::stdout().write_all(text.as_bytes()).map_err(|_| ExitCode::FAILURE)
    })
}
