//! Tables in the notation of Markdown, aligned for a terminal too.

use std::time::Duration;

/// A table under construction.
pub struct Table {
    head: Vec<&'static str>,
    /// How many columns at the left are text; a cell of theirs that repeats the one above it is left blank.
    names: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one with so many columns of text at the left.
    pub fn new<const N: usize>(names: usize, head: [&'static str; N]) -> Self {
        Self { head: head.into(), names, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Prints nothing if nothing was measured.
    pub fn print(&self, title: &str) {
        if self.rows.is_empty() {
            return;
        }
        let head: Vec<String> = self.head.iter().map(ToString::to_string).collect();
        let mut widths: Vec<usize> = head.iter().map(String::len).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                // In characters, for the µ in units.
                *width = cell.chars().count().max(*width);
            }
        }
        println!("\n{title}\n");
        println!("{}", self.line(&head, &widths));
        let rules: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| if column < self.names { "-".repeat(*width) } else { "-".repeat(width - 1) + ":" })
            .collect();
        println!("{}", self.line(&rules, &widths));
        let mut above: &[String] = &[];
        for row in &self.rows {
            let same = row.iter().zip(above).take(self.names).take_while(|(cell, above)| cell == above).count();
            let mut shown = row.clone();
            shown.iter_mut().take(same).for_each(String::clear);
            println!("{}", self.line(&shown, &widths));
            above = row;
        }
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < self.names { format!("| {cell:width$} ") } else { format!("| {cell:>width$} ") }
        });
        cells.collect::<String>() + "|"
    }
}

/// `value` against the bare echo's.
pub fn ratio(value: f64, bare: Option<f64>) -> String {
    match bare {
        Some(bare) if bare > 0.0 && value / bare < 0.1 => format!("{:.4}", value / bare),
        Some(bare) if bare > 0.0 => format!("{:.2}", value / bare),
        _ => "-".into(),
    }
}

/// With three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// With three digits that count.
pub fn milliseconds(time: Duration) -> String {
    number(time.as_secs_f64() * 1e3)
}

/// With three digits that count.
pub fn seconds(time: Duration) -> String {
    number(time.as_secs_f64())
}
