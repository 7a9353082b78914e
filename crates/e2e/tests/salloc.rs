//! salloc at a terminal, and what becomes of its job where something goes away.

use bivouac_e2e::screen::Screen;
use bivouac_e2e::{Camp, kill};

/// The state and the exit code of the camp's last job.
fn last(camp: &Camp) -> String {
    let out = camp.run("sacct", ["-n", "-P", "-X", "-o", "State,ExitCode"]).ok();
    out.lines().last().unwrap_or_default().to_owned()
}

fn queue(camp: &Camp) -> String {
    camp.run("squeue", ["-h", "-o", "%T"]).ok()
}

#[test]
fn a_shell_in_a_job_has_the_terminal_and_gives_it_back() {
    let camp = Camp::new();
    let Some(screen) = Screen::open(&camp) else { return };
    screen.enter("salloc -n1; echo code $?");
    screen.until("salloc: Granted job allocation 1");
    screen.enter("PS1='$ ' PROMPT_COMMAND=");
    assert_eq!(screen.run("echo $SLURM_JOB_ID $SLURM_NTASKS; srun -n1 echo a task"), "1 1\na task\n");
    // An interrupt is the command's that runs, and neither the shell's nor salloc's.
    screen.enter("echo first; sleep 1000");
    screen.until("first");
    screen.press("C-c");
    screen.until("$ ");
    screen.enter("echo second; sleep 1001");
    screen.until("second");
    screen.press("C-z");
    screen.until("[1]+  Stopped");
    let out = screen.run("kill -9 %1; squeue -h -o %T");
    assert!(out.starts_with("RUNNING\n"), "{out}");
    screen.enter("exit 5");
    screen.until("salloc: Relinquishing job allocation 1");
    screen.until("code 5");
    camp.until("the job has ended", || queue(&camp).is_empty());
    assert_eq!(last(&camp), "FAILED|5:0");
}

#[test]
fn the_terminal_is_left_as_it_was_by_a_command_that_dies() {
    let camp = Camp::new();
    let Some(screen) = Screen::open(&camp) else { return };
    let before = screen.run("stty -g");
    screen.enter("salloc bash -c 'stty raw -echo; kill -9 $$'");
    screen.until("salloc: Relinquishing job allocation 1");
    assert_eq!(screen.run("stty -g"), before);
}

#[test]
fn a_stopped_command_stops_salloc_and_both_go_on() {
    let camp = Camp::new();
    let Some(screen) = Screen::open(&camp) else { return };
    screen.enter("salloc bash -c 'kill -STOP $$; echo went on; exit 3'");
    screen.until("[1]+  Stopped");
    assert_eq!(queue(&camp), "RUNNING\n");
    let out = screen.run("fg; echo $?");
    assert!(out.contains("went on\n") && out.ends_with("\n3\n"), "{out}");
    // One that wants to read in the background waits to be brought forward.
    screen.enter("salloc bash -c 'read line; echo read $line' &");
    camp.until("it has begun", || screen.text().contains("Granted job allocation 2"));
    camp.until("it is stopped", || {
        screen.enter("jobs");
        screen.text().lines().any(|line| line.starts_with("[1]+  Stopped") && line.contains("read line"))
    });
    screen.enter("fg");
    screen.until("salloc bash -c 'read line");
    screen.enter("a line");
    screen.until("read a line");
}

#[test]
fn a_terminal_that_is_gone_ends_the_job_and_all_in_it() {
    let camp = Camp::new();
    let Some(screen) = Screen::open(&camp) else { return };
    screen.enter("salloc -n1 bash -c 'srun -n1 sh -c \": >going; exec sleep 1002\" & wait'");
    camp.until("the task runs", || camp.path("work/going").exists());
    screen.close();
    camp.until("the job has ended", || queue(&camp).is_empty());
    camp.until("nothing of it is left", || !camp.processes().iter().any(|(_, line)| line.contains("1002")));
}

#[test]
fn an_interrupt_gives_up_a_job_that_waits() {
    let camp = Camp::new();
    let Some(screen) = Screen::open(&camp) else { return };
    let busy = camp.sbatch(["--exclusive", "--wrap", "exec sleep 1000"]);
    screen.enter("salloc -n1 echo not run; echo code $?");
    screen.until("salloc: job 2 queued and waiting for resources");
    screen.press("C-c");
    screen.until("salloc: Job aborted due to signal");
    screen.until("code 1");
    assert_eq!(camp.state(2), "CANCELLED by 0");
    camp.run("scancel", [busy.to_string()]).ok();
}

#[test]
fn it_lives_through_the_end_of_its_controller() {
    let camp = Camp::new();
    camp.file("wait.sh", "until [ -e go ]; do sleep 0.05; done; exit $1\n");
    let mut running = camp.command("salloc").args(["-n1", "bash", "wait.sh", "3"]).spawn().unwrap();
    camp.until("it runs", || queue(&camp) == "RUNNING\n");
    let busy = camp.sbatch(["--exclusive", "--wrap", "exec sleep 1000"]);
    let mut waiting = camp.command("salloc").args(["-n1", "bash", "wait.sh", "4"]).spawn().unwrap();
    camp.until("the other waits", || queue(&camp).matches("PENDING").count() == 2);
    let killed = camp.complete_status().controller_pid;
    kill(killed, libc::SIGKILL);
    camp.status_without(killed);
    camp.run("scancel", [busy.to_string()]).ok();
    camp.file("go", "");
    assert_eq!(running.wait().unwrap().code(), Some(3));
    assert_eq!(waiting.wait().unwrap().code(), Some(4));
    camp.until("both have ended", || queue(&camp).is_empty());
    assert_eq!((camp.state(1), camp.state(3)), ("FAILED".to_owned(), "FAILED".to_owned()));
}

#[test]
fn a_salloc_that_is_killed_takes_its_job_along() {
    let camp = Camp::new();
    let mut salloc = camp.command("salloc").args(["-n1", "sleep", "1003"]).spawn().unwrap();
    camp.until("it runs", || queue(&camp) == "RUNNING\n");
    kill(salloc.id(), libc::SIGKILL);
    salloc.wait().unwrap();
    camp.until("the job has ended", || queue(&camp).is_empty());
    // The command was no process of the job's.
    for (pid, line) in camp.processes() {
        if line.contains("1003") {
            kill(pid, libc::SIGKILL);
        }
    }
    let mut kept = camp.command("salloc").args(["--no-shell", "-J", "kept"]).spawn().unwrap();
    assert!(kept.wait().unwrap().success());
    assert_eq!(camp.run("squeue", ["-h", "-o", "%j %T"]).ok(), "kept RUNNING\n");
}
