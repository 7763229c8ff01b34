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
fn everything_that_is_wrong_with_an_event_is_named_with_its_field() {
    let mut event = event();
    (event.title, event.language) = (String::new(), Some("?".into()));
    event.prices = [("Stalls".to_owned(), -1), ("Roof".to_owned(), 1)].into();
    let mistakes = [event.mistakes(), event.price_mistakes(&["Stalls", "Box"])].concat();
    assert_eq!(
        mistakes,
        [
            InvalidEvent::Title,
            InvalidEvent::Language,
            InvalidEvent::NoPrice("Box".into()),
            InvalidEvent::UnknownCategory("Roof".into()),
            InvalidEvent::Price { category: "Stalls".into(), price: -1 },
        ]
    );
    let fields: Vec<_> = mistakes.iter().map(InvalidEvent::field).collect();
    assert_eq!(fields, ["title", "language", "prices", "prices", "prices"]);
}

#[test]
fn an_event_is_known_as_what_it_was_added_as_after_it_was_moved() {
    let added = event();
    let later = added.starts_at.plus_millis(86_400_000);
    let now = added.starts_at.plus_millis(-86_400_000);
    let wanted = Move { starts_at: later, reason: "The tide.".into(), give_back_until: None };
    let moved = added.after(&added.judge_move(&wanted, "c1", now).unwrap()).unwrap();
    assert!(moved.was_added_as(&added));
    assert!(moved.was_added_as(&Event { starts_at: later, ..added.clone() }));
    assert!(!moved.was_added_as(&Event { title: "Another".into(), ..added.clone() }));
    assert!(!moved.was_added_as(&Event { starts_at: now, ..added.clone() }));
    assert!(!moved.was_added_as(&Event { venue_id: "venue_2".parse().unwrap(), ..added }));
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

fn move_to(hours: i64, give_back_until: Option<i64>) -> Move {
    let at = |hours: i64| event().starts_at.plus_millis(hours * HOUR_MS);
    Move { starts_at: at(hours), reason: " The singer is ill. ".to_owned(), give_back_until: give_back_until.map(at) }
}

const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_move_names_a_new_start_and_a_time_to_give_back_in() {
    let before = event();
    let now = before.starts_at.plus_millis(-100 * HOUR_MS);
    let moved = before.judge_move(&move_to(1_000, None), "m1", now).unwrap();
    assert_eq!((moved.number, moved.from, moved.reason.as_str()), (1, before.starts_at, "The singer is ill."));
    assert_eq!(moved.give_back_until, now.plus_seconds(GIVE_BACK_SECONDS));
    let soon = before.judge_move(&move_to(-99, None), "m1", now).unwrap();
    assert_eq!(soon.give_back_until, soon.to, "at the latest until the new start");
    let told = before.judge_move(&move_to(1_000, Some(1_000)), "m1", now).unwrap();
    assert_eq!(told.give_back_until, told.to);
    for (wanted, why) in [
        (move_to(0, None), InvalidMove::Same),
        (move_to(-100, None), InvalidMove::Past),
        (move_to(5, Some(-100)), InvalidMove::GiveBackUntil),
        (move_to(5, Some(6)), InvalidMove::GiveBackUntil),
        (Move { reason: "é".repeat(MAX_REASON_CHARS + 1), ..move_to(5, None) }, InvalidMove::Reason),
        (Move { reason: "\n ".to_owned(), ..move_to(5, None) }, InvalidMove::Reason),
    ] {
        assert_eq!(before.judge_move(&wanted, "m1", now), Err(why));
    }
}

#[test]
fn a_move_is_made_once_and_only_from_the_start_it_knew() {
    let before = event();
    let now = before.starts_at.plus_millis(-100 * HOUR_MS);
    let first = before.judge_move(&move_to(5, None), "m1", now).unwrap();
    let other = before.judge_move(&move_to(7, None), "m2", now).unwrap();
    let mut after = before.after(&first).unwrap();
    assert_eq!((after.starts_at, after.moves.len()), (first.to, 1));
    assert_eq!(after.after(&first), Some(after.clone()));
    assert_eq!(after.after(&other), None);
    assert!(after.is_moved_so(&move_to(5, None)) && !after.is_moved_so(&move_to(7, None)));
    for number in 2..=MAX_MOVES {
        let hours = i64::try_from(number).unwrap();
        let next = after.judge_move(&move_to(10 + hours, None), &format!("m{number}"), now).unwrap();
        after = after.after(&next).unwrap();
    }
    assert_eq!(after.judge_move(&move_to(1, None), "one more", now), Err(InvalidMove::TooOften));
}

#[test]
fn whoever_had_booked_gets_the_whole_price_and_a_later_move_takes_nothing_back() {
    let (venue, before) = (venue(), event());
    let (seats, start) = ([SeatIndex(0), SeatIndex(2)], before.starts_at);
    let at = |hours: i64| start.plus_millis(hours * HOUR_MS);
    let first = before.judge_move(&move_to(5, Some(4)), "m1", at(-100)).unwrap();
    let once = before.after(&first).unwrap();
    let second = once.judge_move(&move_to(6, Some(-50)), "m2", at(-60)).unwrap();
    let twice = once.after(&second).unwrap();
    // booked, cancelled, percent
    for (booked, now, percent) in [
        (at(-200), at(3), 100),
        (at(-100).plus_millis(KNOWN_AFTER_MS), at(3), 100),
        (at(-100).plus_millis(KNOWN_AFTER_MS + 1), at(3), 0),
        (at(-90), at(-10), 50),
        (at(-90), at(-51), 100),
        (at(-200), at(4), 0),
        (at(-40), at(-10), 50),
    ] {
        let refunds = twice.refunds(&venue.seat_map, &seats, booked, now);
        assert_eq!(twice.refund_percent(booked, now), percent, "{booked} {now}");
        let share = i64::from(percent);
        assert_eq!(refunds, [(seats[0], 95 * share), (seats[1], 145 * share)], "{booked} {now}");
    }
    assert_eq!(twice.moves_since(at(-90)), [second]);
    assert_eq!(twice.give_back_until(at(-40)), None);
    assert_eq!(before.refund_percent(at(-200), at(-13)), 50);
}
