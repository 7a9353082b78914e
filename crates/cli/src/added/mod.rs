//! The programs that sites add to Slurm's: `seff`, `seff-array`, `jobstats`, `suuser`, `suacct`. They only read the
//! accounting.

mod efficiency;
mod jobstats;
mod service_units;

pub use efficiency::{seff, seff_array};
pub use jobstats::jobstats;
pub use service_units::{suacct, suuser};

use crate::invocation;
use bivouac_options::Given;
use bivouac_render::Settings;
use bivouac_render::efficiency::Palette;
use bivouac_types::Timestamp;
use std::io::IsTerminal;
use std::process::ExitCode;

/// What follows the options; without anything, what the program is for is shown.
fn operands(given: &Given, most: usize) -> Result<Vec<String>, ExitCode> {
    let words: Vec<String> = given.operands.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    match words.len() {
        0 => {
            invocation::print(&bivouac_options::help::help(given.program));
            Err(ExitCode::FAILURE)
        }
        n if n > most => {
            let what =
                format_args!("too many words: {} (see {} --help)", words[most..].join(" "), given.program);
            Err(invocation::fail(given.program, what))
        }
        _ => Ok(words),
    }
}

/// A name, and so many days up to now.
struct OfDays {
    name: String,
    days: u32,
}

impl OfDays {
    fn read(given: &Given, default: u32) -> Result<OfDays, ExitCode> {
        let mut words = operands(given, 2)?.into_iter();
        let name = words.next().unwrap_or_default();
        let days = match words.next() {
            None => default,
            Some(text) => match text.parse() {
                Ok(days) if days > 0 => days,
                _ => {
                    let what =
                        format_args!("{text} is no number of days: give one, as {} {name} 15", given.program);
                    return Err(invocation::fail(given.program, what));
                }
            },
        };
        invocation::finish(given)?;
        Ok(OfDays { name, days })
    }

    fn since(&self, settings: &Settings) -> Timestamp {
        Timestamp(settings.now.0 - i64::from(self.days) * 86_400_000)
    }
}

/// Colours are for terminals, unless NO_COLOR says that they are not wanted.
fn palette() -> Palette {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    if wanted && std::io::stdout().is_terminal() { Palette::Coloured } else { Palette::Plain }
}
