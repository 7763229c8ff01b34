//! The invariants of a sale that workers must keep, checked on what the ports hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use booking_core::{
    booking::{Booking, BookingState, OutboxRow, PaymentStep},
    id::{BookingId, HookId, TransactionId},
    line::{
        Place,
        record::{StateKind, StateRecord},
        state::LineState,
    },
    mail::Letter,
    message::{self, Outcome},
    ports::{
        ledger::{Ledger as _, LedgerReader as _},
        log::{Log as _, Topic},
        mailroom::Mailroom as _,
        payments::{PaymentStatus, Payments as _},
    },
    reconcile::Difference,
    webhook,
};
use queue_worker::{
    Progress,
    reconcile::{Found, Reconciler},
};

use super::World;

/// What is kept twice agrees. But a hold table may keep seats from sale for a while that a crash left in it.
pub async fn the_books_agree(world: &World) {
    let mut reconciler = Reconciler::once(world.parts(), Arc::default(), false);
    let mut now = world.now();
    while reconciler.report().is_none() {
        if let Progress::Later(ms) = reconciler.step(now).await.expect("ports that work") {
            now = now.plus_millis(ms.try_into().expect("a pause"));
        }
    }
    let found = reconciler.report().map(|report| report.found.clone()).unwrap_or_default();
    let of_table = |found: &Found| matches!(&found.difference, Difference::Seat(_, of) if of.is_of_the_table());
    assert!(found.iter().all(of_table), "{found:?}");
}

/// Invariants 1 and 2, and that the live map shows just the seats that are somebody's.
pub async fn seats_have_one_owner(world: &World) {
    let now = world.now();
    let mut owners = BTreeMap::new();
    for claim in world.ledger.live_claims(&world.event, now).await.expect("claims") {
        let booking = world.ledger.booking(&claim.booking).await.expect("a look").expect("a claim has a booking");
        assert!(booking.has_seats(now), "{booking:?}");
        let (has, asked): (BTreeSet<_>, BTreeSet<_>) = (claim.seats.iter().collect(), booking.seats.iter().collect());
        assert_eq!(has, asked, "invariant 2: {}", claim.booking);
        for seat in claim.seats {
            let other = owners.insert(seat, claim.booking.clone());
            assert!(other.is_none(), "invariant 1: seat {seat} of {} and {other:?}", claim.booking);
        }
    }
}

/// Invariant 3: what was answered is so.
pub async fn what_was_answered_is_so(world: &World) {
    for (question, outcome) in world.answers().await {
        let Outcome::Booking(told) = outcome else { continue };
        let stands = world.ledger.booking(&told.booking_id).await.expect("a look");
        let stands = stands.unwrap_or_else(|| panic!("invariant 3: {question} was told of {told:?}"));
        let all = |booking: &Booking| -> BTreeSet<_> {
            booking.seats.iter().chain(&booking.cancelled_seats).copied().collect()
        };
        assert_eq!(all(&stands), all(&told), "invariant 3: {question}");
        let given_up: BTreeSet<_> = stands.cancelled_seats.iter().collect();
        assert!(told.cancelled_seats.iter().all(|seat| given_up.contains(seat)), "{question}: given up for good");
        match told.state {
            // Its owner may have cancelled it since.
            BookingState::Confirmed => {
                let ends = [BookingState::Confirmed, BookingState::Cancelled];
                assert!(ends.contains(&stands.state), "invariant 3: {question}");
            }
            BookingState::Cancelled => assert_eq!(stands.state, BookingState::Cancelled, "{question}: for good"),
            _ => {}
        }
    }
}

/// Invariants 3 and 5 for the line: everybody who joined has a rank of their own, and the called are the lowest.
pub async fn everybody_is_drawn_once(world: &World, line: &LineState, places: &[Place]) {
    let ranks: BTreeSet<u64> = places
        .iter()
        .map(|place| line.ranked(*place).unwrap_or_else(|| panic!("invariant 3: {place:?} has no rank")).rank)
        .collect();
    assert_eq!(ranks.len(), places.len(), "a rank is one place's");
    assert_eq!(line.drawn(), places.len() as u64);
    assert!(ranks.iter().copied().eq(0..line.drawn()), "invariant 5: ranks have no holes");
    assert!(line.served() <= line.drawn());
    assert!(world.log.lanes(&Topic::Line(world.event.clone())).await.expect("lanes") > 1);
}

/// Invariant 10 and the hash chain: whoever reads the log record by record ignores what an old epoch says.
pub async fn old_epochs_change_nothing(world: &World) {
    let mut line = LineState::new(world.event.clone());
    let mut owners: BTreeMap<u64, String> = BTreeMap::new();
    for text in world.entries(&Topic::State(world.event.clone()), 0).await {
        let (epoch, served) = (line.epoch(), line.served());
        let record = StateRecord::parse(&text).expect("a record");
        let accepted = line.apply(&text).is_accepted();
        if record.epoch < epoch {
            assert!(!accepted, "invariant 10: {record:?}");
        }
        if accepted && let StateKind::Opened { owner, .. } | StateKind::Owned { owner } = record.kind {
            assert!(owners.insert(line.epoch(), owner).is_none(), "an epoch has one owner");
        }
        assert!(line.served() >= served, "invariant 5");
    }
}

/// Invariant 9, once everything has settled: money taken has its booking, a booking has its money, nothing hangs.
pub async fn money_has_its_booking(world: &World, bookings: &[BookingId], payments: &[TransactionId]) {
    the_books_agree(world).await;
    let mut paid: BTreeMap<TransactionId, BookingId> = BTreeMap::new();
    for id in bookings {
        let Some(booking) = world.ledger.booking(id).await.expect("a look") else { continue };
        if matches!(booking.state, BookingState::Confirmed | BookingState::Cancelled) {
            let transaction = booking.transaction.expect("a confirmed booking was paid");
            let standing = world.payments.standing(&transaction).await.expect("an answer").expect("a payment");
            assert_eq!(standing.status, PaymentStatus::Captured, "{id} is confirmed and paid");
            assert_eq!(standing.refunded, booking.refund.unwrap_or(0), "{id}: what is due was given back, and no more");
            let acts = world.ledger.payment_acts(id).await.expect("acts");
            let taken = acts.iter().filter(|act| act.step == PaymentStep::Captured).count();
            assert_eq!(taken, 1, "{acts:?}");
            assert!(paid.insert(transaction, id.clone()).is_none(), "a payment pays once");
        }
    }
    for transaction in payments {
        match world.payments.standing(transaction).await.expect("an answer").map(|standing| standing.status) {
            Some(PaymentStatus::Captured) => {
                assert!(paid.contains_key(transaction), "invariant 9: {transaction} was taken for nothing");
            }
            Some(PaymentStatus::Authorised) => panic!("invariant 9: {transaction} was forgotten"),
            _ => {}
        }
    }
    let unsettled = world.ledger.unsettled_payments(world.now(), 1_000).await.expect("unsettled");
    assert!(unsettled.is_empty(), "{unsettled:?}");
}

/// At least once, and in order for one booking.
pub async fn the_outbox_is_published(world: &World, bookings: &[BookingId]) {
    assert!(world.ledger.outbox(10).await.expect("the outbox").is_empty());
    let mut told: BTreeMap<BookingId, Vec<u64>> = BTreeMap::new();
    for lane in 0..world.log.lanes(&Topic::Changes).await.expect("lanes") {
        for entry in world.entries(&Topic::Changes, lane).await {
            let row: OutboxRow = message::decode(&entry).expect("a row");
            let numbers = told.entry(row.booking.booking_id).or_default();
            if !numbers.contains(&row.number) {
                numbers.push(row.number);
            }
        }
    }
    for id in bookings {
        let Some(booking) = world.ledger.booking(id).await.expect("a look") else { continue };
        let numbers = told.get(id).unwrap_or_else(|| panic!("nothing was told of {booking:?}"));
        assert!(numbers.is_sorted(), "in order: {numbers:?}");
        let acts = world.ledger.payment_acts(id).await.expect("acts");
        let cancellations = acts.iter().filter(|act| act.step == PaymentStep::RefundDue).count();
        let changes = 1 + usize::from(booking.extended) + usize::from(booking.settled_at.is_some()) + cancellations;
        assert_eq!(numbers.len(), changes, "{booking:?}");
    }
}

/// Each buyer has got each letter about what happened to the booking, and `doubles` letters at most came again.
pub async fn buyers_are_written_to(world: &World, doubles: usize) {
    let copies = world.post.copies();
    let mut to_write = BTreeSet::new();
    for lane in 0..world.log.lanes(&Topic::Changes).await.expect("lanes") {
        for entry in world.entries(&Topic::Changes, lane).await {
            let row: OutboxRow = message::decode(&entry).expect("a row");
            to_write.extend(Letter::about(&row).map(|letter| letter.letter_id));
        }
    }
    assert_eq!(copies.keys().cloned().collect::<BTreeSet<_>>(), to_write);
    let again: usize = copies.values().map(|copies| copies - 1).sum();
    assert!(again <= doubles, "{again} came again: {copies:?}");
    let letters = world.mailroom.letters().await.expect("a count");
    assert_eq!((letters.waiting, letters.refused), (0, 0));
}

/// The endpoint was told everything worth telling, of each booking in order; twice only if it `may_double`.
pub async fn the_endpoint_is_told(world: &World, may_double: bool) {
    let mut expected: BTreeMap<String, Vec<(HookId, String)>> = BTreeMap::new();
    for lane in 0..world.log.lanes(&Topic::Changes).await.expect("lanes") {
        for entry in world.entries(&Topic::Changes, lane).await {
            let row: OutboxRow = message::decode(&entry).expect("a row");
            let story = expected.entry(row.booking.booking_id.to_string()).or_default();
            let id = webhook::hook_id(&row);
            // The relay may have published a row twice.
            if webhook::is_told(&row) && !story.iter().any(|(known, _)| *known == id) {
                story.push((id, row.kind));
            }
        }
    }
    expected.retain(|_, story| !story.is_empty());
    let expected: BTreeMap<String, Vec<String>> =
        expected.into_iter().map(|(id, story)| (id, story.into_iter().map(|(_, kind)| kind).collect())).collect();
    assert_eq!(world.listener.stories(), expected);
    let told: usize = expected.values().map(Vec::len).sum();
    let copies = world.listener.told().len() - told;
    assert!(copies <= if may_double { 16 } else { 0 }, "{copies} were told again");
}
