use std::sync::Arc;

use booking_core::{
    booking::{Booking, BookingState, CalledOff, MOVED, OutboxRow, REHOUSED},
    catalog::{Event, Moved, Rehoused, Venue},
    digest::Digest,
    time::Timestamp,
};

use super::*;

const LINK: &str = "https://tickets.example.org/e/evt_1/tickets/";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn occasion() -> Occasion {
    let seat = |number: u32| {
        json!({ "seatId": format!("A-{number}"), "number": number.to_string(),
                                     "category": "stalls", "x": number, "y": 1 })
    };
    let rows = json!([{ "name": "A", "seats": [seat(1), seat(2), seat(3)] }]);
    let venue: Venue = serde_json::from_value(json!({
        "venueId": "venue_1", "name": "Old <Hall>", "address": "1 Market Street", "location": { "city": "Köln" },
        "seatMap": { "categories": [{ "name": "stalls", "color": "#336699" }],
                     "sections": [{ "name": "Hall", "rows": rows }] },
    }))
    .unwrap();
    let event: Event = serde_json::from_value(json!({
        "eventId": "evt_1", "title": "Night & <day>", "description": "", "venueId": "venue_1",
        "startsAt": "2030-06-20T19:30:00.000Z", "currency": "EUR", "prices": { "stalls": 4_550 },
    }))
    .unwrap();
    Occasion { event: Arc::new(event), venue: Arc::new(venue), called_off: None, moved: None }
}

fn letter(kind: &str, seats: &[u32], cancelled: &[u32], refund: Option<i64>) -> Letter {
    let indices = |seats: &[u32]| seats.iter().copied().map(SeatIndex).collect();
    let booking = Booking {
        booking_id: booking_core::booking::booking_id(&"user_1".parse().unwrap(), "a"),
        event_id: "evt_1".parse().unwrap(),
        user_id: "user_1".parse().unwrap(),
        session: "session_1".parse().unwrap(),
        seats: indices(seats),
        cancelled_seats: indices(cancelled),
        bought_as: Vec::new(),
        state: BookingState::Confirmed,
        total: Money { amount: 9_105, currency: "EUR".parse().unwrap() },
        expires_at: at("2030-06-01T10:05:00.000Z"),
        extended: false,
        created_at: at("2030-06-01T10:00:00.000Z"),
        settled_at: None,
        transaction: None,
        refund,
        fingerprint: Digest::of(&[]),
    };
    let row = OutboxRow { number: 1, booking, kind: kind.to_owned(), at: at("2030-06-02T10:00:00.000Z") };
    Letter::about(&row).unwrap()
}

fn write(letter: &Letter, occasion: &Occasion) -> Words {
    let letters = SiteLetters::load(None, "en", "https://tickets.example.org").unwrap();
    letters.write(letter, occasion).unwrap()
}

#[test]
fn a_buyer_reads_what_was_bought_where_and_when_and_finds_the_tickets() {
    let words = write(&letter("booking.confirmed", &[0, 2], &[], None), &occasion());
    assert_eq!(words.subject, "Your tickets: Night & <day>");
    for line in [
        "Thank you. Your booking is confirmed.",
        "When: 2030-06-20 19:30 UTC",
        "Where: Old <Hall>, 1 Market Street",
        "  - Hall, row A, seat 1",
        "  - Hall, row A, seat 3",
        "Paid: 91.05 EUR",
    ] {
        assert!(words.text.lines().any(|found| found == line), "{line} is not in\n{}", words.text);
    }
    let html = words.html.replace("&#x2f;", "/");
    assert!(words.text.contains(LINK) && html.contains(&format!("<a href=\"{LINK}")), "{html}");
    assert!(words.html.contains("Night &amp; &lt;day&gt;") && !words.html.contains("<Hall>"), "{}", words.html);
    assert!(!words.text.contains("\n\n\n"), "{}", words.text);
    assert!(!words.text.contains("given back") && !words.html.contains("given back"));
}

#[test]
fn whoever_cancels_reads_what_is_left_and_what_is_given_back() {
    let words = write(&letter("booking.reduced", &[0], &[2], Some(2_275)), &occasion());
    let (kept, given_back) = words.text.split_once("Cancelled:").unwrap();
    assert!(kept.contains("seat 1") && given_back.contains("seat 3") && !given_back.contains("seat 1"));
    assert!(words.text.contains("In all, 22.75 EUR are given back") && words.text.contains(LINK), "{}", words.text);

    let words = write(&letter("booking.cancelled", &[0], &[2], Some(0)), &occasion());
    assert_eq!(words.subject, "Your booking is cancelled: Night & <day>");
    assert!(words.text.contains("Nothing is given back.") && !words.text.contains(LINK), "{}", words.text);
    assert!(words.html.contains("Nothing is given back."));
}

#[test]
fn an_event_that_is_called_off_or_moved_says_why() {
    let mut occasion = occasion();
    let called_off = |at| Some(CalledOff { at, reason: "The singer is ill.".to_owned() });
    occasion.called_off = called_off(at("2030-06-02T09:59:00.000Z"));
    let letter_of = letter("booking.cancelled", &[0], &[], Some(4_550));
    for text in [write(&letter_of, &occasion).text, write(&letter_of, &occasion).html] {
        assert!(
            text.contains("does not take place") && text.contains("The organiser says: The singer is ill."),
            "{text}"
        );
        assert!(text.contains("45.50 EUR"), "{text}");
    }
    occasion.called_off = called_off(at("2030-06-03T10:00:00.000Z"));
    assert!(write(&letter_of, &occasion).text.contains("as you asked"), "it was cancelled before");

    occasion.called_off = None;
    let moved = Moved {
        command: "c1".to_owned(),
        number: 1,
        at: at("2030-06-02T10:00:00.000Z"),
        from: at("2030-06-19T19:30:00.000Z"),
        to: at("2030-06-20T19:30:00.000Z"),
        reason: "The hall is flooded.".to_owned(),
        give_back_until: at("2030-06-10T10:00:00.000Z"),
    };
    let mut event = (*occasion.event).clone();
    event.moves = vec![moved.clone()];
    occasion.event = Arc::new(event);
    occasion.moved = Some(moved);
    let words = write(&letter(MOVED, &[0], &[], None), &occasion);
    assert_eq!(words.subject, "At another time: Night & <day>");
    for text in [words.text, words.html] {
        assert!(text.contains("It was to begin 2030-06-19 19:30 UTC. Now it begins 2030-06-20 19:30 UTC."), "{text}");
        assert!(text.contains("The hall is flooded.") && text.contains("until 2030-06-10 10:00 UTC"), "{text}");
    }
}

#[test]
fn an_event_in_another_hall_says_where_to_sit() {
    let mut occasion = occasion();
    let mut event = (*occasion.event).clone();
    event.halls = vec![Rehoused {
        command: "c1".to_owned(),
        number: 1,
        at: at("2030-06-02T10:00:00.000Z"),
        from: "venue_2".parse().unwrap(),
        to: event.venue_id.clone(),
        first_seat: 0,
        reason: "The hall is flooded.".to_owned(),
        fingerprint: Digest::ZERO,
    }];
    occasion.event = Arc::new(event);
    let words = write(&letter(REHOUSED, &[2], &[], None), &occasion);
    assert_eq!(words.subject, "In another hall: Night & <day>");
    for line in
        ["The organiser says: The hall is flooded.", "Where: Old <Hall>, 1 Market Street", "  - Hall, row A, seat 3"]
    {
        assert!(words.text.lines().any(|found| found == line), "{line} is not in\n{}", words.text);
    }
    assert!(words.html.contains("The hall is flooded.") && words.text.contains(LINK), "{}", words.html);
    let before = write(&letter("booking.confirmed", &[0], &[], None), &occasion);
    assert!(!before.text.contains("flooded"), "{}", before.text);
}

#[test]
fn amounts_have_their_currency_s_digits() {
    let shown = |amount, currency: &str| money(Money { amount, currency: currency.parse().unwrap() });
    assert_eq!(shown(5, "EUR"), "0.05 EUR");
    assert_eq!(shown(123_456, "USD"), "1234.56 USD");
    assert_eq!(shown(4_500, "JPY"), "4500 JPY");
    assert_eq!(shown(1_234, "KWD"), "1.234 KWD");
    assert_eq!(shown(-5, "EUR"), "-0.05 EUR");
    assert_eq!(shown(100, "ZZZ"), "1.00 ZZZ");
}
