//! Which jobs are asked for.

use bivouac_types::{JobId, Timestamp};
use serde::{Deserialize, Serialize};

/// Which jobs squeue wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobQuery {
    /// Only these jobs (an array's number means all its tasks); none: all.
    pub ids: Option<Vec<JobId>>,
    /// Only this user's.
    pub uid: Option<u32>,
    /// Only those that have a partition which is not hidden from who asks.
    #[serde(default)]
    pub visible: bool,
}

impl JobQuery {
    /// One job, or all tasks of an array.
    pub fn of(job: JobId) -> JobQuery {
        JobQuery { ids: Some(vec![job]), ..JobQuery::default() }
    }

    /// These jobs, or all.
    pub fn of_any(ids: Option<Vec<JobId>>) -> JobQuery {
        JobQuery { ids, ..JobQuery::default() }
    }
}

/// Which jobs sacct wants. Jobs that ran, or waited, at any time between `since` and `until`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingQuery {
    /// Only these jobs (an array's number means all its tasks); none: all.
    pub ids: Option<Vec<JobId>>,
    /// Only this user's; none: everybody's that the caller may see.
    pub uid: Option<u32>,
    /// Not ended before.
    pub since: Option<Timestamp>,
    /// Not begun after.
    pub until: Option<Timestamp>,
}
