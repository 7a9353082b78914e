//! What the options of sbatch ask for: a [`JobSpec`] and what the command itself is to do.

use crate::export::ExportList;
use crate::getopt::Given;
use crate::job::{self, Asked, ReadFile, parsed, text};
use crate::value::{self, ValueError};
use bivouac_types::job::Export;
use bivouac_types::{ArraySpec, JobSpec};
use jiff::Zoned;

/// The largest array index that any cluster may allow (MaxArraySize is at most 4000001).
const MAX_ARRAY_INDEX: u32 = 4_000_000;

/// What sbatch is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The job.
    pub job: Asked,
    /// What of the environment goes along.
    pub export: ExportList,
    /// --export as given (SLURM_EXPORT_ENV).
    pub export_text: Option<String>,
    /// --export-file: the file, or the number of an open one.
    pub export_file: Option<String>,
    /// --propagate: names of limits as given; none: the cluster's default.
    pub propagate: Option<String>,
    /// --wrap.
    pub wrap: Option<String>,
    /// --parsable.
    pub parsable: bool,
    /// --wait.
    pub wait: bool,
    /// --test-only.
    pub test_only: bool,
}

/// Reads all values. `now` is what times are relative to.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given, now: &Zoned, read: ReadFile<'_>) -> Result<Request, ValueError> {
    let export = ExportList::parse(given.value("export").unwrap_or_default());
    // Both bring the login environment along, under the whole of the caller's.
    let login = value::get_user_env(given)? || export.kind == Export::All && !export.items.is_empty();
    let mut job = job::read(given, &job::Surroundings { now, read, plane_size: None })?;
    value::wait_all_nodes(given)?;
    let open_mode = parsed(given, "open-mode", value::open_mode)?;
    job.variables.extend(given.value("open-mode").map(|m| ("SLURM_OPEN_MODE", m[..1].to_owned())));
    job.spec = JobSpec {
        std_in: text(given, "input"),
        std_out: text(given, "output"),
        std_err: text(given, "error"),
        open_mode,
        array: array(given)?,
        requeue: given.last_of(&["requeue", "no-requeue"]).map(|c| c.opt.long == "requeue"),
        kill_on_invalid_dep: parsed(given, "kill-on-invalid-dep", value::yes_no)?,
        export: match &export.kind {
            Export::All if login => Export::Names,
            kind => kind.clone(),
        },
        batch_features: given.value("batch").map(str::to_owned),
        ..job.spec
    };
    given.last_of(&["ignore-pbs"]);
    let request = Request {
        job,
        export,
        export_text: text(given, "export"),
        export_file: text(given, "export-file"),
        propagate: given.get("propagate").map(|c| c.value.clone().unwrap_or_else(|| "ALL".to_owned())),
        wrap: given.value("wrap").map(str::to_owned),
        parsable: given.has("parsable"),
        wait: given.has("wait"),
        test_only: given.has("test-only"),
    };
    given.finish()?;
    Ok(request)
}

fn array(given: &Given) -> Result<Option<ArraySpec>, ValueError> {
    let Some(text) = given.value("array").filter(|a| !a.is_empty()) else { return Ok(None) };
    let parsed = ArraySpec::parse(text, MAX_ARRAY_INDEX);
    parsed.map(Some).map_err(|_| ValueError::submission("Invalid job array specification"))
}

#[cfg(test)]
mod tests;
