//! What a user sees while something runs: conda's plain lines, and on a terminal a count of downloads.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use rattler::package_cache::CacheReporter;

/// Where and how much is told.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// `-q` or `--json`: steps are not told.
    pub quiet: bool,
}

/// Prints a line on standard output. That nobody reads it any more must not stop a change half-way.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

impl Output {
    /// Prints a line unless quiet.
    pub fn line(self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Runs one step: `NAME: done` or `NAME: failed`. The name appears first, so that a waiting reader sees it.
    pub fn step<T, E>(self, name: &str, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if self.quiet {
            return run();
        }
        let mut out = std::io::stdout();
        let _ = write!(out, "{name}: ").and_then(|()| out.flush());
        let result = run();
        say(if result.is_ok() { "done" } else { "failed" });
        result
    }

    /// A counter of downloads; shows itself on a terminal only.
    pub fn downloads(self) -> Downloads {
        Downloads { shown: !self.quiet && std::io::stderr().is_terminal(), ..Downloads::default() }
    }
}

/// Counts bytes as they come.
#[derive(Debug, Default)]
pub struct Downloads {
    shown: bool,
    started: AtomicU64,
    finished: AtomicU64,
    bytes: AtomicU64,
    last_shown: AtomicU64,
}

impl Downloads {
    /// How many packages were not in the cache.
    pub fn count(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if self.shown && self.count() > 0 {
            eprint!("\r\x1b[K");
        }
    }

    fn show(&self) {
        /// Redrawing more often than every so many bytes would cost more than it tells.
        const STEP: u64 = 256 * 1024;
        let bytes = self.bytes.load(Ordering::Relaxed);
        let last = self.last_shown.load(Ordering::Relaxed);
        if self.shown && (bytes < STEP || bytes - last.min(bytes) >= STEP) {
            self.last_shown.store(bytes, Ordering::Relaxed);
            eprint!(
                "\r\x1b[KDownloading and extracting: {} of {} packages, {:.1} MB",
                self.finished.load(Ordering::Relaxed),
                self.count(),
                bytes as f64 / 1e6
            );
        }
    }
}

/// One package's report to the common counter. Reports are of totals, the counter wants differences.
pub struct PackageReport {
    /// The counter.
    pub all: std::sync::Arc<Downloads>,
    /// Bytes of this package that were counted.
    pub seen: AtomicU64,
}

impl CacheReporter for PackageReport {
    fn on_validate_start(&self) -> usize {
        0
    }

    fn on_validate_complete(&self, _: usize) {}

    fn on_download_start(&self) -> usize {
        self.all.started.fetch_add(1, Ordering::Relaxed);
        self.all.show();
        0
    }

    fn on_download_progress(&self, _: usize, progress: u64, _: Option<u64>) {
        let before = self.seen.swap(progress, Ordering::Relaxed);
        self.all.bytes.fetch_add(progress.saturating_sub(before), Ordering::Relaxed);
        self.all.show();
    }

    fn on_download_completed(&self, _: usize) {
        self.all.finished.fetch_add(1, Ordering::Relaxed);
        self.all.show();
    }
}
