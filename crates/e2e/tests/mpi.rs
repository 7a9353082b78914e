//! MPI programs as steps: what `srun --mpi=pmi2` gives to tasks, and real programs of MPICH.

use bivouac_e2e::Camp;
use std::process::Command;

/// A cluster of four nodes.
const CONF: &str = "SlurmctldHost=head\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core\n\
                    NodeName=n[1-4] CPUs=4 RealMemory=4000\nPartitionName=main Nodes=ALL Default=YES\n";

fn four_nodes(camp: &Camp, more: &str) {
    camp.file("conf/slurm.conf", &format!("ClusterName=test\n{CONF}{more}"));
    camp.bivouac(["up", "--slurm-conf", camp.path("work/conf").to_str().unwrap()]).ok();
}

/// Runs a batch script to its end; its output, standard error included, in the order of its lines' texts.
#[track_caller]
fn job(camp: &Camp, options: &[&str], script: &str) -> Vec<String> {
    let id = camp.sbatch(options.iter().copied().chain(["-o", "out", "--wrap", script]));
    camp.wait(id);
    let mut lines: Vec<String> = camp.read("out").lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A task that speaks PMI-1 by hand: it puts its place, waits for the others and asks for the last one's.
const BY_HAND: &str = r#"ask() { printf '%s\n' "$1" >&$PMI_FD; read -r answer <&$PMI_FD; }
ask 'cmd=init pmi_version=1 pmi_subversion=1'
ask 'cmd=get kvsname=x key=PMI_process_mapping'; echo "$answer"
ask "cmd=put kvsname=x key=k$PMI_RANK value=rank $PMI_RANK on $SLURMD_NODENAME"
ask 'cmd=barrier_in'
ask "cmd=get kvsname=x key=k$((PMI_SIZE - 1))"; echo "$PMI_RANK of $PMI_JOBID: $answer"
ask 'cmd=finalize'; echo "$answer $SLURM_MPI_TYPE"
"#;

#[test]
fn tasks_find_each_other_through_their_pmi_fd() {
    let camp = Camp::new();
    four_nodes(&camp, "");
    camp.file("by-hand", BY_HAND);
    let out = job(&camp, &["-N2", "--ntasks-per-node=2"], "srun --mpi=pmi2 bash by-hand");
    let last = "cmd=get_result rc=0 value=rank 3 on n2";
    let mut expected: Vec<String> = (0..4).map(|rank| format!("{rank} of 1.0: {last}")).collect();
    expected.extend(vec!["cmd=finalize_ack rc=0 pmi2".to_owned(); 4]);
    expected.extend(vec!["cmd=get_result rc=0 value=(vector,(0,2,2))".to_owned(); 4]);
    assert_eq!(out, expected);
}

#[test]
fn a_task_that_aborts_ends_the_step() {
    let camp = Camp::new();
    four_nodes(&camp, "");
    camp.file(
        "abort",
        "printf 'cmd=init pmi_version=1 pmi_subversion=1\\n' >&$PMI_FD; read -r _ <&$PMI_FD\n\
         [ $PMI_RANK = 1 ] && printf 'cmd=abort exitcode=5 error_msg=lost\\n' >&$PMI_FD\nread -r _ <&$PMI_FD\n",
    );
    let out = job(&camp, &["-N2", "-n2"], "srun --mpi=pmi2 bash abort; echo rc $?");
    let said = |text: &str| assert!(out.iter().any(|line| line.contains(text)), "{text} is not in {out:#?}");
    said("rc 137");
    said("srun: Job step aborted: Waiting up to");
    said("*** STEP 1.0 ON n1 CANCELLED AT");
    said("srun: error: n1: task 0: Killed");
}

#[test]
fn a_slurm_conf_says_which_kind_is_the_default() {
    let camp = Camp::new();
    four_nodes(&camp, "MpiDefault=pmi2\n");
    let out = job(
        &camp,
        &["-n1"],
        "srun sh -c 'echo ${PMI_FD:+connected} ${PMI_RANK-none}'; srun --mpi=none sh -c 'echo ${PMI_RANK-none}'
         srun sh -c 'srun --overlap --mpi=none sh -c \"echo inner \\${PMI_FD-none}\"'",
    );
    assert_eq!(out, ["connected 0", "inner none", "none"], "an inner step does not find an outer one's");
    let config = camp.run("scontrol", ["show", "config"]).ok();
    assert!(config.contains("\nMpiDefault              = pmi2\n"), "{config}");
}

#[test]
fn kinds_are_listed_and_others_refused_with_advice() {
    let camp = Camp::new();
    assert_eq!(camp.run("srun", ["--mpi=list"]).ok(), "MPI plugin types are...\n\tnone\n\tpmi2\n");
    let said = camp.run("srun", ["--mpi=pmix", "true"]);
    assert_eq!(said.code, 1);
    assert!(said.err.ends_with("Invalid MPI type 'pmix', --mpi=list for acceptable types\n"), "{}", said.err);
    let hinted = camp.with("BIVOUAC_HINTS", "1").run("srun", ["--mpi=pmix", "true"]).err;
    assert!(
        hinted.ends_with("MPICH programs with srun --mpi=pmi2\n") && hinted.contains("mpirun"),
        "{hinted}"
    );
}

/// A program that prints who it is and what all ranks add up to.
const SUM: &str = r#"#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
    int rank, size, sum, length;
    char node[MPI_MAX_PROCESSOR_NAME];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(node, &length);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("%d of %d on %s: %d\n", rank, size, node, sum);
    if (argc > 1 && rank == 1) MPI_Abort(MPI_COMM_WORLD, 3);
    if (argc > 1) MPI_Barrier(MPI_COMM_WORLD);
    return MPI_Finalize();
}
"#;

/// Compiles the program with this compiler. Whether there is such a one: else that is said loudly.
fn compile(camp: &Camp, compiler: &str) -> bool {
    camp.file("sum.c", SUM);
    let done = Command::new(compiler).args(["-o", "sum", "sum.c"]).current_dir(camp.path("work")).status();
    match done {
        Ok(status) => {
            assert!(status.success(), "{compiler}: {status}");
            true
        }
        Err(_) => {
            eprintln!("SKIPPED: there is no {compiler}, which `cargo xtask test` installs");
            false
        }
    }
}

fn mpich_runs(camp: &Camp) {
    if !compile(camp, "mpicc.mpich") {
        return;
    }
    four_nodes(camp, "");
    let expected = |places: [&str; 4]| {
        places
            .into_iter()
            .enumerate()
            .map(|(rank, node)| format!("{rank} of 4 on {node}: 6"))
            .collect::<Vec<_>>()
    };
    let nodes = ["-N2", "--ntasks-per-node=2"];
    assert_eq!(job(camp, &nodes, "srun --mpi=pmi2 ./sum"), expected(["n1", "n1", "n2", "n2"]));
    assert_eq!(job(camp, &nodes, "srun --mpi=pmi2 -m cyclic ./sum"), expected(["n1", "n2", "n1", "n2"]));
    let out = job(camp, &nodes, "srun --mpi=pmi2 ./sum then-abort; echo rc $?");
    assert!(out.iter().any(|line| line == "rc 137"), "{out:#?}");
    assert!(
        out.iter().any(|line| line.contains("application called MPI_Abort(MPI_COMM_WORLD, 3)")),
        "{out:#?}"
    );
}

#[test]
fn mpich_runs_over_two_nodes() {
    mpich_runs(&Camp::new());
}

#[test]
fn mpich_runs_for_an_ordinary_user() {
    if let Some(camp) = Camp::of_ordinary_user() {
        mpich_runs(&camp);
    }
}

/// Started by an mpiexec in the job: each rank's line, and the names of the job's steps.
fn started_by(command: &str, compiler: &str) -> Option<(Vec<String>, String)> {
    // As root, Open MPI wants to be asked twice.
    let camp = Camp::new().with("OMPI_ALLOW_RUN_AS_ROOT", "1").with("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    if !compile(&camp, compiler) {
        return None;
    }
    four_nodes(&camp, "");
    let out = job(&camp, &["-N2", "--ntasks-per-node=2"], command);
    Some((out, camp.run("sacct", ["-n", "-P", "-j", "1", "-o", "JobName,NTasks,NodeList,State"]).ok()))
}

const EACH_ON_ITS_NODE: [&str; 4] =
    ["0 of 4 on n1: 6", "1 of 4 on n1: 6", "2 of 4 on n2: 6", "3 of 4 on n2: 6"];

#[test]
fn open_mpi_starts_its_daemon_on_the_other_node_through_srun() {
    let Some((out, steps)) = started_by("mpirun.openmpi ./sum", "mpicc.openmpi") else { return };
    assert_eq!(out, EACH_ON_ITS_NODE);
    // It does not wait for its daemons' ends: the job's may come first.
    assert!(steps.contains("\norted|1|n2|"), "{steps}");
}

#[test]
fn mpichs_mpiexec_starts_its_proxies_through_srun() {
    let Some((out, steps)) = started_by("mpiexec.mpich ./sum", "mpicc.mpich") else { return };
    assert_eq!(out, EACH_ON_ITS_NODE);
    assert!(steps.contains("\nhydra_pmi_proxy|2|n[1-2]|COMPLETED\n"), "{steps}");
}

/// A program of Slurm's own PMI-2 library.
const PMI2: &str = r#"#include <slurm/pmi2.h>
#include <stdio.h>
#include <string.h>
#define MUST(x) if ((x) != PMI2_SUCCESS) { printf("%d: %s\n", rank, #x); return 1; }
int main(void) {
    int spawned, size, rank = -1, app, found, length;
    char id[64], value[256], key[16];
    MUST(PMI2_Init(&spawned, &size, &rank, &app));
    MUST(PMI2_Job_GetId(id, sizeof id));
    sprintf(key, "k%d", rank);
    sprintf(value, "of %d; a=b", rank);
    MUST(PMI2_KVS_Put(key, value));
    if (rank % 2) MUST(PMI2_Info_PutNodeAttr("segment", rank == 1 ? "first" : "second"));
    MUST(PMI2_KVS_Fence());
    sprintf(key, "k%d", (rank + 1) % size);
    MUST(PMI2_KVS_Get(id, PMI2_ID_NULL, key, value, sizeof value, &length));
    printf("%d of %d in %s: %s", rank, size, id, value);
    MUST(PMI2_Info_GetNodeAttr("segment", value, sizeof value, &found, 1));
    printf(", %s", value);
    MUST(PMI2_Info_GetJobAttr("PMI_process_mapping", value, sizeof value, &found));
    printf(", %s", value);
    if (rank == 0) MUST(PMI2_Nameserv_publish("service", NULL, "port 7"));
    MUST(PMI2_KVS_Fence());
    MUST(PMI2_Nameserv_lookup("service", NULL, value, sizeof value));
    printf(", %s\n", value);
    return PMI2_Finalize();
}
"#;

#[test]
fn programs_of_libpmi2_run() {
    let camp = Camp::new();
    if !std::path::Path::new("/usr/include/slurm/pmi2.h").exists() {
        eprintln!("SKIPPED: there is no libpmi2, which `cargo xtask test` installs");
        return;
    }
    camp.file("pmi2.c", PMI2);
    let done =
        Command::new("cc").args(["-o", "pmi2", "pmi2.c", "-lpmi2"]).current_dir(camp.path("work")).status();
    assert!(done.unwrap().success());
    four_nodes(&camp, "");
    let out = job(&camp, &["-N2", "--ntasks-per-node=2"], "srun --mpi=pmi2 ./pmi2");
    let line = |rank: usize, segment: &str| {
        format!("{rank} of 4 in 1.0: of {}; a=b, {segment}, (vector,(0,2,2)), port 7", (rank + 1) % 4)
    };
    assert_eq!(out, [line(0, "first"), line(1, "first"), line(2, "second"), line(3, "second")]);
}
