//! What the tasks of a step run: one command, or what a --multi-prog file says.

use super::launch;
use super::multi::Programs;
use crate::bounded;
use crate::srun::{fail, shell_word};
use bivouac_options::Given;
use bivouac_options::srun::Request;
use bivouac_proto::message::StepLayout;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the tasks run.
pub struct Commands {
    argv: Vec<OsString>,
    /// The file and what it holds, with --multi-prog.
    file: Option<(String, String)>,
    programs: Option<Programs>,
    /// Where names are looked for.
    path: Option<OsString>,
    /// The program's file.
    program: PathBuf,
    /// The folder of the tasks; none: srun's.
    pub chdir: Option<PathBuf>,
}

/// The largest file of --multi-prog, in bytes: a line for each of very many tasks.
const LARGEST: u64 = 16 << 20;

/// The text of the file of --multi-prog.
fn read(name: &OsStr) -> Option<String> {
    String::from_utf8(bounded::read(File::open(name).ok()?, LARGEST).ok()?).ok()
}

impl Commands {
    /// Reads the command line.
    ///
    /// # Errors
    /// The exit code; the error is printed.
    pub fn read(
        request: &Request,
        given: &Given,
        path: Option<OsString>,
        chdir: Option<PathBuf>,
    ) -> Result<Commands, ExitCode> {
        let argv = given.operands.clone();
        let Some(name) = argv.first() else { return Err(ExitCode::FAILURE) };
        let mut file = None;
        let program = launch::resolve(name, path.as_deref());
        if request.multi_prog {
            let shown = name.to_string_lossy().into_owned();
            let text = read(name)
                .ok_or_else(|| fail(format_args!("Could not open multi_prog config file {shown}")))?;
            file = Some((shown, text));
        } else if program.as_os_str() == name.as_os_str() {
            shell_word(name)?;
        }
        Ok(Commands { argv, file, programs: None, path, program, chdir })
    }

    fn parse(&self, tasks: u32) -> Result<Option<Programs>, ExitCode> {
        let Some((name, text)) = &self.file else { return Ok(None) };
        Programs::parse(name, text, tasks)
            .map(Some)
            .map_err(|errors| errors.iter().fold(ExitCode::FAILURE, |_, error| fail(error)))
    }

    /// Checks the file of --multi-prog, if it is known already for how many tasks it must do.
    ///
    /// # Errors
    /// The exit code; the error is printed.
    pub fn check(&self, tasks: Option<u32>) -> Result<(), ExitCode> {
        tasks.map_or(Ok(()), |tasks| self.parse(tasks).map(drop))
    }

    /// For the step that was granted. A program that was copied is run in place of its original.
    ///
    /// # Errors
    /// The exit code; the error is printed.
    pub fn ready(mut self, copy: Option<PathBuf>, layout: &StepLayout) -> Result<Commands, ExitCode> {
        self.programs = self.parse(layout.nodes.iter().map(|n| n.tasks).sum())?;
        if let Some(copy) = copy {
            self.argv[0] = copy.clone().into_os_string();
            self.program = copy;
        }
        self.chdir = self.chdir.map(|dir| launch::folder(dir, layout));
        Ok(self)
    }

    /// What the task of that rank runs.
    pub fn of(&self, rank: u32) -> launch::Program {
        let chdir = self.chdir.clone();
        match &self.programs {
            None => launch::Program { path: self.program.clone(), argv: self.argv.clone(), chdir },
            Some(programs) => {
                let argv: Vec<OsString> = programs.of(rank).into_iter().map(OsString::from).collect();
                let path = launch::resolve(&argv[0], self.path.as_deref());
                launch::Program { path, argv, chdir }
            }
        }
    }
}
