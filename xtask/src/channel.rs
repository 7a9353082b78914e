//! `cargo xtask channel`: builds the offline conda channel, or finds the one built before.

use crate::{Outcome, workspace};

/// Runs the command; the channel's URL is the one line on standard output.
pub fn run(arguments: &[String]) -> Outcome {
    crate::takes_no_arguments("channel", arguments)?;
    let info = bivouac_channel::ensure(&workspace()).map_err(|error| error.to_string())?;
    eprintln!("channel: {info}");
    if !info.from_pyenv {
        eprintln!(
            "channel: no pyenv tree with Python 3.10 or 3.11 here, so an environment.yml must ask for Python {} or leave \
             the version open",
            info.pythons.join(" or ")
        );
    }
    println!("{}", info.url);
    Ok(())
}
