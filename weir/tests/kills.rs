//! `kill -9` in the middle of a running sale: whatever was acknowledged is still there (invariants 1, 2 and 3).

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kit::{
    Client, SaleOf, Visitor, Weir, data, folder,
    mass::{self, Stores},
    open_sale, operator_key,
    post_office::PostOffice,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

const KILLS: usize = 10;

/// What Weir acknowledged, as the crowd noted it.
#[derive(Default)]
struct Acknowledged {
    joined: Vec<Visitor>,
    held: Vec<(Value, String)>,
    confirmed: Vec<(Value, String)>,
}

/// Visitors come, join, reserve and confirm one after the other until Weir dies under them.
async fn crowd(client: Client, event: String, notes: Arc<Mutex<Acknowledged>>) {
    loop {
        let Ok(mut visitor) = Visitor::arrive(&client, &event).await else { return };
        let Ok(joined) = visitor.join().await else { return };
        joined.expect(201);
        let bought = buy(&mut visitor, &notes).await;
        notes.lock().unwrap().joined.push(visitor);
        if bought.is_none() {
            return;
        }
    }
}

/// Waits for the turn and buys; `None` once Weir is gone.
async fn buy(visitor: &mut Visitor, notes: &Mutex<Acknowledged>) -> Option<()> {
    loop {
        let view = visitor.poll().await.ok()?.expect(200);
        if view["state"] == "called" && visitor.claim().await.ok()?.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let answer = visitor.reserve("one", &json!({"bestAvailable": {"count": 2}})).await.ok()?;
    if answer.status != 201 {
        return Some(());
    }
    let held = answer.body;
    notes.lock().unwrap().held.push((held.clone(), visitor.access.clone()));
    let transaction = visitor.pay(&held["totalAmount"], &held["currency"], "approve").await.ok()?;
    let answer = visitor.confirm(&held, &transaction).await.ok()?;
    if answer.status == 200 {
        notes.lock().unwrap().confirmed.push((answer.body, visitor.access.clone()));
    }
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_in_a_running_sale_lose_nothing_acknowledged_and_double_no_seat() {
    let seed: u64 = std::env::var("KILLS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = folder();
    let data = data(&folder);
    let key = operator_key(&data, "admin");
    let mut weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    let sale =
        SaleOf { rows: 26, seats: 100, opens_in_ms: 1_000, hold_seconds: 7_200, batch_ms: 100, ..SaleOf::default() };
    let event = open_sale(&client, &key, &sale).await;
    let notes = Arc::new(Mutex::new(Acknowledged::default()));

    for kill in 0..KILLS {
        let client = Client::new(&weir.public);
        let crowd: Vec<_> =
            (0..24).map(|_| tokio::spawn(crowd(client.clone(), event.clone(), notes.clone()))).collect();
        tokio::time::sleep(Duration::from_millis(dice.random_range(1_200..3_000))).await;
        weir.kill();
        for visitor in crowd {
            visitor.await.expect("no refusal that a visitor did not earn");
        }
        weir = Weir::start(&data);
        let seen = notes.lock().unwrap();
        eprintln!(
            "seed {seed}, kill {kill}: {} joins, {} holds, {} confirmations acknowledged so far",
            seen.joined.len(),
            seen.held.len(),
            seen.confirmed.len()
        );
    }

    let client = Client::new(&weir.public);
    let mut notes = std::mem::take(&mut *notes.lock().unwrap());
    assert!(notes.confirmed.len() > KILLS, "the sale was hardly running: {} confirmed", notes.confirmed.len());
    for visitor in &mut notes.joined {
        visitor.at(&client);
        let place = std::mem::take(&mut visitor.place);
        let found = visitor.join().await.unwrap().expect(200);
        visitor.place = place;
        let polled = visitor.poll().await.unwrap().expect(200);
        assert_eq!(found["entry"], polled["entry"], "invariant 3: the token and the identity lead to one place");
        assert_eq!(found["rank"], polled["rank"], "invariant 8");
    }
    let mut owners: HashMap<String, String> = HashMap::new();
    let states =
        notes.held.iter().map(|held| (held, "reserved")).chain(notes.confirmed.iter().map(|sold| (sold, "confirmed")));
    for ((booking, access), acknowledged) in states {
        let id = booking["bookingId"].as_str().unwrap();
        let bearer = format!("Bearer {access}");
        let answer =
            client.send(reqwest::Method::GET, &format!("/v1/bookings/{id}"), &[("authorization", &bearer)], None).await;
        let now = answer.unwrap().expect(200);
        let kept = now["status"] == acknowledged || (acknowledged == "reserved" && now["status"] == "confirmed");
        assert!(kept, "invariant 3: {id} was {acknowledged} and is {}", now["status"]);
        let seats = now["seats"].as_array().unwrap();
        assert_eq!(seats.len(), 2, "invariant 2: {now}");
        for seat in seats {
            let owner = owners.entry(seat.as_str().unwrap().to_owned()).or_insert_with(|| id.to_owned());
            assert_eq!(owner, id, "invariant 1: {seat} has two owners");
        }
    }
}

/// A mass refund goes on where it was, however often it is cut off.
#[tokio::test(flavor = "multi_thread")]
async fn five_kills_in_a_mass_refund_refund_and_write_to_everybody_once() {
    let folder = folder();
    let data = data(&folder);
    let admin = operator_key(&data, "admin");
    let stores = Stores::of_folder(&data).await;
    let event = stores.sell_out().await;
    drop(stores);
    let office = PostOffice::open();
    let settings = mass::settings(&office);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut weir = Weir::start_with(&data, &settings);
    mass::call_off(&Client::new(&weir.public), &admin, &event).await;
    for most in mass::KILLED_AT {
        let left = mass::left_at_most(&Client::new(&weir.public), &admin, &event, most).await;
        assert!(left > 0, "killed on the way");
        weir.kill();
        weir = Weir::start_with(&data, &settings);
    }
    mass::left_at_most(&Client::new(&weir.public), &admin, &event, 0).await;
    mass::letters_came(&office).await;
    assert_eq!(weir.terminate(), Some(0));
    Stores::of_folder(&data).await.check_refunded().await;
}
