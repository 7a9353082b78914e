//! Controller, keeper, reaper, the daemons of steps and their clients are killed at random moments, hundreds of times: no
//! job is lost, none runs twice, and every job and step ends once, as its script says.
//!
//! `BIVOUAC_CRASH_SEED=N` plays other moments, `BIVOUAC_CRASH_TRIALS=N` more of them; the order in which processes get
//! their turns is the machine's.

use bivouac_e2e::{Camp, Dice, kill};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Clusters that are struck side by side.
const CLUSTERS: u64 = 2;
/// Jobs of a cluster that are under way at a time.
const WIDTH: usize = 4;

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Controller,
    Keeper,
    Reaper,
    StepDaemon,
    StepClient,
}

use Victim::{Controller, Keeper, Reaper, StepClient, StepDaemon};

/// A batch job with two steps, the second with a terminal. Each says once that it ran; the codes of the steps as the
/// script sees them are kept.
const SCRIPT: &str = "#!/bin/bash
echo \"$SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0}\" >> ran
srun -n1 sh -c 'echo $SLURM_JOB_ID.$SLURM_STEP_ID >> stepped; sleep 0.1; exit 3'; echo \"$SLURM_JOB_ID $?\" >> codes
srun --pty sh -c 'echo $SLURM_JOB_ID.$SLURM_STEP_ID >> stepped; sleep 0.1; exit 4'; echo \"$SLURM_JOB_ID $?\" >> codes
exit 5
";

struct Field<'a> {
    camp: &'a Camp,
    trials: u64,
    struck: AtomicU64,
    counts: Mutex<BTreeMap<Victim, u64>>,
    /// Jobs whose own steps were struck.
    hurt: Mutex<BTreeSet<u32>>,
    /// When keepers and reapers were.
    orphaning: Mutex<Vec<(Instant, Victim)>>,
    /// Each with the time from before its submission until after its end.
    jobs: Mutex<BTreeMap<u32, (Instant, Instant)>>,
    over: AtomicBool,
}

impl Field<'_> {
    fn submit(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let said = self.camp.run("sbatch", ["--parsable", "-n1", "-o", "%j.out", "job.sh"]);
            // One that gave up promised nothing.
            if let Ok(id) = said.out.trim().parse() {
                self.camp.wait(id);
                self.jobs.lock().unwrap().insert(id, (begun, Instant::now()));
            }
        }
    }

    fn strike(&self, mut dice: Dice) {
        while self.struck.load(Ordering::Relaxed) < self.trials {
            std::thread::sleep(Duration::from_millis(dice.of(&[5, 30, 100, 200]).unwrap_or(0)));
            let victim = dice.of(&[Controller, Keeper, Reaper, StepDaemon, StepClient]).unwrap();
            let Some((pid, job)) = dice.of(&self.find(victim)) else { continue };
            self.hurt.lock().unwrap().extend(job);
            kill(pid, libc::SIGKILL);
            *self.counts.lock().unwrap().entry(victim).or_default() += 1;
            self.struck.fetch_add(1, Ordering::Relaxed);
            if matches!(victim, Keeper | Reaper) {
                self.orphaning.lock().unwrap().push((Instant::now(), victim));
                // Not both at once, or every job were lost.
                self.camp.status_without(pid);
            }
        }
        self.over.store(true, Ordering::Relaxed);
    }

    /// Processes of that kind, and the job whose step it is of.
    fn find(&self, victim: Victim) -> Vec<(u32, Option<u32>)> {
        let status = || self.camp.status();
        let named = |name: &'static str| {
            let is_meant = move |line: &str| {
                let program = line.split(' ').next().unwrap_or_default();
                program.rsplit('/').next() == Some(name)
            };
            self.camp.processes().into_iter().filter(move |(_, line)| is_meant(line)).map(|(pid, _)| pid)
        };
        match victim {
            Controller => named("bivouacd").map(|pid| (pid, None)).collect(),
            // By their own word: a job that has not begun its script still looks like the keeper.
            Keeper => status().and_then(|s| s.keeper_pid).map(|pid| (pid, None)).into_iter().collect(),
            Reaper => status().and_then(|s| s.reaper_pid).map(|pid| (pid, None)).into_iter().collect(),
            StepDaemon => named("slurmstepd").filter_map(|pid| Some((pid, Some(job_of(pid)?)))).collect(),
            StepClient => named("srun").filter_map(|pid| Some((pid, Some(job_of(pid)?)))).collect(),
        }
    }
}

/// The job that a process belongs to.
fn job_of(pid: u32) -> Option<u32> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let text = String::from_utf8_lossy(&environment).into_owned();
    let value = |name: &str| text.split('\0').find_map(|e| e.strip_prefix(name)).map(str::to_owned);
    value("BIVOUAC_ATTEMPT=").and_then(|v| v.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
}

#[test]
fn whatever_is_killed_each_job_and_step_runs_and_ends_once() {
    let seed = variable("BIVOUAC_CRASH_SEED", 1);
    let trials = variable("BIVOUAC_CRASH_TRIALS", 200).div_ceil(CLUSTERS);
    eprintln!("BIVOUAC_CRASH_SEED={seed} BIVOUAC_CRASH_TRIALS={}", trials * CLUSTERS);
    std::thread::scope(|s| {
        for k in 0..CLUSTERS {
            s.spawn(move || crash(seed * CLUSTERS + k, trials));
        }
    });
}

fn crash(seed: u64, trials: u64) {
    let camp = Camp::new();
    camp.file("job.sh", SCRIPT);
    camp.bivouac(["up"]).ok();
    let field = Field {
        camp: &camp,
        trials,
        struck: AtomicU64::default(),
        counts: Mutex::default(),
        hurt: Mutex::default(),
        orphaning: Mutex::default(),
        jobs: Mutex::default(),
        over: AtomicBool::default(),
    };
    std::thread::scope(|s| {
        let field = &field;
        for _ in 0..WIDTH {
            s.spawn(move || field.submit());
        }
        s.spawn(move || field.strike(Dice::new(seed)));
    });
    let spans = field.jobs.into_inner().unwrap();
    let orphaning = field.orphaning.into_inner().unwrap();
    let jobs: BTreeMap<u32, Fate> = spans
        .into_iter()
        .map(|(id, span)| (id, fate(id, span, &orphaning, &field.hurt.lock().unwrap())))
        .collect();
    let of = |fate: Fate| jobs.values().filter(|f| **f == fate).count();
    eprintln!(
        "seed {seed}: {} jobs, steps of {} were struck, {} may be lost; struck: {:?}",
        jobs.len(),
        of(Fate::Hurt),
        of(Fate::Orphan),
        field.counts.into_inner().unwrap()
    );
    assert!(of(Fate::Whole) > 0);
    all_ended_once(&camp, &jobs);
    all_ran_once(&camp, &jobs);
}

/// What may become of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing but what its script says.
    Whole,
    /// Its steps may have ended before their time.
    Hurt,
    /// What had collected its exit code may be gone: NODE_FAIL.
    Orphan,
}

/// Of whom the keeper died, he is the reaper's; if that dies later as well, nobody can collect how he ends.
fn fate(
    id: u32,
    (begun, ended): (Instant, Instant),
    orphaning: &[(Instant, Victim)],
    hurt: &BTreeSet<u32>,
) -> Fate {
    let mut within = orphaning.iter().filter(|(at, _)| (begun..ended).contains(at));
    if within.next().is_some() && within.any(|(_, victim)| *victim == Reaper) {
        return Fate::Orphan;
    }
    if hurt.contains(&id) { Fate::Hurt } else { Fate::Whole }
}

fn all_ended_once(camp: &Camp, jobs: &BTreeMap<u32, Fate>) {
    let ids: Vec<String> = jobs.keys().map(u32::to_string).collect();
    let rows = camp.run("sacct", ["-n", "-P", "-D", "-o", "JobID,State,ExitCode", "-j", &ids.join(",")]).ok();
    let mut seen = BTreeMap::new();
    for row in rows.lines() {
        let [id, state, code] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        assert!(seen.insert(id, (state, code)).is_none(), "{id} ended twice:\n{rows}");
    }
    for (id, fate) in jobs {
        let of = |step: &str| *seen.get(format!("{id}{step}").as_str()).unwrap_or(&("missing", ""));
        if *fate == Fate::Orphan && of("").0 == "NODE_FAIL" {
            continue;
        }
        assert_eq!(of(""), ("FAILED", "5:0"), "job {id}");
        for (step, code) in [(".0", "3:0"), (".1", "4:0")] {
            let (state, found) = of(step);
            let good = (state, found) == ("FAILED", code);
            // Without its client or daemon a step is over, however it went; srun may have been killed before there was one.
            let over = matches!(state, "CANCELLED" | "FAILED" | "COMPLETED" | "missing");
            assert!(good || *fate != Fate::Whole && over, "{id}{step}: {state} {found}\n{rows}");
        }
    }
}

fn all_ran_once(camp: &Camp, jobs: &BTreeMap<u32, Fate>) {
    let unique = |name: &str| {
        let mut seen = BTreeSet::new();
        for line in camp.read(name).lines() {
            assert!(seen.insert(line.to_owned()), "{line} ran twice");
        }
        seen
    };
    let (ran, stepped) = (unique("ran"), unique("stepped"));
    let codes = camp.read("codes");
    for (id, fate) in jobs {
        assert!(ran.contains(&format!("{id} 0")) || *fate == Fate::Orphan, "job {id} did not run");
        if *fate == Fate::Whole {
            let told: Vec<&str> = codes.lines().filter_map(|l| l.strip_prefix(&format!("{id} "))).collect();
            assert_eq!(told, ["3", "4"], "job {id}: {}", camp.read(&format!("{id}.out")));
            assert!(stepped.contains(&format!("{id}.0")) && stepped.contains(&format!("{id}.1")), "{id}");
        }
    }
}
