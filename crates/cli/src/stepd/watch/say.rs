//! What srun and slurmstepd say of a step and its tasks, in Slurm's words.

use super::{Started, Watch, plan};
use crate::srun::tell;

impl Watch<'_> {
    pub(super) fn say_terminating(&self) {
        tell(format_args!("srun: launch/slurm: _step_signal: Terminating StepId={}", self.layout.step));
    }

    /// Which tasks run, and how the others ended.
    pub(super) fn say_states(&self) {
        let state = |t: &Started| match t.status {
            None => "running",
            Some(status) if status.success() => "exited",
            Some(_) => "exited abnormally",
        };
        for shown in ["running", "exited", "exited abnormally"] {
            let ranks: Vec<u32> =
                self.started.iter().filter(|t| state(t) == shown).map(|t| t.task.rank).collect();
            let word = if ranks.len() == 1 { "task" } else { "tasks" };
            if !ranks.is_empty() {
                let ranks = plan::ranks(&ranks);
                tell(format_args!("srun: StepId={} {word} {ranks}: {shown}", self.layout.step));
            }
        }
    }

    pub(super) fn say_aborted(&self) {
        tell(format_args!(
            "srun: Job step aborted: Waiting up to {} seconds for job step to finish.",
            self.layout.kill_wait + 2
        ));
    }

    /// What the daemon of the first node says of a step that is ended from outside, if it still has tasks; the others' say
    /// nothing.
    pub(super) fn say_cancelled(&self, why: &str) {
        let at = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
        if self.started.iter().any(|t| t.status.is_none() && t.task.node == 0) {
            tell(format_args!(
                "slurmstepd: error: *** STEP {} ON {} CANCELLED AT {at}{why} ***",
                self.layout.step, self.layout.nodes[0].name
            ));
        }
    }

    /// Says which tasks have failed, those of one node and kind together.
    pub(super) fn say(&mut self) {
        self.say_at = None;
        let forced = std::mem::take(&mut self.forced) && (!self.ending || self.force_told);
        for ((node, text), ranks) in std::mem::take(&mut self.unsaid) {
            let word = if ranks.len() == 1 { "task" } else { "tasks" };
            tell(format_args!(
                "srun: error: {}: {word} {}: {text}",
                self.layout.nodes[node].name,
                plan::ranks(&ranks)
            ));
        }
        if forced {
            tell(format_args!("srun: Force Terminated StepId={}", self.layout.step));
        }
    }
}
