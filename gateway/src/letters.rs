//! The words of letters to buyers: the pages' catalogues and templates, with links to the site.

use std::path::Path;

use booking_core::{
    mail::{Letter, Letters, Occasion, Subject, Words},
    money::Money,
    reason::with_causes,
    seats::SeatIndex,
};
use serde_json::{Value, json};

use crate::{
    amount::in_major_units,
    pages::{self, Pages},
};

/// Writes letters in one language.
#[derive(Debug)]
pub struct SiteLetters {
    pages: Pages,
    language: String,
    public_url: String,
}

impl SiteLetters {
    /// Letters in `language`, with templates and catalogues as [`Pages::load`] finds them, and links to `public_url`,
    /// which ends without a slash.
    ///
    /// # Errors
    /// As [`Pages::load`].
    pub fn load(overrides: Option<&Path>, language: &str, public_url: &str) -> Result<Self, pages::Error> {
        let pages = Pages::load(overrides, language)?;
        Ok(Self { pages, language: language.to_owned(), public_url: public_url.to_owned() })
    }
}

impl Letters for SiteLetters {
    fn write(&self, letter: &Letter, occasion: &Occasion) -> Result<Words, String> {
        let written = self.pages.letter(&self.language, context(&self.public_url, letter, occasion));
        written.map_err(|error| with_causes(&error))
    }
}

fn context(public_url: &str, letter: &Letter, occasion: &Occasion) -> Value {
    let Letter { subject, booking, .. } = letter;
    let (event, venue) = (&*occasion.event, &*occasion.venue);
    let amount = |amount| money(Money { amount, currency: event.currency });
    let seats = |seats: &[SeatIndex]| -> Vec<Value> {
        let known = seats.iter().filter_map(|seat| venue.seat_map.seat(*seat));
        known.map(|seat| json!({ "section": seat.section, "row": seat.row, "number": seat.number })).collect()
    };
    // Whoever cancelled before the event was called off did so by themselves.
    let called_off = occasion.called_off.as_ref().filter(|called_off| letter.at >= called_off.at);
    let moved = occasion.moved.as_ref().filter(|_| *subject == Subject::Moved);
    let rehoused = event.halls.last().filter(|_| *subject == Subject::Rehoused);
    json!({
        "subject": subject,
        "event": { "title": event.title, "startsAt": event.starts_at, "venue": venue.name, "address": venue.address },
        "bookingId": booking.booking_id,
        "seats": seats(&booking.seats),
        "cancelledSeats": seats(&booking.cancelled_seats),
        "total": amount(booking.total.amount),
        "refund": booking.refund.filter(|refund| *refund > 0).map(amount),
        "calledOff": called_off.map(|called_off| &called_off.reason),
        "moved": moved.map(|moved| json!({
            "from": moved.from,
            "to": moved.to,
            "reason": moved.reason,
            "giveBackUntil": event.give_back_until(booking.created_at),
        })),
        "rehoused": rehoused.map(|rehoused| &rehoused.reason),
        "link": format!("{public_url}/e/{}/tickets/{}", booking.event_id, booking.booking_id),
    })
}

/// `45.00 EUR`.
fn money(money: Money) -> String {
    format!("{} {}", in_major_units(money.amount, money.currency), money.currency)
}

#[cfg(test)]
mod tests;
