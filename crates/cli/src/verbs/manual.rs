//! `bivouac man DIR`: manual pages, made from the option table.

use super::{Words, fail};
use bivouac_options::{PROGRAMS, Program, manual};
use bivouac_render::table::Table;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(mut words: Words, help: &str) -> ExitCode {
    let dir = match words.operand("folder") {
        Ok(dir) => dir,
        Err(code) => return code,
    };
    let section = Path::new(&dir).join("man1");
    let write = || {
        std::fs::create_dir_all(&section)?;
        std::fs::write(section.join("bivouac.1"), manual::own_page(help))?;
        PROGRAMS
            .iter()
            .try_for_each(|p| std::fs::write(section.join(format!("{p}.1")), manual::page(*p, &fields(*p))))
    };
    match write() {
        Ok(()) => {
            println!("{} pages in {}", PROGRAMS.len() + 1, section.display());
            ExitCode::SUCCESS
        }
        Err(e) => fail(format_args!("{}: {e}", section.display())),
    }
}

/// The columns of a command.
fn fields(program: Program) -> Vec<manual::Field> {
    match program {
        Program::Squeue => of_table::<bivouac_render::squeue::Jobs>(),
        Program::Sinfo => of_table::<bivouac_render::sinfo::Nodes>(),
        Program::Sacct => of_table::<bivouac_render::sacct::Entries>(),
        Program::Sprio => of_table::<bivouac_render::sprio::Priorities>(),
        Program::Sreport => sreport(),
        _ => Vec::new(),
    }
}

/// The fields of its reports together.
fn sreport() -> Vec<manual::Field> {
    use bivouac_render::sreport::Kind;
    let kinds = [Kind::Utilization, Kind::AccountUser, Kind::Top, Kind::SizesAccount];
    let names: std::collections::BTreeSet<&str> = kinds.iter().flat_map(|kind| kind.field_names()).collect();
    names.into_iter().map(|name| manual::Field { letter: None, name, heading: name }).collect()
}

fn of_table<T: Table>() -> Vec<manual::Field> {
    let field = |c: &bivouac_render::table::Column<T>| manual::Field {
        letter: c.letter,
        name: c.name,
        heading: c.heading,
    };
    T::columns().iter().map(field).collect()
}
