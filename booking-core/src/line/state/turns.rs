//! When a called visitor may come in: twice, in windows of the same length, on a clock that rests while the sale does.

use super::LineState;
use crate::time::Timestamp;

/// How much later than on the page a window closes at the desk, in milliseconds: the clocks of gateways may differ.
pub const CLOCK_TOLERANCE_MS: i64 = 2_000;

/// Where a rank stands between its call and the end of its second window. The moments move along while the sale is
/// paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Not called.
    NotYet,
    /// May come in now.
    Open {
        /// Since when.
        opens_at: Timestamp,
        /// Until when.
        closes_at: Timestamp,
        /// Whether it is the second window, after which the place is over.
        last: bool,
    },
    /// Missed the first window; the second is to come.
    Between {
        /// When it opens.
        opens_at: Timestamp,
        /// When it closes.
        closes_at: Timestamp,
    },
    /// Missed both: the place is over.
    Over,
}

/// The line's own clock: wall time without the pauses.
#[derive(Debug, Clone, Default)]
pub(super) struct LineClock {
    rested_ms: i64,
    stopped_at: Option<Timestamp>,
}

impl LineClock {
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped_at.is_some()
    }

    pub(super) fn stop(&mut self, at: Timestamp) {
        self.stopped_at.get_or_insert(at);
    }

    pub(super) fn go_on(&mut self, at: Timestamp) {
        if let Some(since) = self.stopped_at.take() {
            self.rested_ms += at.millis_since(since);
        }
    }

    /// How far the line's clock is behind the wall's at `now`.
    fn behind_ms(&self, now: Timestamp) -> i64 {
        let resting = self.stopped_at.map_or(0, |since| now.millis_since(since).max(0));
        self.rested_ms + resting
    }

    pub(super) fn line_ms(&self, now: Timestamp) -> i64 {
        now.as_millis() - self.behind_ms(now)
    }
}

/// One `served` record: at this line time, every rank below `up_to` had been called.
#[derive(Debug, Clone, Copy)]
struct Call {
    line_ms: i64,
    up_to: u64,
}

/// Every `served` record, in order: both members rise.
#[derive(Debug, Clone, Default)]
pub(super) struct ServedHistory {
    calls: Vec<Call>,
}

impl ServedHistory {
    pub(super) fn add(&mut self, line_ms: i64, up_to: u64) {
        self.calls.push(Call { line_ms, up_to });
    }

    pub(super) fn up_to(&self) -> u64 {
        self.calls.last().map_or(0, |call| call.up_to)
    }

    /// The line time at which `rank` was called.
    fn called_at(&self, rank: u64) -> Option<i64> {
        let at = self.calls.partition_point(|call| call.up_to <= rank);
        self.calls.get(at).map(|call| call.line_ms)
    }

    /// How many had been called when the line's clock showed `line_ms`.
    fn up_to_at(&self, line_ms: i64) -> u64 {
        let at = self.calls.partition_point(|call| call.line_ms <= line_ms);
        at.checked_sub(1).map_or(0, |last| self.calls[last].up_to)
    }
}

impl LineState {
    /// Whether the turn of `rank` has come at `now`, as the page shows it.
    pub fn turn(&self, rank: u64, now: Timestamp) -> Turn {
        self.turn_within(rank, now, 0)
    }

    /// The same as the desk takes it: a window closes [`CLOCK_TOLERANCE_MS`] later than shown.
    pub fn turn_at_desk(&self, rank: u64, now: Timestamp) -> Turn {
        self.turn_within(rank, now, CLOCK_TOLERANCE_MS)
    }

    fn turn_within(&self, rank: u64, now: Timestamp, tolerance_ms: i64) -> Turn {
        let Some(called_at) = self.served.called_at(rank) else {
            return Turn::NotYet;
        };
        let turn_ms = self.turn_ms();
        let behind_ms = self.clock.behind_ms(now);
        let since = now.as_millis() - behind_ms - called_at;
        let wall = |turns: i64| Timestamp::from_millis(called_at + behind_ms + turns * turn_ms);
        if since < turn_ms + tolerance_ms {
            Turn::Open { opens_at: wall(0), closes_at: wall(1), last: false }
        } else if since < 2 * turn_ms {
            Turn::Between { opens_at: wall(2), closes_at: wall(3) }
        } else if since < 3 * turn_ms + tolerance_ms {
            Turn::Open { opens_at: wall(2), closes_at: wall(3), last: true }
        } else {
            Turn::Over
        }
    }

    fn turn_ms(&self) -> i64 {
        self.policy().map_or(0, |policy| i64::from(policy.turn_seconds) * 1_000)
    }

    /// The lowest rank whose first window is still open at the desk; with nobody in an open window, how many have been
    /// called. Never falls while `now` does not.
    pub fn first_open_rank(&self, now: Timestamp) -> u64 {
        self.served.up_to_at(self.clock.line_ms(now) - self.turn_ms() - CLOCK_TOLERANCE_MS)
    }

    /// How many were called in the last `window_ms` of the line's clock before `now`.
    pub fn called_within(&self, window_ms: i64, now: Timestamp) -> u64 {
        self.served() - self.served.up_to_at(self.clock.line_ms(now) - window_ms)
    }

    /// How long ago the first visitor was called, in milliseconds of the line's clock; `None` before that.
    pub fn calling_for_ms(&self, now: Timestamp) -> Option<i64> {
        self.served.calls.first().map(|first| (self.clock.line_ms(now) - first.line_ms).max(0))
    }
}

#[cfg(test)]
mod tests;
