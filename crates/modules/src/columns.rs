//! Names in columns, as `module list` and `module avail` print them.

/// One name with its flags, such as `L,D`.
pub struct Item {
    /// The name, with a number before it in `module list`.
    pub name: String,
    /// Flags without parentheses; may be empty.
    pub flags: String,
}

/// Lays `items` out column by column, within `width` characters where possible. Each column is as wide as it needs.
pub fn layout(items: &[Item], width: usize, indent: usize, gap: usize) -> String {
    let rows =
        (1..=items.len()).find(|&rows| line_width(items, rows, indent, gap) <= width).unwrap_or(items.len());
    let columns: Vec<&[Item]> = items.chunks(rows.max(1)).collect();
    let mut text = String::new();
    for row in 0..rows {
        let mut line = " ".repeat(indent);
        for (index, column) in columns.iter().enumerate() {
            let Some(item) = column.get(row) else { break };
            let (names, flags) = widths(column);
            line.push_str(&format!("{:names$}", item.name));
            if flags > 0 {
                let shown = if item.flags.is_empty() { String::new() } else { format!(" ({})", item.flags) };
                line.push_str(&format!("{shown:flags$}"));
            }
            if index + 1 < columns.len() {
                line.push_str(&" ".repeat(gap));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn line_width(items: &[Item], rows: usize, indent: usize, gap: usize) -> usize {
    let columns = items.chunks(rows).map(|column| {
        let (names, flags) = widths(column);
        names + flags + gap
    });
    (indent + columns.sum::<usize>()).saturating_sub(gap)
}

fn widths(column: &[Item]) -> (usize, usize) {
    let names = column.iter().map(|item| item.name.chars().count()).max().unwrap_or(0);
    let flags = column.iter().filter(|item| !item.flags.is_empty()).map(|item| item.flags.len() + 3).max();
    (names, flags.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_columns_from_top_to_bottom_with_flags_aligned() {
        let item = |(name, flags): (&str, &str)| Item { name: name.into(), flags: flags.into() };
        let items: Vec<Item> =
            [("anaconda/2020.11", ""), ("anaconda/2022.10", "L,D"), ("dep/1", "L"), ("python/3.10", "")]
                .map(item)
                .into();
        assert_eq!(
            layout(&items, 50, 3, 4),
            "   anaconda/2020.11          dep/1       (L)\n   anaconda/2022.10 (L,D)    python/3.10\n"
        );
        assert_eq!(layout(&items, 10, 0, 4).lines().count(), 4);
    }
}
