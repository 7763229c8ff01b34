//! The independent check after the sale: from public data, and from what the visitors wrote down themselves.
//!
//! Nothing of the server's memory or databases is looked at.

use std::collections::{HashMap, HashSet};

use booking_core::{digest::Digest, time::Timestamp};

use super::{
    notes::{Notes, Outcome},
    visitor::Visitor,
};
use crate::{
    api::{Api, Call, answers::BookingView},
    verify_draw::{PublicRecord, Unverified, Verified, verify},
};

/// How many wrong ones a result names.
const NAMED: usize = 3;

/// One check's result: what was looked at, or what is wrong.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) what: &'static str,
    pub(super) result: Result<String, String>,
}

impl Checked {
    fn new(what: &'static str, result: Result<String, String>) -> Self {
        Self { what, result }
    }

    /// No wrong ones among `of`.
    fn none(what: &'static str, wrong: &[String], of: &str) -> Self {
        let result = if wrong.is_empty() {
            Ok(format!("0 among {of}"))
        } else {
            Err(format!("{} among {of}: {}", wrong.len(), wrong[..wrong.len().min(NAMED)].join("; ")))
        };
        Self { what, result }
    }
}

/// Checks the sale that these visitors went through.
pub(super) async fn check(
    api: &Api,
    record: &PublicRecord,
    visitors: &[Visitor],
    unexpected: &[(String, u64)],
) -> Vec<Checked> {
    let notes: Vec<&Notes> = visitors.iter().map(|visitor| &visitor.notes).collect();
    let wanted: HashSet<Digest> = notes.iter().filter_map(|notes| notes.entry).collect();
    let mut results = Vec::new();
    match verify(record, None, &wanted, None, &mut |_| {}).await {
        Ok(verified) => {
            let Verified { batches, places, records, .. } = &verified;
            results.push(Checked::new(
                "draw",
                Ok(format!("verified: {batches} batches, {places} places, {records} records")),
            ));
            results.push(ranks(&notes, &verified));
            results.push(lost_joins(&notes, &verified));
            results.push(rate(&notes, verified.highest_rate));
            results.push(cap(&notes, verified.highest_cap));
        }
        Err(Unverified::Fault(fault)) => results.push(Checked::new("draw", Err(fault.to_string()))),
        Err(error) => results.push(Checked::new("draw", Err(format!("could not be checked: {error}")))),
    }
    results.push(doubled(&notes));
    results.push(lost_bookings(api, &notes).await);
    results.push(positions(&notes));
    results.push(identities(&notes));
    let failed = visitors.iter().filter(|visitor| visitor.outcome == Some(Outcome::Failed)).count();
    let named: Vec<String> = unexpected.iter().map(|(text, times)| format!("{times} × {text}")).collect();
    let result = if failed == 0 {
        Ok(format!("0 among {} visits", visitors.len()))
    } else {
        Err(format!("{failed}: {}", named.join("; ")))
    };
    results.push(Checked::new("answers outside the contract", result));
    results
}

/// Invariant 8: the rank that a visitor was shown is the rank that the verifier computes.
fn ranks(notes: &[&Notes], verified: &Verified) -> Checked {
    let shown: Vec<_> = notes.iter().filter_map(|notes| Some((notes.entry?, notes.drawn?))).collect();
    let wrong: Vec<String> = shown
        .iter()
        .filter_map(|(entry, shown)| {
            let found = verified.found.get(entry);
            let is_right = found.is_some_and(|found| (found.batch, found.index, found.rank) == *shown);
            (!is_right).then(|| format!("{entry} was shown {shown:?}, the draw says {found:?}"))
        })
        .collect();
    Checked::none("ranks shown that differ from the verifier's", &wrong, &format!("{} ranks", shown.len()))
}

/// Invariant 3: an acknowledged join is in the record once its batch is drawn.
fn lost_joins(notes: &[&Notes], verified: &Verified) -> Checked {
    let drawn: Vec<Digest> =
        notes.iter().filter(|notes| notes.drawn.is_some()).filter_map(|notes| notes.entry).collect();
    let wrong: Vec<String> =
        drawn.iter().filter(|entry| !verified.found.contains_key(entry)).map(Digest::to_string).collect();
    Checked::none("joins that the record has lost", &wrong, &format!("{} joins", drawn.len()))
}

/// Invariant 1: no seat is on two tickets.
fn doubled(notes: &[&Notes]) -> Checked {
    let mut sold = HashSet::new();
    let tickets = notes.iter().flat_map(|notes| &notes.tickets);
    let wrong: Vec<String> = tickets.filter(|seat| !sold.insert(seat.as_str())).cloned().collect();
    Checked::none("doubled seats", &wrong, &format!("{} tickets", sold.len() + wrong.len()))
}

/// Invariant 3: an acknowledged confirmation is still there, with its seats.
async fn lost_bookings(api: &Api, notes: &[&Notes]) -> Checked {
    let booked: Vec<_> = notes.iter().filter_map(|notes| Some((notes.booking.as_ref()?, &notes.tickets))).collect();
    let mut wrong = Vec::new();
    for ((booking, access), tickets) in &booked {
        let call = Call::get(format!("/v1/bookings/{booking}")).bearer(access);
        let kept: HashSet<String> = match api.require::<BookingView>(call).await {
            Ok(view) if view.status == "confirmed" => view.seats.into_iter().collect(),
            Ok(view) => {
                wrong.push(format!("{booking} is {}", view.status));
                continue;
            }
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        if kept != tickets.iter().cloned().collect() {
            wrong.push(format!("{booking} has other seats than its tickets"));
        }
    }
    Checked::none("bookings that are lost", &wrong, &format!("{} bookings", booked.len()))
}

/// Invariant 4: a shown position never rises; and a place, once shown, stays what it is.
fn positions(notes: &[&Notes]) -> Checked {
    let wrong: Vec<String> = notes
        .iter()
        .filter(|notes| notes.position_rose || notes.place_changed)
        .map(|notes| notes.entry.map_or_else(String::new, |entry| entry.to_string()))
        .collect();
    Checked::none("positions that rose, places that changed", &wrong, &format!("{} visitors", notes.len()))
}

/// Invariant 7, as far as visitors see it: no two of them stand at one place.
fn identities(notes: &[&Notes]) -> Checked {
    let mut ranks: HashMap<u64, Digest> = HashMap::new();
    let shown = notes.iter().filter_map(|notes| Some((notes.drawn?.2, notes.entry?)));
    let wrong: Vec<String> = shown
        .filter_map(|(rank, entry)| ranks.insert(rank, entry).map(|other| format!("rank {rank}: {entry} and {other}")))
        .collect();
    Checked::none("places shown to two visitors", &wrong, &format!("{} places", ranks.len()))
}

/// Invariant 6: no window of any length holds more admissions than the rate allows, and one second's worth.
fn rate(notes: &[&Notes], per_minute: u32) -> Checked {
    let mut at: Vec<i64> = notes.iter().filter_map(|notes| Some(notes.admitted?.0.as_millis())).collect();
    at.sort_unstable();
    let over = over_rate(&at, per_minute);
    let wrong: Vec<String> = over.iter().map(|at| format!("at {}", Timestamp::from_millis(*at))).collect();
    Checked::none("admissions over the rate", &wrong, &format!("{} at {per_minute} a minute", at.len()))
}

/// The admissions with which some window holds more than `per_minute` allows in its length and one second. `at`: sorted
/// moments in milliseconds, each of them rounded down by less than one.
fn over_rate(at: &[i64], per_minute: u32) -> Vec<i64> {
    // Admission j is too many if, for some i before it, j - i + 1 admissions need longer than from i to j and a second:
    // (j + 1) * T - t[j] > i * T - t[i] + 1 s. In units of 1 ms * rate, so that nothing is rounded.
    let rate = i128::from(per_minute.max(1));
    // At less than one a second, one second's worth is less than one admission: the first one is it.
    let burst = if rate >= 60 { (1_000 + 1) * rate } else { 60_000 + rate };
    let mut least = i128::MAX;
    let mut over = Vec::new();
    for (n, at) in (0_i128..).zip(at) {
        let spent = i128::from(*at) * rate;
        least = least.min(n * 60_000 - spent);
        if (n + 1) * 60_000 - spent > least + burst {
            over.push(*at);
        }
    }
    over
}

/// Invariant 6: never more sessions alive than the cap. A session is alive from its admission to, at least, the moment
/// in which its visitor sent what ended it.
fn cap(notes: &[&Notes], cap: u32) -> Checked {
    let alive: Vec<_> = notes.iter().filter_map(|notes| notes.admitted).collect();
    let most = most_at_once(&alive);
    let what = "sessions alive at once over the cap";
    let seen = format!("{most} at most, cap {cap}");
    Checked::new(what, if most <= cap as usize { Ok(format!("0: {seen}")) } else { Err(seen) })
}

fn most_at_once(alive: &[(Timestamp, Timestamp)]) -> usize {
    let mut changes: Vec<(Timestamp, i32)> = alive
        .iter()
        .filter(|(from, until)| from < until)
        .flat_map(|(from, until)| [(*from, 1), (*until, -1)])
        .collect();
    // Where one ends in the moment another begins, the end comes first.
    changes.sort_unstable();
    let mut now = 0;
    changes
        .iter()
        .map(|(_, change)| {
            now += change;
            now
        })
        .max()
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_s_worth_may_come_at_once_and_no_more() {
        // 120 a minute: two a second, so two at once and then one each half second.
        assert_eq!(over_rate(&[0, 0, 500, 1_000, 1_500], 120), Vec::<i64>::new());
        assert_eq!(over_rate(&[0, 0, 0], 120), [0]);
        assert_eq!(over_rate(&[0, 0, 498], 120), [498]);
    }

    #[test]
    fn a_rate_below_one_a_second_has_no_burst() {
        assert_eq!(over_rate(&[0, 2_000, 4_000], 30), Vec::<i64>::new());
        assert_eq!(over_rate(&[0, 1_000], 30), [1_000]);
    }

    #[test]
    fn an_unused_minute_is_not_saved_up() {
        let mut at: Vec<i64> = vec![0];
        at.extend((0..30).map(|n| 60_000 + n));
        assert!(!over_rate(&at, 600).is_empty());
    }

    #[test]
    fn sessions_that_follow_one_another_are_not_alive_at_once() {
        let at = |from, until| (Timestamp::from_millis(from), Timestamp::from_millis(until));
        assert_eq!(most_at_once(&[at(0, 10), at(10, 20)]), 1);
        assert_eq!(most_at_once(&[at(0, 10), at(5, 20), at(6, 7), at(30, 31)]), 3);
        assert_eq!(most_at_once(&[]), 0);
    }
}
