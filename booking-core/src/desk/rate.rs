//! The rate: the generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling), in nanoseconds.
//!
//! One admission every `60 s / rate`, with up to one second's worth at once. Any closed window of 60 s then holds at
//! most the rate and one second's worth (invariant 6); below 60 a minute one second's worth is less than one, and the
//! interval is a millisecond longer, so that even a window with an admission at each end holds no more than the rate.

use crate::time::Timestamp;

const NANOS_PER_MS: i128 = 1_000_000;
const ONE_SECOND_NS: i128 = 1_000_000_000;

/// What the rate remembers: two moments, in nanoseconds since the epoch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    last_ns: i128,
    /// The 'theoretical arrival time': when the next admission would be due if they came evenly.
    due_ns: i128,
}

impl Rate {
    /// How many milliseconds until there is room for one more at `per_minute`; 0: now.
    pub(super) fn wait_ms(&self, per_minute: u32, now: Timestamp) -> u64 {
        let early_by = tolerance_ns(per_minute);
        let wait_ns = self.due_at(per_minute) - early_by - nanos(now);
        u64::try_from((wait_ns + NANOS_PER_MS - 1).max(0) / NANOS_PER_MS).unwrap_or(u64::MAX)
    }

    /// Takes the room of one admission at `now`.
    pub(super) fn spend(&mut self, per_minute: u32, now: Timestamp) {
        self.due_ns = self.due_at(per_minute).max(nanos(now)) + interval_ns(per_minute);
        self.last_ns = nanos(now);
    }

    /// The due time as this rate sees it. After an admission at an equal or higher rate it is never later than this
    /// bound; so after the operator raises the rate nobody waits out the old, longer interval, and the promise of the
    /// higher rate still holds.
    fn due_at(&self, per_minute: u32) -> i128 {
        self.due_ns.min(self.last_ns + tolerance_ns(per_minute) + interval_ns(per_minute))
    }
}

fn nanos(moment: Timestamp) -> i128 {
    i128::from(moment.as_millis()) * NANOS_PER_MS
}

fn interval_ns(per_minute: u32) -> i128 {
    let per_minute = i128::from(per_minute.max(1));
    let even = (60 * ONE_SECOND_NS + per_minute - 1) / per_minute;
    if per_minute < 60 { even + NANOS_PER_MS } else { even }
}

fn tolerance_ns(per_minute: u32) -> i128 {
    (ONE_SECOND_NS - interval_ns(per_minute)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + ms)
    }

    /// The moments, in ms, at which a crowd that is always there is admitted within `span_ms`.
    fn admitted(rate: &mut Rate, per_minute: u32, from_ms: i64, span_ms: i64) -> Vec<i64> {
        let mut moments = Vec::new();
        for ms in from_ms..=from_ms + span_ms {
            while rate.wait_ms(per_minute, at(ms)) == 0 {
                rate.spend(per_minute, at(ms));
                moments.push(ms);
            }
        }
        moments
    }

    #[test]
    fn a_waiting_crowd_gets_the_whole_rate_and_one_seconds_worth_at_first() {
        for (per_minute, in_61_s) in [(1, 2), (30, 31), (60, 62), (600, 620), (6_000, 6_200), (600_000, 620_000)] {
            let got = admitted(&mut Rate::default(), per_minute, 0, 61_000).len();
            let slack = usize::try_from(per_minute / 60 + 1).unwrap();
            assert!(got <= in_61_s && got + slack >= in_61_s, "{per_minute} a minute: {got} in 61 s");
        }
    }

    #[test]
    fn whoever_comes_when_told_to_gets_in_and_not_a_millisecond_earlier() {
        for per_minute in [1, 7, 59, 60, 61, 600, 59_999, 600_000] {
            let mut rate = Rate::default();
            while rate.wait_ms(per_minute, at(0)) == 0 {
                rate.spend(per_minute, at(0));
            }
            let wait = i64::try_from(rate.wait_ms(per_minute, at(0))).unwrap();
            assert!(rate.wait_ms(per_minute, at(wait - 1)) > 0, "{per_minute} a minute");
            assert_eq!(rate.wait_ms(per_minute, at(wait)), 0, "{per_minute} a minute");
        }
    }

    #[test]
    fn a_raised_rate_takes_hold_at_once_and_keeps_its_own_promise() {
        let mut rate = Rate::default();
        rate.spend(1, at(0));
        assert!(rate.wait_ms(1, at(1)) > 59_000);
        let moments = admitted(&mut rate, 600, 1, 59_999);
        assert!(moments[0] <= 100, "the first comes after the new interval, not after the old minute: {}", moments[0]);
        assert!(moments.len() < 610, "invariant 6: {}", moments.len() + 1);
    }

    #[test]
    fn a_lowered_rate_takes_hold_at_once() {
        let mut rate = Rate::default();
        admitted(&mut rate, 600_000, 0, 10);
        assert!(admitted(&mut rate, 60, 11, 60_000).len() <= 61);
    }
}
