use super::*;
use proptest::prelude::*;

fn now() -> Zoned {
    "2026-11-22T12:00[UTC]".parse().unwrap()
}

/// What an update asks for, as text.
fn text(line: &str) -> String {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    match read(&words, &now(), |user| user == "me") {
        Err(lines) => lines.join(" / "),
        Ok(None) => "no job".to_owned(),
        Ok(Some(update)) => {
            let mut text = update.ids.or(update.name).unwrap_or_default();
            for change in update.changes {
                text += &match change {
                    Asked::Change(change) => format!(" {change:?}"),
                    Asked::TimeLimitBy(minutes) => format!(" {minutes:+}"),
                    Asked::Refused(reject) => format!(" ({reject})"),
                };
            }
            text
        }
    }
}

#[test]
fn updates() {
    for (line, expected) in [
        ("JobId=12 TimeLimit=10", "12 TimeLimit(Minutes(10))"),
        ("timelimit=1-0 job=12,13", "12,13 TimeLimit(Minutes(1440))"),
        ("job 12_3 name=new", "12_3 Name(\"new\")"),
        ("jobid=12 jobname=new nice=-5", "12 Name(\"new\") Nice(-5)"),
        ("jobid=12 nice", "12 Nice(100)"),
        ("jobid=12 timelimit=+10", "12 +10"),
        ("jobid=12 timelimit+=10", "12 +10"),
        ("jobid=12 TimeLimit-=1:30:00", "12 -90"),
        ("jobid=12 timelimit=-1", "12 -1"),
        ("jobname=old timelimit=3", "old TimeLimit(Minutes(3))"),
        ("jobid=12 comm=said account=", "12 Comment(Some(\"said\")) Account(None)"),
        (
            "jobid=12 numnodes=2-4 numcpus=8 reqprocs=4",
            "12 Nodes(NodeRange { min: 2, max: Some(4) }) Cpus(8) Tasks(4)",
        ),
        ("jobid=12 minmemoryn=500 minmemorycpu=5", "12 Memory(PerNode(500)) Memory(PerCpu(5))"),
        ("jobid=12 shared=yes over=no", "12 OverSubscribe(true) OverSubscribe(false)"),
        ("jobid=12 dependency= excnode=", "12 Dependency(None) Exclude(None)"),
        ("jobid=12 timelimit 10 comment x", "12 TimeLimit(Minutes(10)) Comment(Some(\"x\"))"),
        (
            "jobid=12 nodelist=n1 reqnodelist=n2",
            "12 NodeList(Some(HostList { names: [\"n1\"] })) NodeList(Some(HostList { names: [\"n2\"] }))",
        ),
        ("jobid=12 resetaccruetime sitefactor=-5 reboot=1", "12 ResetAccrueTime SiteFactor(-5) Reboot(true)"),
        ("jobid=12 numnodes=x endtime=x nice=1", "12 Nice(1)"),
        ("jobid=12 numnodes=x", "12"),
        ("jobid=12 userid=nobody timelimit=5", "Invalid UserID: nobody / Request aborted"),
        (
            "jobid=12 switches=2@10 swit=1",
            "Update of this parameter is not supported: swit=1 / Request aborted",
        ),
        ("jobid=12 switches=0", "12 Switches(None)"),
        ("jobid=12 dependency=what", "12 (Job dependency problem)"),
        ("jobid=12 licenses=:", "12 (Invalid license specification)"),
        (
            "jobid=12 corespec=1 burstbuffer=x",
            "12 (Access/permission denied) (Requested operation not supported on this system)",
        ),
        ("jobid=12 mailtype=end,fail", "12 MailType([\"END\", \"FAIL\"])"),
        ("jobid=12 mailtype=bad", "Invalid MailType: bad"),
        ("jobid=12 timelimit=bad", "scontrol: error: Invalid TimeLimit value"),
        ("jobid=12 timelimit=+bad", "scontrol: error: Invalid TimeLimit value"),
        ("jobid=12 requeue=yes", "scontrol: error: Invalid Requeue value: yes"),
        ("jobid=12 contiguous=x", "scontrol: error: Invalid Contiguous value: x"),
        ("jobid=12 deadline=bad", "Invalid time specification (pos=0): bad / No changes specified"),
        ("jobid=12 foo=1", "Update of this parameter is not supported: foo=1 / Request aborted"),
        ("jobid=12 comment", "Invalid input: comment / Request aborted"),
        ("jobid=12", "No changes specified"),
        ("jobid=12 userid=me", "No changes specified"),
    ] {
        assert_eq!(text(line), expected, "{line}");
    }
}

#[test]
fn what_is_about_no_job() {
    for line in ["timelimit=5", "nice=3"] {
        assert_eq!(text(line), "no job", "{line}");
    }
}

proptest! {
    #[test]
    fn no_word_makes_it_panic(words in proptest::collection::vec("[A-Za-z]{0,12}[+-]?=?[a-z0-9:,@_-]{0,8}", 0..4)) {
        let mut words = words;
        words.push("jobid=1".to_owned());
        let _ = read(&words, &now(), |_| true);
    }
}
