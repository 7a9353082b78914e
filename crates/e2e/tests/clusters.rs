//! `--clusters`: this cluster by its name or `all`, in Slurm's words.

use bivouac_e2e::Camp;

#[test]
fn this_cluster_is_known_by_its_name_and_as_all() {
    let camp = Camp::new();
    for name in ["test", "all", "Test", "test,ALL"] {
        assert!(camp.run("sbatch", ["-M", name, "--wrap", "true"]).ok().ends_with(" on cluster test\n"));
        assert!(camp.run("squeue", ["-M", name]).ok().starts_with("CLUSTER: test\n   "));
        assert!(camp.run("sinfo", ["-M", name]).ok().starts_with("CLUSTER: test\nPARTITION"));
        assert!(!camp.run("sinfo", ["-h", "-M", name]).ok().contains("CLUSTER"));
    }
    assert_eq!(
        camp.run("sbatch", ["--parsable", "--clusters=test", "-W", "--wrap", "true"]).ok(),
        "5;test\n"
    );
    let ids =
        |cluster: &str| camp.run("sacct", ["-X", "-n", "-P", "-o", "JobID", "-j", "5", "-M", cluster]).ok();
    assert_eq!((ids("all").as_str(), ids("test").as_str(), ids("other").as_str()), ("5\n", "5\n", ""));
    camp.run("scancel", ["-M", "test", "5"]).ok();
    assert!(camp.run("scontrol", ["-M", "test", "ping"]).ok().contains(" is UP"));
    let camp = camp.with("SLURM_CLUSTERS", "test");
    assert!(camp.run("squeue", [""; 0]).ok().starts_with("CLUSTER: test\n"));
}

#[test]
fn another_name_is_not_known_by_the_database() {
    let camp = Camp::new();
    let refusal = |program: &str, entry: &str| {
        format!(
            "{program}: error: No cluster 'nope' known by database.\n{program}: error: 'nope' can't be reached now, or it \
             is an invalid entry for {entry}.  Use 'sacctmgr list clusters' to see available clusters.\n"
        )
    };
    for (program, words) in [
        ("sbatch", vec!["--wrap", "true"]),
        ("squeue", vec![]),
        ("sinfo", vec![]),
        ("scancel", vec!["1"]),
        ("scontrol", vec!["ping"]),
    ] {
        let said = camp.run(program, ["-M", "nope"].iter().chain(&words));
        assert_eq!((said.code, said.out.as_str(), said.err), (1, "", refusal(program, "--cluster")));
        let said = camp.run("env", ["SLURM_CLUSTERS=nope", program].iter().chain(&words));
        let entry = if ["sbatch", "scancel"].contains(&program) { "--cluster" } else { "SLURM_CLUSTERS" };
        assert_eq!((said.code, said.err), (1, refusal(program, entry)));
    }
    let said = camp.run("squeue", ["-h", "-M", "nope,test"]);
    assert_eq!((said.code, said.err.as_str()), (0, "squeue: error: No cluster 'nope' known by database.\n"));
}

#[test]
fn a_terminal_is_told_how_another_cluster_is_spoken_to() {
    let camp = Camp::new().with("BIVOUAC_HINTS", "1");
    camp.bivouac(["--cluster", "second", "up"]).ok();
    let status = camp.bivouac(["--cluster", "second", "status"]).ok();
    assert!(
        status.contains("\nkeeper      process ") && status.contains("\nreaper      process "),
        "{status}"
    );
    let said = camp.run("squeue", ["-M", "second"]);
    assert!(said.err.starts_with("squeue: error: No cluster 'second' known by database.\n"), "{said:?}");
    assert!(
        said.err.contains("bivouac: cluster second is spoken to by `BIVOUAC_CLUSTER=second squeue ...`\n")
    );
    let said = camp.run("squeue", ["-M", "nope"]);
    assert!(said.err.contains("this is cluster test, and it knows no other"), "{said:?}");
    camp.bivouac(["--cluster", "second", "down"]).ok();
}
