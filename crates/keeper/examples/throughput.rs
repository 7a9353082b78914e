//! Short jobs through a keeper: `throughput DIR JOBS WIDTH PROGRAM [ARGUMENT...]` runs JOBS times PROGRAM, at most WIDTH
//! at once, standard output to a file each, every end recorded and acknowledged. Prints jobs/s and the keeper's memory.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bivouac_keeper::client::connect_or_start;
use bivouac_keeper::order::{LaunchOrder, Stream};
use bivouac_keeper::protocol::{FromKeeper, ToKeeper};
use bivouac_keeper::report::Attempt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args();
    let mut next = || words.next().ok_or("usage: throughput DIR JOBS WIDTH KEEPER PROGRAM [ARGUMENT...]");
    next()?;
    let dir = PathBuf::from(next()?);
    let (jobs, width): (u32, u32) = (next()?.parse()?, next()?.parse()?);
    let keeper = next()?;
    let argv: Vec<Vec<u8>> = words.map(String::into_bytes).collect();
    let (client, welcome) = connect_or_start(OsStr::new(&keeper), &dir, &[], Duration::from_secs(5))?;
    let (mut sender, mut receiver) = (client.sender, client.receiver);
    // SAFETY: no arguments.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let order = |job| {
        let path = dir.join(format!("out-{job}")).into_os_string().into_encoded_bytes();
        ToKeeper::Launch(Box::new(LaunchOrder {
            attempt: Attempt { job, restart: 0 },
            uid,
            gid,
            argv: argv.clone(),
            env: vec![b"PATH=/usr/bin:/bin".to_vec()],
            cwd: b"/tmp".to_vec(),
            stdout: Stream::Write { path, append: false },
            stderr: Stream::SameAsStdout,
            umask: 0o022,
            ..Default::default()
        }))
    };
    let begun = Instant::now();
    let mut next_job = width.min(jobs);
    let mut done = 0;
    let first: Vec<ToKeeper> = (1..=next_job).map(order).collect();
    sender.send_all(&first)?;
    let mut answers = Vec::new();
    while done < jobs {
        match receiver.receive()? {
            FromKeeper::Exited(report) => {
                done += 1;
                answers.push(ToKeeper::Ack { attempt: report.attempt });
                if next_job < jobs {
                    next_job += 1;
                    answers.push(order(next_job));
                }
            }
            FromKeeper::Launched { .. } => {}
            other => return Err(format!("{other:?}").into()),
        }
        if !answers.is_empty() && !receiver.has_message() {
            sender.send_all(&answers)?;
            answers.clear();
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{jobs} jobs, {width} at once, {:?}: {:.0} jobs/s", welcome.kill_mode, jobs as f64 / seconds);
    for (name, pid) in [("keeper", welcome.keeper_pid), ("reaper", welcome.reaper_pid)] {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let lines = status.lines().filter(|l| l.starts_with("VmRSS") || l.starts_with("Rss"));
        println!("{name}: {}", lines.map(|l| l.replace(['\t', ' '], "")).collect::<Vec<_>>().join(" "));
        let ticks = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> = ticks.split(' ').collect();
        println!("{name}: user {} ticks, system {} ticks", fields[13], fields[14]);
    }
    sender.send(&ToKeeper::Shutdown { cancel: true })?;
    Ok(())
}
