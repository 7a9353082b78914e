//! Hands cases to workers, each with clusters of its own, and judges what comes back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::cases::Case;
use super::compare::{Compared, Ran, compare};
use super::deviations::Rules;
use super::guard::Guard;
use super::options::Options;
use super::system::{Account, System};
use super::{bivouac, reference, report};
use crate::{Outcome, release};

/// What a system did with a case, or how it broke.
type Tried = Result<Ran, String>;

/// All that a run needs.
pub struct Harness {
    /// `tests/diff`.
    pub folder: PathBuf,
    /// The command line.
    pub options: Options,
    /// The cases that are wanted.
    pub cases: Vec<Case>,
    /// Set when the workers shall end, whatever they do.
    pub stop: AtomicBool,
}

/// A case's two runs, by its number.
struct Pair {
    case: usize,
    slurm: Ran,
    ours: Ran,
}

/// A worker's clusters.
struct Clusters {
    slurm: System,
    ours: System,
    /// bivouac's cluster of each other account; Slurm's is one for all.
    of_users: Vec<(Account, System)>,
}

impl Harness {
    /// Runs all cases.
    ///
    /// # Errors
    /// A system did not start, or broke.
    pub fn run(self, rules: &Rules) -> Result<Verdicts, String> {
        let start = Instant::now();
        let base =
            tempfile::Builder::new().prefix("bivouac-diff.").tempdir().map_err(|e| e.to_string())?.keep();
        std::fs::set_permissions(&base, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .map_err(|e| e.to_string())?;
        if self.options.keep {
            println!("everything stays in {}", base.display());
        }
        let guard = Guard::start(&base, self.options.keep)?;
        let database = base.join("database");
        reference::database(&database)?;

        let harness = Arc::new(self);
        let (tasks, waiting) = channel::<(usize, usize)>();
        let waiting = Arc::new(Mutex::new(waiting));
        let (done, results) = channel();
        let workers = harness.options.workers.min(harness.cases.len());
        let mut threads = Vec::new();
        for number in 1..=workers {
            let (harness, waiting, done) = (Arc::clone(&harness), Arc::clone(&waiting), done.clone());
            let (folder, database) = (base.join(format!("w{number}")), database.clone());
            threads.push(std::thread::spawn(move || {
                if let Err(e) = harness.work(&folder, &database, &waiting, &done) {
                    let _ = done.send(Err(e));
                }
            }));
        }
        drop(done);
        let verdicts = harness.collect(rules, tasks, &results);
        // What a worker still starts would escape the guard.
        harness.stop.store(true, Ordering::Relaxed);
        let panicked = threads.into_iter().filter_map(|thread| thread.join().err()).count();
        if panicked > 0 {
            return Err(format!("{panicked} workers panicked"));
        }
        println!("{} workers took {:.0} s", workers, start.elapsed().as_secs_f64());
        drop(guard);
        verdicts
    }

    /// A worker: starts its clusters and runs what it is handed.
    fn work(
        &self,
        folder: &Path,
        database: &Path,
        waiting: &Mutex<Receiver<(usize, usize)>>,
        done: &Sender<Result<Pair, String>>,
    ) -> Result<(), String> {
        let mut clusters = self.start(folder, database)?;
        let mut starts = 1;
        loop {
            let task = waiting.lock().map_err(|e| e.to_string())?.recv();
            let Ok((number, run)) = task else { return Ok(()) };
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let (slurm, ours) = self.run_case(&clusters, &self.cases[number], run)?;
            if slurm.is_err() || ours.is_err() {
                // The case broke a system; the next one gets new ones.
                starts += 1;
                clusters = self.start(&folder.with_extension(starts.to_string()), database)?;
            }
            let broken = |e: String| Ran { broken: Some(e), ..Ran::default() };
            let (slurm, ours) = (slurm.unwrap_or_else(broken), ours.unwrap_or_else(broken));
            let pair = Pair { case: number, slurm, ours };
            if done.send(Ok(pair)).is_err() {
                return Ok(());
            }
        }
    }

    /// Runs a case on both systems, side by side.
    fn run_case(&self, clusters: &Clusters, case: &Case, run: usize) -> Result<(Tried, Tried), String> {
        let own = Account::of(None)?;
        let (account, ours) = match &case.user {
            None => (&own, &clusters.ours),
            Some(name) => clusters
                .of_users
                .iter()
                .find(|(account, _)| account.name == *name)
                .map(|(account, system)| (account, system))
                .ok_or(format!("{}: no account {name}", case.place))?,
        };
        Ok(std::thread::scope(|scope| {
            let theirs = scope.spawn(|| clusters.slurm.run(case, run, account));
            let ours = match self.options.slurm_only {
                true => Ok(Ran::default()),
                false => ours.run(case, run, account),
            };
            (theirs.join().unwrap_or_else(|_| Err("the thread of Slurm's side ended".to_owned())), ours)
        }))
    }

    fn start(&self, folder: &Path, database: &Path) -> Result<Clusters, String> {
        let templates = self.folder.join("reference");
        let slurm = reference::start(
            &templates,
            database,
            &folder.join("real"),
            reference::free_ports()?,
            &self.stop,
        )?;
        let programs = self.options.programs.clone().unwrap_or_else(|| release::target().join("debug"));
        let ours = |name: &str, account: &Account| {
            bivouac::start(&programs, &slurm.folder, &folder.join(name), account)
        };
        let own = Account::of(None)?;
        let mut of_users = Vec::new();
        let users: std::collections::BTreeSet<&String> =
            self.cases.iter().filter_map(|case| case.user.as_ref()).collect();
        for (number, user) in users.into_iter().enumerate() {
            let account = Account::of(Some(user))?;
            of_users.push((account.clone(), ours(&format!("use{number}"), &account)?));
        }
        let ours = ours("ours", &own)?;
        Ok(Clusters { slurm, ours, of_users })
    }

    /// Hands out the cases and compares what comes back. A case that disagrees is run once more.
    fn collect(
        &self,
        rules: &Rules,
        tasks: Sender<(usize, usize)>,
        results: &Receiver<Result<Pair, String>>,
    ) -> Result<Verdicts, String> {
        let mut verdicts = Verdicts::default();
        let send = |case, run| tasks.send((case, run)).map_err(|_| "all workers have ended".to_owned());
        for number in 0..self.cases.len() {
            send(number, number)?;
        }
        let mut left = self.cases.len();
        let mut again: Vec<usize> = Vec::new();
        while left > 0 {
            let pair = results.recv().map_err(|_| "all workers have ended")??;
            let case = &self.cases[pair.case];
            if self.options.show || self.options.slurm_only {
                println!("=== {}", case.name);
                print!("{}{}", report::shown("Slurm", &pair.slurm), report::shown("bivouac", &pair.ours));
            }
            left -= 1;
            verdicts.took.push((pair.slurm.took, pair.ours.took, case.name.clone()));
            if self.options.slurm_only {
                continue;
            }
            let compared = compare(&pair.slurm, &pair.ours, rules);
            let second = again.contains(&pair.case);
            if compared.agrees() {
                if second {
                    verdicts.unsteady.push(case.name.clone());
                }
                verdicts.agreed.push(compared);
            } else if second || self.options.once {
                print!("{}", report::diff(case, &compared));
                verdicts.differ.push((case.name.clone(), compared));
            } else {
                again.push(pair.case);
                left += 1;
                send(pair.case, self.cases.len() + pair.case)?;
            }
        }
        Ok(verdicts)
    }
}

/// What all cases came to.
#[derive(Default)]
pub struct Verdicts {
    agreed: Vec<Compared>,
    /// Those that agreed only when they were run again.
    unsteady: Vec<String>,
    differ: Vec<(String, Compared)>,
    /// Seconds on Slurm and on bivouac.
    took: Vec<(f64, f64, String)>,
}

impl Verdicts {
    /// Prints the summary. `complete` says that every rule had its chance; `open` are cases that are known to differ.
    ///
    /// # Errors
    /// Other cases differ, or a rule shows nothing any more.
    pub fn finish(mut self, rules: &Rules, open: &BTreeSet<String>, complete: bool) -> Outcome {
        let (agreed, differ) = (self.agreed.len(), self.differ.len());
        let differing: BTreeSet<&str> = self.differ.iter().map(|(name, _)| name.as_str()).collect();
        let mended = self
            .took
            .iter()
            .map(|(_, _, name)| name)
            .filter(|n| open.contains(*n) && !differing.contains(n.as_str()));
        let mended: Vec<&str> = mended.map(String::as_str).collect();
        if !mended.is_empty() {
            println!("{} cases of open.list agree now, take them off: {}", mended.len(), mended.join(" "));
        }
        let new: Vec<&str> = differing.iter().copied().filter(|name| !open.contains(*name)).collect();
        println!("{} of the cases that differ stand in open.list", differ - new.len());
        let counts = report::deviations(&self.agreed);
        println!(
            "{} cases: {agreed} agree, {differ} differ; {} declared deviations showed",
            agreed + differ,
            counts.len()
        );
        self.took.sort_by(|a, b| b.0.max(b.1).total_cmp(&a.0.max(a.1)));
        let (slurm, ours) = self.took.iter().fold((0.0, 0.0), |(a, b), (x, y, _)| (a + x, b + y));
        println!("all cases together took {slurm:.0} s on Slurm, {ours:.0} s on bivouac; the longest:");
        for (slurm, ours, name) in self.took.iter().take(5) {
            println!("  {slurm:5.1} s {ours:5.1} s  {name}");
        }
        if !self.unsteady.is_empty() {
            println!("agreed only in a second run: {}", self.unsteady.join(", "));
        }
        let unused = if complete { rules.unused() } else { Vec::new() };
        for rule in &unused {
            println!("deviations.rules: nothing needs this rule any more: {rule}");
        }
        match (new.len(), unused.len()) {
            (0, 0) => Ok(()),
            (0, rules) => Err(format!("{rules} rules show nothing any more")),
            (cases, _) => Err(format!("{cases} cases differ that are not in open.list: {}", new.join(" "))),
        }
    }
}
