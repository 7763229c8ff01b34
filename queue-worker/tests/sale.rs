//! A whole sale with everybody working: joined in three lanes, drawn, called at the rate, held with collisions, paid or
//! not, sold out.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use booking_core::{
    booking::BookingState,
    id::{BookingId, TransactionId},
    line::{Place, state::Phase},
    message::{Outcome, Refusal, Wanted},
    ports::{
        desk::{Admit, Desk as _},
        ledger::LedgerReader as _,
        payments::SandboxOutcome,
    },
};
use support::{AnswerReader, LineReader, OPENS, START, World, booking, crew::Crew, invariants, policy, transaction};

const VISITORS: u64 = 300;
const ROWS: u32 = 8;
const SEATS_IN_ROW: u32 = 10;

/// What a visitor is doing.
#[derive(Default)]
struct Visitor {
    rank: Option<u64>,
    admitted: bool,
    tries: u32,
    /// The question whose answer is awaited.
    asked: Option<String>,
    held: Option<(String, i64)>,
    paid: bool,
    done: bool,
}

/// Every fifth does not come, every seventh is declined, every eleventh lets the hold run out.
#[tokio::test]
async fn a_sale_of_three_hundred_visitors_sells_every_seat_once() {
    let world = World::new(ROWS, SEATS_IN_ROW).await;
    let mut crew = Crew::new(&world).await;
    let mut sale = policy();
    sale.hold_seconds = 10;
    world.command("c1", world.configure(sale)).await;
    crew.turn(&world).await;
    let mut places: Vec<Place> = Vec::new();
    for number in 0..250 {
        places.push(world.join(number).await);
    }
    crew.turn_until(&world, OPENS - 100, 1_000).await;
    assert_eq!(world.line().await.served(), 0, "nobody is called before the opening");

    let mut visitors: BTreeMap<u64, Visitor> = (0..VISITORS).map(|number| (number, Visitor::default())).collect();
    let mut called: Vec<(i64, u64)> = Vec::new();
    let mut answers = AnswerReader::default();
    let mut reader = LineReader::new(&world);
    for step in 0..1_400 {
        let ms = OPENS + step * 100;
        world.set_clock(ms);
        if places.len() < usize::try_from(VISITORS).expect("few") && step % 4 == 0 {
            places.push(world.join(places.len() as u64).await);
        }
        crew.turn(&world).await;
        let line = reader.read(&world).await;
        called.push((ms, line.served()));
        answers.read(&world).await;
        for (&number, visitor) in &mut visitors {
            let Some(place) = places.get(usize::try_from(number).expect("few")) else { continue };
            if number.is_multiple_of(5) || visitor.done {
                continue;
            }
            if visitor.admitted {
                shop(&world, number, visitor, &answers.answers).await;
            } else {
                visitor.rank = visitor.rank.or_else(|| line.ranked(*place).map(|ranked| ranked.rank));
                let Some(rank) = visitor.rank else { continue };
                visitor.admitted = matches!(world.come(number, *place, rank, line).await, Some(Admit::Admitted { .. }));
            }
            if visitor.done {
                // Whoever bought is out already; the others leave.
                world.desk.give_up(&world.event, &support::user(number), world.now()).await.expect("gone");
            }
        }
    }

    let line = world.line().await;
    // The rate is 600 a minute: one each 100 ms, one second's worth at once, and more only for those who do not come.
    // Later the seats that are left set the pace.
    let after_3_s = called.iter().find(|(ms, _)| *ms >= OPENS + 3_000).expect("it goes on").1;
    assert!((25..=42).contains(&after_3_s), "called at the rate: {after_3_s} in 3 s");
    assert!(line.batches().len() > 10, "the latecomers were drawn in batches of their own");
    assert_eq!(line.batches()[0].size, 250);
    assert_eq!(line.phase(world.now()), Phase::SoldOut);
    let totals = world.ledger.totals(&world.event, world.now()).await.expect("totals");
    assert_eq!(totals.booked, u64::from(ROWS * SEATS_IN_ROW));
    let bookings: Vec<BookingId> =
        (0..VISITORS).flat_map(|number| (0..10).map(move |attempt| booking(number, &attempt.to_string()))).collect();
    let mut states: BTreeSet<&'static str> = BTreeSet::new();
    for id in &bookings {
        let state = world.ledger.booking(id).await.expect("a look").map(|booking| booking.state);
        states.insert(match state {
            Some(BookingState::Confirmed) => "confirmed",
            Some(BookingState::Expired) => "expired",
            Some(_) => "other",
            None => "none",
        });
    }
    assert!(states.contains("confirmed") && states.contains("expired"), "{states:?}");
    assert!(crew.gauges.declined_total.get() > 0 && crew.gauges.holds_refused_total.get() > 0);
    let payments: Vec<TransactionId> = (0..VISITORS).map(transaction).collect();
    invariants::seats_have_one_owner(&world).await;
    invariants::what_was_answered_is_so(&world).await;
    invariants::everybody_is_drawn_once(&world, &line, &places).await;
    invariants::old_epochs_change_nothing(&world).await;
    invariants::money_has_its_booking(&world, &bookings, &payments).await;
    invariants::the_outbox_is_published(&world, &bookings).await;
    assert_eq!((crew.restarts, crew.gauges.double_sold_total.get()), (0, 0));
}

/// The next thing that an admitted visitor does.
async fn shop(world: &World, number: u64, visitor: &mut Visitor, answers: &BTreeMap<String, Outcome>) {
    let Some(question) = &visitor.asked else {
        visitor.tries += 1;
        if visitor.tries > 9 {
            visitor.done = true;
            return;
        }
        // Most want what is beside the stage; the third time they take what there is.
        let row = 1 + (number * 31 + u64::from(visitor.tries)) % u64::from(ROWS);
        let seat = 1 + (number * 17) % u64::from(SEATS_IN_ROW - 1);
        let wanted = if visitor.tries < 3 {
            support::seats(&[&format!("{row}-{seat}"), &format!("{row}-{}", seat + 1)])
        } else {
            Wanted::BestAvailable { count: 1 + u32::from(visitor.tries < 6), category: None }
        };
        visitor.asked = Some(world.hold(number, &visitor.tries.to_string(), wanted).await);
        return;
    };
    match answers.get(question) {
        None => {}
        Some(Outcome::Booking(booking)) if booking.state == BookingState::Confirmed => visitor.done = true,
        Some(Outcome::Booking(booking)) if !visitor.paid => {
            visitor.held = Some((visitor.tries.to_string(), booking.total.amount));
            if number.is_multiple_of(11) {
                visitor.done = true;
                return;
            }
            let outcome = if number.is_multiple_of(7) { SandboxOutcome::Decline } else { SandboxOutcome::Approve };
            world.pay(number, booking.total.amount, outcome).await;
            let (key, amount) = visitor.held.clone().expect("just held");
            visitor.asked = Some(world.confirm(number, &key, number, amount).await);
            visitor.paid = true;
        }
        Some(Outcome::Refused(Refusal::SeatsUnavailable { .. })) => visitor.asked = None,
        Some(Outcome::Refused(Refusal::PaymentDeclined { .. })) => visitor.done = true,
        Some(other) => panic!("visitor {number} at {}: {other:?}", world.now().as_millis() - START),
    }
}
