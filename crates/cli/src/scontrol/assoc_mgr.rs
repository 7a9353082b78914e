//! scontrol show assoc_mgr.

use super::Session;
use super::show::{lookup, print};
use crate::report::{self, Trouble};
use bivouac_options::value::list;
use bivouac_proto::message::AccountingQuery;
use bivouac_proto::place::Account;
use bivouac_render::scontrol::assoc_mgr::{Filter, Kinds, Known};
use bivouac_render::{scontrol, sshare};
use std::process::ExitCode;

/// `show assoc_mgr [users=] [accounts=] [qos=] [flags=]`.
pub fn show(words: &[String], session: Session) -> Result<(), ExitCode> {
    let Some(filter) = filter(words, session)? else { return Ok(()) };
    let failed = lookup(session, "slurm_load_assoc_mgr_info");
    let mut client = report::connect().map_err(&failed)?;
    let config = report::config(&mut client).map_err(&failed)?;
    let asked = client.accounting(AccountingQuery::default()).map_err(Trouble::from);
    let jobs = asked.and_then(|all| all.map_err(Trouble::from)).map_err(&failed)?.jobs;
    let own = Account::of_uid(report::own_uid()).map(|a| a.name).unwrap_or_default();
    let shares = sshare::tree(&config, &jobs, &own);
    let now = report::settings().now;
    let known = Known { config: &config, shares: &shares, jobs: &jobs, uid: &report::uid_of, now };
    print(&scontrol::show_assoc_mgr(&known, &filter, session.form))
}

/// What the words ask for. None: a wrong one was named, which is no failure in Slurm.
fn filter(words: &[String], session: Session) -> Result<Option<Filter>, ExitCode> {
    let all = Kinds { users: true, associations: true, qos: true };
    let mut filter = Filter { kinds: all, users: Vec::new(), accounts: Vec::new(), qos: Vec::new() };
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        if value.is_empty() {
            session.fail(format_args!("No value given for option {word}"));
            return Ok(None);
        }
        let lower = key.to_ascii_lowercase();
        let is = |name: &str| !lower.is_empty() && name.starts_with(&lower);
        if is("users") {
            filter.users = list(Some(value));
        } else if is("accounts") {
            filter.accounts = list(Some(value));
        } else if is("qos") {
            filter.qos = list(Some(value));
        } else if is("flags") {
            let Some(kinds) = kinds(value) else {
                let valid = "valid options are 'Assoc, QOS, and/or Users'";
                session.fail(format_args!("invalid flag '{value}', {valid}"));
                return Ok(None);
            };
            filter.kinds = kinds;
        } else {
            return Err(session.fail(format_args!("invalid entity: {word} for keyword:show assoc_mgr")));
        }
    }
    Ok(Some(filter))
}

/// The kinds that are named; none if no word is one, as in Slurm.
fn kinds(text: &str) -> Option<Kinds> {
    let named = |kind: &str| text.split(',').any(|word| word.eq_ignore_ascii_case(kind));
    let kinds = Kinds { users: named("users"), associations: named("assoc"), qos: named("qos") };
    (kinds.users || kinds.associations || kinds.qos).then_some(kinds)
}
