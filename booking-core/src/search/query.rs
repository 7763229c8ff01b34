//! What a visitor asks for, and what of it is refused.

use jiff::{civil::Date, tz::TimeZone};

use super::{
    Cursor, InvalidCursor, city_key,
    words::{self, Word},
};
use crate::{
    catalog::{MAX_CATEGORY_CHARS, Point},
    money::{Currency, MAX_AMOUNT_MINOR},
    time::Timestamp,
};

/// The longest term, in characters.
pub const MAX_TERM_CHARS: usize = 200;
/// The most words of a term; those behind are left out.
pub const MAX_TERM_WORDS: usize = 12;
/// The longest location, in characters.
pub const MAX_LOCATION_CHARS: usize = 100;
/// The most events on a page.
pub const MAX_PAGE_SIZE: usize = 100;
/// The events on a page, unless asked for otherwise.
pub const DEFAULT_PAGE_SIZE: usize = 20;
/// How many events deep pages go by their number; a cursor goes on to the end.
pub const MAX_DEPTH: usize = 10_000;
/// How far from a point events are at most, unless asked for otherwise, in kilometres.
pub const DEFAULT_WITHIN_KM: u32 = 50;
/// The most that can be asked for, in kilometres.
pub const MAX_WITHIN_KM: u32 = 1_000;
/// The years that a date may be in.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2100;
/// An event is found until this long after its beginning, in milliseconds: three hours.
const FOUND_MS: i64 = 3 * 3_600_000;
/// Searches without a date begin at a multiple of this, in milliseconds, so that a minute later they are the same.
const STEP_MS: i64 = 5 * 60_000;

/// Why a search is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something that no search knows.
    #[error("There is no '{0}' to search by.")]
    Unknown(String),
    /// Something that is given twice.
    #[error("{0} is given twice.")]
    Twice(&'static str),
    /// A term that nobody types.
    #[error("term must be at most {MAX_TERM_CHARS} characters.")]
    Term,
    /// A location that is none.
    #[error("location must be a city of at most {MAX_LOCATION_CHARS} characters, or lat,long.")]
    Location,
    /// A point that is not on the earth.
    #[error("location must have a lat of -90 to 90 and a long of -180 to 180 degrees.")]
    OffTheEarth,
    /// A distance that is none, or from nowhere.
    #[error("withinKm must be 1 to {MAX_WITHIN_KM} and needs a location of lat,long.")]
    Within,
    /// No day.
    #[error("{0} must be a day such as 2026-05-01, from 2000 to 2100.")]
    Date(&'static str),
    /// A range that ends before it begins.
    #[error("until must not be before date.")]
    Until,
    /// No category.
    #[error("category must be 1 to {MAX_CATEGORY_CHARS} characters.")]
    Category,
    /// No amount.
    #[error("{0} must be 0 to {MAX_AMOUNT_MINOR} minor units.")]
    Price(&'static str),
    /// A range that ends before it begins.
    #[error("maxPrice must not be less than minPrice.")]
    Prices,
    /// No currency.
    #[error("currency must be three capital letters.")]
    Currency,
    /// Neither yes nor no.
    #[error("available must be true or false.")]
    Available,
    /// No number of a page.
    #[error("page must be a number from 1.")]
    Page,
    /// No size of a page.
    #[error("pageSize must be 1 to {MAX_PAGE_SIZE}.")]
    PageSize,
    /// A page that is too deep.
    #[error("page and pageSize must stay within the first {MAX_DEPTH} events; go on by nextCursor.")]
    TooDeep,
    /// No cursor, or one beside a page's number.
    #[error("cursor can't be used: {0}.")]
    Cursor(InvalidCursor),
    /// A cursor beside a page's number.
    #[error("Give page or cursor, not both.")]
    PageAndCursor,
}

/// What was typed to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    words: Vec<Word>,
    key: String,
}

impl Term {
    /// The term in `text`; `None` where it has no word.
    ///
    /// # Errors
    /// If it is too long.
    pub fn read(text: &str) -> Result<Option<Self>, Refused> {
        if text.chars().count() > MAX_TERM_CHARS {
            return Err(Refused::Term);
        }
        let all = words::words(text);
        let telling: Vec<Word> = all.iter().filter(|word| !word.is_noise()).cloned().collect();
        let mut words = if telling.is_empty() { all } else { telling };
        words.truncate(MAX_TERM_WORDS);
        Ok((!words.is_empty()).then(|| Self { words, key: words::key(text) }))
    }

    /// Its words, without those that say too little.
    pub(super) fn words(&self) -> &[Word] {
        &self.words
    }

    /// All of it, as it is compared.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Where events are to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// In a city, by its [key](city_key).
    City(String),
    /// Around a point.
    Near {
        /// Which.
        point: Point,
        /// How far at most, in kilometres.
        within_km: u32,
    },
}

/// What the events of a search have to be. What is absent does not matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What they are to have to do with.
    pub term: Option<Term>,
    /// Where they are to be.
    pub place: Option<Place>,
    /// They begin then or later.
    pub from: Timestamp,
    /// They begin before.
    pub before: Option<Timestamp>,
    /// Their category, by its key.
    pub category: Option<String>,
    /// They have a seat that costs so much or more, in minor units.
    pub min_price: Option<i64>,
    /// They have a seat that costs so much or less, in minor units.
    pub max_price: Option<i64>,
    /// What their prices are in.
    pub currency: Option<Currency>,
    /// Whether seats must be left.
    pub available: bool,
    /// The number of the page, from 1.
    pub page: usize,
    /// How many events are on a page.
    pub page_size: usize,
    /// The page begins behind this instead.
    pub cursor: Option<Cursor>,
}

/// Every name that a search can be asked by.
const NAMES: [&str; 13] = [
    "term",
    "location",
    "withinKm",
    "date",
    "until",
    "category",
    "minPrice",
    "maxPrice",
    "currency",
    "available",
    "page",
    "pageSize",
    "cursor",
];

/// Fields of an address, each at most once.
struct Given<'a>([Option<&'a str>; NAMES.len()]);

impl<'a> Given<'a> {
    fn read(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Refused> {
        let mut given = Self([None; NAMES.len()]);
        for (name, value) in pairs {
            let Some(at) = NAMES.iter().position(|known| *known == name) else {
                return Err(Refused::Unknown(name.chars().take(40).collect()));
            };
            if given.0[at].replace(value).is_some() {
                return Err(Refused::Twice(NAMES[at]));
            }
        }
        Ok(given)
    }

    /// The value of `name`, unless it is empty: a form sends its empty fields, too.
    fn get(&self, name: &str) -> Option<&'a str> {
        let at = NAMES.iter().position(|known| *known == name)?;
        self.0[at].map(str::trim).filter(|value| !value.is_empty())
    }
}

impl Query {
    /// Whether a search can be asked by `name`.
    pub fn knows(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// All events to come at `now`, soonest first.
    pub fn all(now: Timestamp) -> Self {
        let from = now.plus_millis(-FOUND_MS).as_millis();
        Self {
            term: None,
            place: None,
            from: Timestamp::from_millis(from - from.rem_euclid(STEP_MS)),
            before: None,
            category: None,
            min_price: None,
            max_price: None,
            currency: None,
            available: false,
            page: 1,
            page_size: DEFAULT_PAGE_SIZE,
            cursor: None,
        }
    }

    /// Reads the fields of an address, asked at `now`.
    ///
    /// # Errors
    /// The first thing that is not as needed.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, now: Timestamp) -> Result<Self, Refused> {
        let given = Given::read(pairs)?;
        let mut query = Self::all(now);
        if let Some(term) = given.get("term") {
            query.term = Term::read(term)?;
        }
        query.place = read_place(given.get("location"), given.get("withinKm"))?;
        let day = |name| given.get(name).map(|text| read_day(text).ok_or(Refused::Date(name))).transpose();
        let (date, until) = (day("date")?, day("until")?);
        match (date, until) {
            (Some(date), Some(until)) if until < date => return Err(Refused::Until),
            (Some(date), until) => {
                query.from = date;
                query.before = Some(until.unwrap_or(date).plus_seconds(86_400));
            }
            (None, until) => query.before = until.map(|until| until.plus_seconds(86_400)),
        }
        if let Some(category) = given.get("category") {
            let key = words::key(category);
            if category.chars().count() > MAX_CATEGORY_CHARS || key.is_empty() {
                return Err(Refused::Category);
            }
            query.category = Some(key);
        }
        let price = |name| given.get(name).map(|text| read_price(text).ok_or(Refused::Price(name))).transpose();
        (query.min_price, query.max_price) = (price("minPrice")?, price("maxPrice")?);
        if let (Some(least), Some(most)) = (query.min_price, query.max_price)
            && most < least
        {
            return Err(Refused::Prices);
        }
        let currency = given.get("currency").map(str::parse).transpose();
        query.currency = currency.map_err(|_| Refused::Currency)?;
        query.available = match given.get("available") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Refused::Available),
        };
        if let Some(size) = given.get("pageSize") {
            let size = size.parse().ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size));
            query.page_size = size.ok_or(Refused::PageSize)?;
        }
        if let Some(page) = given.get("page") {
            query.page = page.parse().ok().filter(|page| *page >= 1).ok_or(Refused::Page)?;
        }
        if query.page.checked_mul(query.page_size).is_none_or(|depth| depth > MAX_DEPTH) {
            return Err(Refused::TooDeep);
        }
        if let Some(cursor) = given.get("cursor") {
            if given.get("page").is_some_and(|page| page != "1") {
                return Err(Refused::PageAndCursor);
            }
            query.cursor = Some(cursor.parse().map_err(Refused::Cursor)?);
        }
        Ok(query)
    }

    /// How many events come before the page; none where it begins at a cursor.
    pub fn skipped(&self) -> usize {
        if self.cursor.is_some() { 0 } else { (self.page - 1) * self.page_size }
    }

    /// Whether it is only about when events begin.
    pub fn is_anything(&self) -> bool {
        let Self { term, place, category, min_price, max_price, currency, available, .. } = self;
        let is_priced = min_price.is_some() || max_price.is_some() || currency.is_some();
        term.is_none() && place.is_none() && category.is_none() && !is_priced && !available
    }
}

fn read_place(location: Option<&str>, within: Option<&str>) -> Result<Option<Place>, Refused> {
    let within_km = match within.map(str::parse) {
        None => DEFAULT_WITHIN_KM,
        Some(Ok(km @ 1..=MAX_WITHIN_KM)) => km,
        Some(_) => return Err(Refused::Within),
    };
    let Some(location) = location else {
        return if within.is_some() { Err(Refused::Within) } else { Ok(None) };
    };
    if location.chars().count() > MAX_LOCATION_CHARS {
        return Err(Refused::Location);
    }
    if let Some((Ok(lat), Ok(long))) = location.split_once(',').map(|(a, b)| (a.trim().parse(), b.trim().parse())) {
        let point: Point = Point { lat, long };
        if !(point.lat.abs() <= 90.0 && point.long.abs() <= 180.0) {
            return Err(Refused::OffTheEarth);
        }
        return Ok(Some(Place::Near { point, within_km }));
    }
    let city = city_key(location);
    if within.is_some() {
        return Err(Refused::Within);
    }
    if city.is_empty() { Err(Refused::Location) } else { Ok(Some(Place::City(city))) }
}

/// The beginning of a day in UTC.
fn read_day(text: &str) -> Option<Timestamp> {
    let is_day = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let day: Date = text.parse().ok().filter(|_| is_day)?;
    let begins = day.to_zoned(TimeZone::UTC).ok().filter(|_| YEARS.contains(&day.year()))?;
    Some(Timestamp::from_millis(begins.timestamp().as_millisecond()))
}

fn read_price(text: &str) -> Option<i64> {
    text.parse().ok().filter(|price| (0..=MAX_AMOUNT_MINOR).contains(price))
}
