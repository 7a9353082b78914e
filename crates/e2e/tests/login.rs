//! The login view of a site and its jobs, as root and as an ordinary user, with namespaces and without.

use bivouac_e2e::Camp;

const SITE: [&str; 3] = ["up", "--site", "alpine@2023-07"];

fn alpine(camp: Camp) -> Camp {
    camp.bivouac(SITE).ok();
    camp
}

fn user_of(camp: &Camp) -> String {
    camp.run("id", ["-un"]).ok().trim().to_owned()
}

fn looks_as_on_the_site(camp: &Camp) {
    let user = user_of(camp);
    let script = "hostname; echo $HOME; ls -d /projects/$USER /scratch/alpine/$USER; cd /projects/$USER && pwd; \
                  type -t module; type -t sbatch; module list -t 2>&1";
    let out = camp.bivouac(["login", "--", "bash", "-c", script]).ok();
    let expected = format!(
        "login-ci1\n/home/{user}\n/projects/{user}\n/scratch/alpine/{user}\n/projects/{user}\nfunction\nfile\nslurm/alpine\n"
    );
    assert_eq!(out, expected);
}

fn jobs_have_the_same_view(camp: &Camp) {
    let user = user_of(camp);
    let script = "cd /projects/$USER && cat > job.sh <<'J'\n#!/bin/bash\n#SBATCH --partition=amilan\n#SBATCH --qos=normal\n\
                  #SBATCH --ntasks=4\n#SBATCH --time=00:05:00\n#SBATCH --output=job.out\nhostname\npwd\ntouch $SLURM_SCRATCH/x && echo scratch\n\
                  module load python 2>/dev/null && echo $LOADEDMODULES\ncommand -v squeue > /dev/null && echo commands\n\
                  bash -l -c 'command -v squeue' > /dev/null && echo commands\nJ\nsbatch --wait -Q job.sh; cat job.out; squeue -h";
    let out = camp.bivouac(["login", "--", "bash", "-c", script]).ok();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("c3cpu-"), "{out}");
    assert_eq!(lines[1], format!("/projects/{user}"));
    assert_eq!(lines[2], "scratch");
    assert!(lines[3].starts_with("slurm/alpine:python/"), "{out}");
    assert_eq!(lines[4..], ["commands", "commands"], "{out}");
    camp.until("the job's scratch folder is removed", || {
        std::fs::read_dir(camp.place().state_dir.join("scratch")).map_or(0, Iterator::count) == 0
    });
}

#[test]
fn the_login_node_looks_as_on_the_site() {
    looks_as_on_the_site(&alpine(Camp::new()));
}

#[test]
fn jobs_have_the_view_too() {
    jobs_have_the_same_view(&alpine(Camp::new()));
}

#[test]
fn an_ordinary_user_has_it_as_well() {
    let Some(camp) = Camp::of_ordinary_user() else { return };
    let camp = alpine(camp);
    looks_as_on_the_site(&camp);
    jobs_have_the_same_view(&camp);
}

#[test]
fn without_namespaces_the_same_folders_stand_under_one_root() {
    let camp = alpine(Camp::new().with("BIVOUAC_NO_NAMESPACES", "1"));
    let files = camp.place().state_dir.join("files");
    let user = user_of(&camp);
    let script = "echo $HOME $PROJECTS $SCRATCH; type -t module; cd $PROJECTS && sbatch --wait -Q -p amilan -n 4 -o out \
                  --wrap 'pwd; module load python 2>/dev/null && echo $LOADEDMODULES; command -v squeue >/dev/null && echo found; \
                  touch $SLURM_SCRATCH/x && echo scratch' && cat out";
    let out = camp.bivouac(["login", "--", "bash", "-c", script]).ok();
    let lines: Vec<&str> = out.lines().collect();
    let root = files.display();
    assert_eq!(lines[0], format!("{root}/home/{user} {root}/projects/{user} {root}/scratch/alpine/{user}"));
    assert_eq!(lines[1], "function");
    assert_eq!(lines[2], format!("{root}/projects/{user}"));
    assert!(lines[3].starts_with("slurm/alpine:python/"), "{out}");
    assert_eq!(lines[4..], ["found", "scratch"], "{out}");
}

#[test]
fn the_environment_of_export_none_is_a_login_shells() {
    let camp = alpine(Camp::new());
    for (script, export) in
        [("#!/bin/bash", "NONE"), ("#!/bin/sh", "NONE"), ("#!/bin/bash -l", "X=1"), ("#!/bin/sh", "ALL")]
    {
        let job = format!(
            "cd /projects/$USER && printf '%s\\n' '{script}' 'set -eu' 'module load anaconda' 'conda info --base >/dev/null' \
             'dash -c \"bash -c \\\"module list -t\\\"\" 2>&1 | grep anaconda' 'echo HOME=$HOME' > j.sh && \
             sbatch --wait -Q -o out --export={export} -p amilan j.sh; echo rc=$?; cat out"
        );
        let out = camp.bivouac(["login", "--", "bash", "-c", &job]).ok();
        let expected = format!("rc=0\nanaconda/2022.10\nHOME=/home/{}\n", user_of(&camp));
        assert_eq!(out, expected, "{script} --export={export}");
    }
}

#[test]
fn a_partition_of_another_site_is_refused_with_slurms_text_and_on_a_terminal_the_way_there() {
    let camp = Camp::new();
    let said = camp.run("sbatch", ["-p", "amilan", "--wrap", "true"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("error: invalid partition specified: amilan"), "{said:?}");
    assert!(said.err.contains("Batch job submission failed: Invalid partition name specified"), "{said:?}");
    assert!(!said.err.contains("bivouac"), "no hint without a terminal: {said:?}");
    let camp = camp.with("BIVOUAC_HINTS", "1");
    let said = camp.run("sbatch", ["-p", "amilan", "--wrap", "true"]);
    assert!(said.err.contains("up --site alpine@2023-07"), "{said:?}");
}

#[test]
fn a_qos_that_the_partition_does_not_allow_is_answered_with_those_it_does() {
    let camp = alpine(Camp::new().with("BIVOUAC_HINTS", "1"));
    let said = camp.run("sbatch", ["-p", "amem", "--wrap", "true"]);
    assert!(said.err.contains("Invalid qos specification"), "{said:?}");
    assert!(said.err.contains("partition amem allows the QoS mem"), "{said:?}");
}

#[test]
fn a_command_that_is_not_there_yet_says_so_before_a_command_of_the_host_answers() {
    let camp = alpine(Camp::new());
    let said = camp.bivouac(["login", "--", "bash", "-c", "sview -n 1; seff 1"]);
    assert!(said.err.contains("sview: error: this cluster does not have sview: use squeue"), "{said:?}");
    assert!(said.err.contains("seff: error"), "{said:?}");
}

#[test]
fn the_owner_is_an_ordinary_user_on_a_site_unless_he_says_admin() {
    let camp = alpine(Camp::new());
    camp.sbatch(["-p", "amilan", "--hold", "--wrap", "true"]);
    let change = ["scontrol", "update", "JobId=1", "Nice=-100"];
    let refused = camp.bivouac(change);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("Access/permission denied"), "{refused:?}");
    camp.bivouac(["--admin"].into_iter().chain(change)).ok();
    assert!(camp.run("scontrol", ["show", "job", "1"]).ok().contains("Nice=-100"));
}

/// A slurm.conf has no paths of its own: the login node is this machine, with the cluster's commands.
#[test]
fn a_slurm_conf_has_a_login_node_too() {
    let camp = Camp::new();
    camp.file("conf/slurm.conf", "ClusterName=c\nNodeName=n1 CPUs=2\nPartitionName=p Nodes=n1 Default=YES\n");
    camp.bivouac(["up", "--slurm-conf", camp.path("work/conf").to_str().unwrap()]).ok();
    // What the file says by now is not what runs.
    camp.file("conf/slurm.conf", "ClusterName=c\nNonsense=1\n");
    assert_eq!(camp.bivouac(["login", "--", "sinfo", "-h", "-o", "%P %N"]).ok(), "p* n1\n");
}
