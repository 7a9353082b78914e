//! One command of sreport: a report, or how the following ones are printed.

use super::{Session, conditions};
use crate::report::{self, Trouble};
use crate::{invocation, terminal};
use bivouac_options::Program;
use bivouac_options::sreport::{Conditions, Family};
use bivouac_proto::client::Client;
use bivouac_proto::message::AccountingQuery;
use bivouac_render::Settings;
use bivouac_render::sreport::{
    self, AccountFilter, By, Fields, Kind, Measure, Order, Period, Report, Sources, TresName, Usage,
    UserFilter,
};
use bivouac_types::Timestamp;
use bivouac_types::config::ClusterConfig;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

fn fail(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("{what}");
    ExitCode::FAILURE
}

/// Carries out one command. Whether more may follow.
pub fn carry_out(words: &[String], session: &mut Session) -> Result<bool, ExitCode> {
    let Some((typed, rest)) = words.split_first() else { return Ok(true) };
    let command = typed.to_ascii_lowercase();
    let is = |name: &str, least: usize| command.len() >= least && name.starts_with(&command);
    let at_most = |n: usize| match rest.len() > n {
        true => Err(fail(format_args!("too many arguments for keyword:{typed}"))),
        false => Ok(true),
    };
    let family = if is("cluster", 2) {
        Family::Cluster
    } else if is("job", 1) {
        Family::Job
    } else if is("reservation", 2) {
        Family::Reservation
    } else if is("user", 1) {
        Family::User
    } else if is("exit", 1) || is("quit", 4) {
        return at_most(0).map(|_| false);
    } else if is("help", 2) {
        let many = at_most(0);
        print!("{}", help());
        return many;
    } else if command == "parsable" || is("parsable2", 9) {
        (session.print.parsable, session.print.trailing) = (true, command == "parsable");
        return at_most(0);
    } else if is("nonparsable", 4) {
        session.print.parsable = false;
        return at_most(0);
    } else if is("quiet", 4) || is("verbose", 4) || is("local", 3) {
        session.quiet |= is("quiet", 4);
        session.verbose |= is("verbose", 4);
        return at_most(0);
    } else if is("time", 1) {
        let Some(form) = rest.first() else {
            return Err(fail(format_args!("too few arguments for keyword:{typed}")));
        };
        session.set_form(form);
        return Ok(true);
    } else if is("version", 4) {
        println!("{}", bivouac_options::getopt::VERSION);
        return match rest.is_empty() {
            true => Ok(true),
            false => Err(fail(format_args!("too many arguments for {typed} keyword"))),
        };
    } else {
        return Err(fail(format_args!("invalid keyword: {typed}")));
    };
    let Some((report, conditions)) = rest.split_first() else {
        return Err(fail(format_args!("too few arguments for keyword:{typed}")));
    };
    let kind = kind(family, report)?;
    make(kind, &Conditions::read(family, conditions), session).map(|()| true)
}

/// Options and commands, for `help`.
fn help() -> String {
    let words = bivouac_options::table::REPORTS.iter();
    let lines = words.map(|w| format!("  {:<40}{}\n", format!("{} {}", w.name, w.arguments), w.help));
    bivouac_options::help::help(Program::Sreport) + "\nCommands and reports:\n" + &lines.collect::<String>()
}

/// The report of that name; of several that begin so, the first.
fn kind(family: Family, typed: &str) -> Result<Kind, ExitCode> {
    let reports: &[(&str, usize, Kind)] = match family {
        Family::Cluster => &[
            ("accountutilizationbyuser", 1, Kind::AccountUser),
            ("userutilizationbyaccount", 18, Kind::UserAccount),
            ("userutilizationbywckey", 18, Kind::UserWckey),
            ("utilization", 2, Kind::Utilization),
            ("wckeyutilizationbyuser", 1, Kind::WckeyUser),
        ],
        Family::Job => &[
            ("sizesbyaccount", 1, Kind::SizesAccount),
            ("sizesbyaccountandwckey", 1, Kind::SizesAccountWckey),
            ("sizesbywckey", 1, Kind::SizesWckey),
        ],
        Family::Reservation => &[("utilization", 1, Kind::Reservations)],
        Family::User => &[("topusage", 1, Kind::Top)],
    };
    let lower = typed.to_ascii_lowercase();
    let fits = |(name, least, _): &&(&str, usize, Kind)| lower.len() >= *least && name.starts_with(&lower);
    reports.iter().find(fits).map(|(.., kind)| *kind).ok_or_else(|| {
        let valid = match family {
            Family::Cluster => {
                "cluster reports are, \"AccountUtilizationByUser\", \"UserUtilizationByAccount\", \
                 \"UserUtilizationByWckey\", \"Utilization\", and \"WCKeyUtilizationByUser\""
            }
            Family::Job => "job reports are, \"SizesByAccount, SizesByAccountAndWcKey, and  SizesByWckey\"",
            Family::Reservation => "reservation reports are, \"Utilization\"",
            Family::User => "user reports are, \"Top\"",
        };
        fail(format_args!("Not valid report {typed}\nValid {valid}"))
    })
}

/// Makes and prints a report. What was not understood is told; the report comes all the same, as in Slurm.
fn make(kind: Kind, conditions: &Conditions, session: &Session) -> Result<(), ExitCode> {
    let settings = report::settings();
    let trouble = |e: Trouble| invocation::fail(Program::Sreport, e);
    let mut client = report::connect().map_err(trouble)?;
    let config = report::config(&mut client).map_err(trouble)?;
    let measure = Measure { tres: resources(kind, session, &config)?, form: session.form };
    let mut done = Ok(());
    for word in &conditions.unknown {
        done = Err(fail(format_args!(" Unknown condition: {word}\nUse keyword set to modify value")));
    }
    let most = match conditions.top.as_deref().map(|text| (text, text.parse())) {
        None => 10,
        Some((_, Ok(most))) => most,
        Some((text, Err(_))) => {
            done =
                Err(invocation::fail(Program::Sreport, format_args!("Invalid value for TopCount ({text})")));
            10
        }
    };
    let (fields, unknown) = Fields::read(kind, conditions.format.as_deref(), &measure);
    for name in unknown {
        done = Err(fail(format_args!(" Unknown field '{name}'")));
    }
    let fields = if conditions.tree && kind == Kind::AccountUser { fields.as_tree() } else { fields };
    let asked = Asked {
        kind,
        conditions,
        measure,
        fields,
        most,
        cluster: cluster(conditions, session, &config),
        verbose: session.verbose && !session.quiet,
    };
    let period = conditions::period(conditions, &settings);
    let report = asked.report(&mut client, &config, &period, &settings)?;
    let mut out = BufWriter::new(io::stdout().lock());
    report.write(session.print, &mut out).and_then(|()| out.flush()).map_err(|_| ExitCode::FAILURE)?;
    done
}

/// -T.
fn resources(
    kind: Kind,
    session: &Session,
    config: &ClusterConfig,
) -> Result<Option<Vec<TresName>>, ExitCode> {
    let Some(text) = &session.tres else { return Ok(None) };
    let fatal = |what| invocation::fatal(Program::Sreport, what);
    let names = sreport::tres_names(text, config).ok_or_else(|| fatal("No valid TRES given"))?;
    let of_jobs = matches!(kind, Kind::SizesAccount | Kind::SizesAccountWckey | Kind::SizesWckey);
    if of_jobs && names.len() > 1 {
        return Err(fail(
            " Job report only supports a single --tres type.\n Generate a separate report for each TRES type.",
        ));
    }
    if kind == Kind::Utilization && !text.eq_ignore_ascii_case("all") && names.contains(&TresName::Node) {
        return Err(fatal(
            "TRES node usage is no longer reported in the Cluster Utilization report.  Please use TRES CPU instead.",
        ));
    }
    Ok(Some(names))
}

/// This cluster, if it is asked for. Of another one there is nothing to report, which Slurm does not tell.
fn cluster(conditions: &Conditions, session: &Session, config: &ClusterConfig) -> Option<String> {
    let asked = if conditions.clusters.is_empty() { &session.clusters } else { &conditions.clusters };
    let own = |name: &String| name.eq_ignore_ascii_case(&config.cluster) || name == "-1";
    for other in asked.iter().filter(|name| !own(name) && !session.quiet) {
        terminal::hint(format_args!(
            "{other} is neither a condition nor the name of this cluster ({})",
            config.cluster
        ));
    }
    (asked.is_empty() || asked.iter().any(own)).then(|| config.cluster.clone())
}

/// A report that is asked for.
struct Asked<'a> {
    kind: Kind,
    conditions: &'a Conditions,
    measure: Measure,
    fields: Fields,
    most: usize,
    cluster: Option<String>,
    verbose: bool,
}

impl Asked<'_> {
    fn report(
        &self,
        client: &mut Client,
        config: &ClusterConfig,
        period: &Period,
        settings: &Settings,
    ) -> Result<Report, ExitCode> {
        let Asked { kind, conditions, measure, fields, .. } = self;
        let (zone, cluster) = (&settings.zone, self.cluster.clone());
        let by = match kind {
            Kind::SizesAccount => Some(By::Account),
            Kind::SizesAccountWckey => Some(By::AccountAndWckey),
            Kind::SizesWckey => Some(By::Wckey),
            _ => None,
        };
        let sizes = by.map(|by| conditions::sizes(conditions, by, cluster.clone())).transpose()?;
        let trouble = |e: Trouble| invocation::fail(Program::Sreport, e);
        let (jobs, spells) = sources(client, period).map_err(trouble)?;
        if self.verbose {
            terminal::hint(format_args!("{} jobs ran or waited in this time", jobs.len()));
        }
        let usage = Usage::new(Sources { jobs: &jobs, spells: &spells, config, now: settings.now }, period);
        let (accounts, users) = (conditions.accounts.clone(), conditions.users.clone());
        let names = FullNames::default();
        let proper = |login: &str| names.of(login);
        let by_user = |order, group| {
            let filter = UserFilter {
                accounts: accounts.clone(),
                users: users.clone(),
                group,
                cluster: cluster.clone(),
            };
            sreport::by_user(&usage, order, &filter, period, measure, fields, zone, &proper)
        };
        Ok(match kind {
            Kind::Utilization => {
                sreport::utilization(&usage, cluster.as_deref(), period, measure, fields, zone)
            }
            Kind::AccountUser => {
                let filter = AccountFilter { accounts, users, tree: conditions.tree, cluster };
                sreport::by_account(&usage, &filter, period, measure, fields, zone, &proper)
            }
            Kind::UserAccount => by_user(Order::All, false),
            Kind::Top => by_user(Order::Top(self.most), conditions.group),
            Kind::UserWckey | Kind::WckeyUser | Kind::Reservations => {
                sreport::empty(*kind, period, measure, fields, zone)
            }
            Kind::SizesAccount | Kind::SizesAccountWckey | Kind::SizesWckey => {
                let sizes = sizes.unwrap_or_default();
                sreport::by_size(&usage, &sizes, period, measure, fields, zone)
                    .ok_or_else(|| fail(" We need a grouping list to set up the print."))?
            }
        })
    }
}

type Found = (Vec<bivouac_types::info::JobInfo>, Vec<bivouac_types::info::NodeSpell>);

/// What a report of that period is made of.
///
/// # Errors
/// [`Trouble`].
pub fn sources(client: &mut Client, period: &Period) -> Result<Found, Trouble> {
    let at = |secs| Some(Timestamp::from_secs(secs));
    let query =
        AccountingQuery { since: at(period.start), until: at(period.end), ..AccountingQuery::default() };
    let jobs = client.accounting(query)??.jobs;
    Ok((jobs, report::spells(client)?))
}

/// Users' names in full, each looked up once.
#[derive(Default)]
pub struct FullNames(RefCell<BTreeMap<String, String>>);

impl FullNames {
    /// A user's; empty if he has none.
    pub fn of(&self, login: &str) -> String {
        let mut known = self.0.borrow_mut();
        known.entry(login.to_owned()).or_insert_with(|| report::full_name(login)).clone()
    }
}
