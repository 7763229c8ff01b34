use serde_json::json;

use super::*;

fn venue() -> Venue {
    let seat =
        |id: &str, category: &str, x: u32| json!({ "seatId": id, "number": id, "category": category, "x": x, "y": 0 });
    serde_json::from_value(json!({
        "venueId": "venue_1",
        "name": "Weir Hall",
        "address": "1 Riverside",
        "location": "Mumbai",
        "seatMap": {
            "categories": [{ "name": "Stalls", "color": "#2f6f9f" }, { "name": "Box", "color": "#b0413e" }],
            "sections": [{ "name": "S", "rows": [{ "name": "A", "seats": [
                seat("1", "Stalls", 1), seat("2", "Stalls", 2), seat("3", "Box", 3),
            ] }] }],
        },
    }))
    .unwrap()
}

fn event() -> Event {
    serde_json::from_value(json!({
        "eventId": "evt_1",
        "title": "A play",
        "description": "Three acts.",
        "thumbnail": "https://example.org/play.jpg?w=200#top",
        "venueId": "venue_1",
        "startsAt": "2026-05-01T19:00:00.000Z",
        "currency": "EUR",
        "prices": { "Stalls": 9_500, "Box": 14_500 },
    }))
    .unwrap()
}

fn event_with(change: impl FnOnce(&mut Event)) -> Result<(), InvalidEvent> {
    let mut event = event();
    change(&mut event);
    event.check(&venue())
}

#[test]
fn an_event_that_fits_its_venue_is_taken() {
    assert_eq!(event().check(&venue()), Ok(()));
    assert_eq!(event_with(|event| event.thumbnail = None), Ok(()));
    assert_eq!(event_with(|event| event.description = String::new()), Ok(()));
    assert_eq!(event_with(|event| event.title = "é".repeat(200)), Ok(()));
    assert_eq!(event_with(|event| event.description = "First line.\nSecond.".into()), Ok(()));
    for price in [0, MAX_AMOUNT_MINOR] {
        assert_eq!(event_with(|event| *event.prices.get_mut("Box").unwrap() = price), Ok(()));
    }
}

#[test]
fn an_event_outside_its_limits_is_refused_with_the_reason() {
    for title in ["", "   ", "a\nb", &"x".repeat(201)] {
        assert_eq!(event_with(|event| event.title = title.into()), Err(InvalidEvent::Title), "{title}");
    }
    assert_eq!(event_with(|event| event.description = "x".repeat(5_001)), Err(InvalidEvent::Description));
    assert_eq!(
        event_with(|event| event.venue_id = "venue_2".parse().unwrap()),
        Err(InvalidEvent::OtherVenue("venue_2".parse().unwrap())),
    );
}

#[test]
fn every_category_has_a_price_and_every_price_a_category() {
    assert_eq!(
        event_with(|event| assert!(event.prices.remove("Box").is_some())),
        Err(InvalidEvent::NoPrice("Box".into())),
    );
    assert_eq!(
        event_with(|event| assert!(event.prices.insert("VIP".into(), 1).is_none())),
        Err(InvalidEvent::UnknownCategory("VIP".into())),
    );
    for price in [-1, MAX_AMOUNT_MINOR + 1, i64::MAX, i64::MIN] {
        let refused = event_with(|event| *event.prices.get_mut("Box").unwrap() = price);
        assert_eq!(refused, Err(InvalidEvent::Price { category: "Box".into(), price }));
    }
}

#[test]
fn a_thumbnail_is_a_web_address() {
    for right in
        ["http://example.org", "HTTPS://example.org:8443/a%20b.png", "https://[::1]/x", "https://例え.jp/é.png"]
    {
        assert_eq!(event_with(|event| event.thumbnail = Some(right.into())), Ok(()), "{right}");
    }
    let long = format!("https://example.org/{}", "x".repeat(MAX_URL_BYTES));
    for wrong in [
        "",
        "example.org/x.jpg",
        "//example.org",
        "ftp://example.org",
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "https://?x",
        "https://:80/",
        "https://me@example.org/",
        "https://example.org/a b",
        "https://example.org/\"x",
        "https://example.org/\n",
        "htt",
        "https:é",
        long.as_str(),
    ] {
        let refused = event_with(|event| event.thumbnail = Some(wrong.into()));
        assert_eq!(refused, Err(InvalidEvent::Thumbnail), "{wrong}");
    }
}

#[test]
fn seats_cost_what_their_category_costs() {
    let (event, venue) = (event(), venue());
    let total = |seats: &[u32]| {
        let seats: Vec<_> = seats.iter().copied().map(SeatIndex).collect();
        event.total(&venue.seat_map, &seats).map(|money| money.amount)
    };
    assert_eq!(total(&[]), Some(0));
    assert_eq!(total(&[0]), Some(9_500));
    assert_eq!(total(&[0, 1, 2]), Some(33_500));
    assert_eq!(total(&[0, 3]), None);
    assert_eq!(event.price(&venue.seat_map, SeatIndex(2)), Some(Money { amount: 14_500, currency: event.currency }));
}

#[test]
fn a_total_beyond_what_an_amount_can_be_is_none() {
    let (mut event, venue) = (event(), venue());
    event.prices.insert("Stalls".into(), MAX_AMOUNT_MINOR);
    assert!(event.total(&venue.seat_map, &[SeatIndex(0)]).is_some());
    assert_eq!(event.total(&venue.seat_map, &[SeatIndex(0), SeatIndex(1)]), None);
}

#[test]
fn a_venue_outside_its_limits_is_refused_with_the_reason() {
    let with = |change: fn(&mut Venue)| {
        let mut venue = venue();
        change(&mut venue);
        venue.check()
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|venue| venue.address.clear()), Ok(()));
    assert_eq!(with(|venue| venue.name.clear()), Err(InvalidVenue::Name));
    assert_eq!(with(|venue| venue.name = "x".repeat(201)), Err(InvalidVenue::Name));
    assert_eq!(with(|venue| venue.address = "1\n2".into()), Err(InvalidVenue::Address));
    assert_eq!(with(|venue| venue.location.city.clear()), Err(InvalidVenue::Location(InvalidLocation::City)));
}
