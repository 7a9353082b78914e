//! A terminal at which a test types as a person does: tmux holds it, on a socket of its own.

use crate::Camp;
use std::cell::Cell;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A screen of 100 columns and 30 rows with a shell in it, closed when it goes out of use.
pub struct Screen<'a> {
    camp: &'a Camp,
    socket: PathBuf,
    commands: Cell<u32>,
}

impl<'a> Screen<'a> {
    /// Opens a screen whose shell's prompt is `$ `; none, said loudly, where there is no tmux.
    pub fn open(camp: &'a Camp) -> Option<Screen<'a>> {
        if Command::new("tmux").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            eprintln!("SKIPPED: there is no tmux, which `cargo xtask test` installs");
            return None;
        }
        let screen = Screen { camp, socket: camp.path("tmux"), commands: Cell::default() };
        let shell = "exec env PS1='$ ' PROMPT_COMMAND= bash --norc --noprofile -i";
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", shell]);
        screen.until("$ ");
        Some(screen)
    }

    /// Types text, and Enter after it.
    pub fn enter(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.press("Enter");
    }

    /// Presses a key as tmux calls it: `C-c`, `C-z`, `Enter`.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// What is to be seen.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until a line begins so and gives the text; a prompt is a line that holds nothing more.
    #[track_caller]
    pub fn until(&self, beginning: &str) -> String {
        let mut text = String::new();
        self.camp.until(&format!("a line {beginning:?} on the screen"), || {
            text = self.text();
            let last = text.trim_end().lines().last().unwrap_or_default();
            match beginning {
                "$ " => last == "$",
                _ => text.lines().any(|line| line.starts_with(beginning)),
            }
        });
        text
    }

    /// Types a command and waits for its end; gives what it printed.
    #[track_caller]
    pub fn run(&self, command: &str) -> String {
        let number = self.commands.get() + 1;
        self.commands.set(number);
        // As it is typed, the marks are not the lines that are waited for.
        self.enter(&format!("echo begun-$((0+{number})); {command}; echo over-$((0+{number}))"));
        let text = self.until(&format!("over-{number}"));
        let lines = text.lines().skip_while(|line| *line != format!("begun-{number}")).skip(1);
        lines.take_while(|line| *line != format!("over-{number}")).map(|line| format!("{line}\n")).collect()
    }

    /// Takes the terminal away, as a window that is closed or a connection that breaks.
    pub fn close(self) {}

    #[track_caller]
    fn tmux(&self, words: &[&str]) -> String {
        let mut tmux = self.camp.command("tmux");
        let out = tmux.env("TERM", "xterm").arg("-S").arg(&self.socket).args(words).output().unwrap();
        assert!(out.status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text =
                self.camp.command("tmux").arg("-S").arg(&self.socket).args(["capture-pane", "-p"]).output();
            let text = text.map(|out| out.stdout).unwrap_or_default();
            eprintln!("--- screen\n{}--- end", String::from_utf8_lossy(&text).trim_end());
        }
        // It is gone already where its shell has ended.
        let _ = self.camp.command("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}
