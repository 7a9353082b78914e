//! What steps used of the machine.

use serde::{Deserialize, Serialize};

/// What a task used, all of its processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskUsage {
    /// User CPU time in microseconds.
    pub user_us: u64,
    /// System CPU time in microseconds.
    pub system_us: u64,
    /// Largest resident set in KiB.
    pub rss_kb: u64,
    /// Largest virtual size in KiB; 0: it was never looked at.
    pub vm_kb: u64,
    /// Page faults for which something had to be read.
    pub pages: u64,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

impl TaskUsage {
    /// As much of everything as both together; of what is a largest value, the larger one.
    pub fn with(self, other: TaskUsage) -> TaskUsage {
        TaskUsage {
            user_us: self.user_us.saturating_add(other.user_us),
            system_us: self.system_us.saturating_add(other.system_us),
            rss_kb: self.rss_kb.max(other.rss_kb),
            vm_kb: self.vm_kb.max(other.vm_kb),
            pages: self.pages.saturating_add(other.pages),
            read: self.read.saturating_add(other.read),
            written: self.written.saturating_add(other.written),
        }
    }

    /// Of a quantity.
    pub fn amount(&self, of: Amount) -> u64 {
        match of {
            Amount::Cpu => self.user_us.saturating_add(self.system_us),
            Amount::Rss => self.rss_kb,
            Amount::Vm => self.vm_kb,
            Amount::Pages => self.pages,
            Amount::Read => self.read,
            Amount::Written => self.written,
        }
    }
}

/// A quantity that is measured of each task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// CPU time in microseconds.
    Cpu,
    /// Largest resident set in KiB.
    Rss,
    /// Largest virtual size in KiB.
    Vm,
    /// Page faults for which something had to be read.
    Pages,
    /// Bytes read.
    Read,
    /// Bytes written.
    Written,
}

/// What all tasks of a step used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// User CPU time in microseconds.
    pub user_us: u64,
    /// System CPU time in microseconds.
    pub system_us: u64,
    /// Largest resident set of a task in KiB.
    pub max_rss_kb: u64,
    /// Largest virtual size of a task in KiB.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_vm_kb: u64,
    /// Page faults of a task, at most.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_pages: u64,
    /// Bytes that a task read, at most.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_read: u64,
    /// Bytes that a task wrote, at most.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_written: u64,
    /// How all this is spread, where there are several tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Box<Tasks>>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How what was used is spread over several tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    /// CPU time in microseconds.
    pub cpu_us: Spread,
    /// Largest resident sets in KiB.
    pub rss_kb: Spread,
    /// Largest virtual sizes in KiB.
    pub vm_kb: Spread,
    /// Page faults.
    pub pages: Spread,
    /// Bytes read.
    pub read: Spread,
    /// Bytes written.
    pub written: Spread,
}

/// A quantity over the tasks of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Of all tasks.
    pub total: u64,
    /// Of the task with the most.
    pub most: Extreme,
    /// Of the task with the least.
    pub least: Extreme,
}

/// Which task has the most or the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extreme {
    /// How much.
    pub amount: u64,
    /// The task's rank.
    pub task: u32,
    /// Its node, counted from 0 among the step's.
    pub node: u32,
}

/// How often tasks are looked at, in seconds, as JobAcctGatherFrequency and --acctg-freq say it: `30`, `task=5,energy=10`.
/// None: nothing is said of tasks.
pub fn task_period(text: &str) -> Option<u32> {
    let of_tasks = |word: &str| match word.split_once('=') {
        Some((name, seconds)) if name.trim().eq_ignore_ascii_case("task") => seconds.trim().parse().ok(),
        Some(_) => None,
        None => word.trim().parse().ok(),
    };
    text.split(',').find_map(of_tasks)
}

/// A task and where it ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Its rank.
    pub task: u32,
    /// Its node, counted from 0 among the step's.
    pub node: u32,
    /// What it used.
    pub usage: TaskUsage,
}

impl Usage {
    /// Of one task, which is alone in its step.
    pub fn of_one(task: TaskUsage) -> Usage {
        Usage {
            user_us: task.user_us,
            system_us: task.system_us,
            max_rss_kb: task.rss_kb,
            max_vm_kb: task.vm_kb,
            max_pages: task.pages,
            max_read: task.read,
            max_written: task.written,
            tasks: None,
        }
    }

    /// Of a step's tasks, by rank.
    pub fn of_tasks(tasks: &[Measured]) -> Usage {
        if let [one] = tasks {
            return Usage::of_one(one.usage);
        }
        let all = tasks.iter().map(|m| m.usage).fold(TaskUsage::default(), TaskUsage::with);
        let spread = |of| Spread::of(tasks, of);
        let several = Tasks {
            cpu_us: spread(Amount::Cpu),
            rss_kb: spread(Amount::Rss),
            vm_kb: spread(Amount::Vm),
            pages: spread(Amount::Pages),
            read: spread(Amount::Read),
            written: spread(Amount::Written),
        };
        Usage {
            user_us: all.user_us,
            system_us: all.system_us,
            max_rss_kb: several.rss_kb.most.amount,
            max_vm_kb: several.vm_kb.most.amount,
            max_pages: several.pages.most.amount,
            max_read: several.read.most.amount,
            max_written: several.written.most.amount,
            tasks: (!tasks.is_empty()).then(|| Box::new(several)),
        }
    }

    /// How a quantity is spread over so many tasks; none: that was not measured.
    pub fn spread(&self, of: Amount, tasks: u32) -> Option<Spread> {
        if let Some(several) = &self.tasks {
            return Some(match of {
                Amount::Cpu => several.cpu_us,
                Amount::Rss => several.rss_kb,
                Amount::Vm => several.vm_kb,
                Amount::Pages => several.pages,
                Amount::Read => several.read,
                Amount::Written => several.written,
            });
        }
        let amount = match of {
            Amount::Cpu => self.user_us.saturating_add(self.system_us),
            Amount::Rss => self.max_rss_kb,
            Amount::Vm => self.max_vm_kb,
            Amount::Pages => self.max_pages,
            Amount::Read => self.max_read,
            Amount::Written => self.max_written,
        };
        let one = Extreme { amount, task: 0, node: 0 };
        (tasks <= 1).then_some(Spread { total: amount, most: one, least: one })
    }
}

impl Spread {
    /// Of equals, the last one counts.
    fn of(tasks: &[Measured], of: Amount) -> Spread {
        let extreme = |m: &Measured| Extreme { amount: m.usage.amount(of), task: m.task, node: m.node };
        let all = || tasks.iter().map(extreme);
        Spread {
            total: all().fold(0, |sum, e| sum.saturating_add(e.amount)),
            most: all().max_by_key(|e| e.amount).unwrap_or_default(),
            least: all().rev().min_by_key(|e| e.amount).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(rank: u32, cpu: u64, rss: u64) -> Measured {
        let usage = TaskUsage { user_us: cpu, rss_kb: rss, read: 7, ..TaskUsage::default() };
        Measured { task: rank, node: rank / 2, usage }
    }

    #[test]
    fn tasks_are_summed_up_and_compared() {
        let usage = Usage::of_tasks(&[task(0, 5, 100), task(1, 9, 300), task(2, 1, 200)]);
        assert_eq!((usage.user_us, usage.max_rss_kb, usage.max_read), (15, 300, 7));
        let cpu = usage.spread(Amount::Cpu, 3).unwrap();
        assert_eq!((cpu.total, cpu.most, cpu.least), (15, extreme(9, 1, 0), extreme(1, 2, 1)));
        let read = usage.spread(Amount::Read, 3).unwrap();
        assert_eq!((read.most.task, read.least.task), (2, 2), "of equals the last one");
    }

    fn extreme(amount: u64, task: u32, node: u32) -> Extreme {
        Extreme { amount, task, node }
    }

    #[test]
    fn periods_of_tasks() {
        let read = ["30", "task=5,energy=10", "energy=10,Task=0", "energy=3", "", "x"].map(task_period);
        assert_eq!(read, [Some(30), Some(5), Some(0), None, None, None]);
    }

    #[test]
    fn one_task_is_all() {
        let usage = Usage::of_tasks(&[task(0, 5, 100)]);
        assert_eq!(usage.tasks, None);
        assert_eq!(usage.spread(Amount::Rss, 1).unwrap().least, extreme(100, 0, 0));
        assert_eq!(
            serde_json::to_string(&usage).unwrap(),
            r#"{"user_us":5,"system_us":0,"max_rss_kb":100,"max_read":7}"#
        );
        // Records of earlier versions know no more of several tasks.
        let old: Usage = serde_json::from_str(r#"{"user_us":5,"system_us":0,"max_rss_kb":100}"#).unwrap();
        assert_eq!((old.spread(Amount::Rss, 4), old.spread(Amount::Rss, 1).unwrap().total), (None, 100));
    }

    proptest! {
        #[test]
        fn the_most_and_the_least_bound_all(amounts in proptest::collection::vec(any::<u32>(), 1..8)) {
            let tasks: Vec<Measured> =
                amounts.iter().enumerate().map(|(n, a)| task(n as u32, u64::from(*a), 1)).collect();
            let cpu = Usage::of_tasks(&tasks).spread(Amount::Cpu, tasks.len() as u32).unwrap();
            prop_assert_eq!(cpu.total, amounts.iter().map(|a| u64::from(*a)).sum::<u64>());
            prop_assert_eq!(cpu.most.amount, u64::from(*amounts.iter().max().unwrap()));
            prop_assert_eq!(cpu.least.amount, u64::from(*amounts.iter().min().unwrap()));
        }
    }
}
