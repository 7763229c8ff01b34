//! Letting in, once; revoking; what a door is told.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};

use super::{called_off, cancel_now, claim, give_back, give_up, must_cancel, must_confirm, must_hold, only, stored};
use crate::{
    booking::{
        BookingState, Cancelled, CheckIn, CheckedIn, DoorBooking, DoorCounts, GateEntry, Revocation, RevokeTicket,
        TicketMark,
    },
    ports::{
        contract::{CROWD, at, booking, event},
        ledger::Ledger,
    },
    seats::SeatIndex,
};

fn entry(gate: &str, scan: &str, ms: i64) -> GateEntry {
    GateEntry { gate: gate.to_owned(), scan: scan.to_owned(), at: at(ms) }
}

fn scan(number: u32, seat: u32, entry: GateEntry) -> CheckIn {
    CheckIn { booking: booking(number), seat: SeatIndex(seat), entry }
}

fn revocation(number: u32, seat: u32, why: Option<&str>) -> RevokeTicket {
    RevokeTicket { booking: booking(number), seat: SeatIndex(seat), why: why.map(str::to_owned) }
}

fn again(gate: &str, ms: i64) -> CheckedIn {
    CheckedIn::Again { at: at(ms), gate: gate.to_owned() }
}

async fn booked(ledger: &impl Ledger, number: u32, seats: &[u32]) {
    must_hold(ledger, &claim(number, seats), at(0)).await;
    must_confirm(ledger, number, at(1)).await;
}

async fn show(ledger: &impl Ledger, ask: CheckIn) -> CheckedIn {
    let mut answers = ledger.check_in(&event(1), &[ask]).await.expect("a check-in");
    assert_eq!(answers.len(), 1, "one answer each");
    answers.remove(0)
}

async fn revoke(ledger: &impl Ledger, ask: RevokeTicket) -> Revocation {
    ledger.revoke_tickets(&event(1), &[ask]).await.expect("a revocation")[0]
}

/// Everything of the event, in pages of two.
async fn everything(ledger: &impl Ledger, mut since: u64) -> (u64, BTreeMap<crate::id::BookingId, DoorBooking>) {
    let mut found = BTreeMap::new();
    loop {
        let page = ledger.door_bookings(&event(1), since, 2).await.expect("a page");
        assert!(page.len() <= 2);
        if page.is_empty() {
            return (since, found);
        }
        for one in page {
            assert!(one.version > since, "in the order of the versions");
            since = one.version;
            assert!(found.insert(one.booking.booking_id.clone(), one).is_none(), "each once");
        }
    }
}

/// "Lets in who shows a ticket of the event for the first time. The same scan again has the same answer."
pub async fn a_ticket_lets_in_once<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    booked(&ledger, 1, &[1, 2]).await;
    must_hold(&ledger, &claim(2, &[3]), at(0)).await;
    let batch = [
        scan(1, 1, entry("North", "a", 10)),
        scan(1, 1, entry("South", "a", 11)),
        scan(1, 1, entry("North", "a", 12)),
        scan(1, 7, entry("North", "b", 12)),
        scan(2, 3, entry("North", "c", 12)),
        scan(9, 1, entry("North", "d", 12)),
    ];
    let answers = ledger.check_in(&event(1), &batch).await.expect("a batch");
    let unknown = CheckedIn::Unknown;
    assert_eq!(answers, [CheckedIn::In, again("North", 10), CheckedIn::In, unknown.clone(), unknown.clone(), unknown]);
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "e", 20))).await, again("North", 10));
    assert_eq!(show(&ledger, scan(1, 2, entry("South", "f", 21))).await, CheckedIn::In, "another seat's");
    assert_eq!(ledger.check_in(&event(2), &batch[..1]).await.expect("a batch"), [CheckedIn::Unknown], "another event");
    let counts = ledger.door_counts(&event(1)).await.expect("counts");
    assert_eq!(counts.by_gate, [("North".to_owned(), 1), ("South".to_owned(), 1)]);
    assert_eq!(ledger.door_counts(&event(2)).await.expect("counts"), DoorCounts::default());
}

/// Invariant 11, with many gates at once.
pub async fn gates_at_once_let_in_one<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    booked(&ledger, 1, &[1]).await;
    let scans = (0..CROWD).map(|gate| show(&ledger, scan(1, 1, entry(&format!("gate {gate}"), "s", 10))));
    let answers = join_all(scans).await;
    assert_eq!(answers.iter().filter(|answer| **answer == CheckedIn::In).count(), 1, "invariant 11");
    let mut others: Vec<_> = answers.iter().filter(|answer| **answer != CheckedIn::In).collect();
    others.dedup();
    assert!(matches!(others[..], [CheckedIn::Again { .. }]), "and all others hear of the same: {others:?}");
}

/// Invariant 11: "A seat that is inside is not cancelled", whatever races.
pub async fn a_seat_is_inside_or_cancelled_and_never_both<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let races = CROWD / 10;
    for number in 0..races {
        booked(&ledger, number, &[number]).await;
    }
    let race = async |number: u32| {
        let enter = show(&ledger, scan(number, number, entry("North", "a", 10)));
        let leave = cancel_now(&ledger, give_up(number, &[number], 100), at(10));
        if number.is_multiple_of(2) {
            join(enter, leave).await
        } else {
            let (leave, enter) = join(leave, enter).await;
            (enter, leave)
        }
    };
    for (number, (entered, left)) in (0..).zip(join_all((0..races).map(race)).await) {
        let left = only(left).0;
        let state = stored(&ledger, number).await.state;
        match entered {
            CheckedIn::In => {
                assert!(matches!(left, Cancelled::Used(_)), "{left:?}");
                assert_eq!(state, BookingState::Confirmed);
            }
            CheckedIn::Cancelled => assert_eq!(state, BookingState::Cancelled),
            other => panic!("{other:?}"),
        }
    }
    // Of two seats, the one that is not inside can be cancelled, both together can't.
    booked(&ledger, 900, &[900, 901]).await;
    assert_eq!(show(&ledger, scan(900, 900, entry("North", "a", 10))).await, CheckedIn::In);
    let both = only(cancel_now(&ledger, give_up(900, &[900, 901], 100), at(11)).await);
    assert!(matches!(both.0, Cancelled::Used(_)) && both.1.is_empty(), "nothing of it is done");
    assert_eq!(stored(&ledger, 900).await.seats.len(), 2);
    assert_eq!(must_cancel(&ledger, give_up(900, &[901], 100), at(12)).await.seats, [SeatIndex(900)]);
    assert_eq!(show(&ledger, scan(900, 901, entry("North", "b", 13))).await, CheckedIn::Cancelled);
}

/// "Revokes tickets of the event, or makes them good again."
pub async fn a_ticket_that_was_revoked_lets_nobody_in_until_it_is_good_again<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    booked(&ledger, 1, &[1, 2]).await;
    assert_eq!(revoke(&ledger, revocation(1, 1, Some("stolen"))).await, Revocation::Done);
    assert_eq!(revoke(&ledger, revocation(1, 1, Some("stolen"))).await, Revocation::Done, "repeated");
    let refused = CheckedIn::Revoked { why: "stolen".to_owned() };
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "a", 10))).await, refused);
    assert_eq!(show(&ledger, scan(1, 2, entry("North", "b", 10))).await, CheckedIn::In, "its neighbour is good");
    assert_eq!(ledger.door_counts(&event(1)).await.expect("counts").revoked, 1);
    assert_eq!(revoke(&ledger, revocation(1, 1, None)).await, Revocation::Done);
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "c", 11))).await, CheckedIn::In);
    assert_eq!(revoke(&ledger, revocation(1, 1, Some("left"))).await, Revocation::Done);
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "c", 12))).await, CheckedIn::In, "the same scan");
    assert_eq!(revoke(&ledger, revocation(1, 7, None)).await, Revocation::Unknown);
    assert_eq!(revoke(&ledger, revocation(7, 1, None)).await, Revocation::Unknown);
    let elsewhere = ledger.revoke_tickets(&event(2), &[revocation(1, 1, None)]).await.expect("a revocation");
    assert_eq!(elsewhere, [Revocation::Unknown], "another event's");
    assert!(must_cancel_nothing_inside(&ledger).await, "revoked or not, they are inside");
}

async fn must_cancel_nothing_inside(ledger: &impl Ledger) -> bool {
    matches!(only(cancel_now(ledger, give_up(1, &[1], 100), at(20)).await).0, Cancelled::Used(_))
}

/// "Cancelled only where its event was called off".
pub async fn who_was_let_in_gets_the_money_back_when_the_event_is_called_off<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    booked(&ledger, 1, &[1]).await;
    booked(&ledger, 2, &[2]).await;
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "a", 10))).await, CheckedIn::In);
    ledger.call_off(&event(1), &called_off("a storm", at(20))).await.expect("called off");
    assert_eq!(show(&ledger, scan(2, 2, entry("North", "b", 21))).await, CheckedIn::Cancelled);
    let cancelled = must_cancel(&ledger, give_up(1, &[1], 1_500), at(22)).await;
    assert_eq!((cancelled.state, cancelled.refund), (BookingState::Cancelled, Some(1_500)));
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "a", 23))).await, CheckedIn::In, "the same scan");
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "c", 24))).await, CheckedIn::Cancelled);
    assert_eq!(ledger.door_counts(&event(1)).await.expect("counts").by_gate, [("North".to_owned(), 1)]);
}

/// "Whoever goes on behind the last version misses no change."
pub async fn a_door_learns_of_every_change<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    assert_eq!(everything(&ledger, 0).await.0, 0, "nothing is sold");
    for number in 1..=5 {
        booked(&ledger, number, &[number * 10, number * 10 + 1]).await;
    }
    must_hold(&ledger, &claim(6, &[60]), at(0)).await;
    ledger.release(&[give_back(6)], at(1)).await.expect("a release");
    let (version, found) = everything(&ledger, 0).await;
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), (1..=5).map(booking).collect::<Vec<_>>());
    assert!(found.values().all(|one| one.marks.is_empty() && one.booking.seats.len() == 2));
    assert_eq!(everything(&ledger, version).await, (version, BTreeMap::new()), "nothing changed since");

    assert_eq!(show(&ledger, scan(2, 20, entry("North", "a", 10))).await, CheckedIn::In);
    assert_eq!(show(&ledger, scan(2, 20, entry("North", "b", 11))).await, again("North", 10));
    must_cancel(&ledger, give_up(3, &[31], 0), at(12)).await;
    must_cancel(&ledger, give_up(4, &[40, 41], 0), at(12)).await;
    assert_eq!(revoke(&ledger, revocation(5, 51, Some("stolen"))).await, Revocation::Done);
    let (last, found) = everything(&ledger, version).await;
    assert!(last > version);
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), (2..=5).map(booking).collect::<Vec<_>>());
    let mark = TicketMark { entry: Some(entry("North", "a", 10)), revoked: None };
    assert_eq!(found[&booking(2)].marks, [(SeatIndex(20), mark)]);
    assert_eq!(found[&booking(3)].booking.cancelled_seats, [SeatIndex(31)]);
    assert_eq!(found[&booking(4)].booking.state, BookingState::Cancelled);
    let mark = TicketMark { entry: None, revoked: Some("stolen".to_owned()) };
    assert_eq!(found[&booking(5)].marks, [(SeatIndex(51), mark)]);
    assert_eq!(everything(&ledger, last).await.0, last);
}

/// "What it answered survives a restart."
pub async fn a_check_in_that_was_answered_survives_a_restart<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    booked(&ledger, 1, &[1]).await;
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "a", 10))).await, CheckedIn::In);
    let before = everything(&ledger, 0).await;
    drop(ledger);
    let ledger = open().await;
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "a", 10))).await, CheckedIn::In);
    assert_eq!(show(&ledger, scan(1, 1, entry("North", "b", 11))).await, again("North", 10));
    assert_eq!(everything(&ledger, 0).await, before);
}
