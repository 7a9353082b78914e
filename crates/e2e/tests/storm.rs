//! Submissions, cancels, holds and requeues in parallel while controller, keeper and reaper are killed at random: what was
//! acknowledged ends exactly once, and as its script says. `BIVOUAC_STORM_SEED=N` plays another storm; the order in which
//! processes get their turns is the machine's.

use bivouac_e2e::{Camp, Dice, alive, kill};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long it blows.
const STORM: Duration = Duration::from_secs(12);

#[derive(Clone, Copy)]
struct Expected {
    code: u64,
    tasks: u64,
    /// Something may have ended it, or kept it from starting, by request.
    disturbed: bool,
}

struct Storm<'a> {
    camp: &'a Camp,
    until: Instant,
    jobs: Mutex<BTreeMap<u32, Expected>>,
}

impl Storm<'_> {
    fn blows(&self) -> bool {
        Instant::now() < self.until
    }

    fn submit(&self, mut dice: Dice) {
        while self.blows() {
            let code = [0, 1, 7][dice.below(3) as usize];
            // Few different scripts: submissions share their files.
            let script = format!("echo $SLURM_JOB_ID ${{SLURM_RESTART_COUNT:-0}} >> ran; exit {code}");
            let tasks = if dice.below(3) == 0 { 1 + dice.below(5) } else { 0 };
            let mut words: Vec<String> =
                ["--parsable", "--requeue", "-o", "/dev/null"].map(String::from).into();
            if tasks > 0 {
                words.push(format!("--array=0-{}", tasks - 1));
            }
            let before = self.jobs.lock().unwrap().keys().next_back().copied();
            let dependent = before.filter(|_| dice.below(5) == 0);
            words.extend(dependent.map(|id| format!("--dependency=afterany:{id}")));
            words.extend(["--wrap".into(), script]);
            let said = self.camp.run("sbatch", words);
            // The storm may outlast sbatch's patience; then nothing was promised.
            if said.code == 0 {
                let expected = Expected { code, tasks: tasks.max(1), disturbed: false };
                self.jobs.lock().unwrap().insert(said.out.trim().parse().unwrap(), expected);
            }
        }
    }

    fn meddle(&self, mut dice: Dice) {
        while self.blows() {
            std::thread::sleep(Duration::from_millis(dice.below(100)));
            let recent: Vec<u32> = self.jobs.lock().unwrap().keys().rev().take(20).copied().collect();
            let Some(id) = recent.get(dice.below(20) as usize) else { continue };
            let text = id.to_string();
            match dice.below(5) {
                0 => {
                    self.jobs.lock().unwrap().get_mut(id).unwrap().disturbed = true;
                    self.camp.run("scancel", [&text]);
                }
                1 => drop(self.camp.run("scontrol", ["hold", &text])),
                2 | 3 => drop(self.camp.run("scontrol", ["release", &text])),
                _ => drop(self.camp.run("scontrol", ["requeue", &text])),
            }
        }
    }

    fn strike(&self, mut dice: Dice) {
        while self.blows() {
            std::thread::sleep(Duration::from_millis([20, 100, 300, 800][dice.below(4) as usize]));
            let candidates: Vec<u32> = if dice.below(3) == 0 {
                // By their own word: a batch process that has not begun its script still looks like the keeper, and who
                // kills that one kills a job.
                self.camp
                    .status()
                    .map_or(Vec::new(), |s| s.keeper_pid.into_iter().chain(s.reaper_pid).collect())
            } else {
                let found = self.camp.processes();
                found.iter().filter(|(_, l)| program(l).ends_with("bivouacd")).map(|(p, _)| *p).collect()
            };
            if !candidates.is_empty() {
                kill(candidates[dice.below(candidates.len() as u64) as usize], libc::SIGKILL);
            }
        }
    }
}

fn program(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[test]
fn what_was_acknowledged_ends_exactly_once_whatever_is_killed() {
    let seed: u64 = std::env::var("BIVOUAC_STORM_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let storm = Storm { camp: &camp, until: Instant::now() + STORM, jobs: Mutex::default() };
    std::thread::scope(|s| {
        let storm = &storm;
        for k in 0..3 {
            s.spawn(move || storm.submit(Dice::new(seed * 10 + k)));
        }
        s.spawn(move || storm.meddle(Dice::new(seed * 10 + 8)));
        s.spawn(move || storm.strike(Dice::new(seed * 10 + 9)));
    });
    let jobs = storm.jobs.into_inner().unwrap();
    assert!(jobs.len() > 20, "only {} jobs: this is no storm", jobs.len());
    for id in jobs.keys() {
        // What was held is let go; the others refuse, which is right.
        camp.run("scontrol", ["release", &id.to_string()]);
    }
    let last = jobs.keys().next_back().unwrap().to_string();
    camp.until("all jobs have ended", || {
        // What was queued again does not wait for its time.
        let later = camp.run("squeue", ["-h", "-t", "PD", "-o", "%i %r"]);
        for id in later.out.lines().filter_map(|l| l.strip_suffix(" BeginTime")) {
            camp.run("scontrol", ["update", &format!("JobId={id}"), "StartTime=now"]);
        }
        let queue = camp.run("squeue", ["-h"]);
        queue.code == 0 && queue.out.is_empty()
    });
    ends_are_right(&camp, &jobs, seed);
    each_attempt_ran_once(&camp);
    assert!(camp.run("scontrol", ["show", "job", &last]).ok().contains(&last));
    leaves_at_once(&camp);
}

fn ends_are_right(camp: &Camp, jobs: &BTreeMap<u32, Expected>, seed: u64) {
    let ids: Vec<String> = jobs.keys().map(u32::to_string).collect();
    let rows = camp.run("sacct", ["-n", "-P", "-X", "-o", "JobID,State,ExitCode", "-j", &ids.join(",")]).ok();
    let mut seen = BTreeMap::<u32, BTreeSet<&str>>::new();
    for row in rows.lines() {
        let [id, state, exit] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let job: u32 = id.split('_').next().unwrap().parse().unwrap();
        let expected = jobs[&job];
        assert!(seen.entry(job).or_default().insert(id), "seed {seed}: {id} ended twice");
        match state.split(' ').next().unwrap() {
            "COMPLETED" | "FAILED" => assert_eq!(exit, format!("{}:0", expected.code), "seed {seed}: {row}"),
            "CANCELLED" => assert!(expected.disturbed, "seed {seed}: nobody cancelled {row}"),
            // Keeper and reaper may have been struck together.
            "NODE_FAIL" => {}
            _ => panic!("seed {seed}: {row}"),
        }
    }
    for (id, expected) in jobs {
        let ended = seen.get(id).map_or(0, BTreeSet::len) as u64;
        // Tasks that were cancelled before they started share one record.
        assert!(
            ended == expected.tasks || expected.disturbed && ended > 0,
            "seed {seed}: {ended} ends of job {id} of {} tasks",
            expected.tasks
        );
    }
}

fn each_attempt_ran_once(camp: &Camp) {
    let mut seen = BTreeSet::new();
    for line in camp.read("ran").lines() {
        assert!(seen.insert(line.to_owned()), "job and restart {line} ran twice");
    }
}

/// The camp's clean-up would wait long enough for a keeper that was left over to give up by itself.
fn leaves_at_once(camp: &Camp) {
    camp.bivouac(["down", "--cancel"]).ok();
    let until = Instant::now() + Duration::from_secs(20);
    while !camp.processes().is_empty() {
        assert!(Instant::now() < until, "left over: {:?}", camp.processes());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn down_takes_the_keeper_along_every_time() {
    let camp = Camp::new();
    for _ in 0..8 {
        camp.bivouac(["up"]).ok();
        leaves_at_once(&camp);
    }
}

#[test]
fn a_removed_socket_comes_back() {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let pid = camp.status().unwrap().controller_pid;
    std::fs::remove_file(camp.place().socket()).unwrap();
    let id = camp.sbatch(["--wrap", "exit 3"]);
    assert_eq!(camp.wait(id).code, 3);
    assert_eq!(camp.status().unwrap().controller_pid, pid);
}

#[test]
fn a_controller_without_its_folder_ends_and_the_next_one_is_not_touched() {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let old = camp.complete_status();
    std::fs::remove_dir_all(camp.place().state_dir).unwrap();
    let waiting = camp.sbatch(["--hold", "--wrap", "exit 4"]);
    assert_ne!(camp.status().unwrap().controller_pid, old.controller_pid);
    camp.until("the controller without a folder has ended", || !alive(old.controller_pid));
    camp.until("and so has its keeper", || !alive(old.keeper_pid.unwrap()));
    camp.run("scontrol", ["release", &waiting.to_string()]).ok();
    assert_eq!(camp.wait(waiting).code, 4);
}

#[test]
fn fifty_commands_at_once_start_one_cluster() {
    let camp = Camp::new();
    let children: Vec<_> = (0..50)
        .map(|_| camp.command("sbatch").args(["-Q", "--wait", "--wrap", "exit 5"]).spawn().unwrap())
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(5));
    }
    let controllers = camp.processes().iter().filter(|(_, l)| program(l).ends_with("bivouacd")).count();
    assert_eq!(controllers, 1);
}

#[test]
fn root_is_served_by_a_users_cluster_but_starts_none_in_the_users_folder() {
    use std::os::unix::process::CommandExt;
    let Some(camp) = Camp::of_ordinary_user() else { return };
    let as_root = |program: &str, args: &[&str]| {
        let out = camp.command(program).uid(0).gid(0).args(args).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let id = camp.sbatch(["--hold", "--wrap", "true"]).to_string();
    let (code, said) = as_root("sbatch", &["--wrap", "true"]);
    assert!(code == Some(1) && said.contains("runs camper's jobs only"), "{said}");
    assert_eq!(as_root("scancel", &[&id]).0, Some(0));
    camp.bivouac(["down"]).ok();
    let (code, said) = as_root("squeue", &[]);
    assert!(code == Some(1) && said.contains("belongs to user"), "{said}");
    // Nothing of root's is in the user's way.
    let next = camp.sbatch(["--wrap", "exit 6"]);
    assert_eq!(camp.wait(next).code, 6);
}
