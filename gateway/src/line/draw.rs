//! The public record of the draw: batches, entries, records. From it anybody can check every rank.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    digest::Digest,
    id::EventId,
    line::{
        entry::{JoinRecord, NO_ENTRY},
        verify::{EntriesPage, MAX_ENTRIES_A_PAGE, MAX_RECORDS_A_PAGE, PublicDraw, RecordsPage},
    },
    ports::log::Topic,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    app::App,
    problem::{Answer, Problem, nothing_here},
    request::{Id, Query},
    sales::{Sale, opened},
};

/// Where a page begins.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// The first number wanted; the `next` of the page before. Default 0.
    #[serde(default)]
    from: u64,
}

/// What was drawn never changes; what is drawn next does.
const SHORT_CACHE: [(http::HeaderName, &str); 1] = [(http::header::CACHE_CONTROL, "public, max-age=1")];

/// The draw: the commitment and the closed batches, with everything to recompute them.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/line/draw", tag = "Line",
    params(("eventId" = String, Path, description = "The event"), From),
    responses(
        (status = 200, description = "A page of batches", body = super::view::Draw),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_draw(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    Query(page): Query<From>,
) -> Answer<Response> {
    let sale = opened(&app, &event).ok_or_else(nothing_here)?;
    let from = u32::try_from(page.from).unwrap_or(u32::MAX);
    let draw = PublicDraw::page(&sale.line(), from).ok_or_else(nothing_here)?;
    Ok((SHORT_CACHE, Json(draw)).into_response())
}

/// The entries of one batch, in index order.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/line/draw/{batch}/entries", tag = "Line",
    params(
        ("eventId" = String, Path, description = "The event"),
        ("batch" = u32, Path, description = "The batch's number"),
        From,
    ),
    responses(
        (status = 200, description = "A page of entries", body = super::view::Entries),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_entries(
    State(app): State<Arc<App>>,
    path: axum::extract::Path<(String, u32)>,
    Query(page): Query<From>,
) -> Answer<Response> {
    let (event, batch) = path.0;
    let event: EventId = event.parse().map_err(|_| nothing_here())?;
    let sale = opened(&app, &event).ok_or_else(nothing_here)?;
    let (start, end, size) = {
        let line = sale.line();
        let batch = usize::try_from(batch).ok().and_then(|index| line.batches().get(index)).ok_or_else(nothing_here)?;
        (Arc::clone(&batch.start), Arc::clone(&batch.end), batch.size)
    };
    let entries = entries(&app, &event, &start, &end, page.from).await?;
    let next = page.from.saturating_add(entries.len() as u64);
    let page = EntriesPage { entries, next: (next < size).then_some(next) };
    // A closed batch never changes.
    let cache = [(http::header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((cache, Json(page)).into_response())
}

/// The entries of a batch from index `from` on, lane by lane, at most a page of them.
async fn entries(app: &App, event: &EventId, start: &[u64], end: &[u64], from: u64) -> Result<Vec<Digest>, Problem> {
    let topic = Topic::Line(event.clone());
    let mut skip = from;
    let mut entries = Vec::new();
    for (lane, (&start, &end)) in (0_u16..).zip(start.iter().zip(end)) {
        let size = end - start;
        if skip >= size {
            skip -= size;
            continue;
        }
        let mut at = start + skip;
        skip = 0;
        while at < end && entries.len() < MAX_ENTRIES_A_PAGE {
            let room = MAX_ENTRIES_A_PAGE - entries.len();
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(room);
            let stop = at + wanted as u64;
            let read = app.parts.log.read(&topic, lane, at, wanted, Duration::ZERO).await?;
            let mut found = read.iter().peekable();
            // An offset that holds no readable join keeps its index, with an entry of zeros.
            let reached = if found.peek().is_none() { stop } else { (read[read.len() - 1].offset + 1).min(stop) };
            while at < reached {
                let entry = found.next_if(|entry| entry.offset == at);
                let join = entry.and_then(|entry| JoinRecord::decode(&entry.payload).ok());
                entries.push(join.map_or(NO_ENTRY, |join| join.entry));
                at += 1;
            }
        }
    }
    Ok(entries)
}

/// The state log: every decision about the line, each record chained to the one before by its hash.
#[utoipa::path(
    get, path = "/v1/events/{eventId}/line/records", tag = "Line",
    params(("eventId" = String, Path, description = "The event"), From),
    responses(
        (status = 200, description = "A page of records, each in its exact text", body = super::view::Records),
        (status = 404, description = "[not-found]"),
    )
)]
pub(crate) async fn get_records(
    State(app): State<Arc<App>>,
    Id(event): Id<EventId>,
    Query(page): Query<From>,
) -> Answer<Response> {
    let sale = opened(&app, &event).ok_or_else(nothing_here)?;
    let page = records(&app, &sale, page.from).await?;
    Ok((SHORT_CACHE, Json(page)).into_response())
}

/// The accepted records from number `from` on. The log may hold others between them, of keepers that lost the line:
/// only those at the offsets that the fold accepted are shown.
async fn records(app: &App, sale: &Sale, from: u64) -> Result<RecordsPage, Problem> {
    let (offsets, version) = sale.record_offsets(from, MAX_RECORDS_A_PAGE);
    let topic = Topic::State(sale.event().clone());
    let mut records = Vec::with_capacity(offsets.len());
    let mut wanted = offsets.iter().copied().peekable();
    while let Some(&offset) = wanted.peek() {
        let read = app.parts.log.read(&topic, 0, offset, MAX_RECORDS_A_PAGE, Duration::ZERO).await?;
        if read.first().is_none_or(|entry| entry.offset != offset) {
            return Err(Problem::internal("A record that was folded can't be read any more."));
        }
        for entry in read {
            if wanted.next_if_eq(&entry.offset).is_some() {
                let text = String::from_utf8(entry.payload.to_vec()).ok();
                let record = text.and_then(|text| RawValue::from_string(text).ok());
                records.push(record.ok_or_else(|| Problem::internal("A record can't be read."))?);
            }
        }
    }
    let next = from.saturating_add(records.len() as u64);
    Ok(RecordsPage { records, next: (next < version).then_some(next) })
}
