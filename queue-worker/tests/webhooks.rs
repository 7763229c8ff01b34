//! Endpoints that are slow, broken, picky or gone.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use booking_core::{
    message::{self, BookingAct, Outcome},
    ports::{
        hook::Handed,
        log::{Log as _, Topic},
        payments::SandboxOutcome,
    },
    time::Timestamp,
    webhook::{Delivery, DeliveryRecord},
};
use support::{OPENS, World, booking, crew::Crew, policy, seats, transaction};

const HOUR: i64 = 3_600_000;

/// A world with a sale and its crew.
async fn sale() -> (World, Crew) {
    let world = World::new(2, 4).await;
    let mut crew = Crew::new(&world).await;
    world.command("c1", world.configure(policy())).await;
    crew.turn_until(&world, OPENS, 5_000).await;
    (world, crew)
}

/// User `number` buys a seat.
async fn buy(world: &World, crew: &mut Crew, number: u64, seat: &str) {
    world.pay(number, 1_000, SandboxOutcome::Approve).await;
    world.hold(number, "a", seats(&[seat])).await;
    crew.turn(world).await;
    let act = BookingAct::Confirm { transaction: transaction(number), amount: 1_000, contact: None };
    let question = world.send(number, &booking(number, "a"), act).await;
    crew.turn(world).await;
    assert!(matches!(world.answer(&question).await, Some(Outcome::Booking(_))));
}

async fn cancel(world: &World, crew: &mut Crew, number: u64) {
    world.send(number, &booking(number, "a"), BookingAct::Cancel { seats: Vec::new(), refund: None }).await;
    crew.turn(world).await;
}

async fn deliveries(world: &World) -> Vec<Delivery> {
    let entries = world.entries(&Topic::Deliveries, 0).await;
    entries.iter().map(|entry| message::decode::<DeliveryRecord>(entry).unwrap().what).collect()
}

async fn replay(world: &World, since: Timestamp) {
    let what = Delivery::Replay { since, actor: "ada".to_owned() };
    let record = DeliveryRecord { endpoint: "shop".parse().unwrap(), at: world.now(), what };
    world.log.append(&Topic::Deliveries, 0, message::encode(&record)).await.unwrap();
}

#[tokio::test]
async fn an_endpoint_is_told_of_what_comes_after_it_was_set_up() {
    let (world, mut crew) = sale().await;
    buy(&world, &mut crew, 1, "1-1").await;
    cancel(&world, &mut crew, 1).await;
    let told = world.listener.told();
    let notice = &told[0].1;
    assert_eq!((&notice["type"], told.len()), (&serde_json::json!("booking.confirmed"), 2));
    let data = &notice["data"];
    assert_eq!((&data["seats"], &data["status"]), (&serde_json::json!(["1-1"]), &serde_json::json!("confirmed")));
    assert_eq!((&data["totalAmount"], &data["currency"]), (&serde_json::json!(1_000), &serde_json::json!("EUR")));
    assert_eq!(told[1].1["data"]["refundAmount"], 500, "half, from 24 to 12 hours before");
    assert!(data.get("contact").is_none());

    // Another one, which is new.
    let parts = world.parts();
    let late = queue_worker::Endpoint { name: "late".parse().unwrap(), ..parts.endpoints[0].clone() };
    let settings = support::settings();
    let mut webhooks = queue_worker::webhooks::Webhooks::new(parts, &settings, crew.gauges.clone(), late);
    webhooks.step(world.now()).await.unwrap();
    webhooks.step(world.now()).await.unwrap();
    assert_eq!(world.listener.told().len(), 2, "nothing that was before");
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_later_and_later_and_nothing_overtakes_it() {
    let (world, mut crew) = sale().await;
    world.listener.answers(Some(Handed::Later("503".to_owned())));
    buy(&world, &mut crew, 1, "1-1").await;
    cancel(&world, &mut crew, 1).await;
    assert_eq!(world.listener.tried(), 1, "what comes behind waits");
    let began = world.now().as_millis() - support::START;
    crew.turn_until(&world, began + HOUR, 1_000).await;
    let tried = world.listener.tried();
    assert!((9..=12).contains(&tried), "5 s, doubled, within an hour: {tried}");
    // A worker that begins anew tries at once.
    crew = Crew::new(&world).await;
    crew.turn(&world).await;
    assert_eq!(world.listener.tried(), tried + 1);
    world.listener.answers(None);
    crew.turn_until(&world, began + 2 * HOUR, 1_000).await;
    let stories: Vec<_> = world.listener.stories().into_values().collect();
    assert_eq!(stories, [["booking.confirmed", "booking.cancelled"]]);
    let ids: Vec<_> = world.listener.told().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn what_nobody_takes_for_three_days_is_given_up_and_the_rest_goes_on() {
    let (world, mut crew) = sale().await;
    world.listener.refuses(Some(booking(1, "a").as_str()));
    buy(&world, &mut crew, 1, "1-1").await;
    buy(&world, &mut crew, 2, "1-2").await;
    assert!(world.listener.told().is_empty(), "one lane, in order");
    let began = world.now().as_millis() - support::START;
    crew.turn_until(&world, began + 80 * HOUR, 60_000).await;
    let stories: Vec<_> = world.listener.stories().into_keys().collect();
    assert_eq!(stories, [booking(2, "a").to_string()]);
    let given_up = deliveries(&world).await.into_iter().filter(|what| matches!(what, Delivery::GivenUp { .. })).count();
    assert_eq!((given_up, crew.gauges.webhooks_given_up_total.get()), (1, 1));
}

#[tokio::test]
async fn an_operator_has_it_all_sent_again_also_after_an_endpoint_was_gone() {
    let (world, mut crew) = sale().await;
    buy(&world, &mut crew, 1, "1-1").await;
    let ms = world.now().as_millis() - support::START;
    crew.turn_until(&world, ms + 10_000, 1_000).await;
    let since = world.now();
    world.listener.answers(Some(Handed::Gone));
    buy(&world, &mut crew, 2, "1-2").await;
    buy(&world, &mut crew, 3, "1-3").await;
    assert_eq!(world.listener.tried(), 2, "it is left alone");
    world.listener.answers(None);
    crew.turn_until(&world, ms + 60_000, 10_000).await;
    assert_eq!(world.listener.told().len(), 1);
    replay(&world, since).await;
    crew.turn_until(&world, ms + 70_000, 1_000).await;
    assert_eq!(world.listener.told().len(), 3, "what was before is not sent again");
    replay(&world, Timestamp::from_millis(0)).await;
    crew.turn_until(&world, ms + 80_000, 1_000).await;
    let told = world.listener.told();
    assert_eq!((told.len(), world.listener.stories().len()), (6, 3), "with the same ids");
    assert_eq!(told[0], told[3]);
    // A wish is obeyed once, also by the next worker.
    crew = Crew::new(&world).await;
    crew.turn_until(&world, ms + 90_000, 1_000).await;
    assert_eq!(world.listener.told().len(), 6);
}
