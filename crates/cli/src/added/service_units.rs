//! `suuser` and `suacct`: service units, which are hours of what jobs are billed for, up to now.

use super::OfDays;
use crate::report::{self, Trouble};
use crate::sreport::{FullNames, sources};
use crate::{invocation, terminal};
use bivouac_options::Program;
use bivouac_render::sreport::{
    self, AccountFilter, Fields, Kind, Measure, Period, Print, Sources, TimeForm, TresName, Unit, Usage,
};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Runs `suuser`.
pub fn suuser(args: &[OsString]) -> ExitCode {
    service_units(Program::Suuser, args)
}

/// Runs `suacct`.
pub fn suacct(args: &[OsString]) -> ExitCode {
    service_units(Program::Suacct, args)
}

fn service_units(program: Program, args: &[OsString]) -> ExitCode {
    invocation::run(program, args, |given| {
        let asked = OfDays::read(given, 30)?;
        let of_user = program == Program::Suuser;
        let settings = report::settings();
        let period = Period::exactly(asked.since(&settings), settings.now);
        let fail = |e: Trouble| invocation::fail(program, e);
        let mut client = report::connect().map_err(fail)?;
        let config = report::config(&mut client).map_err(fail)?;
        let (jobs, spells) = sources(&mut client, &period).map_err(fail)?;
        let usage =
            Usage::new(Sources { jobs: &jobs, spells: &spells, config: &config, now: settings.now }, &period);
        let measure = Measure { tres: Some(vec![TresName::Billing]), form: TimeForm::Time(Unit::Hours) };
        let (fields, _) =
            Fields::read(Kind::AccountUser, Some("cluster,accounts,login,proper,used,energy"), &measure);
        let names = vec![asked.name.clone()];
        let filter = AccountFilter {
            accounts: Some(names.clone()).filter(|_| !of_user),
            users: Some(names).filter(|_| of_user),
            tree: !of_user,
            cluster: Some(config.cluster.clone()),
        };
        let fields = if of_user { fields } else { fields.as_tree() };
        let full = FullNames::default();
        let proper = |login: &str| full.of(login);
        let report =
            sreport::by_account(&usage, &filter, &period, &measure, &fields, &settings.zone, &proper);
        let title = match of_user {
            true => format!("SU used by user {} in the last {} days:", asked.name, asked.days),
            false => {
                format!("SU used by account (allocation) {} in the last {} days:", asked.name, asked.days)
            }
        };
        let print = Print { parsable: true, trailing: of_user, bare: false };
        let mut out = BufWriter::new(io::stdout().lock());
        let write = writeln!(out, "{title}").and_then(|()| report.write_table(print, &mut out));
        write.and_then(|()| out.flush()).map_err(|_| ExitCode::FAILURE)?;
        if report.is_empty() {
            let whose = if of_user { "user" } else { "account" };
            terminal::hint(format_args!("no job of {whose} {} ran in this time", asked.name));
        } else {
            terminal::hint(
                "an SU is an hour of a core, or of what is billed like one; less than half of one shows as 0",
            );
        }
        Ok(())
    })
}
