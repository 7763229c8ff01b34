//! A hold's one extension: by what the sale's policy says, decided by the ledger.

use super::{Booking, BookingState};
use crate::{
    id::{BookingId, UserId},
    time::Timestamp,
};

/// A live hold that is to be extended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendHold {
    /// Which booking.
    pub booking: BookingId,
    /// Whose it must be.
    pub user: UserId,
    /// By how much, more than nothing; of a hold that was extended before, it does not matter.
    pub by_seconds: u32,
}

/// What became of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "what was asked for is named as it was asked for")]
pub enum Extended {
    /// Extended now.
    Extended(Booking),
    /// Extended earlier, and still live.
    Again(Booking),
    /// It has run out or was given back, one of its seats is somebody else's, or its event was called off.
    Gone(Booking),
    /// It is confirmed or cancelled; there is nothing to extend.
    NotHeld(Booking),
    /// Its event is about to go to another hall, and waits for the last hold to run out.
    Resting(Booking),
    /// There is no such booking of this user.
    Unknown,
}

/// What becomes of an extension, and the booking to write. `has_its_seats`: whether they are still its own or nobody's,
/// and its event was not called off. `is_resting`: whether nothing of its event is held any more.
pub fn judge_extend(
    stored: Option<&Booking>,
    ask: &ExtendHold,
    (has_its_seats, is_resting): (bool, bool),
    now: Timestamp,
) -> (Extended, Option<Booking>) {
    let Some(booking) = stored.filter(|booking| booking.user_id == ask.user) else {
        return (Extended::Unknown, None);
    };
    match booking.state {
        BookingState::Confirmed | BookingState::Cancelled => return (Extended::NotHeld(booking.clone()), None),
        BookingState::Held if booking.is_live_hold(now) && has_its_seats => {}
        BookingState::Held | BookingState::Expired | BookingState::Released => {
            return (Extended::Gone(booking.clone()), None);
        }
    }
    if booking.extended {
        return (Extended::Again(booking.clone()), None);
    }
    if is_resting {
        return (Extended::Resting(booking.clone()), None);
    }
    let expires_at = booking.expires_at.plus_seconds(ask.by_seconds);
    let after = Booking { expires_at, extended: true, ..booking.clone() };
    (Extended::Extended(after.clone()), Some(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Digest, money::Money, seats::SeatIndex};

    /// What a row's answer must be.
    type Expected<'a> = &'a dyn Fn(&Booking) -> Extended;

    /// A hold that runs out at 60 s.
    fn held() -> Booking {
        Booking {
            booking_id: "booking_1".parse().unwrap(),
            event_id: "evt_1".parse().unwrap(),
            user_id: "user_1".parse().unwrap(),
            session: "session_1".parse().unwrap(),
            seats: vec![SeatIndex(0)],
            cancelled_seats: Vec::new(),
            bought_as: Vec::new(),
            state: BookingState::Held,
            total: Money { amount: 500, currency: "EUR".parse().unwrap() },
            expires_at: Timestamp::from_millis(60_000),
            extended: false,
            created_at: Timestamp::default(),
            settled_at: None,
            transaction: None,
            refund: None,
            fingerprint: Digest::ZERO,
        }
    }

    fn extend(by_seconds: u32) -> ExtendHold {
        ExtendHold { booking: "booking_1".parse().unwrap(), user: "user_1".parse().unwrap(), by_seconds }
    }

    #[test]
    fn a_live_hold_is_extended_once_from_its_own_deadline() {
        let now = Timestamp::from_millis(59_999);
        let (answer, after) = judge_extend(Some(&held()), &extend(30), (true, false), now);
        let after = after.expect("changed");
        assert_eq!(after, Booking { expires_at: Timestamp::from_millis(90_000), extended: true, ..held() });
        assert_eq!(answer, Extended::Extended(after.clone()));
        let resting = judge_extend(Some(&held()), &extend(30), (true, true), now);
        assert_eq!(resting, (Extended::Resting(held()), None), "its event waits for it to run out");
        let later = Timestamp::from_millis(89_999);
        assert_eq!(judge_extend(Some(&after), &extend(99), (true, true), later), (Extended::Again(after), None));
    }

    #[test]
    fn what_is_no_live_hold_with_its_seats_is_not_extended() {
        let at = Timestamp::from_millis;
        let gone = |booking: &Booking| Extended::Gone(booking.clone());
        let not_held = |booking: &Booking| Extended::NotHeld(booking.clone());
        let table: [(BookingState, bool, i64, Expected<'_>); 6] = [
            (BookingState::Held, true, 60_000, &gone),
            (BookingState::Held, false, 10, &gone),
            (BookingState::Expired, true, 10, &gone),
            (BookingState::Released, true, 10, &gone),
            (BookingState::Confirmed, true, 10, &not_held),
            (BookingState::Cancelled, true, 10, &not_held),
        ];
        for (state, has_its_seats, now, expected) in table {
            for extended in [false, true] {
                let stored = Booking { state, extended, ..held() };
                let found = judge_extend(Some(&stored), &extend(30), (has_its_seats, false), at(now));
                assert_eq!(found, (expected(&stored), None), "{state:?} {has_its_seats} {now}");
            }
        }
        let foreign = ExtendHold { user: "user_2".parse().unwrap(), ..extend(30) };
        assert_eq!(judge_extend(Some(&held()), &foreign, (true, false), at(10)), (Extended::Unknown, None));
        assert_eq!(judge_extend(None, &extend(30), (true, false), at(10)), (Extended::Unknown, None));
    }
}
