//! Events and venues, as operators describe them and everybody browses them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    id::{EventId, VenueId},
    money::{Currency, MAX_AMOUNT_MINOR, Money},
    refund::RefundPolicy,
    seats::{SeatIndex, SeatMap},
    time::Timestamp,
};

mod location;
mod moved;
mod rehoused;

pub use location::{InvalidLocation, Location, MAX_CITY_CHARS, Point};
pub use moved::{GIVE_BACK_SECONDS, InvalidMove, KNOWN_AFTER_MS, MAX_MOVES, MAX_REASON_CHARS, Move, Moved};
pub use rehoused::{InvalidRehousing, MAX_REHOUSINGS, Rehoused};

/// The longest title or venue name, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// The longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 5_000;
/// The longest address of a venue, in characters.
pub const MAX_ADDRESS_CHARS: usize = 300;
/// The most performers of an event.
pub const MAX_PERFORMERS: usize = 20;
/// The longest name of a category of events, in characters.
pub const MAX_CATEGORY_CHARS: usize = 50;
/// The longest language tag, in bytes.
pub const MAX_LANGUAGE_BYTES: usize = 35;
/// The most nicknames of a venue.
pub const MAX_NICKNAMES: usize = 10;
/// The longest address of a picture, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;

/// A venue: a hall and its seats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the name that JSON has, and every other type of ours")]
pub struct Venue {
    /// Its id.
    pub venue_id: VenueId,
    /// What people call it.
    pub name: String,
    /// What else they call it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nicknames: Vec<String>,
    /// Street and number, one line.
    pub address: String,
    /// Where it is.
    pub location: Location,
    /// Its seats.
    pub seat_map: SeatMap,
}

/// Why a venue is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVenue {
    /// No name, or one that can't stand on a page.
    #[error("name must be 1 to {MAX_TITLE_CHARS} characters on one line")]
    Name,
    /// Too many nicknames, or one that can't stand on a page.
    #[error("nicknames must be at most {MAX_NICKNAMES}, each 1 to {MAX_TITLE_CHARS} characters on one line")]
    Nicknames,
    /// An address that can't stand on a page.
    #[error("address must be at most {MAX_ADDRESS_CHARS} characters on one line")]
    Address,
    /// A place that is nowhere.
    #[error("location: {0}")]
    Location(#[from] InvalidLocation),
}

impl Venue {
    /// Holds everything but the seat map, which can't be made wrong, to its limits.
    ///
    /// # Errors
    /// The first thing that is outside them.
    pub fn check(&self) -> Result<(), InvalidVenue> {
        if !is_line(&self.name, 1, MAX_TITLE_CHARS) {
            return Err(InvalidVenue::Name);
        }
        if self.nicknames.len() > MAX_NICKNAMES || !are_lines(&self.nicknames) {
            return Err(InvalidVenue::Nicknames);
        }
        if !is_line(&self.address, 0, MAX_ADDRESS_CHARS) {
            return Err(InvalidVenue::Address);
        }
        Ok(self.location.check()?)
    }
}

/// An event: one show in one venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the name that JSON has, and every other type of ours")]
pub struct Event {
    /// Its id.
    pub event_id: EventId,
    /// What is on.
    pub title: String,
    /// In a few sentences.
    pub description: String,
    /// Who is on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub performers: Vec<String>,
    /// What kind of event it is, in a word or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The language it is in, as a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// A picture's address, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// Where.
    pub venue_id: VenueId,
    /// When it begins. From then on nothing is sold.
    pub starts_at: Timestamp,
    /// What its prices are in.
    pub currency: Currency,
    /// The price of a seat in each category of the seat map, in minor units.
    pub prices: BTreeMap<String, i64>,
    /// What is given back for a cancelled seat.
    #[serde(default)]
    pub refund_policy: RefundPolicy,
    /// When and why it was moved, oldest first; at most [`MAX_MOVES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Moved>,
    /// When and why it went to another hall, oldest first; at most [`MAX_REHOUSINGS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halls: Vec<Rehoused>,
}

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// Another venue than the one it names.
    #[error("the event is in venue {0}, which is not this one")]
    OtherVenue(VenueId),
    /// No title, or one that can't stand on a page.
    #[error("title must be 1 to {MAX_TITLE_CHARS} characters on one line")]
    Title,
    /// Too much text.
    #[error("description must be at most {MAX_DESCRIPTION_CHARS} characters")]
    Description,
    /// Too many performers, or one that can't stand on a page.
    #[error("performers must be at most {MAX_PERFORMERS}, each 1 to {MAX_TITLE_CHARS} characters on one line")]
    Performers,
    /// No category, or one that can't stand on a page.
    #[error("category must be 1 to {MAX_CATEGORY_CHARS} characters on one line")]
    Category,
    /// Not the tag of a language.
    #[error("language must be a tag such as en or de-AT, of at most {MAX_LANGUAGE_BYTES} letters, digits and '-'")]
    Language,
    /// Not the address of a picture.
    #[error("thumbnail must be an http or https address of at most {MAX_URL_BYTES} bytes")]
    Thumbnail,
    /// A category of the seat map without a price.
    #[error("prices has no price for category '{0}' of the venue")]
    NoPrice(String),
    /// A price for a category that the seat map does not have.
    #[error("prices has a price for '{0}', which is no category of the venue")]
    UnknownCategory(String),
    /// A price outside its limits.
    #[error("the price for category '{category}' is {price}; it must be 0 to {MAX_AMOUNT_MINOR} minor units")]
    Price {
        /// Of which category.
        category: String,
        /// What was asked.
        price: i64,
    },
}

impl InvalidEvent {
    /// The field that it is about, as JSON has it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::OtherVenue(_) => "venueId",
            Self::Title => "title",
            Self::Description => "description",
            Self::Performers => "performers",
            Self::Category => "category",
            Self::Language => "language",
            Self::Thumbnail => "thumbnail",
            Self::NoPrice(_) | Self::UnknownCategory(_) | Self::Price { .. } => "prices",
        }
    }
}

impl Event {
    /// Whether it has begun at `now`. From then on nothing of it is held, extended or cancelled.
    pub fn has_begun(&self, now: Timestamp) -> bool {
        now >= self.starts_at
    }

    /// Holds the event to its limits, and its prices to the categories of `venue`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, venue: &Venue) -> Result<(), InvalidEvent> {
        if self.venue_id != venue.venue_id {
            return Err(InvalidEvent::OtherVenue(self.venue_id.clone()));
        }
        let categories: Vec<&str> = venue.seat_map.categories().iter().map(|category| &*category.name).collect();
        let mut mistakes = self.mistakes();
        mistakes.extend(self.price_mistakes(&categories));
        mistakes.into_iter().next().map_or(Ok(()), Err)
    }

    /// Everything that is outside its limits, but for prices.
    pub fn mistakes(&self) -> Vec<InvalidEvent> {
        let mut mistakes = Vec::new();
        let mut hold = |is_right: bool, mistake: InvalidEvent| {
            if !is_right {
                mistakes.push(mistake);
            }
        };
        hold(is_line(&self.title, 1, MAX_TITLE_CHARS), InvalidEvent::Title);
        hold(self.description.chars().count() <= MAX_DESCRIPTION_CHARS, InvalidEvent::Description);
        hold(self.performers.len() <= MAX_PERFORMERS && are_lines(&self.performers), InvalidEvent::Performers);
        let category = self.category.as_deref();
        hold(category.is_none_or(|category| is_line(category, 1, MAX_CATEGORY_CHARS)), InvalidEvent::Category);
        hold(self.language.as_deref().is_none_or(is_language), InvalidEvent::Language);
        hold(self.thumbnail.as_deref().is_none_or(is_web_address), InvalidEvent::Thumbnail);
        mistakes
    }

    /// Everything that is wrong with its prices in a venue whose seats are of these `categories`.
    pub fn price_mistakes(&self, categories: &[impl AsRef<str>]) -> Vec<InvalidEvent> {
        let names = || categories.iter().map(AsRef::as_ref);
        let without = names().filter(|name| !self.prices.contains_key(*name));
        let mut mistakes: Vec<_> = without.map(|name| InvalidEvent::NoPrice(name.to_owned())).collect();
        for (category, price) in &self.prices {
            if !names().any(|name| name == category) {
                mistakes.push(InvalidEvent::UnknownCategory(category.clone()));
            } else if !(0..=MAX_AMOUNT_MINOR).contains(price) {
                mistakes.push(InvalidEvent::Price { category: category.clone(), price: *price });
            }
        }
        mistakes
    }

    /// Whether it was added as `wanted`, whose id is the same: it may have been moved, or gone to another hall, since.
    pub fn was_added_as(&self, wanted: &Self) -> bool {
        let began_then =
            self.starts_at == wanted.starts_at || self.moves.iter().any(|moved| moved.from == wanted.starts_at);
        let was_there =
            self.venue_id == wanted.venue_id || self.halls.iter().any(|earlier| earlier.from == wanted.venue_id);
        let as_it_was = Self {
            starts_at: wanted.starts_at,
            venue_id: wanted.venue_id.clone(),
            moves: Vec::new(),
            halls: Vec::new(),
            ..self.clone()
        };
        began_then && was_there && as_it_was == *wanted
    }

    /// What `seat` costs. `None` if `map` has no such seat, or the event no price for its category (which
    /// [`Self::check`] rules out).
    pub fn price(&self, map: &SeatMap, seat: SeatIndex) -> Option<Money> {
        let amount = *self.prices.get(&*map.seat(seat)?.category)?;
        Some(Money { amount, currency: self.currency })
    }

    /// What `seats` cost together. `None` if one of them has no price (see [`Self::price`]), or if the sum is more than
    /// an amount can be ([`MAX_AMOUNT_MINOR`]).
    pub fn total(&self, map: &SeatMap, seats: &[SeatIndex]) -> Option<Money> {
        let amount = seats.iter().try_fold(0_i64, |sum, seat| {
            let sum = sum.checked_add(self.price(map, *seat)?.amount)?;
            (0..=MAX_AMOUNT_MINOR).contains(&sum).then_some(sum)
        })?;
        Some(Money { amount, currency: self.currency })
    }

    /// What each of `seats`, booked at `booked_at`, gives back where it is cancelled at `now`, in minor units: its share
    /// of its price, rounded down, so that seats cancelled one by one give back as much as all at once. All of it while
    /// the event's move allows that ([`Self::give_back_until`]).
    pub fn refunds(
        &self,
        map: &SeatMap,
        seats: &[SeatIndex],
        booked_at: Timestamp,
        now: Timestamp,
    ) -> Vec<(SeatIndex, i64)> {
        let in_full = self.is_given_back_in_full(booked_at, now);
        let refund = |seat: &SeatIndex| {
            let price = self.price(map, *seat).map_or(0, |price| price.amount);
            (*seat, if in_full { price } else { self.refund_policy.refund(price, self.starts_at, now) })
        };
        seats.iter().map(refund).collect()
    }
}

/// Whether `text` is one line of `min` to `max` characters, more than spaces unless it may be empty.
fn is_line(text: &str, min: usize, max: usize) -> bool {
    text.trim().chars().count() >= min && text.chars().count() <= max && !text.chars().any(char::is_control)
}

/// Whether each of `names` can stand on a page.
fn are_lines(names: &[String]) -> bool {
    names.iter().all(|name| is_line(name, 1, MAX_TITLE_CHARS))
}

/// Whether `tag` has the shape of a language tag (BCP 47): letters, then groups of letters and digits.
fn is_language(tag: &str) -> bool {
    let begins =
        tag.split('-').next().is_some_and(|part| part.len() >= 2 && part.bytes().all(|b| b.is_ascii_alphabetic()));
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    begins && tag.len() <= MAX_LANGUAGE_BYTES && tag.split('-').all(is_part)
}

/// Whether `address` is an absolute `http` or `https` URL that a page can show: with a host, without a user, without
/// characters that a URL has only escaped.
fn is_web_address(address: &str) -> bool {
    let scheme = |name: &str| address.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name));
    let Some(scheme) = scheme("https://").or_else(|| scheme("http://")) else {
        return false;
    };
    let rest = &address[scheme.len()..];
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.split(':').next().unwrap_or("");
    address.len() <= MAX_URL_BYTES
        && !authority.contains('@')
        && (!host.is_empty())
        && !address.chars().any(|c| c.is_control() || c.is_whitespace() || "\"<>\\^`{|}".contains(c))
}

#[cfg(test)]
mod tests;
