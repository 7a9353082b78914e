//! sstat's question what a batch script uses: its keeper looks. What steps use their daemons tell.

use crate::controller::{Controller, Turn};
use crate::keeper_mail::{ours, task_usage, theirs};
use crate::mailbox::Reply;
use bivouac_core::{Caller, Phase};
use bivouac_keeper::protocol::ToKeeper;
use bivouac_keeper::report::{self, Used};
use bivouac_proto::message::Response;
use bivouac_types::{Attempt, JobId, Reject};

/// Who waits for the keeper's answer. Those whom no answer reaches are let go when the keeper goes.
#[derive(Default)]
pub struct Measuring(Vec<(Attempt, Reply)>);

impl Controller {
    pub(crate) fn measure(&mut self, turn: &mut Turn, caller: &Caller, id: JobId, reply: Reply) {
        let Some(job) = self.cluster.job(id) else {
            return turn.answer(reply, Response::Rejected(Reject::InvalidJobId));
        };
        if !self.cluster.submission(job).is_some_and(|s| caller.may_command(s)) {
            return turn.answer(reply, Response::Rejected(Reject::AccessDenied));
        }
        let attempt = job.attempt();
        match (&job.phase, &mut self.keeper) {
            (Phase::Running(_) | Phase::Ending(..), Some(link)) => {
                link.send(&ToKeeper::Measure { attempt: theirs(attempt) });
                self.measuring.0.push((attempt, reply));
            }
            (Phase::Running(_) | Phase::Ending(..), None) => {
                turn.answer(reply, Response::Failed("the keeper of the job's processes is not there".into()));
            }
            _ => turn.answer(reply, Response::Rejected(Reject::NoSuchStep)),
        }
    }

    /// The keeper has looked.
    pub(crate) fn measured(&mut self, attempt: report::Attempt, used: &Used, pids: &[i32]) {
        let attempt = ours(attempt);
        let waiting = std::mem::take(&mut self.measuring.0);
        for (of, reply) in waiting {
            match of == attempt {
                true => reply.send(Response::Measured { usage: task_usage(used), pids: pids.to_vec() }),
                false => self.measuring.0.push((of, reply)),
            }
        }
    }
}
