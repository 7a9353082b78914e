//! The one renderer: a table has columns, a layout is a parsed format, a line is a row printed by a layout.

use crate::settings::Settings;
use std::cmp::Ordering;
use std::io::{self, Write};

/// A kind of table: its rows and its columns.
pub trait Table: Sized + 'static {
    /// What one line is printed from.
    type Row<'a>;

    /// All columns, in the order of `%all`.
    fn columns() -> &'static [Column<Self>];

    /// What follows a column in `%all`, the last one or another.
    fn after(_: &Column<Self>, last: bool) -> &'static str {
        if last { "" } else { "|" }
    }

    /// Whether a heading stands as it is in a narrower column that is set to the right; lists of nodes have such.
    fn keeps_heading(_: &Column<Self>) -> bool {
        false
    }

    /// Whether `all` is a name of -O: every column, as with `%all`.
    const ALL_IS_A_NAME: bool = false;
}

/// Writes a row's cell.
pub type Cell<T> = for<'r, 'a> fn(&'r <T as Table>::Row<'a>, &Settings, &mut String);
/// Compares two rows.
pub type Compare<T> =
    for<'r, 'a> fn(&'r <T as Table>::Row<'a>, &'r <T as Table>::Row<'a>, &Settings) -> Ordering;

/// A column: what it is called in formats, its heading and its cell.
pub struct Column<T: Table> {
    /// Its letter in -o.
    pub letter: Option<char>,
    /// Its name in -O or sacct's -o, in the man page's spelling; compared in any case.
    pub name: &'static str,
    /// Its heading.
    pub heading: &'static str,
    /// Its width where a name stands alone.
    pub width: usize,
    /// Whether it is set to the left by default.
    pub left: bool,
    /// Writes its cell.
    pub cell: Cell<T>,
    /// How rows are sorted by it; none: not at all.
    pub order: Option<Order<T>>,
    /// What becomes of wide cells (sacct).
    pub cut: Cut,
}

/// What becomes of a cell that is wider than its column, in sacct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It is cut and marked with `+`.
    Marked,
    /// It is cut.
    Plain,
    /// It stands as it is.
    Never,
}

/// How rows are sorted by a column.
#[derive(Clone, Copy)]
pub enum Order<T: Table> {
    /// By the text of the cell.
    Text,
    /// By this comparison.
    By(Compare<T>),
}

impl<T: Table> Column<T> {
    /// A column known by a letter and a name (either may be empty: `'\0'`, `""`), 20 wide by default, to the left.
    pub const fn new(letter: char, name: &'static str, heading: &'static str, cell: Cell<T>) -> Column<T> {
        let letter = if letter == '\0' { None } else { Some(letter) };
        Column { letter, name, heading, width: 20, left: true, cell, order: None, cut: Cut::Marked }
    }

    /// Sorted by its text.
    pub const fn text(mut self) -> Column<T> {
        self.order = Some(Order::Text);
        self
    }

    /// Sorted by a comparison.
    pub const fn by(mut self, compare: Compare<T>) -> Column<T> {
        self.order = Some(Order::By(compare));
        self
    }

    /// What becomes of wide cells (sacct).
    pub const fn cut(mut self, cut: Cut) -> Column<T> {
        self.cut = cut;
        self
    }

    /// Its default width, and set to the right (sacct).
    pub const fn right(mut self, width: usize) -> Column<T> {
        self.width = width;
        self.left = false;
        self
    }

    /// Its default width, and set to the left (sacct).
    pub const fn left(mut self, width: usize) -> Column<T> {
        self.width = width;
        self
    }
}

/// The column of that letter.
pub fn column_of<T: Table>(letter: char) -> Option<&'static Column<T>> {
    T::columns().iter().find(|c| c.letter == Some(letter))
}

/// The column of that name, in any case.
pub fn column_named<T: Table>(name: &str) -> Option<&'static Column<T>> {
    T::columns().iter().find(|c| !c.name.is_empty() && c.name.eq_ignore_ascii_case(name))
}

/// A place in a line.
enum Piece<T: Table> {
    /// Text that stands in every line and in the heading.
    Text(String),
    /// A cell.
    Field(Field<T>),
}

/// A column with a width.
struct Field<T: Table> {
    column: &'static Column<T>,
    /// None: as wide as needed.
    width: Option<usize>,
    right: bool,
}

/// A parsed format.
pub struct Layout<T: Table> {
    pieces: Vec<Piece<T>>,
    /// Whether cells are cut as their columns say (sacct); else without a mark.
    by_column: bool,
}

/// A layout and the specifications in it that are none: they are reported, and their text stands in the lines, as
/// in Slurm.
pub struct Parsed<T: Table> {
    /// The layout.
    pub layout: Layout<T>,
    /// What was not understood: the letters or names.
    pub invalid: Vec<String>,
}

/// A width of more than this many characters is a mistake and is cut to this.
const MAX_WIDTH: usize = 100_000;

impl<T: Table> Layout<T> {
    /// Parses a format of -o: `%[[.]size]letter[suffix]`, other text stands for itself. What is no specification
    /// stands there as it is, and is told: so does a per cent sign, written `%%`. `%all` is every column, separated by `|`.
    pub fn letters(format: &str) -> Parsed<T> {
        let mut layout = Layout { pieces: Vec::new(), by_column: false };
        let mut invalid = Vec::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            layout.text(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(tail) =
                rest.strip_prefix("all").filter(|t| !t.starts_with(|c: char| c.is_alphanumeric()))
            {
                layout.all();
                rest = tail;
                continue;
            }
            let (right, spec) = match rest.strip_prefix('.') {
                Some(tail) => (true, tail),
                None => (false, rest),
            };
            let digits = spec.bytes().take_while(u8::is_ascii_digit).count();
            let (size, tail) = spec.split_at(digits);
            let width = size.parse::<usize>().ok().filter(|&n| n > 0).map(|n| n.min(MAX_WIDTH));
            match tail.chars().next() {
                Some(letter) if column_of::<T>(letter).is_some() => {
                    if let Some(column) = column_of::<T>(letter) {
                        layout.pieces.push(Piece::Field(Field { column, width, right }));
                    }
                    rest = &tail[letter.len_utf8()..];
                }
                // `%%`: the first sign stands for nothing, the second one begins a specification.
                Some('%') if tail.len() == rest.len() => {}
                None if tail.len() == rest.len() => {}
                other => {
                    let bad = other.filter(|&c| c != '%').map(String::from).unwrap_or_default();
                    layout.text("%");
                    layout.text(&rest[..rest.len() - tail.len() + bad.len()]);
                    rest = &tail[bad.len()..];
                    invalid.push(bad);
                }
            }
        }
        layout.text(rest);
        Parsed { layout, invalid }
    }

    /// Parses a format of -O: `name[:[.][size][suffix]]` separated by commas. A name alone is as wide as its column
    /// says, one with a colon and no size as wide as needed.
    pub fn names(format: &str) -> Parsed<T> {
        let mut layout = Layout { pieces: Vec::new(), by_column: false };
        let mut invalid = Vec::new();
        for part in format.split(',').filter(|p| !p.is_empty()) {
            let (name, spec) = match part.split_once(':') {
                Some((name, spec)) => (name, Some(spec)),
                None => (part, None),
            };
            let (right, spec) = match spec.map(|s| s.strip_prefix('.').map_or((false, s), |s| (true, s))) {
                Some((right, spec)) => (right, Some(spec)),
                None => (false, None),
            };
            // A size below zero is none; a blank stands for it and what follows it.
            let negative =
                |s: &str| s.strip_prefix('-').is_some_and(|s| s.starts_with(|c: char| c.is_ascii_digit()));
            let spec = spec.map(|s| if negative(s) { " " } else { s });
            let digits = spec.map_or(0, |s| s.bytes().take_while(u8::is_ascii_digit).count());
            let (size, suffix) = spec.map_or(("", ""), |s| s.split_at(digits));
            match column_named::<T>(name) {
                None if T::ALL_IS_A_NAME && name.eq_ignore_ascii_case("all") => {
                    layout.all();
                    continue;
                }
                Some(column) => {
                    let width = match spec {
                        None => Some(column.width),
                        Some(_) => size.parse::<usize>().ok().filter(|&n| n > 0).map(|n| n.min(MAX_WIDTH)),
                    };
                    layout.pieces.push(Piece::Field(Field { column, width, right }));
                }
                None => invalid.push(name.to_owned()),
            }
            layout.text(suffix);
        }
        Parsed { layout, invalid }
    }

    /// Columns with their widths (none: as needed; negative: to the left), each followed by `separator` (the last
    /// one only if `trailing`); wide cells are treated as their columns say.
    pub fn fields(
        fields: impl IntoIterator<Item = (&'static Column<T>, Option<i32>)>,
        separator: &str,
        trailing: bool,
    ) -> Layout<T> {
        let mut layout = Layout { pieces: Vec::new(), by_column: true };
        for (n, (column, width)) in fields.into_iter().enumerate() {
            if n > 0 {
                layout.text(separator);
            }
            let right = width.is_some_and(|w| w >= 0);
            let width = width.map(|w| (w.unsigned_abs() as usize).min(MAX_WIDTH));
            layout.pieces.push(Piece::Field(Field { column, width, right }));
        }
        if trailing && !layout.pieces.is_empty() {
            layout.text(separator);
        }
        layout
    }

    /// Every column that has a letter.
    fn all(&mut self) {
        let mut columns = T::columns().iter().filter(|c| c.letter.is_some()).peekable();
        while let Some(column) = columns.next() {
            self.pieces.push(Piece::Field(Field { column, width: None, right: false }));
            self.text(T::after(column, columns.peek().is_none()));
        }
    }

    fn text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Whether a column that `is` accepts is among the fields.
    pub fn uses(&self, is: impl Fn(&Column<T>) -> bool) -> bool {
        self.pieces.iter().any(|p| matches!(p, Piece::Field(f) if is(f.column)))
    }

    /// Widens the fields of a letter that have this width to hold the widest cell of all rows (sinfo's `#`).
    pub fn fit<'a>(&mut self, letter: char, least: usize, rows: &[T::Row<'a>], settings: &Settings) {
        let mut cell = String::new();
        for piece in &mut self.pieces {
            if let Piece::Field(f) = piece
                && f.column.letter == Some(letter)
            {
                let mut width = least;
                for row in rows {
                    cell.clear();
                    (f.column.cell)(row, settings, &mut cell);
                    width = width.max(cell.chars().count());
                }
                f.width = Some(width);
            }
        }
    }

    /// The line of headings.
    ///
    /// # Errors
    /// What writing says.
    pub fn heading(&self, out: &mut impl Write) -> io::Result<()> {
        let whole = |field: &Field<T>| {
            if field.right && T::keeps_heading(field.column) { Cut::Never } else { Cut::Plain }
        };
        self.each(out, whole, |field, text| text.push_str(field.column.heading))
    }

    /// The line of dashes below sacct's headings.
    ///
    /// # Errors
    /// What writing says.
    pub fn rule(&self, out: &mut impl Write) -> io::Result<()> {
        self.each(
            out,
            |_| Cut::Plain,
            |field, text| text.extend(std::iter::repeat_n('-', field.width.unwrap_or(0))),
        )
    }

    /// The lines of rows.
    ///
    /// # Errors
    /// What writing says.
    pub fn lines<'a, R>(&self, rows: R, settings: &Settings, out: &mut impl Write) -> io::Result<()>
    where
        R: IntoIterator<Item = T::Row<'a>>,
    {
        let mut scratch = String::new();
        for row in rows {
            for piece in &self.pieces {
                match piece {
                    Piece::Text(text) => out.write_all(text.as_bytes())?,
                    Piece::Field(field) => {
                        scratch.clear();
                        (field.column.cell)(&row, settings, &mut scratch);
                        let cut = if self.by_column { field.column.cut } else { Cut::Plain };
                        pad(out, &scratch, field.width, field.right, cut)?;
                    }
                }
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn each(
        &self,
        out: &mut impl Write,
        cut: impl Fn(&Field<T>) -> Cut,
        text_of: impl Fn(&Field<T>, &mut String),
    ) -> io::Result<()> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.write_all(text.as_bytes())?,
                Piece::Field(field) => {
                    text.clear();
                    text_of(field, &mut text);
                    pad(out, &text, field.width, field.right, cut(field))?;
                }
            }
        }
        out.write_all(b"\n")
    }
}

/// Writes text padded or cut to a width in characters.
pub(crate) fn pad(
    out: &mut impl Write,
    text: &str,
    width: Option<usize>,
    right: bool,
    cut: Cut,
) -> io::Result<()> {
    let Some(width) = width else { return out.write_all(text.as_bytes()) };
    let chars = if text.is_ascii() { text.len() } else { text.chars().count() };
    if chars > width && cut == Cut::Never {
        return out.write_all(text.as_bytes());
    }
    if chars > width {
        let marked = cut == Cut::Marked && width > 0;
        let keep = width.saturating_sub(usize::from(marked));
        let end = text.char_indices().nth(keep).map_or(text.len(), |(at, _)| at);
        out.write_all(&text.as_bytes()[..end])?;
        return if marked { out.write_all(b"+") } else { Ok(()) };
    }
    if right {
        blanks(out, width - chars)?;
        out.write_all(text.as_bytes())
    } else {
        out.write_all(text.as_bytes())?;
        blanks(out, width - chars)
    }
}

fn blanks(out: &mut impl Write, mut n: usize) -> io::Result<()> {
    const BLANKS: [u8; 64] = [b' '; 64];
    while n > 0 {
        let part = n.min(BLANKS.len());
        out.write_all(&BLANKS[..part])?;
        n -= part;
    }
    Ok(())
}

/// One key of a sort order.
pub struct SortKey<T: Table> {
    /// The column.
    pub column: &'static Column<T>,
    /// Largest first.
    pub descending: bool,
}

/// Parses `P,t,-p`: letters of columns, `+` (the default) or `-` before one; commas separate nothing that is not
/// separate anyway.
///
/// # Errors
/// The last letter that is no column by which rows are sorted.
pub fn sort_keys<T: Table>(text: &str) -> Result<Vec<SortKey<T>>, char> {
    let sorted = |c: char| column_of::<T>(c).filter(|c| c.order.is_some());
    if let Some(bad) = text.chars().rfind(|&c| !matches!(c, '+' | '-' | ',') && sorted(c).is_none()) {
        return Err(bad);
    }
    let mut keys = Vec::new();
    let mut descending = false;
    for c in text.chars() {
        match c {
            '+' => descending = false,
            '-' => descending = true,
            ',' => {}
            c => {
                keys.extend(sorted(c).map(|column| SortKey { column, descending }));
                descending = false;
            }
        }
    }
    Ok(keys)
}

/// Compares two rows by keys, the first one first.
pub fn compare<'a, T: Table>(
    a: &T::Row<'a>,
    b: &T::Row<'a>,
    keys: &[SortKey<T>],
    settings: &Settings,
) -> Ordering {
    keys.iter().fold(Ordering::Equal, |so_far, key| {
        so_far.then_with(|| {
            let by = match key.column.order {
                Some(Order::By(compare)) => compare(a, b, settings),
                Some(Order::Text) => {
                    let cell = |row: &T::Row<'a>| {
                        let mut text = String::new();
                        (key.column.cell)(row, settings, &mut text);
                        text
                    };
                    cell(a).cmp(&cell(b))
                }
                None => Ordering::Equal,
            };
            if key.descending { by.reverse() } else { by }
        })
    })
}
