//! The hold table's suite: see [`crate::ports::contract`]. What it opens is a table that has just been lost, or never
//! was: nothing of it survives.

use futures_util::future::join_all;

use super::{Grant, Holds, SeatClaim, Settle, Want};
use crate::{
    holds::TABLE_GRACE_MS,
    ports::contract::{CROWD, at, booking, event, seats},
    seats::{SeatIndex, SeatSet},
    time::Timestamp,
};

/// Makes one test of each sentence of the hold table's contract.
#[macro_export]
macro_rules! holds_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) holds:
            a_table_that_is_not_rebuilt_grants_nothing
            a_hold_is_all_its_seats_or_none
            a_hold_that_is_repeated_is_granted_again
            wants_are_answered_in_their_order
            a_hold_ends_a_little_after_its_deadline
            booked_seats_stay_taken
            a_payment_that_comes_late_still_takes_its_seats
            a_hold_that_is_extended_ends_later
            freed_seats_are_free_at_once
            a_booking_keeps_some_of_its_seats
            a_rebuilt_table_is_what_the_ledger_says
            overlapping_holds_at_once_never_share_a_seat
            seats_that_no_map_has_are_never_granted
            events_have_tables_of_their_own
        }
    };
}

/// A hold of a minute.
fn want(number: u32, indices: &[u32]) -> Want {
    Want { booking: booking(number), seats: seats(indices), until: at(60_000) }
}

async fn ready<H: Holds>(open: impl AsyncFn() -> H) -> H {
    let holds = open().await;
    holds.rebuild(&event(1), &[]).await.expect("rebuilt");
    holds
}

async fn hold(holds: &impl Holds, want: &Want, now: Timestamp) -> Grant {
    let mut grants = holds.hold(&event(1), std::slice::from_ref(want), now).await.expect("an answer");
    assert_eq!(grants.len(), 1, "one answer each");
    grants.remove(0)
}

/// The seats below 400 that are taken.
async fn taken(holds: &impl Holds, now: Timestamp) -> Vec<SeatIndex> {
    let taken: SeatSet = holds.taken(&event(1), now).await.expect("the taken seats");
    (0..400).map(SeatIndex).filter(|seat| taken.contains(*seat)).collect()
}

/// "A table that is not ready grants nothing."
pub async fn a_table_that_is_not_rebuilt_grants_nothing<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = open().await;
    assert!(!holds.is_ready(&event(1)).await.expect("an answer"));
    assert_eq!(hold(&holds, &want(1, &[1]), at(0)).await, Grant::NotReady);
    holds.settle(&event(1), &[Settle::Freed(booking(1)), Settle::Booked(booking(2))]).await.expect("nothing");
    assert!(!holds.is_ready(&event(1)).await.expect("an answer"), "only a rebuild makes it ready");
    holds.rebuild(&event(1), &[]).await.expect("rebuilt");
    assert!(holds.is_ready(&event(1)).await.expect("an answer"));
    assert_eq!(hold(&holds, &want(1, &[1]), at(0)).await, Grant::Granted);
}

/// "All the seats or none" (invariant 2).
pub async fn a_hold_is_all_its_seats_or_none<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert_eq!(hold(&holds, &want(1, &[7, 2]), at(0)).await, Grant::Granted);
    assert_eq!(hold(&holds, &want(2, &[1, 2, 3, 7]), at(1)).await, Grant::Taken(seats(&[2, 7])));
    assert_eq!(taken(&holds, at(1)).await, seats(&[2, 7]), "invariant 2");
    assert_eq!(hold(&holds, &want(2, &[1, 3]), at(1)).await, Grant::Granted);
    assert_eq!(taken(&holds, at(1)).await, seats(&[1, 2, 3, 7]));

    // Every one of them, however many there are.
    let mut so_far = seats(&[1, 2, 3, 7]);
    for count in 1..=12_u32 {
        let indices: Vec<u32> = (0..count).map(|seat| count * 20 + seat).collect();
        assert_eq!(hold(&holds, &want(100 + count, &indices), at(2)).await, Grant::Granted);
        so_far.extend(seats(&indices));
        assert_eq!(taken(&holds, at(2)).await, so_far, "invariant 2, with {count} seats");
    }
}

/// "Repeating a hold by the same booking id grants again what it still has"; it is no way to other seats.
pub async fn a_hold_that_is_repeated_is_granted_again<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert_eq!(hold(&holds, &want(1, &[1, 2]), at(0)).await, Grant::Granted);
    let longer = Want { until: at(600_000), ..want(1, &[2, 1]) };
    assert_eq!(hold(&holds, &longer, at(5)).await, Grant::Granted);
    assert_eq!(hold(&holds, &want(1, &[1, 2, 3]), at(6)).await, Grant::Taken(seats(&[1, 2, 3])));
    assert_eq!(hold(&holds, &want(1, &[8]), at(6)).await, Grant::Taken(seats(&[8])));
    assert_eq!(taken(&holds, at(7)).await, seats(&[1, 2]), "what it had, and no more");
    assert_eq!(taken(&holds, at(60_000 + TABLE_GRACE_MS)).await, [], "with the deadline that it had");
}

/// "Grants each of `wants`; one answer each, in order."
pub async fn wants_are_answered_in_their_order<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    let wants = [want(1, &[1, 2]), want(2, &[2, 3]), want(3, &[3]), want(1, &[1, 2])];
    let grants = holds.hold(&event(1), &wants, at(0)).await.expect("answers");
    assert_eq!(grants, [Grant::Granted, Grant::Taken(seats(&[2])), Grant::Granted, Grant::Granted]);
    assert_eq!(holds.hold(&event(1), &[], at(0)).await.expect("answers"), []);
}

/// "A hold ends by comparing its deadline with `now`": the ledger's, and the grace after it.
pub async fn a_hold_ends_a_little_after_its_deadline<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    let end = 60_000 + TABLE_GRACE_MS;
    assert_eq!(hold(&holds, &want(1, &[1, 2]), at(0)).await, Grant::Granted);
    let next = Want { until: at(120_000), ..want(2, &[2, 3]) };
    assert_eq!(hold(&holds, &next, at(end - 1)).await, Grant::Taken(seats(&[2])), "never before the ledger");
    assert_eq!(taken(&holds, at(end - 1)).await, seats(&[1, 2]));
    assert_eq!(taken(&holds, at(end)).await, []);
    assert_eq!(hold(&holds, &next, at(end)).await, Grant::Granted);
    assert_eq!(taken(&holds, at(end)).await, seats(&[2, 3]));
    let anew = Want { until: at(120_000), ..want(1, &[1]) };
    assert_eq!(hold(&holds, &anew, at(end)).await, Grant::Granted, "an id whose hold is over may hold anew");
}

/// "Seats booked for good."
pub async fn booked_seats_stay_taken<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert_eq!(hold(&holds, &want(1, &[1, 2]), at(0)).await, Grant::Granted);
    holds.settle(&event(1), &[Settle::Booked(booking(1)), Settle::Booked(booking(7))]).await.expect("settled");
    assert_eq!(taken(&holds, at(9_000_000)).await, seats(&[1, 2]));
    assert_eq!(hold(&holds, &want(2, &[2]), at(9_000_000)).await, Grant::Taken(seats(&[2])));
    holds.settle(&event(1), &[Settle::Freed(booking(1))]).await.expect("settled");
    assert_eq!(taken(&holds, at(9_000_000)).await, [], "a cancellation frees them");
}

/// The ledger may confirm a hold after its deadline; the table then shows its seats as taken again.
pub async fn a_payment_that_comes_late_still_takes_its_seats<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert_eq!(hold(&holds, &want(1, &[1, 2]), at(0)).await, Grant::Granted);
    assert_eq!(hold(&holds, &want(2, &[5]), at(70_000)).await, Grant::Granted, "time goes on");
    holds.settle(&event(1), &[Settle::Booked(booking(1))]).await.expect("settled");
    assert_eq!(hold(&holds, &want(3, &[1]), at(80_000)).await, Grant::Taken(seats(&[1])));
}

/// "This is its deadline in the ledger now": never earlier than that, however often and in whatever order it is told.
pub async fn a_hold_that_is_extended_ends_later<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    let extend = async |number: u32, until: i64| {
        let settles = [Settle::Extended(booking(number), at(until)), Settle::Extended(booking(99), at(until))];
        holds.settle(&event(1), &settles).await.expect("settled");
    };
    assert_eq!(hold(&holds, &want(1, &[1, 2]), at(0)).await, Grant::Granted);
    for until in [90_000, 90_000, 70_000] {
        extend(1, until).await;
        let end = 90_000 + TABLE_GRACE_MS;
        assert_eq!(hold(&holds, &want(2, &[2, 3]), at(end - 1)).await, Grant::Taken(seats(&[2])), "told {until}");
        assert_eq!(taken(&holds, at(end - 1)).await, seats(&[1, 2]));
        assert_eq!(taken(&holds, at(end)).await, []);
    }
    assert_eq!(hold(&holds, &want(3, &[5]), at(0)).await, Grant::Granted);
    holds.settle(&event(1), &[Settle::Booked(booking(3))]).await.expect("settled");
    extend(3, 70_000).await;
    assert_eq!(taken(&holds, at(9_000_000)).await, seats(&[5]), "what is booked stays so");
    holds.settle(&event(1), &[Settle::Freed(booking(1))]).await.expect("settled");
    extend(1, 900_000).await;
    assert_eq!(taken(&holds, at(80_000)).await, seats(&[5]), "what was given back stays so");
    // One that ran out and lost a seat to somebody else has none of them any more.
    assert_eq!(hold(&holds, &want(4, &[7, 8]), at(0)).await, Grant::Granted);
    assert_eq!(hold(&holds, &Want { until: at(120_000), ..want(5, &[8]) }, at(61_000)).await, Grant::Granted);
    extend(4, 100_000).await;
    assert_eq!(taken(&holds, at(61_000)).await, seats(&[5, 8]));
}

/// "Of its seats only these are still its own": never more than it had, in whatever order it is told.
pub async fn a_booking_keeps_some_of_its_seats<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert_eq!(hold(&holds, &want(1, &[1, 2, 10, 12]), at(0)).await, Grant::Granted);
    let keep = async |kept: &[u32]| {
        let settles = [Settle::Kept(booking(1), seats(kept)), Settle::Kept(booking(9), seats(&[5]))];
        holds.settle(&event(1), &settles).await.expect("settled");
    };
    holds.settle(&event(1), &[Settle::Booked(booking(1))]).await.expect("settled");
    keep(&[12, 2, 10]).await;
    assert_eq!(taken(&holds, at(9_000_000)).await, seats(&[2, 10, 12]));
    assert_eq!(hold(&holds, &want(2, &[1]), at(1)).await, Grant::Granted, "it is free at once");
    keep(&[2]).await;
    keep(&[1, 2, 10, 12]).await;
    assert_eq!(taken(&holds, at(1)).await, seats(&[1, 2]), "what was given up is not had again");
    assert_eq!(hold(&holds, &want(3, &[10, 12]), at(1)).await, Grant::Granted);
    holds.settle(&event(1), &[Settle::Booked(booking(1))]).await.expect("settled");
    keep(&[]).await;
    keep(&[2]).await;
    assert_eq!(taken(&holds, at(1)).await, seats(&[1, 10, 12]));
}

/// "Or free again."
pub async fn freed_seats_are_free_at_once<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert_eq!(hold(&holds, &want(1, &[1, 2]), at(0)).await, Grant::Granted);
    for _ in 0..2 {
        holds.settle(&event(1), &[Settle::Freed(booking(1)), Settle::Freed(booking(9))]).await.expect("settled");
    }
    assert_eq!(taken(&holds, at(1)).await, []);
    assert_eq!(hold(&holds, &want(2, &[2]), at(1)).await, Grant::Granted);
    holds.settle(&event(1), &[Settle::Freed(booking(1))]).await.expect("nothing");
    assert_eq!(taken(&holds, at(1)).await, seats(&[2]), "a hold that is over frees nothing of others");
    // A seat taken over from a hold that ran out is the later one's, whatever is said of the earlier.
    let late = at(61_000);
    assert_eq!(hold(&holds, &Want { until: at(120_000), ..want(3, &[2, 3]) }, late).await, Grant::Granted);
    holds.settle(&event(1), &[Settle::Freed(booking(2)), Settle::Booked(booking(2))]).await.expect("nothing");
    assert_eq!(taken(&holds, late).await, seats(&[2, 3]));
}

/// "Replaces the event's table by `claims`, as the ledger has them, and makes it ready."
pub async fn a_rebuilt_table_is_what_the_ledger_says<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert_eq!(hold(&holds, &want(1, &[1, 2]), at(0)).await, Grant::Granted);
    let claims = [
        SeatClaim { booking: booking(2), seats: seats(&[9, 4]), until: Some(at(60_000)) },
        SeatClaim { booking: booking(3), seats: seats(&[5]), until: None },
    ];
    holds.rebuild(&event(1), &claims).await.expect("rebuilt");
    assert_eq!(taken(&holds, at(0)).await, seats(&[4, 5, 9]));
    assert_eq!(hold(&holds, &want(2, &[4, 9]), at(1)).await, Grant::Granted, "what it still has");
    assert_eq!(taken(&holds, at(60_000 + TABLE_GRACE_MS)).await, seats(&[5]));
    holds.settle(&event(1), &[Settle::Freed(booking(2))]).await.expect("settled");
    assert_eq!(hold(&holds, &want(4, &[4, 9, 1]), at(2)).await, Grant::Granted);
}

/// Invariants 1 and 2, with many at once.
pub async fn overlapping_holds_at_once_never_share_a_seat<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    let wants: Vec<_> = (0..CROWD)
        .map(|number| want(number, &[number * 7 % 60, (number * 7 + 13) % 60, (number * 7 + 29) % 60]))
        .collect();
    let grants = join_all(wants.iter().map(|want| hold(&holds, want, at(0)))).await;
    let granted: Vec<_> = wants.iter().zip(&grants).filter(|(_, grant)| **grant == Grant::Granted).collect();
    let mut seats: Vec<_> = granted.iter().flat_map(|(want, _)| want.seats.clone()).collect();
    seats.sort_unstable();
    assert!(seats.windows(2).all(|pair| pair[0] != pair[1]), "invariant 1: {seats:?}");
    assert_eq!(taken(&holds, at(0)).await, seats, "invariant 2");
    for (want, grant) in wants.iter().zip(&grants) {
        if let Grant::Taken(taken) = grant {
            assert!(!taken.is_empty() && taken.iter().all(|seat| want.seats.contains(seat)), "{want:?}: {taken:?}");
        }
    }
}

/// No number makes the table grow without end.
pub async fn seats_that_no_map_has_are_never_granted<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    let beyond = want(1, &[3, u32::MAX]);
    assert_eq!(hold(&holds, &beyond, at(0)).await, Grant::Taken(seats(&[u32::MAX])));
    assert_eq!(taken(&holds, at(0)).await, []);
}

/// The same seat number of another event is another seat, and ready or not by itself.
pub async fn events_have_tables_of_their_own<H: Holds>(open: impl AsyncFn() -> H) {
    let holds = ready(open).await;
    assert!(!holds.is_ready(&event(2)).await.expect("an answer"));
    let there = holds.hold(&event(2), &[want(1, &[1])], at(0)).await.expect("an answer");
    assert_eq!(there, [Grant::NotReady]);
    holds.rebuild(&event(2), &[]).await.expect("rebuilt");
    assert_eq!(hold(&holds, &want(1, &[1]), at(0)).await, Grant::Granted);
    let there = holds.hold(&event(2), &[want(2, &[1])], at(0)).await.expect("an answer");
    assert_eq!(there, [Grant::Granted]);
}
