//! How the desk's scripts write places, moments and endings.

use booking_core::{
    desk::{Change, ChangeKind, Ended},
    line::Place,
    ports::{PortError, PortResult},
    time::Timestamp,
};

use super::PORT;
use crate::redis::error::damaged;

/// A number as Redis reads it. Numbers and positions never come near 2^63.
pub(super) fn number_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn text_of(place: Place) -> String {
    format!("{}:{}", place.lane, place.offset)
}

pub(super) fn place_of(text: &str) -> PortResult<Place> {
    let (lane, offset) = text.split_once(':').ok_or_else(|| unreadable(text))?;
    match (lane.parse(), offset.parse()) {
        (Ok(lane), Ok(offset)) => Ok(Place { lane, offset }),
        _ => Err(unreadable(text)),
    }
}

pub(super) fn time_of(text: &str) -> PortResult<Timestamp> {
    text.parse().map(Timestamp::from_millis).map_err(|_| unreadable(text))
}

pub(super) fn letter_of(why: Ended) -> &'static str {
    match why {
        Ended::Booked => "B",
        Ended::GivenUp => "G",
        Ended::Revoked => "R",
    }
}

pub(super) fn ended_of(letter: &str) -> PortResult<Ended> {
    match letter {
        "B" => Ok(Ended::Booked),
        "G" => Ok(Ended::GivenUp),
        "R" => Ok(Ended::Revoked),
        _ => Err(unreadable(letter)),
    }
}

/// Reads a change: `A`, the admission's last ms, or `E` and how it ended; then the place.
pub(super) fn change_of(number: u64, text: &str) -> PortResult<Change> {
    let (what, place) = text.split_once(' ').ok_or_else(|| unreadable(text))?;
    let what = match what.split_at_checked(1) {
        Some(("A", expires_at)) => ChangeKind::Admitted(time_of(expires_at)?),
        Some(("E", why)) => ChangeKind::Ended(ended_of(why)?),
        _ => return Err(unreadable(text)),
    };
    Ok(Change { number, place: place_of(place)?, what })
}

fn unreadable(text: &str) -> PortError {
    damaged(PORT, &format!("'{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_changes_come_back_as_they_were_written() {
        let place = Place { lane: 3, offset: u64::MAX };
        assert_eq!(place_of(&text_of(place)).unwrap(), place);
        let ended = Change { number: 7, place, what: ChangeKind::Ended(Ended::Revoked) };
        assert_eq!(change_of(7, &format!("ER {}", text_of(place))).unwrap(), ended);
        let what = ChangeKind::Admitted(Timestamp::MAX);
        assert_eq!(change_of(8, "A253370764799999 0:1").unwrap().what, what);
    }

    #[test]
    fn what_nobody_wrote_is_damage() {
        for text in ["", "A", "A1", "Ax 0:1", "EX 0:1", "B1 0:1", "A1 0", "A1 x:1", "A1 0:-1", "é 0:1"] {
            assert!(matches!(change_of(1, text), Err(PortError::Damaged { .. })), "{text}");
        }
    }
}
