//! What the options of salloc ask for.

use crate::getopt::Given;
use crate::job::{self, Asked, ReadFile};
use crate::value::{self, ValueError};
use jiff::Zoned;

/// What salloc is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The job.
    pub job: Asked,
    /// --immediate: for how many seconds the start is waited for, 1 if it has to be at once; none: for ever.
    pub immediate: Option<u32>,
    /// --no-shell: nothing is run.
    pub no_shell: bool,
    /// --kill-command: the signal for the command whose job ended under it; none: it goes on.
    pub kill_command: Option<i32>,
    /// --bell and --no-bell.
    pub bell: Bell,
    /// --get-user-env: the command gets the user's login environment.
    pub get_user_env: bool,
}

/// When the terminal's bell is rung at the job's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bell {
    /// After a wait of more than ten seconds.
    #[default]
    AfterWait,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Reads all values. `now` is what times are relative to.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given, now: &Zoned, read: ReadFile<'_>) -> Result<Request, ValueError> {
    let get_user_env = value::get_user_env(given)?;
    let mut job = job::read(given, &job::Surroundings { now, read, plane_size: None })?;
    value::wait_all_nodes(given)?;
    job.variables.extend(job.spec.network.clone().map(|network| ("SLURM_NETWORK", network)));
    let no_shell = given.has("no-shell");
    if !given.has("job-name") {
        job.spec.name = if no_shell { "no-shell" } else { "interactive" }.to_owned();
    }
    let request = Request {
        job,
        immediate: value::immediate(given)?,
        no_shell,
        kill_command: kill_command(given)?,
        bell: match given.last_of(&["bell", "no-bell"]).map(|c| c.opt.long) {
            None => Bell::AfterWait,
            Some("bell") => Bell::Always,
            Some(_) => Bell::Never,
        },
        get_user_env,
    };
    given.finish()?;
    Ok(request)
}

fn kill_command(given: &Given) -> Result<Option<i32>, ValueError> {
    let Some(choice) = given.get("kill-command") else { return Ok(None) };
    let Some(text) = &choice.value else { return Ok(Some(libc::SIGTERM)) };
    crate::signal::parse(text).map(Some).ok_or_else(|| ValueError::invalid("kill-command"))
}

#[cfg(test)]
#[path = "salloc_tests.rs"]
mod tests;
