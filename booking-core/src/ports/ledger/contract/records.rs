//! What the ledger shows of itself: live maps, totals, lists, trails, the outbox.

use std::collections::BTreeMap;

use super::{
    cancel_now, claim, confirm_now, give_up, must_cancel, must_confirm, must_hold, payment, release_now, shown,
};
use crate::{
    booking::{
        AuditEntry, Booking, BookingState, ClaimSeats, ConfirmSeats, Confirmed, PaymentAct, PaymentStep, SeatChanges,
        Totals,
    },
    digest::Digest,
    ports::{
        contract::{at, booking, euros, event, session, transaction, user},
        ledger::Ledger,
    },
    seats::{SeatIndex, SeatStatus},
};

/// A live map as a gateway keeps it.
#[derive(Default)]
struct LiveMap {
    version: u64,
    taken: BTreeMap<SeatIndex, SeatStatus>,
}

impl LiveMap {
    fn follow(&mut self, all: &[SeatChanges]) {
        for SeatChanges { event_id, version, changes } in all {
            assert_eq!(event_id, &event(1));
            assert_eq!(*version, self.version + 1, "one more than before it");
            self.version = *version;
            for (seat, status) in changes {
                if *status == SeatStatus::Available {
                    self.taken.remove(seat);
                } else {
                    self.taken.insert(*seat, *status);
                }
            }
        }
    }
}

/// "A change of a booking and its seats' new version are written together": the changes alone tell the map.
pub async fn a_live_map_that_follows_the_changes_shows_the_seats<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let mut map = LiveMap::default();
    // A sale in small: numbers that step through seats and acts without repeating each other.
    for round in 0..60_u32 {
        let now = at(i64::from(round) * 4_000);
        let first = round * 7 % 20;
        let asked = ClaimSeats { until: now.plus_millis(20_000), ..claim(round, &[first, first + 1]) };
        let earlier = round.saturating_sub(3 + round % 5);
        map.follow(&ledger.claim_seats(&[asked], now).await.expect("a claim").seats);
        map.follow(&match round % 5 {
            0 | 1 => ledger.confirm(&[super::payment(earlier)], now).await.expect("a confirmation").seats,
            2 => ledger.release(&[super::give_back(earlier)], now).await.expect("a release").seats,
            3 => ledger.expire(now, 3).await.expect("expired").seats,
            _ => {
                // The first seat of one, both of another.
                let first = earlier * 7 % 20;
                let given_up = &[first, first + 1][..=earlier as usize % 2];
                cancel_now(&ledger, give_up(earlier, given_up, 0), now).await.seats
            }
        });
        assert_eq!(shown(&ledger).await, (map.version, map.taken.clone()), "round {round}");
        super::owners(&ledger, now).await;
    }
    assert!(map.version > 30, "the sale went on");
}

/// "Seats held (live at `now`) and booked, and how many sessions hold."
pub async fn totals_count_live_holds_and_bookings<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    assert_eq!(ledger.totals(&event(1), at(0)).await.expect("totals"), Totals::default());
    let of_one = |number, indices: &[u32]| ClaimSeats { user: user(1), session: session(1), ..claim(number, indices) };
    must_hold(&ledger, &of_one(1, &[1, 2]), at(0)).await;
    must_hold(&ledger, &of_one(2, &[3]), at(0)).await;
    must_hold(&ledger, &claim(3, &[4, 5, 6]), at(0)).await;
    must_hold(&ledger, &claim(4, &[7]), at(0)).await;
    release_now(&ledger, 4, at(1)).await;
    let before = Totals { held: 6, booked: 0, holding_sessions: 2 };
    assert_eq!(ledger.totals(&event(1), at(1)).await.expect("totals"), before);
    must_confirm(&ledger, 3, at(2)).await;
    let after = Totals { held: 3, booked: 3, holding_sessions: 1 };
    assert_eq!(ledger.totals(&event(1), at(59_999)).await.expect("totals"), after);
    let later = Totals { held: 0, booked: 3, holding_sessions: 0 };
    assert_eq!(ledger.totals(&event(1), at(60_000)).await.expect("totals"), later);
    assert_eq!(ledger.totals(&event(2), at(2)).await.expect("totals"), Totals::default());
}

/// "Up to `max` of a user's bookings, newest first; `before` continues behind that booking."
pub async fn bookings_of_a_user_are_paged_newest_first<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    // Several in the same millisecond: no page loses or repeats one.
    for (number, now) in [(1, 0), (2, 5), (3, 5), (4, 5), (5, 9)] {
        must_hold(&ledger, &ClaimSeats { user: user(1), ..claim(number, &[number]) }, at(now)).await;
    }
    must_hold(&ledger, &claim(6, &[6]), at(5)).await;
    let everything = ledger.bookings_of(&user(1), None, 100).await.expect("a list");
    assert_eq!(everything.len(), 5);
    assert!(everything.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at), "newest first");
    let mut paged = Vec::new();
    loop {
        let before = paged.last().map(|last: &crate::booking::Booking| last.booking_id.clone());
        let page = ledger.bookings_of(&user(1), before.as_ref(), 2).await.expect("a page");
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, everything);
    assert_eq!(ledger.bookings_of(&user(7), None, 10).await.expect("a list"), []);
}

/// "A change of a booking and its outbox row are written together or not at all."
pub async fn the_outbox_has_one_row_a_change_in_order<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    for number in 1..=3 {
        must_hold(&ledger, &claim(number, &[number]), at(i64::from(number))).await;
        must_hold(&ledger, &claim(number, &[number]), at(9)).await;
    }
    must_confirm(&ledger, 1, at(10)).await;
    confirm_now(&ledger, 1, at(11)).await;
    release_now(&ledger, 2, at(12)).await;
    must_cancel(&ledger, give_up(1, &[1], 5), at(13)).await;
    ledger.expire(at(60_000), 10).await.expect("expired");
    drop(ledger);
    let ledger = open().await;
    let rows = ledger.outbox(100).await.expect("the outbox");
    let told: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.booking.booking_id.clone(), row.at)).collect();
    let expected = [
        ("booking.held", booking(1), at(1)),
        ("booking.held", booking(2), at(2)),
        ("booking.held", booking(3), at(3)),
        ("booking.confirmed", booking(1), at(10)),
        ("booking.released", booking(2), at(12)),
        ("booking.cancelled", booking(1), at(13)),
        ("booking.expired", booking(3), at(60_000)),
    ];
    assert_eq!(told, expected, "once each, and after a restart");
    assert!(rows.windows(2).all(|pair| pair[0].number < pair[1].number), "numbers rise");
    for row in &rows {
        assert_eq!(crate::booking::outbox_kind(&row.booking), row.kind, "the booking as it was after it");
    }
    assert_eq!(ledger.outbox(2).await.expect("the outbox"), rows[..2]);
    let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
    ledger.outbox_published(&numbers[1..4]).await.expect("noted");
    assert_eq!(ledger.outbox(2).await.expect("the outbox"), [rows[0].clone(), rows[4].clone()]);
    ledger.outbox_published(&numbers[..2]).await.expect("some of them again");
    ledger.outbox_published(&[]).await.expect("nothing");
    drop(ledger);
    let ledger = open().await;
    assert_eq!(ledger.outbox(100).await.expect("the outbox"), rows[4..]);
    must_hold(&ledger, &claim(4, &[4]), at(60_000)).await;
    let next = ledger.outbox(100).await.expect("the outbox");
    assert!(next[3].number > rows[6].number, "numbers go on");
}

/// "Newest first; `before` continues behind that number. The same `command` twice is one row."
pub async fn the_audit_trail_is_paged_newest_first_and_has_a_command_once<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let entry = |command: &str, number: u32| AuditEntry {
        number: 0,
        command: command.to_owned(),
        event_id: event(number),
        actor: "the box office".to_owned(),
        at: at(7),
        action: "steer".to_owned(),
        before: serde_json::json!({ "ratePerMinute": 60 }),
        after: serde_json::json!({ "ratePerMinute": 120, "paused": false }),
    };
    for (command, number) in [("a", 1), ("b", 1), ("a", 1), ("c", 2), ("d", 1)] {
        ledger.record_audit(&entry(command, number)).await.expect("recorded");
    }
    drop(ledger);
    let ledger = open().await;
    ledger.record_audit(&AuditEntry { actor: "another".to_owned(), ..entry("b", 1) }).await.expect("recorded");
    let trail = ledger.audit_trail(&event(1), None, 10).await.expect("the trail");
    let commands: Vec<_> = trail.iter().map(|entry| entry.command.as_str()).collect();
    assert_eq!(commands, ["d", "b", "a"]);
    assert!(trail.windows(2).all(|pair| pair[0].number > pair[1].number), "numbers rise");
    assert_eq!(trail[1], AuditEntry { number: trail[1].number, ..entry("b", 1) }, "as it was recorded first");
    assert_eq!(ledger.audit_trail(&event(1), None, 1).await.expect("the trail"), trail[..1]);
    assert_eq!(ledger.audit_trail(&event(1), Some(trail[0].number), 1).await.expect("the trail"), trail[1..2]);
    assert_eq!(ledger.audit_trail(&event(1), Some(trail[2].number), 1).await.expect("the trail"), []);
}

/// "The same act of the same booking twice is one row."
pub async fn payment_acts_are_kept_once_and_in_order<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let act = |step, number, now| PaymentAct {
        booking: booking(1),
        transaction: transaction(number),
        refund: 0,
        step,
        amount: euros(4_500),
        at: at(now),
        reason: (step == PaymentStep::Declined).then(|| "a reason".to_owned()),
    };
    let acts = [
        act(PaymentStep::Declined, 1, 1),
        act(PaymentStep::Authorised, 2, 2),
        act(PaymentStep::VoidDue, 2, 3),
        act(PaymentStep::Voided, 2, 4),
    ];
    for act in &acts {
        ledger.record_payment(act).await.expect("recorded");
        ledger.record_payment(&PaymentAct { at: at(50), ..act.clone() }).await.expect("the same act again");
    }
    ledger.record_payment(&PaymentAct { booking: booking(2), ..acts[1].clone() }).await.expect("recorded");
    drop(ledger);
    let ledger = open().await;
    assert_eq!(ledger.payment_acts(&booking(1)).await.expect("the acts"), acts);
    assert_eq!(ledger.payment_acts(&booking(3)).await.expect("the acts"), []);
}

/// "In an order that never changes", every one once, whatever its state; and each seat's owner.
pub async fn all_bookings_are_listed_and_who_has_which_seat<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    for number in 1..=5 {
        let of = if number == 4 { event(2) } else { event(1) };
        must_hold(&ledger, &ClaimSeats { event: of, ..claim(number, &[number, 10 + number]) }, at(0)).await;
    }
    must_confirm(&ledger, 2, at(1)).await;
    must_confirm(&ledger, 3, at(1)).await;
    must_cancel(&ledger, give_up(3, &[13], 0), at(2)).await;
    release_now(&ledger, 5, at(2)).await;
    let mut listed = Vec::new();
    loop {
        let page = ledger.all_bookings(listed.last().map(|last: &Booking| &last.booking_id), 2).await.expect("a page");
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(ledger.all_bookings(None, 10).await.expect("all"), listed);
    listed.sort_by_key(|listed| listed.created_at);
    for number in 1..=5 {
        let stored = ledger.booking(&booking(number)).await.expect("an answer").expect("a booking");
        assert_eq!(listed.iter().filter(|listed| **listed == stored).count(), 1);
    }
    let mut owners = ledger.seat_owners(&event(1)).await.expect("the owners");
    owners.sort_unstable();
    let owned = [(1, 1), (2, 2), (3, 3), (11, 1), (12, 2)].map(|(seat, number)| (SeatIndex(seat), booking(number)));
    assert_eq!(owners, owned);
    assert_eq!(ledger.seat_owners(&event(3)).await.expect("nobody"), []);
}

/// Whichever of two finalisers comes first: the other finds it done, and does not do the opposite (invariant 9).
pub async fn a_payment_either_confirms_its_booking_or_is_given_back<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let void_due = |number| PaymentAct {
        booking: booking(number),
        transaction: transaction(number),
        refund: 0,
        step: PaymentStep::VoidDue,
        amount: euros(4_500),
        at: at(1),
        reason: None,
    };
    for number in [1, 2] {
        must_hold(&ledger, &claim(number, &[number]), at(0)).await;
    }
    ledger.record_payment(&void_due(1)).await.expect("recorded");
    let Confirmed::Gone(gone) = confirm_now(&ledger, 1, at(2)).await else { panic!("it is to be given back") };
    assert_eq!((gone.state, gone.transaction), (BookingState::Held, None));
    let other = ConfirmSeats { transaction: transaction(9), ..payment(1) };
    let applied = ledger.confirm(&[other], at(3)).await.expect("a confirmation");
    assert!(matches!(applied.answers[..], [Confirmed::Confirmed(_)]), "another payment may still pay for it");
    must_confirm(&ledger, 2, at(2)).await;
    ledger.record_payment(&void_due(2)).await.expect("an answer");
    let authorised = PaymentAct { step: PaymentStep::Authorised, amount: euros(1_500), at: at(2), ..void_due(2) };
    assert_eq!(ledger.payment_acts(&booking(2)).await.expect("the acts"), [authorised], "written with the booking");
}

/// "Asked for at or before `until`, and no end yet, oldest first."
pub async fn a_payment_is_unsettled_until_it_has_an_end<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let act = |number, paid, step, now| PaymentAct {
        booking: booking(number),
        transaction: transaction(paid),
        refund: 0,
        step,
        amount: euros(4_500),
        at: at(now),
        reason: None,
    };
    let ends = [PaymentStep::Declined, PaymentStep::Captured, PaymentStep::Voided];
    let goes_on = [PaymentStep::Authorised, PaymentStep::VoidDue];
    for (number, step) in (1..).zip(ends.into_iter().chain(goes_on)) {
        ledger
            .record_payment(&act(number, number, PaymentStep::Asked, 20 - 2 * i64::from(number)))
            .await
            .expect("recorded");
        ledger.record_payment(&act(number, number, step, 30)).await.expect("recorded");
    }
    // The same booking with another payment, and the same payment for another booking, end by themselves.
    ledger.record_payment(&act(1, 7, PaymentStep::Asked, 11)).await.expect("recorded");
    ledger.record_payment(&act(7, 1, PaymentStep::Asked, 13)).await.expect("recorded");
    drop(ledger);
    let ledger = open().await;
    let unsettled: Vec<_> = ledger.unsettled_payments(at(13), 10).await.expect("the unsettled");
    let asked = |number, paid, now| act(number, paid, PaymentStep::Asked, now);
    assert_eq!(unsettled, [asked(5, 5, 10), asked(1, 7, 11), asked(4, 4, 12), asked(7, 1, 13)]);
    assert_eq!(ledger.unsettled_payments(at(13), 1).await.expect("the unsettled"), unsettled[..1]);
    assert_eq!(ledger.unsettled_payments(at(10), 10).await.expect("the unsettled"), unsettled[..1]);
    assert_eq!(ledger.unsettled_payments(at(9), 10).await.expect("none"), []);
}

/// "Where that gives money back, its act is recorded in the same transaction", for each cancellation its own; and each
/// ends by itself.
pub async fn a_cancellation_records_what_is_to_be_given_back<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1, 2, 3, 4]), at(0)).await;
    must_confirm(&ledger, 1, at(1)).await;
    let batch = [give_up(1, &[2, 3], 100), give_up(1, &[1], 0), give_up(1, &[4], 1_000)];
    ledger.cancel(&batch, at(2)).await.expect("a cancellation");
    must_cancel(&ledger, give_up(1, &[4], 1_000), at(3)).await;
    let due = |refund, amount| PaymentAct {
        booking: booking(1),
        transaction: transaction(1),
        refund,
        step: PaymentStep::RefundDue,
        amount: euros(amount),
        at: at(2),
        reason: None,
    };
    drop(ledger);
    let ledger = open().await;
    let paid = PaymentAct { step: PaymentStep::Authorised, at: at(1), ..due(0, 6_000) };
    let acts = [due(2, 200), due(4, 1_000)];
    let of_one = ledger.payment_acts(&booking(1)).await.expect("the acts");
    assert_eq!(of_one, [std::slice::from_ref(&paid), &acts[..]].concat());
    assert_eq!(ledger.unsettled_payments(at(2), 10).await.expect("the unsettled"), acts);
    assert_eq!(ledger.refunds_left(&event(1)).await.expect("a count"), 2);
    assert_eq!(ledger.refunds_left(&event(2)).await.expect("a count"), 0);
    let refunded = PaymentAct { step: PaymentStep::Refunded, at: at(5), ..due(2, 200) };
    for _ in 0..2 {
        ledger.record_payment(&refunded).await.expect("recorded");
        ledger.record_payment(&due(2, 200)).await.expect("known");
    }
    assert_eq!(ledger.unsettled_payments(at(9), 10).await.expect("the unsettled"), acts[1..]);
    assert_eq!(ledger.refunds_left(&event(1)).await.expect("a count"), 1);
    let of_one = ledger.payment_acts(&booking(1)).await.expect("the acts");
    assert_eq!(of_one, [paid, due(2, 200), due(4, 1_000), refunded]);
}

/// "Not those that are stuck", which are a list of their own until they have an end.
pub async fn what_is_stuck_waits_for_a_person<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let act = |number, refund, step, now| PaymentAct {
        booking: booking(number),
        transaction: transaction(number),
        refund,
        step,
        amount: euros(500),
        at: at(now),
        reason: (step == PaymentStep::Stuck).then(|| format!("why {number}")),
    };
    for number in 1..=3 {
        ledger.record_payment(&act(number, 2, PaymentStep::RefundDue, 1)).await.expect("recorded");
    }
    ledger.record_payment(&act(4, 0, PaymentStep::Asked, 1)).await.expect("recorded");
    let stuck = [act(2, 2, PaymentStep::Stuck, 5), act(1, 2, PaymentStep::Stuck, 6), act(4, 0, PaymentStep::Stuck, 7)];
    for act in &stuck {
        ledger.record_payment(act).await.expect("recorded");
        ledger.record_payment(&PaymentAct { at: at(8), ..act.clone() }).await.expect("known");
    }
    drop(ledger);
    let ledger = open().await;
    assert_eq!(ledger.stuck_payments(10).await.expect("the stuck"), stuck);
    assert_eq!(ledger.stuck_payments(2).await.expect("the stuck"), stuck[..2]);
    let unsettled = ledger.unsettled_payments(at(9), 10).await.expect("the unsettled");
    assert_eq!(unsettled, [act(3, 2, PaymentStep::RefundDue, 1)]);
    for (number, refund, step) in
        [(2, 2, PaymentStep::Resolved), (1, 2, PaymentStep::Refunded), (4, 0, PaymentStep::Voided)]
    {
        ledger.record_payment(&act(number, refund, step, 9)).await.expect("recorded");
    }
    assert_eq!(ledger.stuck_payments(10).await.expect("none"), []);
    assert_eq!(ledger.unsettled_payments(at(9), 10).await.expect("the unsettled"), unsettled);
}

/// "Keeps `candidate` unless one is kept, and answers the kept one."
pub async fn the_first_chain_end_is_kept<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let (first, second) = (Digest::of(&[b"first"]), Digest::of(&[b"second"]));
    assert_eq!(ledger.chain_end(&event(1), first).await.expect("kept"), first);
    assert_eq!(ledger.chain_end(&event(1), second).await.expect("kept"), first);
    assert_eq!(ledger.chain_end(&event(2), second).await.expect("kept"), second);
    drop(ledger);
    assert_eq!(open().await.chain_end(&event(1), second).await.expect("kept"), first, "after a restart");
}
