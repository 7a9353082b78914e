//! seff, seff-array and jobstats: programs that sites add to Slurm, which tell users how well their jobs used what they
//! had asked for. Shaped by the output that sites document; what the words say is ours.

mod array;
mod jobstats;
mod seff;

pub use array::array;
pub use jobstats::jobstats;
pub use seff::{Form, raw, seff};

use bivouac_types::Duration;
use bivouac_types::info::{JobInfo, StepInfo};
use bivouac_types::usage::Amount;

/// What a job used of what it had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Efficiency {
    /// CPU time in seconds.
    pub cpu: u64,
    /// What its CPUs could have given in its time, in seconds.
    pub cpu_of: u64,
    /// The most memory in KiB.
    pub mem_kb: u64,
    /// Whether that is the sum over several tasks, each of which had its most at another time.
    pub mem_estimated: bool,
    /// What it had, in KiB.
    pub mem_of_kb: u64,
    /// How long it ran.
    pub time: Duration,
    /// How long it might have run; none: as long as it liked.
    pub time_of: Option<Duration>,
}

impl Efficiency {
    /// Of a job.
    pub fn of(job: &JobInfo) -> Efficiency {
        let us: u64 = job.steps.iter().map(|s| s.usage.user_us + s.usage.system_us).sum();
        let most = job.steps.iter().max_by_key(|step| memory_kb(step));
        Efficiency {
            cpu: us / 1_000_000,
            cpu_of: job.elapsed.as_secs() * u64::from(job.num_cpus),
            mem_kb: most.map_or(0, memory_kb),
            mem_estimated: most.is_some_and(|step| step.num_tasks > 1),
            mem_of_kb: job.mem_mb << 10,
            time: job.elapsed,
            time_of: job.time_limit.duration(),
        }
    }

    /// Per cent of the CPUs' time.
    pub fn cpu_percent(&self) -> f64 {
        percent(self.cpu as f64, self.cpu_of as f64)
    }

    /// Per cent of the memory.
    pub fn mem_percent(&self) -> f64 {
        percent(self.mem_kb as f64, self.mem_of_kb as f64)
    }

    /// Per cent of the time limit.
    pub fn time_percent(&self) -> f64 {
        percent(self.time.as_secs() as f64, self.time_of.map_or(0.0, |t| t.as_secs() as f64))
    }
}

/// The most memory of a step, that of all its tasks together.
fn memory_kb(step: &StepInfo) -> u64 {
    let tasks = step.num_tasks.max(1);
    match step.usage.spread(Amount::Rss, tasks) {
        Some(spread) => spread.total,
        None => step.usage.max_rss_kb * u64::from(tasks),
    }
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

/// How good a figure is; on a terminal it is told by a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Worth a thought.
    Fair,
    /// Too little, or too much.
    Poor,
}

impl Grade {
    /// Of a part of the CPUs: sites call 80 % and more good.
    pub fn of_cpu(percent: f64) -> Grade {
        match percent {
            p if p >= 80.0 => Grade::Good,
            p if p >= 40.0 => Grade::Fair,
            _ => Grade::Poor,
        }
    }

    /// Of a part of the memory: with nearly all of it a job was close to being ended.
    pub fn of_memory(percent: f64) -> Grade {
        match percent {
            p if p > 98.0 => Grade::Poor,
            p if p >= 50.0 => Grade::Good,
            p if p >= 20.0 => Grade::Fair,
            _ => Grade::Poor,
        }
    }
}

/// Whether figures are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Plain text.
    Plain,
    /// For a terminal.
    Coloured,
}

impl Palette {
    /// A text in the colour of a grade.
    pub fn paint(self, grade: Grade, text: &str) -> String {
        let code = match grade {
            Grade::Good => 32,
            Grade::Fair => 33,
            Grade::Poor => 31,
        };
        match self {
            Palette::Plain => text.to_owned(),
            Palette::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// What a user could do better next time, in sentences: for terminals, beside a report.
pub fn advice(job: &JobInfo) -> Vec<String> {
    let of = Efficiency::of(job);
    let mut said = Vec::new();
    // Of jobs that hardly ran nothing follows.
    if !job.state.is_ended() || of.time.as_secs() < 10 {
        return said;
    }
    let busy = (of.cpu as f64 / of.time.as_secs().max(1) as f64).ceil().max(1.0) as u32;
    if Grade::of_cpu(of.cpu_percent()) == Grade::Poor && busy < job.num_cpus {
        said.push(format!(
            "CPUs were under-used: of {} at most {busy} were busy on average; ask for fewer with -n or -c, or let the \
             program use them (OMP_NUM_THREADS, srun)",
            job.num_cpus
        ));
    }
    if of.cpu_percent() > 105.0 {
        said.push(format!(
            "CPUs were over-used: the program ran more threads than the job has CPUs ({}); ask for more with -c",
            job.num_cpus
        ));
    }
    let asked = of.mem_of_kb >> 10;
    if of.mem_percent() > 98.0 {
        said.push(format!("memory was used up: ask for more than {asked}M with --mem"));
    } else if of.mem_kb > 0 && of.mem_percent() < 20.0 && asked > 256 {
        let enough = ((of.mem_kb >> 10) * 5 / 4).max(64).next_multiple_of(64);
        said.push(format!("memory was under-used: of {asked}M, --mem={enough}M would have done"));
    }
    said
}

#[cfg(test)]
mod tests;
