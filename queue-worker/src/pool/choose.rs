//! Which seats a hold is about: named ones looked up, or the best there are.

use std::collections::HashSet;

use booking_core::{
    id::SessionId,
    line::state::{LineState, Phase},
    message::{Refusal, Wanted},
    seats::{SeatId, SeatIndex, SeatMap, SeatSet, best::best_available, orphan::orphans},
    time::Timestamp,
};

use super::hold::Hold;
use crate::hall::Hall;

/// Why nothing at all is held now under this admission, if that is so.
pub(super) fn closed_to(line: &LineState, hall: &Hall, session: &SessionId, now: Timestamp) -> Option<Refusal> {
    if hall.event.has_begun(now) {
        Some(Refusal::EventOver)
    } else if line.phase(now) == Phase::Closed {
        Some(Refusal::SaleEnded)
    } else if line.is_revoked(session) {
        Some(Refusal::AdmissionOver)
    } else {
        None
    }
}

/// The seats for `hold`, at most `max_seats`. `taken`: what is known to be taken. Named seats that are taken are
/// answered all the same: they may be this very hold's.
///
/// # Errors
/// What is wrong with the wish.
pub(super) fn choose(
    hold: &Hold,
    map: &SeatMap,
    taken: &SeatSet,
    max_seats: u32,
    orphans_allowed: bool,
) -> Result<Vec<SeatIndex>, Refusal> {
    let wanted = match &hold.wanted {
        Wanted::Seats(seats) => seats.len(),
        Wanted::BestAvailable { count, .. } => *count as usize,
    };
    if wanted == 0 {
        return Err(Refusal::Invalid { detail: "name at least one seat".to_owned() });
    }
    match &hold.wanted {
        Wanted::Seats(ids) => {
            let seats = named(map, ids)?;
            within(wanted, max_seats)?;
            let is_free = !seats.iter().any(|seat| taken.contains(*seat));
            let left = if is_free && !orphans_allowed { orphans(map, taken, &seats) } else { Vec::new() };
            if left.is_empty() { Ok(seats) } else { Err(Refusal::OrphanSeat { orphans: ids_of(map, &left) }) }
        }
        Wanted::BestAvailable { count, category } => {
            if let Some(name) = category.as_ref().filter(|name| map.category(name).is_none()) {
                return Err(Refusal::UnknownSeat { name: name.clone() });
            }
            within(wanted, max_seats)?;
            best_available(map, taken, *count, category.as_deref())
                .ok_or(Refusal::SeatsUnavailable { unavailable: Vec::new() })
        }
    }
}

fn within(wanted: usize, max_seats: u32) -> Result<(), Refusal> {
    if wanted > max_seats as usize { Err(Refusal::TooManySeats { max_seats }) } else { Ok(()) }
}

fn named(map: &SeatMap, ids: &[SeatId]) -> Result<Vec<SeatIndex>, Refusal> {
    let mut seen = HashSet::with_capacity(ids.len());
    ids.iter()
        .map(|id| {
            let seat = map.index_of(id).ok_or_else(|| Refusal::UnknownSeat { name: id.to_string() })?;
            if seen.insert(seat) { Ok(seat) } else { Err(Refusal::DuplicateSeat { name: id.to_string() }) }
        })
        .collect()
}

/// The seats as people name them.
pub(super) fn ids_of(map: &SeatMap, seats: &[SeatIndex]) -> Vec<SeatId> {
    seats.iter().filter_map(|seat| Some(map.seat(*seat)?.seat_id.clone())).collect()
}
