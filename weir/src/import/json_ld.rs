//! schema.org's Event in JSON-LD (<https://schema.org/Event>), as Weir's own fields.

use std::str::FromStr as _;

use serde_json::{Map, Value};

/// An event's fields, and what could not be made one: each a field of JSON-LD and why.
pub(super) struct Translated {
    pub(super) fields: Map<String, Value>,
    /// What the event calls its venue, the surest name first.
    pub(super) venue: Vec<String>,
    pub(super) mistakes: Vec<(String, String)>,
}

/// `thing` as an event; `None` where it is something else, or does not take place.
pub(super) fn translate(thing: &Map<String, Value>) -> Option<Translated> {
    let kind = items(thing.get("@type")).into_iter().filter_map(Value::as_str).find_map(kind_of_event)?;
    if text(thing.get("eventStatus")).is_some_and(|status| status.ends_with("EventCancelled")) {
        return None;
    }
    let mut fields = Map::new();
    let mut set = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(field.to_owned(), value);
        }
    };
    set("id", id(thing).map(Value::from));
    for (field, name) in [("title", "name"), ("description", "description"), ("startsAt", "startDate")] {
        set(field, text(thing.get(name)).map(Value::from));
    }
    set("language", thing.get("inLanguage").and_then(language).map(Value::from));
    set("category", (!kind.is_empty()).then(|| kind.into()));
    set("thumbnail", items(thing.get("image")).first().and_then(|image| address(image)).map(Value::from));
    let performers = items(thing.get("performer").or(thing.get("performers")));
    set("performers", Some(performers.iter().filter_map(|performer| text(Some(performer)).map(Value::from)).collect()));
    let mut mistakes = Vec::new();
    match offers(thing.get("offers")) {
        Ok((currency, prices)) => {
            set("currency", Some(currency.into()));
            match prices {
                Prices::Same(price) => set("price", Some(price.into())),
                Prices::Each(prices) => set("prices", Some(prices.into())),
            }
        }
        Err(mistake) => {
            mistakes.push(mistake);
            // Named once, and not as missing too.
            set("currency", Some(super::events::NO_CURRENCY.into()));
            set("price", Some(0.into()));
        }
    }
    Some(Translated { fields, venue: venue(thing.get("location")), mistakes })
}

/// What JSON-LD calls a field of Weir's own.
pub(super) fn name_of(field: &str) -> &str {
    match field {
        "title" => "name",
        "startsAt" => "startDate",
        "language" => "inLanguage",
        "thumbnail" => "image",
        "performers" => "performer",
        "category" => "@type",
        "venue" | "venueId" => "location",
        "currency" | "price" | "prices" => "offers",
        _ if field.starts_with("prices.") => "offers",
        _ => field,
    }
}

/// The word before `Event` in the name of a type of events: `Music` of `MusicEvent`, nothing of `Event`.
fn kind_of_event(name: &str) -> Option<&str> {
    let name = name.rsplit(['/', ':', '#']).next()?;
    match name {
        "Festival" | "Hackathon" => Some(name),
        _ => name.strip_suffix("Event"),
    }
}

/// A list's items, or the one thing that is no list.
fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    }
}

/// A text, a language's text (`{"@value": …}`), or the name of a thing; of several the first.
fn text(value: Option<&Value>) -> Option<String> {
    match *items(value).first()? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(thing) => text(thing.get("@value").or(thing.get("name"))),
        _ => None,
    }
}

/// What the source knows an event by. Names that hold only within one document are none.
fn id(thing: &Map<String, Value>) -> Option<String> {
    let is_lasting = |id: &str| !id.is_empty() && !id.starts_with("_:") && !id.starts_with('#');
    let own = text(thing.get("@id")).filter(|id| is_lasting(id));
    own.or_else(|| {
        let identifier = *items(thing.get("identifier")).first()?;
        text(identifier.get("value").or(Some(identifier))).filter(|id| is_lasting(id))
    })
}

fn language(value: &Value) -> Option<String> {
    let first = *items(Some(value)).first()?;
    text(first.get("alternateName").or(Some(first)))
}

fn address(image: &Value) -> Option<String> {
    ["url", "contentUrl", "@id"].iter().find_map(|name| text(image.get(name))).or_else(|| text(Some(image)))
}

fn venue(location: Option<&Value>) -> Vec<String> {
    let Some(first) = items(location).first().copied() else { return Vec::new() };
    match first {
        Value::Object(place) => ["@id", "name"].iter().filter_map(|name| text(place.get(*name))).collect(),
        _ => text(Some(first)).into_iter().collect(),
    }
}

/// What seats cost, in minor units.
enum Prices {
    /// All of them.
    Same(i64),
    /// Those of each category.
    Each(Map<String, Value>),
}

type Mistake = (String, String);

fn offers(value: Option<&Value>) -> Result<(String, Prices), Mistake> {
    let mut offers: Vec<(String, &Value)> = Vec::new();
    for (number, offer) in items(value).into_iter().enumerate() {
        let path = if value.is_some_and(Value::is_array) { format!("offers[{number}]") } else { "offers".to_owned() };
        match offer.get("offers") {
            None => offers.push((path, offer)),
            inner => offers.extend(
                items(inner).into_iter().enumerate().map(|(number, offer)| (format!("{path}.offers[{number}]"), offer)),
            ),
        }
    }
    let Some((path, first)) = offers.first() else {
        return Err(("offers".to_owned(), "there must be one with the price of each category of seats".to_owned()));
    };
    let currency = currency(path, first)?;
    if let [(path, offer)] = &offers[..]
        && text(offer.get("name").or(offer.get("category"))).is_none()
    {
        return Ok((currency.clone(), Prices::Same(minor_units(path, offer, &currency)?)));
    }
    let mut prices = Map::new();
    for (path, offer) in offers {
        let category = text(offer.get("name").or(offer.get("category")));
        let category = category.ok_or_else(|| (format!("{path}.name"), "must name a category of seats".to_owned()))?;
        if self::currency(&path, offer)? != currency {
            return Err((format!("{path}.priceCurrency"), format!("must be {currency}, as it is of the others")));
        }
        let price = minor_units(&path, offer, &currency)?;
        if prices.insert(category.clone(), price.into()).is_some() {
            return Err((format!("{path}.name"), format!("'{category}' is there twice")));
        }
    }
    Ok((currency, Prices::Each(prices)))
}

/// A field of an offer, or of its price specification.
fn of_price(offer: &Value, name: &str) -> Option<String> {
    let specification = items(offer.get("priceSpecification")).first().and_then(|price| text(price.get(name)));
    text(offer.get(name)).or(specification)
}

fn currency(path: &str, offer: &Value) -> Result<String, Mistake> {
    of_price(offer, "priceCurrency")
        .ok_or_else(|| (format!("{path}.priceCurrency"), "must be a currency, such as EUR".to_owned()))
}

/// The price of `offer`, as `45.00` or `45`, in the minor units of `currency` (ISO 4217).
fn minor_units(path: &str, offer: &Value, currency: &str) -> Result<i64, Mistake> {
    let digits = iso_currency::Currency::from_code(currency).and_then(iso_currency::Currency::exponent).unwrap_or(2);
    let wrong = |shown: &str| {
        let what =
            format!("'{shown}' is no price in {currency}, such as 45 or with up to {digits} digits behind a point");
        (format!("{path}.price"), what)
    };
    // An offer of several prices says what they are between, which is no price.
    let price = of_price(offer, "price").ok_or_else(|| wrong(""))?;
    let (whole, fraction) = price.split_once('.').unwrap_or((&price, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_number = !whole.is_empty() && [whole, fraction].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let digits = usize::from(digits);
    if !is_number || fraction.len() > digits {
        return Err(wrong(&price));
    }
    i64::from_str(&format!("{whole}{fraction:0<digits$}")).map_err(|_| wrong(&price))
}
