//! Real Slurm as a private cluster: munge, MariaDB, slurmdbd, slurmctld and one slurmd for each node, on loopback, with a
//! folder and ports of its own. [`super::guard`] stops them.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::system::{Account, System};

/// The nodes of the reference's slurm.conf.
const NODES: [&str; 4] = ["n1", "n2", "n3", "n4"];
/// Slurm's commands, linked into a folder so that PATH has the same form on both systems.
const COMMANDS: [&str; 14] = [
    "sacct", "sacctmgr", "salloc", "sattach", "sbatch", "sbcast", "scancel", "scontrol", "sdiag", "sinfo",
    "sprio", "squeue", "srun", "sstat",
];
const MORE_COMMANDS: [&str; 3] = ["sshare", "sreport", "strigger"];

/// This machine's name.
pub fn host() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host.trim().split('.').next().unwrap_or("localhost").to_owned()
}

/// Fills the reference's templates in `templates` into `folder`.
///
/// # Errors
/// A file that cannot be read or written.
pub fn configure(templates: &Path, folder: &Path, ports: &[u16; 8]) -> Result<(), String> {
    let host = host();
    let names = ["CTLD", "DBD", "SQL", "SLURMD", "N1", "N2", "N3", "N4"];
    for file in ["slurm.conf", "gres.conf", "slurmdbd.conf"] {
        let from = templates.join(file);
        let mut text = std::fs::read_to_string(&from).map_err(|e| format!("{}: {e}", from.display()))?;
        text = text.replace("@DIR@", &folder.display().to_string()).replace("@HOST@", &host);
        for (name, port) in names.iter().zip(ports) {
            text = text.replace(&format!("@{name}_PORT@"), &port.to_string());
        }
        let to = folder.join(file);
        std::fs::write(&to, text).map_err(|e| format!("{}: {e}", to.display()))?;
        let mode = if file == "slurmdbd.conf" { 0o600 } else { 0o644 };
        std::fs::set_permissions(&to, PermissionsExt::from_mode(mode))
            .map_err(|e| format!("{}: {e}", to.display()))?;
    }
    Ok(())
}

/// Eight neighbouring ports that nobody listens on, below those that connections take; other ones with each call.
///
/// # Errors
/// None were found.
pub fn free_ports() -> Result<[u16; 8], String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = (std::process::id() as u16).wrapping_mul(64);
    for _ in 0..2000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(8);
        let first = 20_000 + seed.wrapping_add(step) % 12_000;
        let ports: [u16; 8] = std::array::from_fn(|n| first + n as u16);
        let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).ok();
        let listeners: Vec<_> = ports.iter().filter_map(free).collect();
        if listeners.len() == ports.len() {
            return Ok(ports);
        }
    }
    Err("no eight free ports between 20000 and 32000".to_owned())
}

/// An empty database, made once and copied for each cluster.
///
/// # Errors
/// What MariaDB said.
pub fn database(folder: &Path) -> Result<(), String> {
    let mut install = Command::new("mariadb-install-db");
    install.args([
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--user=root",
    ]);
    install.arg(format!("--datadir={}", folder.display()));
    succeed(&mut install)
}

/// Starts a cluster in `folder`, which is empty and whose processes the guard knows to stop. Gives up once `stop` is set.
///
/// # Errors
/// What did not start, and where its log is.
pub fn start(
    templates: &Path,
    database: &Path,
    folder: &Path,
    ports: [u16; 8],
    stop: &AtomicBool,
) -> Result<System, String> {
    for name in ["munge", "run", "state", "spool", "log", "sqltmp", "bin", "home", "work", "said"] {
        std::fs::create_dir_all(folder.join(name)).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    for command in COMMANDS.iter().chain(&MORE_COMMANDS) {
        symlink(Path::new("/usr/bin").join(command), folder.join("bin").join(command))
            .map_err(|e| format!("{command}: {e}"))?;
    }
    // slurmd sets no variables for a file of gres.conf that is no device.
    for (name, device) in [("gpu0", "/dev/null"), ("gpu1", "/dev/zero")] {
        symlink(device, folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
    }
    configure(templates, folder, &ports)?;
    let system = System {
        name: "Slurm",
        folder: folder.to_owned(),
        configuration: folder.to_owned(),
        variables: vec![("SLURM_CONF".to_owned(), folder.join("slurm.conf").display().to_string())],
    };
    let root = Account::of(None)?;
    let path = |name: &str| folder.join(name).display().to_string();
    let start = |program: &str, arguments: &[String]| {
        let mut command = system.command(program, &root);
        succeed(command.args(arguments)).map_err(|e| format!("{e}; logs: {}", path("log")))
    };

    succeed(
        Command::new("dd")
            .args(["if=/dev/urandom", "bs=128", "count=1"])
            .arg(format!("of={}", path("munge/key"))),
    )?;
    std::fs::set_permissions(folder.join("munge/key"), PermissionsExt::from_mode(0o600))
        .map_err(|e| e.to_string())?;
    let munge = [
        ("key-file", "munge/key"),
        ("socket", "munge/socket"),
        ("seed-file", "munge/seed"),
        ("pid-file", "run/munged.pid"),
        ("log-file", "log/munged.log"),
    ];
    let mut arguments = vec!["--force".to_owned()];
    arguments.extend(munge.iter().map(|(name, file)| format!("--{name}={}", path(file))));
    start("munged", &arguments)?;

    succeed(Command::new("cp").args(["-r", &database.display().to_string(), &path("sql")]))?;
    // Without tables of privileges: it listens on loopback, and holds nothing of value.
    let mut mariadb = system.command("mariadbd", &root);
    mariadb
        .args(["--no-defaults", "--user=root", "--skip-grant-tables", "--bind-address=127.0.0.1"])
        .args([
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=32M",
            "--innodb-doublewrite=0",
        ])
        .args([format!("--datadir={}", path("sql")), format!("--tmpdir={}", path("sqltmp"))])
        .args([format!("--socket={}", path("run/sql.sock")), format!("--port={}", ports[2])])
        .args([format!("--pid-file={}", path("run/sql.pid")), format!("--log-error={}", path("log/sql.log"))])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    use std::os::unix::process::CommandExt;
    mariadb.process_group(0).spawn().map_err(|e| format!("mariadbd: {e}"))?;
    until("MariaDB listens", stop, || TcpStream::connect(("127.0.0.1", ports[2])).is_ok())?;
    start("slurmdbd", &[])?;
    until("slurmdbd listens", stop, || TcpStream::connect(("127.0.0.1", ports[1])).is_ok())?;
    until("slurmdbd answers", stop, || {
        let qos = system.command("sacctmgr", &root).args(["-n", "-P", "show", "qos", "format=name"]).output();
        qos.is_ok_and(|o| o.stdout == b"normal\n")
    })?;
    let accounts = std::fs::File::open(templates.join("accounts.sacctmgr"))
        .map_err(|e| format!("accounts.sacctmgr: {e}"))?;
    succeed(system.command("sacctmgr", &root).args(["-i", "-Q"]).stdin(accounts))
        .map_err(|e| format!("{e}; logs: {}", path("log")))?;
    // For bivouac, which reads the accounts beside slurm.conf.
    start(
        "sacctmgr",
        &[
            "-i".to_owned(),
            "dump".to_owned(),
            "reference".to_owned(),
            format!("file={}", path("sacctmgr.dump")),
        ],
    )?;
    let qos = system
        .command("sacctmgr", &root)
        .args(["-P", "show", "qos"])
        .output()
        .map_err(|e| format!("sacctmgr: {e}"))?;
    std::fs::write(folder.join("sacctmgr.qos"), qos.stdout).map_err(|e| format!("sacctmgr.qos: {e}"))?;
    start("slurmctld", &["-c".to_owned()])?;
    for node in NODES {
        start("slurmd", &["-N".to_owned(), node.to_owned()])?;
    }
    until("all nodes are idle", stop, || {
        let states = system.command("sinfo", &root).args(["-h", "-N", "-p", "main", "-o", "%T"]).output();
        states.is_ok_and(|o| o.stdout == "idle\n".repeat(NODES.len()).as_bytes())
    })
    .map_err(|e| format!("{e}; logs: {}", path("log")))?;
    Ok(system)
}

/// Runs a command that must succeed.
///
/// # Errors
/// What it said.
pub fn succeed(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    // Daemons keep what they inherit, so the output is a file, not a pipe.
    let said = tempfile::tempfile().map_err(|e| e.to_string())?;
    let copy = |file: &std::fs::File| file.try_clone().map_err(|e| e.to_string());
    let status =
        command.stdout(copy(&said)?).stderr(copy(&said)?).status().map_err(|e| format!("{name}: {e}"))?;
    if status.success() {
        return Ok(());
    }
    use std::io::{Read, Seek};
    let (mut said, mut text) = (said, String::new());
    let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
    Err(format!("{name}: {status}: {}", text.trim()))
}

fn until(what: &str, stop: &AtomicBool, mut holds: impl FnMut() -> bool) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        if Instant::now() > until || stop.load(Ordering::Relaxed) {
            return Err(format!("in vain: {what}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
