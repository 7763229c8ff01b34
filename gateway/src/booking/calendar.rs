//! A booking as an entry for a calendar (RFC 5545).

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::{Booking, BookingState},
    catalog::{Event, Venue},
    id::BookingId,
    time::Timestamp,
};
use http::header;

use super::read;
use crate::{
    app::App,
    identity::User,
    problem::{Answer, Problem},
    request::Id,
};

/// The longest line, in octets without its end (section 3.1).
const LINE_OCTETS: usize = 75;

/// A booking of yours for your calendar. Its UID stays the same, so that a calendar that loads it again changes its
/// entry; once the booking is cancelled, the entry says so.
#[utoipa::path(
    get, path = "/v1/bookings/{bookingId}/calendar.ics", tag = "Booking",
    params(("bookingId" = String, Path, description = "The booking")),
    security(("user" = [])),
    responses(
        (status = 200, description = "The entry", body = String, content_type = "text/calendar"),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: also for somebody else's"),
        (status = 409, description = "[not-confirmed]"),
    )
)]
pub(crate) async fn get_calendar(
    State(app): State<Arc<App>>,
    User(user): User,
    Id(booking): Id<BookingId>,
) -> Answer<Response> {
    let booking = read::own(&app, &user, &booking).await?;
    if !matches!(booking.state, BookingState::Confirmed | BookingState::Cancelled) {
        return Err(Problem::not_confirmed("The booking is not confirmed."));
    }
    let map = app.seats.of(&app, &booking.event_id, [&booking]).await?;
    let text = entry(&booking, &map.event(), &map.venue, &app.settings.public_url);
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"booking.ics\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, text).into_response())
}

fn entry(booking: &Booking, event: &Event, venue: &Venue, site: &str) -> String {
    let is_cancelled = booking.state == BookingState::Cancelled;
    let host = site.split_once("://").map_or(site, |(_, rest)| rest).split(['/', ':']).next().unwrap_or("weir");
    let name = |index: &_| venue.seat_map.seat(*index).map(|seat| seat.seat_id.to_string());
    let seats: Vec<String> = booking.seats.iter().filter_map(name).collect();
    let place =
        if venue.address.is_empty() { venue.name.clone() } else { format!("{}, {}", venue.name, venue.address) };
    // How often it changed since it was confirmed.
    let sequence = booking.cancelled_seats.len() + usize::from(is_cancelled) + event.halls.len();
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Weir//Tickets//EN".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@{host}", booking.booking_id),
        format!("DTSTAMP:{}", moment(booking.settled_at.unwrap_or(booking.created_at))),
        format!("DTSTART:{}", moment(event.starts_at)),
        format!("SUMMARY:{}", escaped(&event.title)),
        format!("LOCATION:{}", escaped(&place)),
        format!("DESCRIPTION:{}", escaped(&format!("{}\n{}", seats.join(", "), booking.booking_id))),
        format!("URL:{}/e/{}", site.trim_end_matches('/'), event.event_id),
        format!("SEQUENCE:{sequence}"),
        format!("STATUS:{}", if is_cancelled { "CANCELLED" } else { "CONFIRMED" }),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    lines.iter().map(|line| folded(line)).collect()
}

/// `20300620T193000Z` (section 3.3.5, form 2).
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let whole = text.split_once('.').map_or(text.trim_end_matches('Z'), |(whole, _)| whole);
    let digits: String = whole.chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
    format!("{digits}Z")
}

/// As TEXT (section 3.3.11).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | ';' | ',' => escaped.extend(['\\', letter]),
            '\n' => escaped.push_str("\\n"),
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A line with its end, in pieces of at most 75 octets; a letter is never cut in two (section 3.1).
fn folded(line: &str) -> String {
    let mut folded = String::with_capacity(line.len() + 8);
    let mut octets = 0;
    for letter in line.chars() {
        if octets + letter.len_utf8() > LINE_OCTETS {
            folded.push_str("\r\n ");
            octets = 1;
        }
        folded.push(letter);
        octets += letter.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}

#[cfg(test)]
mod tests {
    use booking_core::{digest::Digest, money::Money, seats::SeatIndex};
    use serde_json::json;

    use super::*;

    fn booking(state: BookingState) -> Booking {
        Booking {
            booking_id: "booking_1".parse().unwrap(),
            event_id: "evt_1".parse().unwrap(),
            user_id: "user_1".parse().unwrap(),
            session: "session_1".parse().unwrap(),
            seats: vec![SeatIndex(0)],
            cancelled_seats: vec![SeatIndex(1)],
            bought_as: Vec::new(),
            state,
            total: Money { amount: 500, currency: "EUR".parse().unwrap() },
            expires_at: Timestamp::default(),
            extended: false,
            created_at: Timestamp::default(),
            settled_at: Some(Timestamp::from_millis(1_893_456_000_123)),
            transaction: None,
            refund: None,
            fingerprint: Digest::ZERO,
        }
    }

    fn described(title: &str) -> (Event, Venue) {
        let seat = |number: &str, x: i32| json!({ "seatId": format!("A-{number}"), "number": number, "category": "c", "x": x, "y": 0 });
        let venue = json!({
            "venueId": "venue_1", "name": "Old Hall", "address": "1 Market Street; left", "location": { "city": "Ghent" },
            "seatMap": {
                "categories": [{ "name": "c", "color": "#112233" }],
                "sections": [{ "name": "S", "rows": [{ "name": "A", "seats": [seat("1", 0), seat("2", 1)] }] }],
            },
        });
        let event = json!({
            "eventId": "evt_1", "title": title, "description": "", "venueId": "venue_1",
            "startsAt": "2030-06-20T19:30:00.000Z", "currency": "EUR", "prices": { "c": 500 },
        });
        (serde_json::from_value(event).unwrap(), serde_json::from_value(venue).unwrap())
    }

    #[test]
    fn a_booking_is_an_entry_that_calendars_read() {
        let (event, venue) = described("Night, of music");
        let text = entry(&booking(BookingState::Confirmed), &event, &venue, "https://tickets.example:8080/");
        let expected = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Weir//Tickets//EN",
            "BEGIN:VEVENT",
            "UID:booking_1@tickets.example",
            "DTSTAMP:20300101T000000Z",
            "DTSTART:20300620T193000Z",
            "SUMMARY:Night\\, of music",
            "LOCATION:Old Hall\\, 1 Market Street\\; left",
            "DESCRIPTION:A-1\\nbooking_1",
            "URL:https://tickets.example:8080/e/evt_1",
            "SEQUENCE:1",
            "STATUS:CONFIRMED",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ];
        assert_eq!(text, expected.join("\r\n"));
        let cancelled = entry(&booking(BookingState::Cancelled), &event, &venue, "https://tickets.example");
        assert!(cancelled.contains("SEQUENCE:2\r\nSTATUS:CANCELLED\r\n"), "{cancelled}");
        assert!(cancelled.contains("UID:booking_1@tickets.example\r\n"), "the same entry");
    }

    #[test]
    fn long_lines_are_folded_between_letters() {
        let (event, venue) = described(&"Überlänge ".repeat(12));
        let text = entry(&booking(BookingState::Confirmed), &event, &venue, "https://tickets.example");
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_OCTETS));
        assert!(text.contains("\r\n "), "some line is folded");
        assert!(text.replace("\r\n ", "").contains(&format!("SUMMARY:{}", "Überlänge ".repeat(12))));
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    }
}
