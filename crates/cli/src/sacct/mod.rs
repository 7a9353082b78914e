//! `sacct`.

mod payload;
mod request;
pub mod window;

use crate::report::{self, Trouble};
use crate::{cluster, invocation};
use bivouac_options::{Given, Program};
use bivouac_proto::client::{Accounted, Client};
use bivouac_proto::message::{AccountingQuery, Ask, Response};
use bivouac_render::Layout;
use bivouac_render::json::Form;
use bivouac_render::sacct::{self, Entries, Filter, Style};
use bivouac_types::config::ClusterConfig;
use bivouac_types::info::JobInfo;
use bivouac_types::{Duration, Timestamp};
use request::Request;
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Sacct, args, sacct)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Sacct, what)
}

fn fatal(what: impl std::fmt::Display) -> ExitCode {
    invocation::fatal(Program::Sacct, what)
}

/// What is printed of the jobs.
enum Output {
    /// Lines of fields.
    Lines {
        layout: Layout<Entries>,
        heading: bool,
        /// The line of dashes below the headings.
        rule: bool,
    },
    /// --json and --yaml.
    Tree(Form),
    /// -B and --env-vars.
    Payload(payload::Part),
}

fn sacct(given: &Given) -> Result<(), ExitCode> {
    if let Some(operand) = given.operands.first() {
        eprintln!("sacct: error: Unknown arguments:\nsacct: error:  {}", operand.display());
        return Err(ExitCode::FAILURE);
    }
    if given.has("helpformat") {
        return printed(&sacct::help_format());
    }
    request::no_completion_log(given)?;
    let mut settings = report::settings();
    settings.units = request::units(given)?;
    let output = output(given)?;
    let request = Request::read(given, &settings)?;
    invocation::finish(given)?;
    if request.verbose {
        eprintln!("sacct: {}", window::described(&request.filter, &settings));
    }
    let mut client = report::connect().map_err(fail)?;
    let names_qos = matches!(&output, Output::Lines { layout, .. } if layout.uses(|c| c.name == "QOSRAW"));
    if names_qos || request.filter.qos.is_some() {
        settings.qos = config(&mut client).map_err(fail)?.qos.into_iter().map(|q| q.name).collect();
        request::known_qos(&request.filter, &settings.qos)?;
    }
    let jobs =
        if request.elsewhere { Vec::new() } else { fetch(&mut client, &request.filter).map_err(fail)? };
    match output {
        Output::Tree(form) => {
            let tree = sacct::document(&jobs, &request.filter, request.allocations, &settings);
            printed(&tree.print(form))
        }
        Output::Payload(part) => {
            payload::print(&mut client, part, &sacct::jobs_shown(&jobs, &request.filter)).map_err(fail)
        }
        Output::Lines { layout, heading, rule } => {
            let rows = sacct::entries(&jobs, &request.filter, request.allocations);
            let print = || -> io::Result<()> {
                let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
                if heading {
                    layout.heading(&mut out)?;
                }
                if heading && rule {
                    layout.rule(&mut out)?;
                }
                layout.lines(rows, &settings, &mut out)?;
                out.flush()
            };
            print().map_err(|_| ExitCode::FAILURE)
        }
    }
}

fn printed(text: &str) -> Result<(), ExitCode> {
    match invocation::print(text) {
        code if code == ExitCode::SUCCESS => Ok(()),
        code => Err(code),
    }
}

fn output(given: &Given) -> Result<Output, ExitCode> {
    let delimiter = given.value("delimiter").unwrap_or("|").to_owned();
    let style = style(given, &delimiter);
    let (heading, rule) = (!given.has("noheader"), style == Style::Columns);
    // What is wrong with -o is said whatever is printed.
    let layout = sacct::layout(&fields(given), style).map_err(fail)?;
    let form = given.last_of(&["json", "yaml"]).map(|c| c.opt.long);
    if let Some(part) = payload::part(given)? {
        return Ok(Output::Payload(part));
    }
    Ok(match form {
        Some("json") => Output::Tree(Form::Json),
        Some(_) => Output::Tree(Form::Yaml),
        None => Output::Lines { layout, heading, rule },
    })
}

fn style<'d>(given: &Given, delimiter: &'d str) -> Style<'d> {
    match given.last_of(&["parsable", "parsable2"]).map(|c| c.opt.long) {
        Some("parsable") => Style::Parsable(delimiter),
        Some(_) => Style::Parsable2(delimiter),
        None => Style::Columns,
    }
}

/// The fields of -o, then those of -b, then those of -l; the variable counts if none of them was typed.
fn fields(given: &Given) -> String {
    let typed = given.get("format").is_some_and(|c| c.source == bivouac_options::Source::CommandLine);
    let (brief, long) = (given.has("brief"), given.has("long"));
    let format = given.value("format").filter(|_| typed || !(brief || long));
    let parts = [format, brief.then_some(sacct::BRIEF_FIELDS), long.then_some(sacct::LONG_FIELDS)];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() { sacct::DEFAULT_FIELDS.to_owned() } else { parts.join(",") }
}

fn config(client: &mut Client) -> Result<ClusterConfig, Trouble> {
    match client.call(Ask::Config)? {
        Response::Config(config) => Ok(*config),
        other => Err(other.into()),
    }
}

fn fetch(client: &mut Client, filter: &Filter) -> Result<Vec<JobInfo>, Trouble> {
    let query = AccountingQuery {
        ids: filter.jobs.as_ref().map(|list| list.iter().map(|pick| pick.job.job).collect()),
        uid: filter.users.as_ref().filter(|u| u.len() == 1).and_then(|u| u.first().copied()),
        since: Some(filter.window.since),
        // The whole of its last second.
        until: Some(Timestamp(filter.window.until.0 + 999)),
    };
    let Accounted { jobs, damaged } = client.accounting(query)??;
    for job in damaged {
        eprintln!("sacct: error: job {job}: its accounting record is damaged and is left out");
    }
    let lag = cluster::lag();
    if lag == Duration(0) {
        return Ok(jobs);
    }
    let then = Timestamp(Timestamp::of(&jiff::Zoned::now()).0 - lag.0 as i64);
    Ok(jobs.into_iter().filter_map(|job| job.as_of(then)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_options::{Invocation, read};

    pub(super) fn given(args: &str) -> Given {
        let args: Vec<OsString> = args.split_whitespace().map(OsString::from).collect();
        match read(Program::Sacct, &args, |_| None).unwrap() {
            Invocation::Run(given) => given,
            Invocation::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn styles() {
        assert_eq!(style(&given("-P -p"), ","), Style::Parsable(","));
        assert_eq!(style(&given("-p -P"), ","), Style::Parsable2(","));
        assert_eq!(style(&given(""), ","), Style::Columns);
    }

    #[test]
    fn lists_add_up() {
        let settings = bivouac_render::Settings::new(bivouac_types::Timestamp(0));
        let filter = |args: &str| Request::read(&given(args), &settings).map(|request| request.filter);
        let ids = |args: &str| {
            let picks = filter(args).unwrap().jobs.unwrap_or_default();
            picks.iter().map(|pick| pick.job.job.0).collect::<Vec<_>>()
        };
        assert_eq!(ids("-j 1 -j 2,3"), [1, 2, 3]);
        assert_eq!(filter("-A a -A b,c -S now-1day").unwrap().accounts.map(|a| a.len()), Some(3));
        assert!(filter("-u ,").is_err() && filter("-j 1 -j x").is_err());
    }

    #[test]
    fn fields_add_up() {
        assert_eq!(fields(&given("")), sacct::DEFAULT_FIELDS);
        assert_eq!(fields(&given("-b -o state")), format!("state,{}", sacct::BRIEF_FIELDS));
        assert_eq!(fields(&given("-l -b")), format!("{},{}", sacct::BRIEF_FIELDS, sacct::LONG_FIELDS));
        let read = |args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            match read(Program::Sacct, &args, |name| (name == "SACCT_FORMAT").then(|| "jobid".into())) {
                Ok(Invocation::Run(given)) => fields(&given),
                _ => panic!("{args:?}"),
            }
        };
        assert_eq!((read(&[]).as_str(), read(&["-b"]).as_str()), ("jobid", sacct::BRIEF_FIELDS));
    }
}
