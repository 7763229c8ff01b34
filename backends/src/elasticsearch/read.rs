//! Searching an index by its name.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use booking_core::{
    ports::PortResult,
    search::{
        Found, Query, SUGGESTED_FROM, Suggestion, Term,
        attempt::{Attempt, Patience},
        suggestions,
    },
    time::Timestamp,
};
use reqwest::Method;
use serde_json::json;

use super::{client::Client, query, rows};

/// The bits of a state that count changes; those above say of which index.
const COUNTING_BITS: u32 = 40;

pub(super) async fn search(client: &Client, index: &str, query: &Query) -> PortResult<Found> {
    let Some(term) = &query.term else { return found(client, index, query, None, Patience::AsTyped).await };
    let mut best = Found::default();
    for patience in Patience::ALL {
        // A page behind a cursor is of the search that the cursor is of.
        if query.cursor.as_ref().is_some_and(|cursor| cursor.patience != patience) {
            continue;
        }
        let Some(attempt) = Attempt::of(term, patience) else { continue };
        best = found(client, index, query, Some(&attempt), patience).await?;
        if best.total > 0 {
            break;
        }
    }
    Ok(best)
}

pub(super) async fn suggest(client: &Client, index: &str, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>> {
    let query = Query { term: Some(term.clone()), from, page_size: SUGGESTED_FROM, ..Query::all(from) };
    let Some(attempt) = Attempt::of(term, Patience::AsTyped) else { return Ok(Vec::new()) };
    let found = found(client, index, &query, Some(&attempt), Patience::AsTyped).await?;
    Ok(suggestions(term, found.hits.iter().map(|hit| &hit.document)))
}

/// Every row counts its changes; so their sum rises with each. Of another index it is another number, whatever its sum.
pub(super) async fn state(client: &Client, index: &str) -> PortResult<u64> {
    let changes = json!({ "changes": { "sum": { "field": rows::CHANGES } } });
    let by_index = json!({ "index": { "terms": { "field": "_index", "size": 1 }, "aggs": changes } });
    let asked = json!({ "size": 0, "aggs": by_index });
    let answer = client.call(Method::POST, &format!("/{index}/_search"), Some(&asked)).await?;
    let buckets = answer["aggregations"]["index"]["buckets"].as_array();
    let Some(bucket) = buckets.ok_or_else(|| client.odd("a sum that is none"))?.first() else { return Ok(0) };
    let (name, sum) = (bucket["key"].as_str(), bucket["changes"]["value"].as_f64());
    let (name, sum) = name.zip(sum).ok_or_else(|| client.odd("a sum that is none"))?;
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts, below 2^53")]
    let sum = sum as u64;
    Ok((hasher.finish() << COUNTING_BITS).wrapping_add(sum))
}

async fn found(
    client: &Client,
    index: &str,
    query: &Query,
    attempt: Option<&Attempt>,
    patience: Patience,
) -> PortResult<Found> {
    let asked = query::asked(query, attempt);
    let answer = client.call(Method::POST, &format!("/{index}/_search"), Some(&asked)).await?;
    query::found(query, patience, &answer).map_err(|what| client.odd(&what))
}
