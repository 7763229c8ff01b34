//! An event that goes to another hall: every sold seat stays valid, whoever dies meanwhile, and is told once.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use booking_core::{
    booking::{Begun, Booking, CheckIn, CheckedIn, GateEntry, HallChange, OutboxRow, PaymentStep, REHOUSED},
    catalog::{Event, Rehoused, Venue},
    message::{self, BookingAct, OperatorAct, Outcome, Refusal},
    ports::{
        catalog::{Catalog as _, CatalogReader as _},
        holds::Holds as _,
        ledger::{Ledger as _, LedgerReader as _},
        log::{Log as _, Topic},
        payments::{Payments as _, SandboxOutcome},
    },
    rehousing::{Rehouse, Rehousing, SeatNames},
    seats::SeatIndex,
};
use support::{
    OPENS, World, at, booking,
    crew::{Crew, Part},
    faults::{Fault, Faults},
    policy, seats, settings, transaction, venue,
};

/// Another hall, with two rows of as many seats.
fn other_hall() -> Venue {
    Venue { venue_id: "venue_2".parse().unwrap(), name: "The Old Mill".to_owned(), ..venue(2, 8) }
}

fn names(ways: &[(&str, &str)]) -> SeatNames {
    ways.iter().map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())).collect()
}

/// A change of hall as the preview shows it now.
async fn looked_at(world: &World, to: &str, seats: &SeatNames) -> Rehouse {
    let event = world.catalog.event(&world.event).await.unwrap().unwrap();
    let old = world.catalog.hall(&event).await.unwrap().unwrap();
    let new = world.catalog.venue(&to.parse().unwrap()).await.unwrap().unwrap().after(&old);
    let claims = world.ledger.live_claims(&world.event, world.now()).await.unwrap();
    let plan = Rehousing::plan(&event, &old, &new, seats, claims);
    let reason = "The roof is not tight.".to_owned();
    Rehouse { venue_id: new.venue_id, seats: seats.clone(), fingerprint: plan.fingerprint, reason }
}

fn act(world: &World, wanted: &Rehouse) -> OperatorAct {
    OperatorAct::Rehouse { event: world.event.clone(), wanted: wanted.clone() }
}

async fn ask(world: &World, crew: &mut Crew, number: u64, act: BookingAct) -> Option<Outcome> {
    let question = world.send(number, &booking(number, "a"), act).await;
    crew.turn(world).await;
    world.answer(&question).await
}

async fn hold(world: &World, crew: &mut Crew, number: u64, seat: &str) -> Option<Outcome> {
    let question = world.hold(number, "a", seats(&[seat])).await;
    crew.turn(world).await;
    world.answer(&question).await
}

fn confirm(number: u64) -> BookingAct {
    BookingAct::Confirm { transaction: transaction(number), amount: 1_000, contact: None }
}

/// The users `numbers` buy a seat each.
async fn buy(world: &World, crew: &mut Crew, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let held = hold(world, crew, number, &format!("1-{number}")).await;
        assert!(matches!(held, Some(Outcome::Booking(_))), "{number}: {held:?}");
        world.pay(number, 1_000, SandboxOutcome::Approve).await;
        assert!(matches!(ask(world, crew, number, confirm(number)).await, Some(Outcome::Booking(_))), "{number}");
    }
}

/// A world with a sale that is open, and another hall.
async fn world(crew_of: impl AsyncFnOnce(&World) -> Crew) -> (World, Crew) {
    let world = World::new(1, 8).await;
    world.catalog.put_venue(&other_hall()).await.unwrap();
    let mut crew = crew_of(&world).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn(&world).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    (world, crew)
}

async fn open() -> (World, Crew) {
    world(async |world| Crew::with_faults(world, settings(), None).await).await
}

/// Where each booking sits, by the name of its seat in the present hall.
async fn sits(world: &World) -> BTreeMap<u64, String> {
    let event: Arc<Event> = world.catalog.event(&world.event).await.unwrap().unwrap();
    let hall = world.catalog.hall(&event).await.unwrap().unwrap();
    let mut sits = BTreeMap::new();
    for number in 1..=8 {
        let Some(found) = world.ledger.booking(&booking(number, "a")).await.unwrap() else { continue };
        assert!(found.is_of_hall(hall.seat_map.first().0), "{number} is in the new hall: {found:?}");
        let seat = hall.seat_map.seat(found.seats[0]).unwrap();
        sits.insert(number, seat.seat_id.to_string());
    }
    sits
}

/// Who was told of the new hall, in order.
async fn told(world: &World) -> Vec<Booking> {
    let mut told = Vec::new();
    for lane in 0..world.log.lanes(&Topic::Changes).await.unwrap() {
        let rows = world.entries(&Topic::Changes, lane).await;
        let rows = rows.iter().map(|row| message::decode::<OutboxRow>(row).unwrap());
        told.extend(rows.filter(|row| row.kind == REHOUSED).map(|row| row.booking));
    }
    told.sort_by(|a, b| a.booking_id.cmp(&b.booking_id));
    told
}

/// An event goes to another hall while a part of the workers fails at one call.
async fn rehoused_event(part: Part, faults: &Arc<Faults>, drops_failed: bool) {
    // Bookings are carried over in steps of two.
    let settings = queue_worker::Settings { expire_batch: 2, ..settings() };
    let (world, mut sane) = world(async |world| Crew::with_faults(world, settings.clone(), None).await).await;
    buy(&world, &mut sane, 1..=5).await;
    drop(sane);
    let mut crew = Crew::with_faults(&world, settings, Some((part, faults))).await;
    crew.drops_failed = drops_failed;
    let wanted = looked_at(&world, "venue_2", &names(&[("1-1", "2-8"), ("1-5", "1-1")])).await;
    let question = world.command("h1", act(&world, &wanted)).await;
    crew.turn_until(&world, OPENS + 10_000, 1_000).await;
    let case = format!("{part:?}, restarts {}", crew.restarts);
    assert!(matches!(world.answer(&question).await, Some(Outcome::Done)), "{case}");
    let event = world.catalog.event(&world.event).await.unwrap().expect("there");
    assert_eq!((event.venue_id.as_str(), event.halls.len()), ("venue_2", 1), "{case}");
    let housing = world.ledger.housing(&world.event).await.unwrap().expect("begun");
    assert_eq!((housing.left, housing.is_done), (0, true), "{case}");
    let expected = [(1, "2-8"), (2, "1-2"), (3, "1-3"), (4, "1-4"), (5, "1-1")];
    assert_eq!(sits(&world).await, expected.map(|(number, seat)| (number, seat.to_owned())).into(), "{case}");
    let told = told(&world).await;
    let mut ids: Vec<_> = (1..=5).map(|number| booking(number, "a")).collect();
    ids.sort();
    assert_eq!(told.iter().map(|booking| booking.booking_id.clone()).collect::<Vec<_>>(), ids, "{case}: each once");
    assert!(told.iter().all(|booking| booking.is_of_hall(8)), "{case}: with the seats that they have now");
    let trail = world.ledger.audit_trail(&world.event, None, 10).await.unwrap();
    let done: Vec<_> = trail.iter().map(|entry| (entry.command.as_str(), entry.action.as_str())).collect();
    assert_eq!(done, [("h1", "rehouse"), ("c1", "configure")], "{case}: each once");
    assert_eq!((&trail[0].before["venueId"], &trail[0].after["venueId"]), (&"venue_1".into(), &"venue_2".into()));
    // Seats of the new hall are sold, and the hold table knows them, if only since the ledger contradicted it.
    let refused = hold(&world, &mut crew, 7, "2-8").await;
    assert!(matches!(refused, Some(Outcome::Refused(Refusal::SeatsUnavailable { .. }))), "{case}: {refused:?}");
    let held = hold(&world, &mut crew, 8, "2-7").await;
    assert!(matches!(held, Some(Outcome::Booking(_))), "{case}: {held:?}");
    let taken = world.holds.taken(&world.event, world.now()).await.unwrap();
    assert_eq!(
        taken.iter().map(|seat| seat.0).filter(|seat| *seat > 7).collect::<Vec<_>>(),
        [8, 9, 10, 11, 22, 23],
        "{case}"
    );
}

async fn at_every_call(part: Part, fault: Fault) {
    let drops_failed = matches!(fault, Fault::DiesBefore | Fault::DiesAfter);
    for call in 0.. {
        let faults = Faults::at(call, fault);
        rehoused_event(part, &faults, drops_failed).await;
        if !faults.has_struck() {
            assert!(call > 10, "{part:?} makes more calls than {call}");
            return;
        }
    }
}

#[tokio::test]
async fn an_event_is_rehoused_whenever_its_keeper_dies() {
    for fault in [Fault::DiesBefore, Fault::DiesAfter, Fault::FailsAfter] {
        at_every_call(Part::Keeper, fault).await;
    }
}

#[tokio::test]
async fn every_booking_is_carried_over_and_told_once_whenever_who_does_so_dies() {
    for fault in [Fault::DiesBefore, Fault::DiesAfter, Fault::FailsBefore, Fault::FailsAfter] {
        at_every_call(Part::Expiry, fault).await;
    }
}

#[tokio::test]
async fn a_payment_that_comes_late_takes_no_seat_of_the_new_hall() {
    let (world, mut crew) = open().await;
    buy(&world, &mut crew, 1..=2).await;
    let held = hold(&world, &mut crew, 3, "1-3").await;
    assert!(matches!(held, Some(Outcome::Booking(_))), "{held:?}");
    world.pay(3, 1_000, SandboxOutcome::Approve).await;

    // A live hold stands in the way; then no new ones are made, and it runs out.
    let nobody_moves = SeatNames::new();
    let wanted = looked_at(&world, "venue_2", &nobody_moves).await;
    let question = world.command("h1", act(&world, &wanted)).await;
    crew.turn(&world).await;
    let until = world.ledger.booking(&booking(3, "a")).await.unwrap().unwrap().expires_at;
    let refused = world.answer(&question).await;
    assert!(
        matches!(refused, Some(Outcome::Refused(Refusal::SeatsHeld { holds: 1, until: found })) if found == until),
        "{refused:?}"
    );
    let resting = hold(&world, &mut crew, 4, "1-4").await;
    assert!(matches!(resting, Some(Outcome::Refused(Refusal::Rehousing))), "{resting:?}");
    world.set_clock(until.millis_since(at(0)) + 1_000);
    let question = world.command("h2", act(&world, &wanted)).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Done)));

    let late = ask(&world, &mut crew, 3, confirm(3)).await;
    assert!(matches!(late, Some(Outcome::Refused(Refusal::HoldExpired))), "{late:?}");
    crew.turn_until(&world, world.now().millis_since(at(0)) + 30_000, 2_000).await;
    let acts = world.ledger.payment_acts(&booking(3, "a")).await.unwrap();
    assert_eq!(acts.last().map(|act| act.step), Some(PaymentStep::Voided), "invariant 9: {acts:?}");
    let taken = world.ledger.seat_states(&world.event).await.unwrap().taken;
    assert_eq!(taken.iter().map(|(seat, _)| seat.0).collect::<Vec<_>>(), [8, 9], "those that were sold");
    let sold = hold(&world, &mut crew, 5, "1-3").await;
    assert!(matches!(sold, Some(Outcome::Booking(booking)) if booking.seats == [SeatIndex(10)]), "the seat is free");
}

/// A catalog that was restored as it was before, say.
#[tokio::test]
async fn a_change_that_the_catalog_can_not_follow_is_not_ended_before_it_can() {
    let (world, mut crew) = open().await;
    let elsewhere = Event { event_id: "evt_2".parse().unwrap(), ..support::show() };
    let wanted = looked_at(&world, "venue_2", &SeatNames::new()).await;
    let rehoused = Rehoused {
        command: "h1".to_owned(),
        number: 1,
        at: world.now(),
        from: elsewhere.venue_id.clone(),
        to: wanted.venue_id.clone(),
        first_seat: 8,
        reason: wanted.reason.clone(),
        fingerprint: wanted.fingerprint,
    };
    let change = HallChange { rehoused, seats: SeatNames::new(), actor: "anna".to_owned() };
    let begun = world.ledger.begin_rehousing(&elsewhere.event_id, &change, 0, world.now()).await.unwrap();
    assert_eq!(begun, Begun::Begun);
    let act = OperatorAct::Rehouse { event: elsewhere.event_id.clone(), wanted };
    let question = world.command("h1", act.clone()).await;
    crew.turn_until(&world, OPENS + 5_000, 1_000).await;
    let refused = world.answer(&question).await;
    assert!(matches!(refused, Some(Outcome::Refused(Refusal::Unavailable { .. }))), "{refused:?}");
    let is_done = async || world.ledger.housing(&elsewhere.event_id).await.unwrap().unwrap().is_done;
    assert!(!is_done().await, "its seats would be held in a hall that nobody sees");
    let held = hold(&world, &mut crew, 1, "1-1").await;
    assert!(matches!(held, Some(Outcome::Booking(_))), "other events go on: {held:?}");

    world.catalog.put_event(&elsewhere).await.unwrap();
    let question = world.command("h1", act).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Done)));
    assert!(is_done().await);
    assert_eq!(world.catalog.event(&elsewhere.event_id).await.unwrap().unwrap().venue_id, "venue_2".parse().unwrap());
}

#[tokio::test]
async fn a_ticket_stays_good_and_its_seat_gives_back_what_it_cost() {
    let (world, mut crew) = open().await;
    buy(&world, &mut crew, 1..=2).await;
    let show = async |number: u64, seat: u32, scan: &str| {
        let entry = GateEntry { gate: "North".to_owned(), scan: scan.to_owned(), at: world.now() };
        let ask = CheckIn { booking: booking(number, "a"), seat: SeatIndex(seat), entry };
        world.ledger.check_in(&world.event, &[ask]).await.unwrap().remove(0)
    };
    assert_eq!(show(1, 0, "s1").await, CheckedIn::In);
    let wanted = looked_at(&world, "venue_2", &names(&[("1-1", "2-1"), ("1-2", "2-2")])).await;
    for id in ["h1", "h2"] {
        let question = world.command(id, act(&world, &wanted)).await;
        crew.turn(&world).await;
        assert!(matches!(world.answer(&question).await, Some(Outcome::Done)), "the same request twice is one change");
    }
    assert_eq!(world.catalog.event(&world.event).await.unwrap().unwrap().halls.len(), 1);
    assert!(matches!(show(1, 0, "s2").await, CheckedIn::Again { .. }), "invariant 11");
    let cancel = |refund| BookingAct::Cancel { seats: vec!["2-2".parse().unwrap()], refund: Some(refund) };
    // Under a day before the start it is half.
    let answer = ask(&world, &mut crew, 2, cancel(500)).await;
    let Some(Outcome::Booking(whole)) = answer else { panic!("{answer:?}") };
    assert_eq!(whole.refund, Some(500));
    assert_eq!(world.payments.standing(&transaction(2)).await.unwrap().expect("a payment").refunded, 500);
    let sold = hold(&world, &mut crew, 5, "2-2").await;
    assert!(matches!(sold, Some(Outcome::Booking(_))), "the seat is free: {sold:?}");
}

#[tokio::test]
async fn seats_of_the_new_hall_are_held_as_soon_as_the_event_is_there() {
    let (world, mut crew) = open().await;
    // The pool has read the old hall in this very second.
    buy(&world, &mut crew, 1..=1).await;
    let question = world.command("h1", act(&world, &looked_at(&world, "venue_2", &SeatNames::new()).await)).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Done)));
    crew.turn(&world).await;
    assert!(world.ledger.housing(&world.event).await.unwrap().unwrap().is_done);
    for (number, seat, index) in [(2, "2-3", 18), (3, "1-2", 9)] {
        let held = hold(&world, &mut crew, number, seat).await;
        assert!(matches!(&held, Some(Outcome::Booking(booking)) if booking.seats == [SeatIndex(index)]), "{held:?}");
    }
    let unknown = hold(&world, &mut crew, 4, "9-9").await;
    assert!(matches!(unknown, Some(Outcome::Refused(Refusal::UnknownSeat { .. }))), "{unknown:?}");
}

#[tokio::test]
async fn what_would_be_no_change_or_leave_a_seat_behind_is_refused_and_changes_nothing() {
    let (world, mut crew) = open().await;
    buy(&world, &mut crew, 1..=2).await;
    let before = world.catalog.event(&world.event).await.unwrap().unwrap();
    let good = looked_at(&world, "venue_2", &SeatNames::new()).await;
    let two_on_one = looked_at(&world, "venue_2", &names(&[("1-1", "1-2")])).await;
    let same = looked_at(&world, "venue_1", &SeatNames::new()).await;
    let other_seats = Rehouse { seats: names(&[("1-1", "2-1")]), ..good.clone() };
    let nowhere = Rehouse { venue_id: "venue_9".parse().unwrap(), ..good.clone() };
    let silent = Rehouse { reason: " ".to_owned(), ..good.clone() };
    for (id, wanted, is_expected) in [
        ("r1", &two_on_one, "not every sold seat"),
        ("r2", &same, "not every sold seat"),
        ("r3", &other_seats, "no longer what the preview showed"),
        ("r4", &nowhere, "no venue venue_9"),
        ("r5", &silent, "reason"),
    ] {
        let question = world.command(id, act(&world, wanted)).await;
        crew.turn(&world).await;
        let Some(Outcome::Refused(why)) = world.answer(&question).await else { panic!("{id}") };
        assert!(why.to_string().contains(is_expected), "{id}: {why}");
    }
    // Whatever was sold since was not looked at.
    buy(&world, &mut crew, 3..=3).await;
    let question = world.command("r6", act(&world, &good)).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Refused(Refusal::PlanChanged))));
    assert_eq!(world.catalog.event(&world.event).await.unwrap().unwrap(), before);
    assert_eq!(world.ledger.housing(&world.event).await.unwrap(), None);
    assert_eq!(world.ledger.audit_trail(&world.event, None, 10).await.unwrap().len(), 1);
    let event = world.event.clone();
    world.command("off", OperatorAct::CallOff { event, reason: "Why".to_owned() }).await;
    let question = world.command("r7", act(&world, &good)).await;
    crew.turn(&world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Refused(Refusal::CalledOff))));
}
