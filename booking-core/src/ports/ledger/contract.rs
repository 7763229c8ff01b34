//! The ledger's suite: see [`crate::ports::contract`].

mod claiming;
mod door;
mod extending;
mod given_back;
mod moving;
mod records;
mod rehousing;
mod settling;

use std::collections::{BTreeMap, BTreeSet};

pub use claiming::*;
pub use door::*;
pub use extending::*;
pub use given_back::*;
pub use moving::*;
pub use records::*;
pub use rehousing::*;
pub use settling::*;

use super::{Applied, Ledger};
use crate::{
    booking::{
        Booking, CalledOff, CancelSeats, Cancelled, ClaimSeats, Claimed, ConfirmSeats, Confirmed, ExtendHold, Extended,
        Release, Released, SeatChanges,
    },
    ports::contract::{at, booking, euros, event, fingerprint, seats, session, transaction, user},
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

/// Makes one test of each sentence of the ledger's contract.
#[macro_export]
macro_rules! ledger_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) ledger:
            a_claim_holds_all_its_seats
            a_claim_with_a_taken_seat_holds_none
            a_claim_that_is_repeated_is_the_same_booking
            an_id_that_belongs_to_another_request_is_refused
            a_batch_of_claims_is_decided_in_its_order
            overlapping_claims_at_once_never_share_a_seat
            a_hold_ends_with_its_deadline
            a_session_and_a_user_never_have_more_seats_than_allowed
            a_session_that_has_bought_holds_no_more
            a_hold_that_was_answered_survives_a_restart
            events_have_seats_of_their_own
            a_confirmation_books_all_its_seats
            a_booking_is_confirmed_by_its_owner_alone
            a_late_confirmation_takes_seats_that_are_still_free
            a_late_confirmation_takes_nothing_from_anybody
            a_late_confirmation_never_exceeds_the_limit_of_seats
            a_hold_that_was_taken_over_by_a_clock_that_ran_ahead_is_gone
            what_was_given_back_or_cancelled_is_not_confirmed
            late_confirmations_and_claims_at_once_never_share_a_seat
            a_confirmation_that_was_answered_survives_a_restart
            a_live_hold_is_extended_once
            what_is_no_live_hold_is_not_extended
            a_hold_that_is_extended_ends_with_its_new_deadline
            an_extension_and_a_claim_at_once_never_share_a_seat
            an_extension_that_was_answered_survives_a_restart
            a_release_frees_the_seats_at_once
            what_is_not_held_is_not_released
            holds_that_ran_out_are_marked_oldest_first
            a_hold_that_was_taken_over_frees_nothing_when_it_ends
            a_cancellation_frees_the_seats_and_happens_once
            seats_are_cancelled_one_by_one
            a_seat_that_was_cancelled_is_sold_again
            a_cancellation_that_was_answered_survives_a_restart
            a_live_map_that_follows_the_changes_shows_the_seats
            totals_count_live_holds_and_bookings
            bookings_of_a_user_are_paged_newest_first
            the_outbox_has_one_row_a_change_in_order
            the_audit_trail_is_paged_newest_first_and_has_a_command_once
            payment_acts_are_kept_once_and_in_order
            a_payment_is_unsettled_until_it_has_an_end
            what_is_to_be_given_back_is_unsettled_until_it_was
            a_cancellation_records_what_is_to_be_given_back
            what_is_stuck_waits_for_a_person
            an_event_that_is_called_off_sells_nothing_more
            bookings_of_what_was_called_off_are_listed_until_they_are_cancelled
            all_bookings_are_listed_and_who_has_which_seat
            bookings_are_told_of_each_move_once
            a_hold_that_is_confirmed_after_a_move_is_told
            bookings_go_to_another_hall_with_their_event
            live_holds_keep_an_event_in_its_hall
            claims_and_a_change_of_hall_at_once_never_mix_their_seats
            a_payment_either_confirms_its_booking_or_is_given_back
            the_first_chain_end_is_kept
            a_ticket_lets_in_once
            gates_at_once_let_in_one
            a_seat_is_inside_or_cancelled_and_never_both
            a_ticket_that_was_revoked_lets_nobody_in_until_it_is_good_again
            who_was_let_in_gets_the_money_back_when_the_event_is_called_off
            a_door_learns_of_every_change
            a_check_in_that_was_answered_survives_a_restart
        }
    };
}

/// A claim of the user `number`, in their session, for the booking `number`; held for a minute from [`at`]`(0)`.
fn claim(number: u32, indices: &[u32]) -> ClaimSeats {
    ClaimSeats {
        booking: booking(number),
        event: event(1),
        user: user(number),
        session: session(number),
        seats: seats(indices),
        total: euros(1_500 * i64::try_from(indices.len()).expect("a few seats")),
        until: at(60_000),
        max_seats: 6,
        fingerprint: fingerprint("a request"),
    }
}

fn payment(number: u32) -> ConfirmSeats {
    ConfirmSeats { booking: booking(number), user: user(number), transaction: transaction(number) }
}

fn give_back(number: u32) -> Release {
    Release { booking: booking(number), user: user(number) }
}

/// Half a minute more for the booking `number`.
fn more_time(number: u32) -> ExtendHold {
    ExtendHold { booking: booking(number), user: user(number), by_seconds: 30 }
}

async fn extend_now(ledger: &impl Ledger, number: u32, now: Timestamp) -> Extended {
    let (answer, seats) = only(ledger.extend(&[more_time(number)], now).await.expect("an extension"));
    assert!(seats.is_empty(), "nothing changes on the seat maps");
    answer
}

/// Cancels these seats of the booking `number` for its user, with so much given back for each.
fn give_up(number: u32, indices: &[u32], each: i64) -> CancelSeats {
    let seats = seats(indices).into_iter().map(|seat| (seat, each)).collect();
    CancelSeats { booking: booking(number), user: user(number), seats }
}

fn called_off(reason: &str, now: Timestamp) -> CalledOff {
    CalledOff { at: now, reason: reason.to_owned() }
}

async fn cancel_now(ledger: &impl Ledger, ask: CancelSeats, now: Timestamp) -> Applied<Cancelled> {
    ledger.cancel(&[ask], now).await.expect("a cancellation")
}

async fn must_cancel(ledger: &impl Ledger, ask: CancelSeats, now: Timestamp) -> Booking {
    match only(cancel_now(ledger, ask, now).await).0 {
        Cancelled::Cancelled(booking) => booking,
        other => panic!("not cancelled: {other:?}"),
    }
}

/// The one answer of a batch of one.
fn only<T>(applied: Applied<T>) -> (T, Vec<SeatChanges>) {
    let Applied { mut answers, seats } = applied;
    assert_eq!(answers.len(), 1, "one answer each");
    (answers.remove(0), seats)
}

async fn claim_now(ledger: &impl Ledger, claim: &ClaimSeats, now: Timestamp) -> Claimed {
    only(ledger.claim_seats(std::slice::from_ref(claim), now).await.expect("a claim")).0
}

async fn must_hold(ledger: &impl Ledger, claim: &ClaimSeats, now: Timestamp) -> Booking {
    match claim_now(ledger, claim, now).await {
        Claimed::Held(booking) => booking,
        other => panic!("not held: {other:?}"),
    }
}

async fn confirm_now(ledger: &impl Ledger, number: u32, now: Timestamp) -> Confirmed {
    only(ledger.confirm(&[payment(number)], now).await.expect("a confirmation")).0
}

async fn must_confirm(ledger: &impl Ledger, number: u32, now: Timestamp) -> Booking {
    match confirm_now(ledger, number, now).await {
        Confirmed::Confirmed(booking) => booking,
        other => panic!("not confirmed: {other:?}"),
    }
}

async fn release_now(ledger: &impl Ledger, number: u32, now: Timestamp) -> Released {
    only(ledger.release(&[give_back(number)], now).await.expect("a release")).0
}

async fn stored(ledger: &impl Ledger, number: u32) -> Booking {
    ledger.booking(&booking(number)).await.expect("a look").expect("the booking is there")
}

/// The event's seats by status, as the ledger shows them.
async fn shown(ledger: &impl Ledger) -> (u64, BTreeMap<SeatIndex, SeatStatus>) {
    let states = ledger.seat_states(&event(1)).await.expect("the seats");
    let taken: BTreeMap<_, _> = states.taken.iter().copied().collect();
    assert_eq!(taken.len(), states.taken.len(), "a seat is shown once");
    assert!(taken.values().all(|status| *status != SeatStatus::Available), "free seats are not listed");
    (states.version, taken)
}

fn all_are(status: SeatStatus, indices: &[u32]) -> BTreeMap<SeatIndex, SeatStatus> {
    indices.iter().map(|index| (SeatIndex(*index), status)).collect()
}

/// Asserts invariants 1 and 2 at `now` and answers who has which seats.
async fn owners(ledger: &impl Ledger, now: Timestamp) -> BTreeMap<SeatIndex, crate::id::BookingId> {
    let mut owners = BTreeMap::new();
    for live in ledger.live_claims(&event(1), now).await.expect("the live claims") {
        let booking = ledger.booking(&live.booking).await.expect("a look").expect("a claim has a booking");
        let (has, asked): (BTreeSet<_>, BTreeSet<_>) = (live.seats.iter().collect(), booking.seats.iter().collect());
        assert_eq!(has, asked, "invariant 2: {} has all its seats", live.booking);
        assert!(booking.has_seats(now), "{booking:?} is live or booked");
        assert_eq!(live.until, booking.is_live_hold(now).then_some(booking.expires_at), "{booking:?}");
        for seat in live.seats {
            if let Some(other) = owners.insert(seat, live.booking.clone()) {
                panic!("invariant 1: seat {seat} belongs to {other} and to {}", live.booking);
            }
        }
    }
    owners
}
