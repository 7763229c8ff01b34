//! What the pages say to machines: an event as schema.org has it, and which pages there are.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use booking_core::{
    catalog::Event,
    id::EventId,
    ports::{PortError, PortResult},
    time::Timestamp,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use moka::future::Cache;
use serde_json::{Value, json};

use crate::{amount::in_major_units, app::App, browse::live::LiveMap, problem::Answer, respond};

/// The most events that the map of the site lists, soonest first; 50,000 addresses are the most that readers take.
const MAX_LISTED: usize = 10_000;
/// Events read at once for it.
const READ: usize = 500;
/// How long it is kept.
const KEPT: Duration = Duration::from_secs(600);

/// `event` in the words of schema.org's `Event`, with the seats that are left now.
pub(super) fn event(app: &App, map: &LiveMap) -> Value {
    let event = map.event();
    let url = page_of(app, &event.event_id);
    let mut said = json!({
        "@context": "https://schema.org",
        "@type": "Event",
        "@id": url,
        "url": url,
        "name": event.title,
        "startDate": event.starts_at,
        "eventStatus": "https://schema.org/EventScheduled",
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": place(map),
        "offers": offers(&event, &url, map.left()),
    });
    if let Some(moved) = event.moves.last() {
        said["eventStatus"] = json!("https://schema.org/EventRescheduled");
        said["previousStartDate"] = json!(moved.from);
    }
    let performers = event.performers.iter().map(|name| json!({ "@type": "PerformingGroup", "name": name }));
    let more = [
        ("description", (!event.description.is_empty()).then(|| json!(event.description))),
        ("image", event.thumbnail.as_ref().map(|image| json!([image]))),
        ("inLanguage", event.language.as_ref().map(|language| json!(language))),
        ("performer", (!event.performers.is_empty()).then(|| performers.collect())),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            said[name] = value;
        }
    }
    said
}

fn place(map: &LiveMap) -> Value {
    let venue = &map.venue;
    let mut place = json!({
        "@type": "Place",
        "name": venue.name,
        "address": {
            "@type": "PostalAddress", "streetAddress": venue.address, "addressLocality": venue.location.city,
        },
    });
    if let Some(point) = venue.location.point {
        place["geo"] = json!({ "@type": "GeoCoordinates", "latitude": point.lat, "longitude": point.long });
    }
    place
}

fn offers(event: &Event, url: &str, left: u64) -> Value {
    let in_stock = if left > 0 { "InStock" } else { "SoldOut" };
    let price = |amount: Option<&i64>| amount.map(|amount| in_major_units(*amount, event.currency));
    json!({
        "@type": "AggregateOffer",
        "url": url,
        "priceCurrency": event.currency,
        "lowPrice": price(event.prices.values().min()),
        "highPrice": price(event.prices.values().max()),
        "offerCount": event.prices.len(),
        "availability": format!("https://schema.org/{in_stock}"),
    })
}

fn page_of(app: &App, event: &EventId) -> String {
    format!("{}/e/{event}", app.settings.public_url)
}

/// The map of the site, as it was within the last ten minutes.
pub(crate) struct SiteMap(Cache<(), Bytes>);

impl Default for SiteMap {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(1).time_to_live(KEPT).build())
    }
}

/// `/sitemap.xml`: the list of events, and the events to come.
pub(crate) async fn site_map(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<Response> {
    let listing = async { listed(&app, app.parts.clock.now()).await };
    let listed = app.site_map.0.try_get_with((), listing).await;
    let listed = listed.map_err(|error| PortError::clone(&error))?;
    let etag = respond::etag_of(&listed);
    let mut response = respond::cached(&headers, &etag, "public, max-age=600", listed);
    if response.headers().contains_key(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    Ok(response)
}

async fn listed(app: &App, now: Timestamp) -> PortResult<Bytes> {
    let base = app.settings.public_url.replace('&', "&amp;").replace('<', "&lt;");
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n\
         <url><loc>{base}/</loc></url>\n"
    );
    let (mut after, mut count) = (None, 0);
    while count < MAX_LISTED {
        let page = app.parts.catalog.events(now, after, READ.min(MAX_LISTED - count)).await?;
        let Some(last) = page.last() else { break };
        (after, count) = (Some((last.starts_at, last.event_id.clone())), count + page.len());
        for event in page {
            let _ = writeln!(text, "<url><loc>{base}/e/{}</loc></url>", event.event_id);
        }
    }
    text.push_str("</urlset>\n");
    Ok(text.into())
}

/// `/robots.txt`: pages may be read, calls not.
pub(crate) async fn robots(State(app): State<Arc<App>>) -> String {
    let base = &app.settings.public_url;
    format!("User-agent: *\nDisallow: /v1/\nDisallow: /operator\nDisallow: /e/*/\nSitemap: {base}/sitemap.xml\n")
}
