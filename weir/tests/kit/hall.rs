//! An event that goes to another hall, the same on every kind of installation.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Client, PATIENCE, SaleOf,
    life::{buy, events},
    open_sale,
};

/// Sells, changes the hall from a shell, and lets in whoever comes with a ticket from before.
pub(crate) async fn rehouse(client: &Client, admin: &str, viewer: &str, door: &str) {
    let event = open_sale(client, admin, &SaleOf { rows: 1, seats: 10, hold_seconds: 30, ..SaleOf::default() }).await;
    let (ann, sold) = buy(client, &event, &json!({"seats": ["A-1", "A-2"]}), "approve").await;
    let id = sold["bookingId"].as_str().unwrap();
    let mut other = super::venue(2, 10);
    other["name"] = json!("The New Mill");
    let other = client.operate(admin, Method::POST, "/v1/operator/venues", &other).await.expect(201);
    let other = other["venueId"].as_str().unwrap();
    let folder = super::folder();
    let file = folder.path().join("seats.json");
    std::fs::write(&file, r#"{"A-2": "B-7"}"#).unwrap();
    let path = format!("/v1/operator/events/{event}/hall");
    client.operate(viewer, Method::GET, &path, &json!(null)).await.refuses(404, "not-found");
    let words = ["hall", &event, "--to", other, "--seats", file.to_str().unwrap()];
    let said = events(client, admin, &words);
    assert!(said.0 && said.1.contains("2 seats are sold: 1 keep their id, 1 get another"), "{said:?}");
    let said = events(client, admin, &[&words[..], &["--act", "--reason", "The hall is flooded."]].concat());
    assert!(said.0 && said.1.contains(&format!("{event} is in {other}, no longer in ")), "{said:?}");
    let started = std::time::Instant::now();
    loop {
        let housing = client.operate(viewer, Method::GET, &path, &json!(null)).await.expect(200);
        if housing["isDone"] == true {
            assert_eq!((&housing["left"], &housing["number"]), (&json!(0), &json!(1)), "{housing}");
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{housing}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    // Every part goes by it within some seconds.
    let new = loop {
        let answer = ann.booking(id).await;
        // A gateway that does not know the new hall yet says so, rather than name seats of the old.
        let view = if answer.status == 503 { Value::Null } else { answer.expect(200) };
        if view["seats"] == json!(["A-1", "B-7"]) {
            break view;
        }
        assert!(started.elapsed() < PATIENCE, "{view}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let ids = |view: &Value| {
        view["tickets"].as_array().unwrap().iter().map(|ticket| ticket["ticketId"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&new), &new["totalAmount"]), (ids(&sold), &sold["totalAmount"]), "the same tickets");
    let details = client.send(Method::GET, &format!("/v1/events/{event}"), &[], None).await.unwrap().expect(200);
    assert_eq!(
        (&details["venue"]["name"], details["seats"].as_array().map(Vec::len)),
        (&json!("The New Mill"), Some(20))
    );
    assert_eq!(details["eventDetails"]["availableSeats"], json!(18));
    let statuses: Vec<_> =
        details["seats"].as_array().unwrap().iter().filter(|seat| seat["status"] == "booked").collect();
    assert_eq!(statuses.iter().map(|seat| &seat["seatId"]).collect::<Vec<_>>(), [&json!("A-1"), &json!("B-7")]);
    let (_, next) = buy(client, &event, &json!({"seats": ["A-2"]}), "approve").await;
    assert_eq!(next["seats"], json!(["A-2"]), "a seat that is free in the new hall");

    // A ticket from before lets in, to the seat that it is now for, and the new one is the same ticket.
    let scan = async |token: &Value, scan: &str| {
        let body = json!({"token": token, "gate": "North", "scanId": scan});
        client.operate(door, Method::POST, &format!("/v1/events/{event}/door/scans"), &body).await.expect(200)
    };
    let old = scan(&sold["tickets"][1]["token"], "s1").await;
    assert_eq!((&old["result"], &old["seat"], &old["row"]), (&json!("in"), &json!("B-7"), &json!("B")), "{old}");
    let again = scan(&new["tickets"][1]["token"], "s2").await;
    assert_eq!((&again["result"], &again["seat"]), (&json!("again"), &json!("B-7")), "{again}");
    assert_eq!(scan(&new["tickets"][0]["token"], "s3").await["result"], "in");
    let list =
        client.operate(door, Method::GET, &format!("/v1/events/{event}/door/tickets"), &json!(null)).await.expect(200);
    let of = |ticket: &Value| {
        list["tickets"].as_array().unwrap().iter().find(|one| one["ticketId"] == ticket["ticketId"]).cloned()
    };
    let listed = of(&sold["tickets"][1]).expect("on the list");
    assert_eq!((&listed["seat"], &listed["status"]), (&json!("B-7"), &json!("in")), "{listed}");
}
