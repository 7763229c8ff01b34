//! The table of results, as Markdown on the standard output; how far things are goes to the standard error stream.

use std::{fmt::Display, io::Write as _};

/// A line of the table.
pub(crate) struct Row {
    what: String,
    figure: String,
    limit: Option<(String, bool)>,
}

impl Row {
    /// A plain figure, for information.
    pub(crate) fn plain(what: impl Display, figure: impl Display) -> Self {
        Self { what: what.to_string(), figure: figure.to_string(), limit: None }
    }

    /// A figure with its limit, and whether it keeps it.
    pub(crate) fn limited(what: impl Display, figure: impl Display, limit: impl Display, passes: bool) -> Self {
        Self { what: what.to_string(), figure: figure.to_string(), limit: Some((limit.to_string(), passes)) }
    }

    /// Whether it keeps its limit, if it has one.
    pub(crate) fn passes(&self) -> bool {
        self.limit.as_ref().is_none_or(|(_, passes)| *passes)
    }
}

/// Says what is measured on, and begins the table.
pub(crate) fn head() {
    line(format_args!("Machine: {}\n", machine()));
    line("| measured | figure | limit | |\n| --- | --- | --- | --- |");
}

/// Adds a line to the table.
pub(crate) fn print(Row { what, figure, limit }: &Row) {
    match limit {
        Some((limit, passes)) => {
            let verdict = if *passes { "pass" } else { "FAIL" };
            line(format_args!("| {what} | {figure} | {limit} | {verdict} |"));
        }
        None => line(format_args!("| {what} | {figure} | | |")),
    }
}

/// Says how far a measurement is.
pub(crate) fn progress(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "# {text}");
}

fn line(text: impl Display) {
    // A reader who has gone away is no failure.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// The machine, named by its cores.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unknown kind", |(_, name)| name.trim());
    format!("{cores} cores of {model}")
}

/// The middle of `figures`; 0 where there are none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// A rate for people.
pub(crate) fn per_second(rate: f64) -> String {
    format!("{rate:.0}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn a_row_without_a_limit_passes() {
        assert!(Row::plain("a", 1).passes());
        assert!(!Row::limited("a", 1, "at least 2", false).passes());
    }
}
