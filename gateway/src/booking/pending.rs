//! Reservations this gateway has sent and what became of them: so that a repeated one is told that it is running, and
//! one that took too long can be asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use booking_core::{
    digest::Digest,
    id::{BookingId, UserId},
    message::Outcome,
    time::Timestamp,
};

use crate::problem::Problem;

/// The most reservations remembered.
const MAX_REMEMBERED: usize = 200_000;
/// How long what became of one is remembered after its deadline, in milliseconds.
const REMEMBERED_MS: i64 = 300_000;

/// A reservation on its way.
pub(crate) struct Reservation {
    /// Whose.
    pub(crate) user: UserId,
    /// Of the request.
    fingerprint: Digest,
    deadline: Timestamp,
    outcome: Mutex<Option<Outcome>>,
}

impl Reservation {
    fn lock(&self) -> MutexGuard<'_, Option<Outcome>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of it.
    pub(crate) fn finish(&self, outcome: Outcome) {
        *self.lock() = Some(outcome);
    }

    /// What became of it, if that is known.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.lock().clone()
    }

    /// Whether a worker may still be at it.
    pub(crate) fn is_running(&self, now: Timestamp) -> bool {
        now < self.deadline && self.lock().is_none()
    }
}

/// The reservations, by booking.
#[derive(Default)]
pub(crate) struct Pending {
    sent: Mutex<HashMap<BookingId, Arc<Reservation>>>,
}

impl Pending {
    fn sent(&self) -> MutexGuard<'_, HashMap<BookingId, Arc<Reservation>>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a reservation that is about to be sent.
    ///
    /// # Errors
    /// [request-in-progress] where the same one is under way, [idempotency-key-reused] where another request with its key
    /// is; [unavailable] where too many are.
    pub(crate) fn begin(
        &self,
        booking: &BookingId,
        user: &UserId,
        fingerprint: Digest,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Arc<Reservation>, Problem> {
        let mut sent = self.sent();
        if let Some(earlier) = sent.get(booking).filter(|earlier| earlier.is_running(now)) {
            if earlier.fingerprint != fingerprint {
                return Err(Problem::idempotency_key_reused("This Idempotency-Key was used for another request."));
            }
            return Err(Problem::request_in_progress("The same request is still running; ask for its booking.")
                .retry_after(1)
                .with("bookingId", booking.as_str()));
        }
        if sent.len() >= MAX_REMEMBERED {
            sent.retain(|_, earlier| earlier.is_running(now));
        }
        if sent.len() >= MAX_REMEMBERED {
            return Err(Problem::unavailable("Too many reservations are under way; try again."));
        }
        let reservation =
            Arc::new(Reservation { user: user.clone(), fingerprint, deadline, outcome: Mutex::default() });
        sent.insert(booking.clone(), Arc::clone(&reservation));
        Ok(reservation)
    }

    /// Forgets one that was never sent.
    pub(crate) fn forget(&self, booking: &BookingId) {
        self.sent().remove(booking);
    }

    /// The reservation that this gateway sent for `booking`.
    pub(crate) fn get(&self, booking: &BookingId) -> Option<Arc<Reservation>> {
        self.sent().get(booking).cloned()
    }

    /// Forgets what is long over.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.sent().retain(|_, earlier| now <= earlier.deadline.plus_millis(REMEMBERED_MS));
    }
}
