//! What commands lead to. One file for each kind of command; none changes anything.

mod cancel;
mod complete;
mod control;
mod node;
mod partition;
mod prolog;
mod report;
mod start;
mod step;
mod submit;
mod suspend;
mod target;
mod tick;
mod top;
mod update;

use crate::cluster::Cluster;
use crate::command::Command;
use crate::event::{Change, Event};
use bivouac_types::{Now, Reject};

impl Cluster {
    /// What a command leads to: events to be made durable together, then applied in order. Changes nothing.
    ///
    /// No events and no refusal mean that there is nothing to do: the request key is known
    /// ([`Cluster::job_of_key`]), the report is stale ([`Cluster::stale_effects`]), the job is held already.
    ///
    /// # Errors
    /// The refusal, in Slurm's words.
    pub fn decide(&self, command: Command, now: Now) -> Result<Vec<Event>, Reject> {
        let changes = match command {
            Command::Submit { caller, spec, payload, key } => self.submit(caller, spec, payload, key, now)?,
            Command::Cancel { caller, target, signal, scope } => {
                self.cancel(&caller, &target, signal, scope, now)?
            }
            Command::Hold { caller, target, user_hold } => self.hold(&caller, &target, user_hold)?,
            Command::Release { caller, target } => self.release(&caller, &target)?,
            Command::Requeue { caller, target, hold, incomplete } => {
                self.requeue(&caller, &target, hold, incomplete, now)?
            }
            Command::Suspend { caller, target } => self.suspend(&caller, &target)?,
            Command::Resume { caller, target } => self.resume(&caller, &target)?,
            Command::Top { caller, jobs } => self.top(&caller, &jobs)?,
            Command::Update { caller, target, changes } => self.update(&caller, &target, changes, now)?,
            Command::ApplyPlan(plan) => self.start_all(&plan, now),
            Command::Report(report) => self.report(&report, now),
            Command::Complete { caller, job, exit } => self.complete(&caller, job, exit, now)?,
            Command::StepStart { caller, job, ask } => self.start_step(&caller, job, ask)?,
            Command::StepEnd { caller, job, step, exit, usage } => {
                self.end_step(&caller, job, step, exit, usage)?
            }
            Command::UpdateStep { caller, job, step, limit } => {
                self.update_step(&caller, job, step, limit)?
            }
            Command::UpdateNodes { caller, nodes, changes } => {
                self.update_nodes(&caller, &nodes, &changes, now)?
            }
            Command::UpdatePartition { caller, name, changes } => {
                self.update_partition(&caller, &name, &changes)?
            }
            Command::CreatePartition { caller, name, changes } => {
                self.create_partition(&caller, &name, &changes)?
            }
            Command::DeletePartition { caller, name } => self.delete_partition(&caller, &name)?,
            Command::Misfortune { caller, target, what } => self.befall(&caller, &target, what)?,
            Command::PrologFailed { attempt } => self.prolog_failed(attempt, now),
            Command::Tick => self.tick(now),
        };
        Ok(changes.into_iter().map(|change| Event { at: now, change }).collect())
    }
}

/// The changes that a command decides to, in order.
type Changes = Vec<Change>;
