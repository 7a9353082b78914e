//! sbatch: scripts, options from three places, what goes along, and what is refused.

use bivouac_e2e::Camp;
use bivouac_proto::frame;
use bivouac_proto::message::{Ask, Request, Response, Submission};
use bivouac_types::JobId;
use std::io::BufReader;

#[test]
fn the_command_line_wins_over_variables_and_they_over_directives() {
    let camp = Camp::new();
    camp.file("job.sh", "#!/bin/sh\n#SBATCH -t 1 -J directive --comment=\"of the script\" -H\ntrue\n");
    let shown = |args: &[&str]| {
        let mut command = camp.command("sbatch");
        let out = command
            .env("SBATCH_TIMELIMIT", "2")
            .env("SBATCH_JOB_NAME", "variable")
            .args(args)
            .output()
            .unwrap();
        let id = String::from_utf8(out.stdout).unwrap();
        camp.run("squeue", ["-h", "-o", "%l|%j|%k", "-j", id.trim()]).ok()
    };
    assert_eq!(shown(&["--parsable", "job.sh"]), "2:00|variable|of the script\n");
    assert_eq!(shown(&["--parsable", "-t3", "-J", "line", "job.sh"]), "3:00|line|of the script\n");
}

#[test]
fn scripts_come_from_files_from_path_and_from_standard_input() {
    let camp = Camp::new();
    let said = camp.feed("sbatch", ["--wait", "-o", "out"], "#!/bin/sh\necho $SLURM_JOB_NAME $#\n");
    assert_eq!((said.code, camp.read("out")), (0, "sbatch 0\n".to_owned()));

    let tool =
        camp.file("tools/job-on-path", "#!/bin/sh\necho $SLURM_JOB_NAME $BIVOUAC_SUBMIT_SCRIPT_DIR \"$@\"\n");
    let mut command = camp.command("sbatch");
    let path = format!("{}:/usr/bin:/bin", camp.path("work/tools").display());
    let out = command
        .env("PATH", path)
        .args(["--wait", "-o", "out", "job-on-path", "-n", "two words"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    let folder = tool.parent().unwrap().display().to_string();
    assert_eq!(camp.read("out"), format!("job-on-path {folder} -n two words\n"));

    for (args, text) in [
        (vec!["nosuch.sh"], "sbatch: error: Unable to open file nosuch.sh\n"),
        (
            vec!["--wrap", "true", "job.sh"],
            "sbatch: error: Script arguments not permitted with --wrap option\n",
        ),
    ] {
        let said = camp.run("sbatch", &args);
        assert_eq!((said.code, said.err.as_str()), (1, text));
    }
    let said = camp.feed("sbatch", ["-Q"], "echo hi\n");
    assert!(
        said.code == 1
            && said.err.starts_with("sbatch: error: This does not look like a batch script.  The first\n")
    );
    let said = camp.feed("sbatch", ["-Q"], "#!/bin/sh\r\ntrue\r\n");
    assert!(said.code == 1 && said.err.starts_with("sbatch: error: Batch script contains DOS line breaks"));
}

#[test]
fn what_cannot_be_read_ends_with_slurms_text_before_anything_is_started() {
    let camp = Camp::new();
    camp.file("bad.sh", "#!/bin/sh\n#SBATCH --tme=5\ntrue\n");
    camp.file("quote.sh", "#!/bin/sh\n#SBATCH -J \"open\ntrue\n");
    for (args, code, text) in [
        (vec!["-t", "bad", "--wrap", "true"], 255, "sbatch: error: Invalid --time specification\n"),
        (
            vec!["--foo"],
            255,
            "sbatch: unrecognized option '--foo'\nTry \"sbatch --help\" for more information\n",
        ),
        (
            vec!["bad.sh"],
            255,
            "sbatch: unrecognized option '--tme=5'\nTry \"sbatch --help\" for more information\n",
        ),
        (vec!["quote.sh"], 1, "sbatch: fatal: quote.sh: line 2: Unmatched `\"` in [ \"open]\n"),
        (vec!["-n", "0", "--wrap", "true"], 1, "sbatch: error: Invalid numeric value \"0\" for --ntasks.\n"),
    ] {
        let said = camp.run("sbatch", &args);
        assert_eq!((said.code, said.err.as_str()), (code, text), "{args:?}");
    }
    assert!(camp.status().is_none(), "no cluster was started");
}

#[test]
fn lines_without_effect_are_named_on_a_terminal_only() {
    let camp = Camp::new();
    camp.file("job.sh", "#!/bin/sh\n#sbatch -n 3\ntrue\n#SBATCH -t 5\n");
    assert_eq!(camp.run("sbatch", ["-H", "job.sh"]).err, "");
    let camp = camp.with("BIVOUAC_HINTS", "1");
    let said = camp.run("sbatch", ["-H", "--reboot", "job.sh"]);
    assert_eq!(said.code, 0, "{said:?}");
    for hint in [
        "bivouac: job.sh: line 2 has no effect, SBATCH must be written in capitals: #sbatch -n 3\n",
        "bivouac: job.sh: line 4 has no effect, it comes after the first command: #SBATCH -t 5\n",
        "bivouac: --reboot: nodes are never booted\n",
    ] {
        assert!(said.err.contains(hint), "{hint} in {said:?}");
    }
}

#[test]
fn the_environment_goes_along_as_export_says_byte_for_byte() {
    let camp = Camp::new();
    let ran = |export: &[&str], script: &[&str]| {
        let mut command = camp.command("sbatch");
        command.env("LINES2", "a\nb").env("OTHER", "x").env("BASH_FUNC_hi%%", "() { echo from a function\n}");
        let out = command.args(["--wait", "-Q", "-o", "out"]).args(export).args(script).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        camp.read("out")
    };
    // dash drops names that are none of its own; a bash script has them.
    camp.file("job.sh", "#!/bin/bash\nprintf '%s|%s|' \"$LINES2\" $OTHER; hi\n");
    assert_eq!(ran(&[], &["job.sh"]), "a\nb|x|from a function\n");
    let lists = &["--wrap", "echo \"$OTHER,$NEW,${LINES2+set},$SLURM_GET_USER_ENV\""];
    assert_eq!(ran(&["--export=OTHER,NEW='1,2'"], lists), "x,1,2,,1\n");
    // As observed: the assignment wins, and the login environment is loaded.
    assert_eq!(ran(&["--export=ALL,OTHER=mine,NEW=3"], lists), "mine,3,set,1\n");
    assert_eq!(ran(&["--export=NONE"], lists), ",,,1\n");
}

#[test]
fn answers_for_tools() {
    let camp = Camp::new();
    assert_eq!(camp.run("sbatch", ["-V"]).ok(), "slurm 22.05.8\n");
    assert_eq!(camp.run("sbatch", ["--wrap", "true"]).ok(), "Submitted batch job 1\n");
    assert_eq!(camp.run("sbatch", ["--parsable", "--wrap", "true"]).ok(), "2\n");
    assert_eq!(camp.run("sbatch", ["-Q", "--wrap", "true"]).ok(), "");
    let said = camp.run("sbatch", ["--test-only", "--wrap", "true"]);
    assert!(
        said.code == 0 && said.out.is_empty() && said.err.starts_with("sbatch: Job 4 to start at "),
        "{said:?}"
    );
    assert!(
        said.err.contains(" using 1 processors on nodes ") && said.err.contains(" in partition local\n"),
        "{said:?}"
    );
    assert_eq!(camp.run("sbatch", ["--wait", "-Q", "--wrap", "exit 7"]).code, 7);
    assert_eq!(
        camp.run("sbatch", ["--wait", "-Q", "--wrap", "kill -9 $$"]).code,
        1,
        "a signal is 1, as sbatch(1) says"
    );
    let said = camp.run("sbatch", ["--container=x", "--wrap", "true"]);
    assert_eq!(said.code, 255);
    assert!(said.err.starts_with("sbatch: error: --container is not available here: "), "{said:?}");
    for (args, code) in [(["-t", "bad"], 255), (["-p", "nope"], 7)] {
        let mut command = camp.command("sbatch");
        let out = command.env("SLURM_EXIT_ERROR", "7").args(args).args(["--wrap", "true"]).output().unwrap();
        assert_eq!(out.status.code(), Some(code), "SLURM_EXIT_ERROR is for what comes after the options");
    }
}

/// A controller that takes a submission and breaks off before it answers.
#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_key() {
    let camp = Camp::new();
    let place = camp.place();
    place.create().unwrap();
    let listener = place.listen().unwrap();
    let controller = std::thread::spawn(move || {
        let take = || {
            loop {
                let mut stream = BufReader::new(listener.accept().unwrap().0);
                // Somebody may first look whether anybody is there.
                while let Ok(request) = frame::read::<Request>(&mut stream) {
                    match request.body {
                        Ask::Submit(submission) => return (stream, *submission),
                        _ => frame::write(stream.get_mut(), &Response::Pong { host: "here".into() }).unwrap(),
                    }
                }
            }
        };
        let (stream, first): (_, Submission) = take();
        drop(stream);
        let (mut stream, second) = take();
        frame::write(stream.get_mut(), &Response::Submitted(JobId(77))).unwrap();
        assert_eq!(first.key.len(), 32);
        assert_eq!((&first.key, &first.payload), (&second.key, &second.payload));
    });
    assert_eq!(camp.run("sbatch", ["--wrap", "true"]).ok(), "Submitted batch job 77\n");
    controller.join().unwrap();
    std::fs::remove_file(place.socket()).unwrap();
}

/// submitit and others name the output's folder by the job's number, and make it once they know the number.
#[test]
fn the_outputs_folder_may_be_made_when_the_number_is_known() {
    let camp = Camp::new();
    let job = camp.sbatch(["-o", "log/%j/out", "--wrap", "echo here"]);
    camp.until("it was launched", || camp.run("squeue", ["-h", "-o", "%T"]).ok() == "RUNNING\n");
    camp.file(&format!("log/{job}/made"), "");
    assert_eq!(camp.wait(job).code, 0);
    assert_eq!(camp.read(&format!("log/{job}/out")), "here\n");
    let job = camp.sbatch(["-o", "never/out", "--wrap", "true"]);
    camp.wait(job);
    assert_eq!(camp.state(job), "FAILED", "in the end it is missed");
}
