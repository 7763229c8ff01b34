//! Searching for events.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use booking_core::{
    id::{EventId, VenueId},
    line::state::Phase,
    money::Currency,
    search::{Facet, Facets, Hit, Part, Query, Term, attempt::Patience, highlight},
    time::Timestamp,
};
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    browse::found::Answered,
    line,
    problem::{Answer, Problem},
    request, respond,
};

/// A cache may answer with what is a second old, and with what is older while it asks again.
const CACHED: &str = "public, max-age=1, stale-while-revalidate=300";
/// What a plain list is told with.
const PLAIN: &str = "Searching is not possible just now. These are all events to come, soonest first.";
/// How long is waited for the live maps of events on sale that nobody has looked at yet.
const SEATS_PATIENCE: std::time::Duration = std::time::Duration::from_millis(20);

/// The events that were found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchAnswer {
    events: Vec<FoundEvent>,
    pub(crate) pagination: Pagination,
    pub(crate) facets: FacetsAnswer,
    /// Where the next page begins: `cursor` of another search like this one. Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// How far the search went from `term`: `asTyped`, `forgiving` (with typing mistakes), `mostWords`.
    matched: &'static str,
    /// Why this is a plain list of all events; absent where it is what was searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<&'static str>,
}

/// An event that was found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundEvent {
    #[schema(value_type = String)]
    event_id: EventId,
    title: String,
    /// A picture's address.
    thumbnail: Option<String>,
    description: String,
    /// The venue's name.
    venue: String,
    #[schema(value_type = String)]
    venue_id: VenueId,
    city: String,
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    date: Timestamp,
    available_seats: u64,
    performers: Vec<String>,
    category: Option<String>,
    language: Option<String>,
    /// What a seat costs at least, in minor units.
    min_price: i64,
    /// What a seat costs at most, in minor units.
    max_price: i64,
    #[schema(value_type = String)]
    currency: Currency,
    /// What its sale is doing, where it has one.
    #[schema(value_type = Option<String>)]
    phase: Option<Phase>,
    /// Its texts that have words of `term`, in pieces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    highlights: Vec<Highlight>,
}

/// A text that has words of the term.
#[derive(Serialize, ToSchema)]
pub(crate) struct Highlight {
    /// `title`, `performer`, `venue` or `description`.
    field: &'static str,
    /// `[{text, found}]`: together they are the text, or the part of a longer one around the first word found.
    #[schema(value_type = Vec<Object>)]
    parts: Vec<Part>,
}

/// Which page it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pagination {
    page: usize,
    page_size: usize,
    pub(crate) total_pages: u64,
    total_results: u64,
}

/// How many of the events that were found have something in common, 20 of each at most.
#[derive(Serialize, ToSchema)]
pub(crate) struct FacetsAnswer {
    /// `[{name, count}]`, the most frequent first.
    #[schema(value_type = Vec<Object>)]
    pub(crate) cities: Vec<Facet>,
    /// `[{name, count}]`, the most frequent first.
    #[schema(value_type = Vec<Object>)]
    pub(crate) categories: Vec<Facet>,
}

/// Search for events: what is meant most comes first, then what begins first. Without a date, events to come.
#[utoipa::path(
    get, path = "/v1/events/search", tag = "Browse",
    params(
        ("term" = Option<String>, Query, description = "Words of title, performers, venue, city, category or description; beginnings and word forms count, and typing mistakes are forgiven. 200 characters at most"),
        ("location" = Option<String>, Query, description = "A city, or `lat,long`"),
        ("withinKm" = Option<u32>, Query, description = "With `lat,long`: how far at most, 1 to 1,000. Default 50"),
        ("date" = Option<String>, Query, description = "The day, YYYY-MM-DD, in UTC; with `until` the first of several"),
        ("until" = Option<String>, Query, description = "The last day"),
        ("category" = Option<String>, Query, description = "The category"),
        ("minPrice" = Option<i64>, Query, description = "A seat costs so much or more, in minor units"),
        ("maxPrice" = Option<i64>, Query, description = "A seat costs so much or less, in minor units"),
        ("currency" = Option<String>, Query, description = "What prices are in, such as EUR"),
        ("available" = Option<bool>, Query, description = "Whether seats must be left"),
        ("page" = Option<usize>, Query, description = "From 1; pages reach 10,000 events deep"),
        ("pageSize" = Option<usize>, Query, description = "1 to 100. Default 20"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before, instead of `page`: goes as deep as there is something"),
    ),
    responses(
        (status = 200, description = "The events; with `degraded`, a plain list", body = SearchAnswer),
        (status = 304, description = "As If-None-Match has it"),
        (status = 400, description = "[invalid-search]"),
        (status = 503, description = "[unavailable]"),
    )
)]
pub(crate) async fn search_events(
    State(app): State<Arc<App>>,
    request::Query(pairs): request::Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Answer<Response> {
    let query = read(&app, &pairs)?;
    let answer = answer(&app, &query).await?;
    let body = line::json(&answer, 1_024 + 1_024 * answer.events.len());
    let etag = respond::etag_of(&body);
    if answer.degraded.is_some() {
        let mut response = respond::cached(&HeaderMap::new(), &etag, "no-store", body);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        return Ok(response);
    }
    Ok(respond::cached(&headers, &etag, CACHED, body))
}

/// The search that fields of an address ask for.
///
/// # Errors
/// [invalid-search].
pub(crate) fn read(app: &App, pairs: &[(String, String)]) -> Result<Query, Problem> {
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Query::read(pairs, app.parts.clock.now()).map_err(|refused| Problem::invalid_search(refused.to_string()))
}

/// What `query` finds, with what the gateway knows of sales over it.
///
/// # Errors
/// [unavailable].
pub(crate) async fn answer(app: &App, query: &Query) -> Result<SearchAnswer, Problem> {
    let now = app.parts.clock.now();
    let Answered { found, is_plain } = app.searches.find(app, query, now).await?;
    let term = query.term.as_ref().filter(|_| !is_plain);
    let events = join_all(found.hits.iter().map(|hit| event(app, hit, term, found.patience, now))).await;
    let Facets { cities, categories } = found.facets.clone();
    let total_pages = found.total.div_ceil(query.page_size as u64);
    Ok(SearchAnswer {
        events,
        pagination: Pagination {
            page: query.page,
            page_size: query.page_size,
            total_pages,
            total_results: found.total,
        },
        facets: FacetsAnswer { cities, categories },
        next_cursor: found.next.as_ref().map(ToString::to_string),
        matched: match found.patience {
            Patience::AsTyped => "asTyped",
            Patience::Forgiving => "forgiving",
            Patience::MostWords => "mostWords",
        },
        degraded: is_plain.then_some(PLAIN),
    })
}

async fn event(app: &App, hit: &Hit, term: Option<&Term>, patience: Patience, now: Timestamp) -> FoundEvent {
    let document = &hit.document;
    let sale = crate::sales::opened(app, &document.event_id);
    let on_sale = match &sale {
        // What is there in memory is there at once.
        Some(_) => {
            let live = app.seats.left(app, &document.event_id);
            tokio::time::timeout(SEATS_PATIENCE, live).await.ok().flatten()
        }
        None => None,
    };
    FoundEvent {
        event_id: document.event_id.clone(),
        title: document.title.clone(),
        thumbnail: document.thumbnail.clone(),
        description: document.description.clone(),
        venue: document.venue.clone(),
        venue_id: document.venue_id.clone(),
        city: document.city.clone(),
        date: document.starts_at,
        available_seats: on_sale.or(hit.seats_left).unwrap_or(document.seats),
        performers: document.performers.clone(),
        category: document.category.clone(),
        language: document.language.clone(),
        min_price: document.prices.0,
        max_price: document.prices.1,
        currency: document.currency,
        phase: sale.map(|sale| sale.phase(now)),
        highlights: term.map(|term| highlights(hit, term, patience)).unwrap_or_default(),
    }
}

fn highlights(hit: &Hit, term: &Term, patience: Patience) -> Vec<Highlight> {
    let document = &hit.document;
    let texts = [("title", &document.title)]
        .into_iter()
        .chain(document.performers.iter().map(|name| ("performer", name)))
        .chain([("venue", &document.venue), ("description", &document.description)]);
    let marked = |(field, text): (&'static str, &String)| {
        highlight(text, term, patience).map(|parts| Highlight { field, parts })
    };
    texts.filter_map(marked).collect()
}
