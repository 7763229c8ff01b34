//! A change of an event's hall: what it would come to, and doing it, with the real workers behind the gateway.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "support/buying.rs"]
mod buying;
mod support;
#[path = "support/workers.rs"]
mod workers;

use buying::{admitted, booking, confirm, pay, reserve, sale};
use serde_json::{Value, json};
use support::{ADMIN_KEY, DOOR_KEY, OPERATOR_KEY, VIEWER_KEY, World, read, slug, text, until};

async fn post(world: &World, path: &str, key: &str, body: Value) -> (u16, Value) {
    read(world.post(path).bearer_auth(key).json(&body).send().await.unwrap()).await
}

/// The hall of the sale with another row in front, and without the last seats of each row.
fn other_hall() -> Value {
    let mut venue = support::hall_map();
    venue["name"] = "The Old Mill".into();
    venue["address"] = "2 Mill Lane".into();
    venue["location"] = json!({ "city": "Ghent" });
    let rows = venue["sections"][0]["rows"].as_array_mut().unwrap();
    for row in rows.iter_mut() {
        row["seats"].as_array_mut().unwrap().truncate(6);
    }
    let mut front = rows[0].clone();
    front["name"] = "Front".into();
    for seat in front["seats"].as_array_mut().unwrap() {
        seat["seatId"] = format!("F-{}", text(&seat["number"])).into();
        seat["y"] = json!(-1);
    }
    rows.insert(0, front);
    venue
}

#[tokio::test]
async fn a_preview_says_where_each_sold_seat_would_go_and_changes_nothing() {
    let world = World::new().await;
    let event = sale(&world).await;
    let buyer = admitted(&world, &event).await;
    let (_, held) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-1", "A-2"] })).await;
    let id = text(&held["bookingId"]);
    let paid = pay(&world, 5_000, "approve").await;
    let (status, sold) = confirm(&world, &buyer.0, &id, &paid, 5_000).await;
    assert_eq!(status, 200, "{sold}");
    let late = admitted(&world, &event).await;
    let (status, held) = reserve(&world, &late, "k1", json!({ "eventId": event, "seats": ["B-1"] })).await;
    assert_eq!(status, 201, "{held}");
    let (status, venue) = post(&world, "/v1/operator/venues", ADMIN_KEY, other_hall()).await;
    assert_eq!(status, 201, "{venue}");
    let venue = venue["venueId"].clone();

    let path = format!("/v1/operator/events/{event}/hall/preview");
    let (status, body) = post(&world, &path, VIEWER_KEY, json!({ "venueId": venue })).await;
    assert_eq!((status, slug(&body)), (403, "forbidden"));
    let (status, body) = post(&world, &path, OPERATOR_KEY, json!({ "venueId": "venue_none" })).await;
    assert_eq!((status, slug(&body)), (422, "invalid-setting"), "{body}");
    let (status, body) = post(&world, &path, OPERATOR_KEY, json!({ "seats": {} })).await;
    assert_eq!((status, slug(&body)), (400, "invalid-request"));
    let nowhere = "/v1/operator/events/evt_9/hall/preview";
    let (status, body) = post(&world, nowhere, OPERATOR_KEY, json!({ "venueId": venue })).await;
    assert_eq!((status, slug(&body)), (404, "not-found"));

    let ask = async |seats: Value| post(&world, &path, OPERATOR_KEY, json!({ "venueId": venue, "seats": seats })).await;
    let (status, plain) = ask(json!({})).await;
    assert_eq!((status, &plain["isPossible"], &plain["sold"]), (200, &true.into(), &2.into()), "{plain}");
    assert_eq!((&plain["sameId"], &plain["otherId"], &plain["unsold"]), (&2.into(), &0.into(), &16.into()));
    assert_eq!((&plain["holds"][0]["bookingId"], &plain["holds"][0]["seats"]), (&held["bookingId"], &json!(["B-1"])));
    assert_eq!(plain["fingerprint"], ask(json!({})).await.1["fingerprint"], "the same, looked at again");

    let (_, apart) = ask(json!({ "A-2": "F-2" })).await;
    assert_eq!((&apart["isPossible"], &apart["otherId"]), (&true.into(), &1.into()), "{apart}");
    assert_eq!((&apart["cautions"][0]["why"], &apart["cautionsInAll"]), (&"apart".into(), &1.into()));
    assert_ne!(apart["fingerprint"], plain["fingerprint"]);

    let (_, lost) = ask(json!({ "A-1": "F-1", "A-2": "A-9" })).await;
    assert_eq!((&lost["isPossible"], &lost["obstaclesInAll"]), (&false.into(), &1.into()), "{lost}");
    let obstacle = &lost["obstacles"][0];
    assert_eq!((&obstacle["why"], &obstacle["seat"]), (&"noSuchSeat".into(), &"A-2".into()));
    assert_eq!((text(&obstacle["booking"]), text(&obstacle["to"])), (id.clone(), "A-9".to_owned()));
    assert!(text(&obstacle["detail"]).contains("which the new hall does not have"), "{lost}");
    let many: serde_json::Map<_, _> = (0..5_000).map(|number| (format!("A seat {number}"), "F-1".into())).collect();
    let (status, unknown) = ask(many.into()).await;
    assert_eq!((status, &unknown["obstaclesInAll"]), (200, &5_000.into()), "as many as a hall has");
    assert_eq!(unknown["obstacles"].as_array().map(Vec::len), Some(1_000), "of which the first are listed");
    let (_, two) = ask(json!({ "A-1": "F-1", "A-2": "F-1" })).await;
    assert_eq!(two["obstacles"][0]["why"], "twoOnOne", "{two}");
    let (_, shown) = booking(&world, &buyer.0, &id).await;
    assert_eq!(shown, sold, "nothing was changed");
}

#[tokio::test]
async fn a_change_of_hall_is_done_as_it_was_looked_at_and_tickets_stay_good() {
    let world = World::new().await;
    let event = sale(&world).await;
    let buyer = admitted(&world, &event).await;
    let (_, held) = reserve(&world, &buyer, "k1", json!({ "eventId": event, "seats": ["A-1", "A-2"] })).await;
    let id = text(&held["bookingId"]);
    let (status, venue) = post(&world, "/v1/operator/venues", ADMIN_KEY, other_hall()).await;
    assert_eq!(status, 201, "{venue}");
    let venue = venue["venueId"].clone();
    let path = format!("/v1/operator/events/{event}/hall");
    let preview = async |seats: Value| {
        let path = format!("{path}/preview");
        post(&world, &path, OPERATOR_KEY, json!({ "venueId": venue, "seats": seats })).await.1["fingerprint"].clone()
    };
    let wish = |seats: &Value, fingerprint: &Value| {
        let reason = "The hall <is> flooded.";
        json!({ "venueId": venue, "seats": seats, "fingerprint": fingerprint, "reason": reason })
    };
    let seats = json!({ "A-2": "F-2" });

    // A live hold is in the way; it may still be paid for, and no new one is made meanwhile.
    let unsold = preview(json!({})).await;
    let (status, refused) = post(&world, &path, OPERATOR_KEY, wish(&json!({}), &unsold)).await;
    assert_eq!((status, slug(&refused)), (403, "forbidden"));
    let (status, refused) = post(&world, &path, ADMIN_KEY, wish(&json!({}), &unsold)).await;
    assert_eq!((status, slug(&refused), &refused["holds"]), (409, "seats-held", &1.into()), "{refused}");
    assert_eq!(refused["until"], held["expiresAt"]);
    let late = admitted(&world, &event).await;
    let response = world.post("/v1/bookings/reserve").bearer_auth(&late.0.token).header("Weir-Admission", &late.1);
    let response = response.header("Idempotency-Key", "k1").json(&json!({ "eventId": event, "seats": ["B-1"] }));
    let response = response.send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    let paid = pay(&world, 5_000, "approve").await;
    let (status, sold) = confirm(&world, &buyer.0, &id, &paid, 5_000).await;
    assert_eq!(status, 200, "{sold}");

    let (status, refused) = post(&world, &path, ADMIN_KEY, wish(&json!({}), &unsold)).await;
    assert_eq!((status, slug(&refused)), (409, "plan-changed"), "{refused}");
    let lost = json!({ "A-1": "F-1", "A-2": "A-9" });
    let (status, refused) = post(&world, &path, ADMIN_KEY, wish(&lost, &preview(lost.clone()).await)).await;
    assert_eq!((status, slug(&refused), &refused["obstaclesInAll"]), (409, "obstacles", &1.into()), "{refused}");
    assert_eq!(
        (&refused["obstacles"][0]["why"], &refused["obstacles"][0]["seat"]),
        (&"noSuchSeat".into(), &"A-2".into())
    );
    let (status, body) = read(world.get(&path).bearer_auth(VIEWER_KEY).send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (404, "not-found"), "nothing was changed");

    let fingerprint = preview(seats.clone()).await;
    for _ in 0..2 {
        let (status, done) = post(&world, &path, ADMIN_KEY, wish(&seats, &fingerprint)).await;
        assert_eq!((status, &done["number"], &done["venueId"]), (200, &1.into(), &venue), "{done}");
        assert_eq!((&done["fingerprint"], &done["reason"]), (&fingerprint, &"The hall <is> flooded.".into()));
    }
    until("done", || async {
        let (status, done) = read(world.get(&path).bearer_auth(VIEWER_KEY).send().await.unwrap()).await;
        status == 200 && done["left"] == 0 && done["isDone"] == true
    })
    .await;
    until("shown", || async { booking(&world, &buyer.0, &id).await.1["seats"] == json!(["A-1", "F-2"]) }).await;
    let (_, shown) = booking(&world, &buyer.0, &id).await;
    let tickets = |of: &Value| [0, 1].map(|at| of["tickets"][at]["ticketId"].clone());
    assert_eq!((tickets(&shown), &shown["totalAmount"]), (tickets(&sold), &sold["totalAmount"]), "{shown}");
    assert_eq!(shown["seatDetails"][1]["price"], 2_500, "what it cost");
    let details = read(world.get(&format!("/v1/events/{event}")).send().await.unwrap()).await.1;
    assert_eq!(
        (&details["venue"]["name"], &details["eventDetails"]["availableSeats"]),
        (&"The Old Mill".into(), &16.into())
    );
    let small = read(world.get(&format!("/v1/events/{event}/seats")).send().await.unwrap()).await.1;
    assert_eq!((&small["venueId"], text(&small["statuses"]).len()), (&venue, 18), "{small}");

    let scan = async |token: &Value, id: &str| {
        let body = json!({ "token": token, "gate": "North", "scanId": id });
        post(&world, &format!("/v1/events/{event}/door/scans"), DOOR_KEY, body).await.1
    };
    let old = scan(&sold["tickets"][1]["token"], "s1").await;
    assert_eq!((&old["result"], &old["seat"], &old["row"]), (&"in".into(), &"F-2".into(), &"Front".into()), "{old}");
    assert_eq!(scan(&shown["tickets"][1]["token"], "s2").await["result"], "again", "the new code is the same ticket");
    let (_, trail) =
        read(world.get(&format!("/v1/operator/events/{event}/audit")).bearer_auth(VIEWER_KEY).send().await.unwrap())
            .await;
    let newest = &trail["entries"][0];
    assert_eq!(
        (&newest["action"], &newest["actor"], &newest["after"]["venueId"]),
        (&"rehouse".into(), &"ada".into(), &venue)
    );
}
