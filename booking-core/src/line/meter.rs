//! The meter: how many more to call, so that as many come in as the operator set, and nothing waits on a no-show.
//!
//! The desk is what keeps the promise (invariant 6); the meter only sees to it that the desk is neither idle nor
//! crowded. Out of each hundred called, some do not come: it calls as many more as its moving average says.

use crate::time::Timestamp;

/// The share that comes is never taken to be less than this: a sale that everybody left is not called through at once.
pub const LOWEST_SHARE: f64 = 0.1;

/// How many called visitors move the average by half.
const SHARE_INERTIA: f64 = 40.0;

/// The longest stretch of time that a step makes up for, in milliseconds. After a stall or a pause calling goes on at
/// the rate, not in a burst.
const LONGEST_STEP_MS: i64 = 1_000;

/// In how many milliseconds of free room those who were turned away and did not come back are forgotten.
const PATIENCE_MS: f64 = 10_000.0;

/// What the meter decides by.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterInput {
    /// When.
    pub now: Timestamp,
    /// Admissions a minute.
    pub rate_per_minute: u32,
    /// The most admissions alive at once.
    pub max_active: u32,
    /// Whether calling rests, for whatever reason.
    pub paused: bool,
    /// Admissions alive.
    pub active: u64,
    /// Called, in their first window, and not yet come.
    pub pending: u64,
    /// Came to the desk, ever, and were not admitted (yet).
    pub not_admitted: u64,
    /// Admissions alive that hold no seat.
    pub browsing: u64,
    /// Seats that are neither held nor booked.
    pub seats_left: u64,
    /// How many holds the pool can take a second, where measured.
    pub holds_per_second: Option<u32>,
    /// How many have a rank and are not called.
    pub waiting: u64,
}

/// The meter's memory. A new keeper starts a new one; it learns the share again from the desk's counts at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Meter {
    last: Option<Timestamp>,
    /// Calls that are due and not made: a fraction, or more where there was no room.
    due: f64,
    share: f64,
    learned_called: u64,
    learned_came: u64,
    /// Of those who came and were not admitted: how many are taken to have gone.
    gone: f64,
}

impl Default for Meter {
    fn default() -> Self {
        Self { last: None, due: 1.0, share: 1.0, learned_called: 0, learned_came: 0, gone: 0.0 }
    }
}

impl Meter {
    /// A meter that believes that everybody comes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The share that comes when called, as learned: [`LOWEST_SHARE`] to 1.
    pub fn show_share(&self) -> f64 {
        self.share
    }

    /// When the meter last decided.
    pub fn last_step(&self) -> Option<Timestamp> {
        self.last
    }

    /// Learns from the visitors whose first window has closed: of the `called` lowest ranks, `came` have come. Both
    /// count from the beginning of the sale; what was learned before is not learned again.
    pub fn learn(&mut self, called: u64, came: u64) {
        let Some(cohort) = called.checked_sub(self.learned_called).filter(|&cohort| cohort > 0) else {
            return;
        };
        // Somebody of an earlier cohort may have come in the second window: count that as this cohort's luck.
        let came_of_it = came.saturating_sub(self.learned_came);
        (self.learned_called, self.learned_came) = (called, came);
        let seen = (came_of_it as f64 / cohort as f64).min(1.0);
        let weight = cohort as f64 / (cohort as f64 + SHARE_INERTIA);
        self.share = (self.share + (seen - self.share) * weight).clamp(LOWEST_SHARE, 1.0);
    }

    /// How many more to call now. Never while paused or without a seat left, never more than wait.
    pub fn call(&mut self, input: &MeterInput) -> u64 {
        let elapsed_ms = self.last.map_or(0, |last| input.now.millis_since(last)).clamp(0, LONGEST_STEP_MS) as f64;
        self.last = Some(input.now);
        let at_desk = self.at_desk(input, elapsed_ms);
        if input.paused {
            self.due = self.due.min(1.0);
            return 0;
        }
        let comers_per_second = comers_per_second(input);
        let calls_per_second = comers_per_second / self.share;
        let accrued = calls_per_second * elapsed_ms / 1_000.0;
        // What found no room is kept for a second at most; the fraction that is left of one visitor, always.
        self.due = (self.due + accrued).min(calls_per_second.max(1.0 + accrued));
        if input.seats_left == 0 {
            return 0;
        }
        let expected = input.pending as f64 * self.share + at_desk;
        let room = f64::from(input.max_active) - input.active as f64 - expected;
        // Near the end, about two visitors are in for each seat left: more would only look at a full map.
        let worth_calling = 2.0 * input.seats_left as f64 - input.browsing as f64 - expected;
        let fit = room.min(worth_calling) / self.share;
        // A hair more than the quotient: 3 / 0.3 is ten, whatever the last bit says.
        let calls = whole(self.due.min(fit) + 1e-9).min(input.waiting);
        self.due = (self.due - calls as f64).max(0.0);
        calls
    }

    /// How many stand at the desk and are to be admitted next. Whoever was turned away and left for good can't be told
    /// from whoever comes again in a moment; while there is room, those who stay away are forgotten by and by.
    fn at_desk(&mut self, input: &MeterInput, elapsed_ms: f64) -> f64 {
        let not_admitted = input.not_admitted as f64;
        self.gone = self.gone.min(not_admitted);
        if input.active < u64::from(input.max_active) && !input.paused {
            self.gone += (not_admitted - self.gone) * (elapsed_ms / PATIENCE_MS).min(1.0);
        }
        not_admitted - self.gone
    }
}

/// How many should come in a second: what the operator set, or what the pool can serve if that is less.
fn comers_per_second(input: &MeterInput) -> f64 {
    let rate = f64::from(input.rate_per_minute) / 60.0;
    input.holds_per_second.map_or(rate, |holds| rate.min(f64::from(holds)))
}

fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded down and at least 0")]
    let whole = number.max(0.0) as u64;
    whole
}

#[cfg(test)]
mod tests;
