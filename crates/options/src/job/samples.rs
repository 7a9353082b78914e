//! Values for tests, and a file of nodes.

use std::io;

/// The file `./nodes`, and no other.
pub(crate) fn nodes_file(name: &str) -> io::Result<String> {
    match name {
        "./nodes" => Ok("n1\nn2 n[3-4]\n".to_owned()),
        _ => Err(io::Error::other("No such file or directory")),
    }
}

/// A value that each honoured option accepts.
pub(crate) fn sample(long: &str) -> &'static str {
    match long {
        "acctg-freq" => "task=5",
        "array" => "1-3%2",
        "begin" | "deadline" => "now+1hour",
        "dependency" => "afterok:12",
        "distribution" => "block",
        "gpu-bind" => "single:1",
        "gres" => "gpu:a100:2",
        "mem" | "mem-per-cpu" | "tmp" => "2G",
        "extra-node-info" => "2:4",
        "hint" => "nomultithread",
        "kill-on-invalid-dep" => "yes",
        "nodefile" => "./nodes",
        "signal" => "B:USR1@30",
        "nodelist" | "exclude" => "n[1-2]",
        "nodes" => "1-2",
        "ntasks" | "cpus-per-task" | "ntasks-per-node" | "nice" | "gpus" | "gpus-per-node" | "mincpus"
        | "priority" | "core-spec" | "thread-spec" | "cpus-per-gpu" | "ntasks-per-core"
        | "ntasks-per-socket" | "sockets-per-node" | "cores-per-socket" | "threads-per-core" | "time-min" => {
            "3"
        }
        "open-mode" => "append",
        "time" => "1:00:00",
        "mail-type" => "END",
        _ => "x",
    }
}

/// What an option needs beside it where it means nothing alone: its value first.
pub(crate) fn with(long: &str) -> &'static [&'static str] {
    match long {
        "gpus-per-task" | "ntasks-per-gpu" => &["3", "-n", "6"],
        "gpus-per-socket" => &["2", "--sockets-per-node=2"],
        "mem-per-gpu" => &["100", "--gpus=2"],
        _ => &[],
    }
}
