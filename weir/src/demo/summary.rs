//! What the demo says at the end.

use std::time::Duration;

use super::{check::Checked, notes::Outcome, visitor::Visitor};
use crate::output::say;

/// Prints what the crowd went through, and how long things took as the crowd saw them.
pub(super) fn print(visitors: &[Visitor], planned: usize, lasted: Duration) {
    let with = |outcome| visitors.iter().filter(|visitor| visitor.outcome == Some(outcome)).count();
    let notes = || visitors.iter().map(|visitor| &visitor.notes);
    let joined = notes().filter(|notes| notes.join_us.is_some()).count();
    let admitted = notes().filter(|notes| notes.admitted.is_some()).count();
    let seats: usize = notes().map(|notes| notes.tickets.len()).sum();
    let conflicts: u32 = notes().map(|notes| notes.conflicts).sum();
    let declined: u32 = notes().map(|notes| notes.declined).sum();
    let mut joins: Vec<u32> = notes().filter_map(|notes| notes.join_us).collect();
    let mut reserves: Vec<u32> = notes().flat_map(|notes| notes.reserve_us.iter().copied()).collect();

    say("");
    say(format_args!("The crowd, after {:.1} s", lasted.as_secs_f64()));
    row("visitors", planned);
    row("joined", joined);
    row("admitted", admitted);
    row("no-shows", with(Outcome::NoShow));
    row("held", notes().map(|notes| notes.holds).sum::<u32>());
    row("booked", format_args!("{} ({seats} seats)", with(Outcome::Booked)));
    row("left by themselves", with(Outcome::Left));
    row("found nothing left", with(Outcome::SoldOut));
    row("lapsed", with(Outcome::Lapsed));
    row("conflicts over seats", conflicts);
    row("declined payments", declined);
    let troubled = notes().filter(|notes| notes.troubled_ms > 0).count();
    let longest = notes().map(|notes| notes.troubled_ms).max().unwrap_or(0);
    if troubled > 0 {
        let seconds = f64::from(longest) / 1_000.0;
        row("saw nothing but 503 for a while", format_args!("{troubled} visitors, at most {seconds:.1} s"));
    }
    row("join", percentiles(&mut joins));
    row("reserve", percentiles(&mut reserves));
}

/// Prints what the check found; answers whether everything holds.
pub(super) fn print_checks(results: &[Checked]) -> bool {
    say("");
    say("Checked from public data and the visitors' own notes");
    for Checked { what, result } in results {
        match result {
            Ok(seen) => row(what, format_args!("{seen} - ok")),
            Err(wrong) => row(what, format_args!("FAILED: {wrong}")),
        }
    }
    results.iter().all(|checked| checked.result.is_ok())
}

fn row(name: &str, value: impl std::fmt::Display) {
    say(format_args!("  {name:<45} {value}"));
}

fn percentiles(micros: &mut [u32]) -> String {
    micros.sort_unstable();
    let at = |percent: usize| micros.get((micros.len().saturating_sub(1)) * percent / 100).copied().unwrap_or(0);
    let ms = |micros: u32| f64::from(micros) / 1_000.0;
    format!("p50 {:.1} ms, p99 {:.1} ms ({} times)", ms(at(50)), ms(at(99)), micros.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_nothing_and_of_a_hundred() {
        assert_eq!(percentiles(&mut []), "p50 0.0 ms, p99 0.0 ms (0 times)");
        let mut hundred: Vec<u32> = (1..=100).rev().map(|n| n * 1_000).collect();
        assert_eq!(percentiles(&mut hundred), "p50 50.0 ms, p99 99.0 ms (100 times)");
    }
}
