//! The command lines that programs around Slurm run, and what they make of the answers: portals, notebook hubs,
//! workflow engines, viewers and exporters of metrics. Each is a contract of its own: options, formats and variables as
//! they are used there.

use bivouac_e2e::Camp;

const CONF: &str = "ClusterName=test
SlurmctldHost=head
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
GresTypes=gpu
FirstJobId=101
NodeName=n[1-4] CPUs=8 Sockets=2 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=8000 Feature=fast Gres=gpu:tesla:2
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00
PartitionName=debug Nodes=n[1-2] MaxTime=00:30:00
";

/// A cluster of four nodes with a finished job 101, a running job 102 and job 103 that is held.
struct Site {
    camp: Camp,
    user: String,
}

fn site() -> Site {
    let camp = Camp::new();
    camp.file("conf/slurm.conf", CONF);
    camp.file("conf/gres.conf", "NodeName=n[1-4] Name=gpu Type=tesla Count=2\n");
    camp.bivouac(["up", "--slurm-conf", camp.path("work/conf").to_str().unwrap()]).ok();
    assert_eq!(camp.sbatch(["-W", "-J", "done", "-o", "/dev/null", "--wrap", "true"]), 101);
    let running =
        ["-J", "long name", "-N1", "-n2", "--mem=300M", "-t", "30", "-w", "n2", "--wrap", "sleep 300"];
    assert_eq!(camp.sbatch(running), 102);
    assert_eq!(camp.sbatch(["-H", "-J", "held", "-p", "debug", "--wrap", "true"]), 103);
    camp.until("102 runs", || camp.run("squeue", ["-h", "-j102", "-o%t"]).ok() == "R\n");
    let user = camp.run("id", ["-un"]).ok().trim().to_owned();
    Site { camp, user }
}

impl Site {
    /// A command line as it stands in a shell.
    #[track_caller]
    fn sh(&self, line: &str) -> String {
        self.camp.run("sh", ["-c", line]).ok()
    }

    /// The same, with `USER` for the user's name in what is expected.
    #[track_caller]
    fn says(&self, line: &str, expected: &str) {
        assert_eq!(self.sh(line), expected.replace("USER", &self.user), "{line}");
    }
}

#[test]
fn notebook_hubs() {
    let s = site();
    s.says("squeue -h -j 102 -o \"%T %B\"", "RUNNING n2\n");
    s.says("squeue -h -j 103 -o \"%T %B\"", "PENDING n/a\n");
    s.says("squeue -h -j 999 -o \"%T %B\" 2>&1 || true", "slurm_load_jobs error: Invalid job id specified\n");
    // The hub's script comes by standard input, and its environment is a list of names.
    let script = "#!/bin/bash\n#SBATCH --output=hub.log\n#SBATCH --job-name=spawner-jupyterhub\n\
                  #SBATCH --chdir=.\n#SBATCH --export=PATH,LANG,HUB_TOKEN\n#SBATCH --get-user-env=L\n\
                  set -euo pipefail\ntrap 'echo SIGTERM received' TERM\necho \"token $HUB_TOKEN\"\n";
    let camp = s.camp.with("HUB_TOKEN", "secret");
    let said = camp.feed("sbatch", ["--parsable"], script);
    assert_eq!((said.code, said.out.as_str()), (0, "104\n"), "{said:?}");
    camp.wait(104);
    assert_eq!(camp.read("hub.log"), "token secret\n");
}

#[test]
fn workflow_engines() {
    let s = site();
    let queue = |options: &str| {
        let text = s.sh(&format!("squeue --noheader -o '%i %t' -t all {options}"));
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join(",")
    };
    assert_eq!(queue(&format!("-u {}", s.user)), "101 CD,102 R,103 PD");
    assert_eq!(queue(&format!("-p debug -u {}", s.user)), "103 PD");
    // One job is asked for twice, so that an unknown one is no error.
    let format = "%i^^^%t^^^%r^^^%B^^^%u^^^%D^^^%C^^^%R^^^%P^^^%l^^^%j";
    s.says(
        &format!("SLURM_TIME_FORMAT='standard' squeue --noheader -o '{format}' --jobs=102,102"),
        "102^^^R^^^None^^^n2^^^USER^^^1^^^2^^^n2^^^main^^^30:00^^^long name\n",
    );
    s.says(&format!("squeue --noheader -o '{format}' --jobs=998,998"), "");
    let stamp = s.sh("SLURM_TIME_FORMAT=%s squeue -h -j 102 -o %S");
    assert!(stamp.trim().parse::<i64>().is_ok_and(|t| t > 1_600_000_000), "{stamp}");
    s.says(
        "squeue --format '%A|%u|%t|%.15j|%Z' --noheader -j 102 | cut -d'|' -f1-4",
        "102|USER|R|      long name\n",
    );
    s.says(
        "sbatch -J cromwell_1 -D . -o c.out -e c.err -t 10 -p main -c 1 --mem-per-cpu 100 --wrap '/bin/bash -c true'",
        "Submitted batch job 104\n",
    );
    s.camp.wait(104);
    s.says("sacct -j 104 -o JobIDRaw,State,ExitCode -n -P -X", "104|COMPLETED|0:0\n");
    s.says(
        "sacct --parsable --noheader --jobs=104 --format=JobID,State",
        "104|COMPLETED|\n104.batch|COMPLETED|\n",
    );
    s.says(
        "printf '#!/bin/bash\\n#SBATCH -J nf-hello\\n#SBATCH -o nf.log\\n#SBATCH --no-requeue\\n\
         #SBATCH --signal B:USR2@30\\n#SBATCH -c 2\\n#SBATCH -t 01:00:00\\n#SBATCH --mem 300M\\necho $SLURM_CPUS_PER_TASK\\n' \
         > .command.run; sbatch .command.run",
        "Submitted batch job 105\n",
    );
    s.camp.wait(105);
    assert_eq!(s.camp.read("nf.log"), "2\n");
}

#[test]
fn portals_separate_fields_by_control_characters() {
    let s = site();
    let fields = ["%i", "%j", "%T", "%P", "%C", "%D", "%N", "%l", "%u"];
    let format = format!("\u{1e}{}", fields.join("\u{1f}"));
    let args = ["--all", "--states=all", "--noconvert", "-o", &format, "-j", "102", "-M", "test"];
    let text = s.camp.run("squeue", args).ok();
    let rows: Vec<&str> = text.split('\u{1e}').collect();
    assert_eq!(rows[0], "CLUSTER: test\n");
    let values: Vec<&str> = rows[2].trim_end().split('\u{1f}').collect();
    assert_eq!(values, ["102", "long name", "RUNNING", "main", "2", "1", "n2", "30:00", &*s.user]);
    let script = "#!/bin/bash\necho $SLURM_JOB_NAME ${FROM_CALLER-none}\n";
    let camp = s.camp.with("FROM_CALLER", "yes");
    let args =
        ["-J", "ood/session", "-D", ".", "-o", "ood.log", "--export", "NONE", "--parsable", "-M", "test"];
    assert_eq!(camp.feed("sbatch", args, script).out, "104;test\n");
    camp.wait(104);
    assert_eq!(camp.read("ood.log"), "ood/session none\n");
    assert_eq!(camp.run("scontrol", ["release", "103", "-M", "test"]).ok(), "");
}

#[test]
fn exporters_of_metrics() {
    let s = site();
    s.says("sinfo -h -o %C", "2/30/0/32\n");
    s.says("squeue -a -r -h -o '%A|%u|%T|%C' -t R", "102|USER|RUNNING|2\n");
    s.says("squeue -h -o '%P,%T,%C' -t PD", "debug,PENDING,1\n");
    s.says("sinfo -h -o '%R,%C' -p debug", "debug,2/14/0/16\n");
    s.says("sinfo -h -o '%D,%T' -p main | sort", "1,mixed\n3,idle\n");
    s.says("sinfo -h -o '%n %G' -n n2", "n2 gpu:tesla:2\n");
    let nodes = s.sh("sinfo -h -N -p main -O 'NodeList,AllocMem,Memory,CPUsState,StateLong'");
    let nodes: Vec<Vec<&str>> = nodes.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(nodes[0], ["n1", "0", "8000", "0/8/0/8", "idle"]);
    assert_eq!(nodes[1], ["n2", "300", "8000", "2/6/0/8", "mixed"]);
    let queue = s.sh("squeue -rh -t R -O state,username,Partition,NumTasks,tres-alloc:70,Reason:70");
    let queue: Vec<&str> = queue.split_whitespace().collect();
    assert_eq!(queue, ["RUNNING", &*s.user, "main", "2", "cpu=2,mem=300M,node=1,billing=2", "None"]);
    let fields = "NodeHost,StateLong,SocketCoreThread,CPUsState,Memory,AllocMem,Disk,Weight,Features:100,Gres:100,GresUsed:100";
    let node = s.sh(&format!("sinfo -Nh -n n1 -p main -O {fields}"));
    let node: Vec<&str> = node.split_whitespace().collect();
    assert_eq!(node[..10], ["n1", "idle", "2:4:1", "0/8/0/8", "8000", "0", "0", "1", "fast", "gpu:tesla:2"]);
    s.says(
        "sacct -a -X --format=AllocTRES --state=RUNNING --noheader --parsable2",
        "billing=2,cpu=2,mem=300M,node=1\n",
    );
    assert!(s.sh("sdiag").contains("Server thread count:"));
}

#[test]
fn viewers_separate_fields_by_a_suffix() {
    let s = site();
    s.says(
        "squeue --array --noheader -t R --Format 'JobArrayID:###v###,Name:###v###,State:###v###,UserName:###v###,\
         TimeLimit:###v###,tres-alloc:###v###,Partition:###v###,NodeList:###v###,Reason:###v###'",
        "102###v###long name###v###RUNNING###v###USER###v###30:00###v###cpu=2,mem=300M,node=1,billing=2###v###main###v###\
         n2###v###None###v###\n",
    );
    let files = s.sh("squeue -h -j 102 -O 'StdOut:256,WorkDir:256'");
    let work = s.camp.path("work").canonicalize().unwrap();
    let files: Vec<&str> = files.split_whitespace().collect();
    assert_eq!(files, [&*work.join("slurm-102.out").to_string_lossy(), &*work.to_string_lossy()]);
    s.says(
        "squeue --job 102 --noheader --form '%i<><>%j|%%|%.10i|%2t%100j' | sed 's/ *$//'",
        "102<><>long name|%|       102|R long name\n",
    );
    let shown = s.sh("scontrol show job -o 102");
    for pair in
        ["JobId=102", "JobState=RUNNING", "NumCPUs=2", "TimeLimit=00:30:00", "Partition=main", "NodeList=n2"]
    {
        assert!(shown.split_whitespace().any(|word| word == pair), "{pair} in {shown}");
    }
    s.says("scontrol show hostnames 'n[1-2],n4'", "n1\nn2\nn4\n");
    s.says("scontrol show hostlist n1,n2,n4", "n[1-2,4]\n");
    s.says("sinfo -h -o %R", "main\ndebug\n");
    s.says("sinfo -sh -o '%P %F'", "main* 1/3/0/4\ndebug 1/1/0/2\n");
    s.says("squeue -h -j 102 -o %N", "n2\n");
}

/// By these a program decides whether a Slurm is there, and of what kind.
#[test]
fn what_a_slurm_is_known_by() {
    let s = site();
    for program in ["sbatch", "squeue", "scancel", "sinfo", "scontrol", "sacct", "srun"] {
        s.says(&format!("{program} --version"), "slurm 22.05.8\n");
        s.says(&format!("command -v {program} > /dev/null && {program} -V"), "slurm 22.05.8\n");
    }
    assert!(s.sh("scontrol ping").contains("Slurmctld(primary) at "));
    let config = s.sh("scontrol show config");
    for (key, value) in
        [("ClusterName", "test"), ("SelectType", "select/cons_tres"), ("MinJobAge", "300 sec")]
    {
        let line = config.lines().find(|l| l.split('=').next().is_some_and(|k| k.trim() == key));
        assert_eq!(line.and_then(|l| l.split_once("= ")).map(|(_, v)| v.trim()), Some(value), "{key}");
    }
    s.says("sinfo -h -N -p debug -o '%N|%t' -e", "n1|idle\nn2|mix\n");
}
