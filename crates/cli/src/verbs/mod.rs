//! `bivouac VERB`: what is about the cluster itself and not a command of Slurm's.

mod complete;
mod doctor;
mod down;
mod ephemeral;
mod fault;
mod link;
mod login;
mod manual;
mod setup;
mod status;
mod up;

use bivouac_proto::place::Place;
use std::ffi::OsString;
use std::process::ExitCode;

const HELP: &str = "\
bivouac: your own Slurm cluster on one machine

usage: bivouac [--cluster NAME] [--admin] VERB [OPTIONS]

  up [--site PROFILE]       start the cluster (a first command starts one of the site `local` by itself)
     [--slurm-conf DIR]     of the shape that DIR/slurm.conf describes; --dry-run only reads and checks it
  down [--cancel]           stop it; running jobs go on, with --cancel they are cancelled first
  ephemeral [--site PROFILE | --slurm-conf DIR] -- COMMAND...
                            a private cluster while COMMAND runs, first on its PATH; nothing is left of it
  fault add|list|clear      let something go wrong on purpose, to test what a tool then does: `bivouac fault`
                            tells how
  status [--json]           what runs where
  doctor                    what of a job is enforced here, only watched, or missing, and what would help
  login [-- COMMAND...]     a shell on the site's login node, or one command there
  link DIR                  make sbatch, squeue, ... in DIR as links to this program
  man DIR                   write the manual pages of all commands below DIR (add it to MANPATH)
  completion bash|fish|zsh  print the shell's completion of all commands, as in
                            `source <(bivouac completion bash)`
  setup --paths [--state-dir DIR]
                            where namespaces are forbidden: make the site's literal paths
                            (needs root once; as root for somebody else: his cluster's state folder)
  sbatch, srun, squeue, scancel, sinfo, scontrol, sacct, sprio, sshare, sdiag, strigger, sreport
                            Slurm's commands; each has its --help
  seff, seff-array, jobstats, suuser, suacct
                            what sites add to them: how well jobs used what they had, and what was used

  --cluster NAME            another cluster beside the usual one (or BIVOUAC_CLUSTER)
  --admin                   on a site's profile, or where a slurm.conf names a SlurmUser, the owner is an ordinary user;
                            with this he acts as the operator, for example
                            `bivouac --admin scontrol update JobId=7 Nice=-100`

  BIVOUAC_STATE_DIR         the folder that holds the clusters, instead of ~/.local/state/bivouac
  BIVOUAC_HINTS             0: no remarks that Slurm would not make; 1: also where standard error is no terminal
";

/// Runs a verb. `args` begins after the program's name.
pub fn run(args: &[OsString]) -> ExitCode {
    let mut cluster = None;
    let mut rest = args;
    loop {
        match rest.first().and_then(|a| a.to_str()) {
            Some("--cluster") => {
                let Some(name) = rest.get(1).and_then(|a| a.to_str()) else {
                    return usage("--cluster needs a name");
                };
                cluster = Some(name.to_owned());
                rest = &rest[2..];
            }
            Some(a) if a.starts_with("--cluster=") => {
                cluster = Some(a["--cluster=".len()..].to_owned());
                rest = &rest[1..];
            }
            Some("--admin") => {
                crate::cluster::act_as_operator();
                rest = &rest[1..];
            }
            _ => break,
        }
    }
    // `bivouac up --cluster NAME` means the same.
    let mut options = Words::new(rest.get(1..).unwrap_or_default());
    if verb_of(rest).is_some_and(is_own) {
        match options.value("--cluster") {
            Ok(named) => cluster = named.or(cluster),
            Err(code) => return code,
        }
    }
    if let Some(name) = &cluster {
        // Slurm's commands and the shells of a login take it from here.
        // SAFETY: no other thread exists yet.
        unsafe { std::env::set_var("BIVOUAC_CLUSTER", name) };
    }
    let Some(verb) = verb_of(rest) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    // `fault` has a help of its own.
    if is_own(verb) && verb != "fault" && (options.flag("--help") || options.flag("-h")) {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match verb {
        "up" => up::run(options),
        "down" => down::run(options),
        "ephemeral" => ephemeral::run(options),
        "fault" => fault::run(options),
        "status" => status::run(options),
        "doctor" => doctor::run(options),
        "login" => login::run(options),
        "link" => link::run(options),
        "man" => manual::run(options, HELP),
        "completion" => complete::script(options),
        "complete" => complete::answer(rest.get(1..).unwrap_or_default()),
        "setup" => setup::run(options),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        "--version" | "-V" => {
            println!("bivouac {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        name => match crate::command(name) {
            Some(command) => command(&rest[1..]),
            None => usage(&format!("there is no verb `{name}`")),
        },
    }
}

fn verb_of(words: &[OsString]) -> Option<&str> {
    words.first()?.to_str()
}

/// Whether a verb is ours, so that its options are, too.
fn is_own(verb: &str) -> bool {
    ["up", "down", "ephemeral", "fault", "status", "doctor", "login", "link", "man", "completion", "setup"]
        .contains(&verb)
}

/// What is wrong with the command line, and where to look.
fn usage(what: &str) -> ExitCode {
    eprintln!("bivouac: {what}; `bivouac --help` lists what there is");
    ExitCode::from(2)
}

/// One line of error, exit 1.
fn fail(what: impl std::fmt::Display) -> ExitCode {
    for line in what.to_string().lines() {
        eprintln!("bivouac: error: {line}");
    }
    ExitCode::FAILURE
}

/// The cluster that is meant.
fn place() -> Result<Place, ExitCode> {
    Place::find(None).map_err(fail)
}

/// The few options of a verb: taken out one by one; what is left over is an error.
struct Words {
    words: Vec<OsString>,
}

impl Words {
    fn new(words: &[OsString]) -> Words {
        Words { words: words.to_vec() }
    }

    fn before_dashes(&self) -> usize {
        self.words.iter().position(|w| w == "--").unwrap_or(self.words.len())
    }

    /// Takes a flag.
    fn flag(&mut self, name: &str) -> bool {
        let end = self.before_dashes();
        let found = self.words[..end].iter().position(|w| w == name);
        found.map(|at| self.words.remove(at)).is_some()
    }

    /// Takes `NAME VALUE` or `NAME=VALUE`.
    fn value(&mut self, name: &str) -> Result<Option<String>, ExitCode> {
        let end = self.before_dashes();
        let with = format!("{name}=");
        for at in 0..end {
            let Some(word) = self.words[at].to_str() else { continue };
            if let Some(value) = word.strip_prefix(&with) {
                let value = value.to_owned();
                self.words.remove(at);
                return Ok(Some(value));
            }
            if word == name {
                let value = self.words.get(at + 1).filter(|_| at + 1 < end).and_then(|v| v.to_str());
                let Some(value) = value.map(str::to_owned) else {
                    return Err(usage(&format!("{name} needs a value")));
                };
                self.words.drain(at..at + 2);
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// What comes after `--`.
    fn command(&mut self) -> Vec<OsString> {
        let at = self.before_dashes();
        let mut command = self.words.split_off(at);
        if !command.is_empty() {
            command.remove(0);
        }
        command
    }

    /// The one operand that is left.
    fn operand(&mut self, what: &str) -> Result<OsString, ExitCode> {
        match self.words.len() {
            1 => Ok(self.words.remove(0)),
            0 => Err(usage(&format!("{what} is missing"))),
            _ => Err(usage(&format!("only one {what} is expected"))),
        }
    }

    /// The operands that are left, as text.
    fn operands(self) -> Result<Vec<String>, ExitCode> {
        let text =
            |w: OsString| w.into_string().map_err(|w| usage(&format!("`{}` is not UTF-8", w.display())));
        let words = self.words.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
        match words.iter().find(|w| w.starts_with('-')) {
            None => Ok(words),
            Some(word) => Err(usage(&format!("`{word}` is not understood here"))),
        }
    }

    /// Nothing may be left.
    fn end(self) -> Result<(), ExitCode> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(usage(&format!("`{}` is not understood here", word.to_string_lossy()))),
        }
    }
}
