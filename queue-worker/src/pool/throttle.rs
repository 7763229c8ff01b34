//! How many commands the pool takes: so many in flight, so many a second; and how many it was seen to manage.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use booking_core::time::Timestamp;

use crate::{Gauges, Settings};

/// How much of a second's worth may be taken at once after a rest.
const BURST_MS: f64 = 100.0;
/// A measurement takes at least this long, in milliseconds.
const MEASURE_MS: i64 = 500;
/// After this long without a backlog a measurement says nothing any more, in milliseconds.
const FORGET_MS: i64 = 5_000;

/// The throttle that the pools of all lanes share.
#[derive(Debug)]
pub struct Throttle {
    room: usize,
    per_second: f64,
    in_flight: Arc<AtomicUsize>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    filled_at: Option<Timestamp>,
    /// Since when there was always more to do, and how much was done.
    busy: Option<(Timestamp, usize)>,
    last_busy: Option<Timestamp>,
}

/// Leave to work on so many commands. Dropping it makes room again.
#[derive(Debug)]
pub(crate) struct Permit {
    count: usize,
    in_flight: Arc<AtomicUsize>,
}

impl Permit {
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(self.count, Ordering::AcqRel);
    }
}

impl Throttle {
    /// A throttle at rest.
    pub fn new(settings: &Settings) -> Self {
        let per_second = f64::from(settings.holds_per_second);
        let state = State { tokens: burst(per_second), filled_at: None, busy: None, last_busy: None };
        Self { room: settings.holds_in_flight, per_second, in_flight: Arc::default(), state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave for up to `wanted` commands, perhaps for none.
    pub(crate) fn take(&self, wanted: usize, now: Timestamp, gauges: &Gauges) -> Permit {
        let mut state = self.state();
        let elapsed_ms = state.filled_at.map_or(0, |at| now.millis_since(at)).max(0) as f64;
        state.filled_at = Some(state.filled_at.map_or(now, |at| at.max(now)));
        state.tokens = (state.tokens + self.per_second * elapsed_ms / 1_000.0).min(burst(self.per_second));
        let room = self.room.saturating_sub(self.in_flight.load(Ordering::Acquire));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tokens are never negative")]
        let count = wanted.min(room).min(state.tokens as usize);
        state.tokens -= count as f64;
        let in_flight = self.in_flight.fetch_add(count, Ordering::AcqRel) + count;
        gauges.pool_in_flight.set(in_flight as u64);
        Permit { count, in_flight: Arc::clone(&self.in_flight) }
    }

    /// A full batch of `done` commands was done: there may be more waiting.
    pub(crate) fn worked(&self, done: usize, now: Timestamp, gauges: &Gauges) {
        let mut state = self.state();
        state.last_busy = Some(now);
        let Some((since, counted)) = &mut state.busy else {
            // The first batch only starts the watch: when it was begun is not known.
            state.busy = Some((now, 0));
            return;
        };
        *counted += done;
        let elapsed_ms = now.millis_since(*since);
        if elapsed_ms >= MEASURE_MS {
            let per_second = *counted as f64 * 1_000.0 / elapsed_ms as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1, far below 2^64")]
            gauges.pool_per_second.set(per_second.max(1.0) as u64);
            state.busy = Some((now, 0));
        } else if elapsed_ms < 0 {
            state.busy = Some((now, 0));
        }
    }

    /// There was nothing more to do.
    pub(crate) fn rested(&self, now: Timestamp, gauges: &Gauges) {
        gauges.pool_in_flight.set(self.in_flight.load(Ordering::Acquire) as u64);
        let mut state = self.state();
        state.busy = None;
        if state.last_busy.is_some_and(|last| !(0..FORGET_MS).contains(&now.millis_since(last))) {
            state.last_busy = None;
            gauges.pool_per_second.set(0);
        }
    }
}

fn burst(per_second: f64) -> f64 {
    (per_second * BURST_MS / 1_000.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    fn throttle(holds_in_flight: usize, holds_per_second: u32) -> (Throttle, Gauges) {
        let settings = Settings { holds_in_flight, holds_per_second, ..Settings::default() };
        (Throttle::new(&settings), Gauges::default())
    }

    #[test]
    fn no_more_are_let_through_than_there_is_room_for() {
        let (throttle, gauges) = throttle(10, 1_000_000);
        let first = throttle.take(7, at(0), &gauges);
        let second = throttle.take(7, at(0), &gauges);
        assert_eq!((first.count(), second.count()), (7, 3));
        drop(first);
        assert_eq!(throttle.take(20, at(0), &gauges).count(), 7);
    }

    #[test]
    fn no_more_are_let_through_in_a_second_than_the_rate() {
        let (throttle, gauges) = throttle(1_000, 100);
        let through: usize = (0..=1_000).map(|ms| throttle.take(50, at(ms), &gauges).count()).sum();
        assert!((100..=111).contains(&through), "{through}");
        throttle.take(50, at(500), &gauges);
        assert_eq!(throttle.take(1_000, at(60_000), &gauges).count(), 10, "a rest is not made up for");
    }

    #[test]
    fn what_the_pool_manages_is_measured_while_there_is_more_to_do_and_forgotten_later() {
        let (throttle, gauges) = throttle(1_000, 1_000_000);
        for batch in 0..=10 {
            throttle.worked(100, at(batch * 100), &gauges);
        }
        assert_eq!(gauges.pool_per_second.get(), 1_000);
        throttle.rested(at(1_100), &gauges);
        assert_eq!(gauges.pool_per_second.get(), 1_000);
        throttle.rested(at(7_000), &gauges);
        assert_eq!(gauges.pool_per_second.get(), 0);
    }
}
