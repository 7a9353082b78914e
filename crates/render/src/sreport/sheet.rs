//! A report on its way to the page: lines of a title, headings with widths, and cells.

use super::amounts::Measure;
use super::field::{Field, Fields};
use crate::table::{Cut, pad};
use std::io::{self, Write};

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    title: Vec<String>,
    heads: Vec<Head>,
    rows: Vec<Vec<String>>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Its heading.
    pub text: String,
    /// Its width, negative: set to the left.
    pub width: i32,
    /// Whether cells that are too wide are cut, and marked with `+`.
    pub cut: bool,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Print {
    /// -p and -P: cells are parted by `|`, and not padded.
    pub parsable: bool,
    /// -p: there is one at the end too.
    pub trailing: bool,
    /// -n: without title and headings.
    pub bare: bool,
}

/// A line of a report by its fields.
pub(super) trait Line {
    /// The cell of a field.
    fn cell(&self, field: Field, measure: &Measure) -> String;
}

impl Report {
    /// Of lines that have all fields.
    pub(super) fn new(title: Vec<String>, fields: &Fields, measure: &Measure, lines: &[&dyn Line]) -> Report {
        let row = |line: &&dyn Line| fields.iter().map(|f| line.cell(f.field, measure)).collect();
        Report { title, heads: fields.heads(measure), rows: lines.iter().map(row).collect() }
    }

    /// Of columns made on the spot.
    pub(super) fn of_cells(title: Vec<String>, heads: Vec<Head>, rows: Vec<Vec<String>>) -> Report {
        Report { title, heads, rows }
    }

    /// Makes a column wider.
    pub(super) fn widen(&mut self, n: usize, width: usize) {
        self.heads[n].width = self.heads[n].width.max(width as i32);
    }

    /// Writes it.
    ///
    /// # Errors
    /// What writing says.
    pub fn write(&self, print: Print, out: &mut impl Write) -> io::Result<()> {
        if !print.bare {
            let rule = "-".repeat(80);
            writeln!(out, "{rule}")?;
            self.title.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            writeln!(out, "{rule}")?;
        }
        self.write_table(print, out)
    }

    /// Whether it has no line below its headings.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it without its title.
    ///
    /// # Errors
    /// What writing says.
    pub fn write_table(&self, print: Print, out: &mut impl Write) -> io::Result<()> {
        if !print.bare {
            self.line(self.heads.iter().map(|h| (h.text.as_str(), Cut::Plain)), print, out)?;
            if !print.parsable {
                let rules: Vec<String> =
                    self.heads.iter().map(|h| "-".repeat(h.width.unsigned_abs() as usize)).collect();
                self.line(rules.iter().map(|r| (r.as_str(), Cut::Plain)), print, out)?;
            }
        }
        let cut = |head: &Head| if head.cut { Cut::Marked } else { Cut::Never };
        for row in &self.rows {
            let cells = row.iter().zip(&self.heads).map(|(cell, head)| (cell.as_str(), cut(head)));
            self.line(cells, print, out)?;
        }
        Ok(())
    }

    fn line<'a>(
        &self,
        cells: impl Iterator<Item = (&'a str, Cut)>,
        print: Print,
        out: &mut impl Write,
    ) -> io::Result<()> {
        for (n, ((text, cut), head)) in cells.zip(&self.heads).enumerate() {
            match print {
                Print { parsable: false, .. } => {
                    pad(out, text, Some(head.width.unsigned_abs() as usize), head.width >= 0, cut)?;
                    out.write_all(b" ")?;
                }
                Print { trailing, .. } => {
                    // A line that is not to end with a bar has them in between.
                    out.write_all(if n > 0 && !trailing { b"|" } else { b"" })?;
                    out.write_all(text.as_bytes())?;
                    out.write_all(if trailing { b"|" } else { b"" })?;
                }
            }
        }
        out.write_all(b"\n")
    }
}
