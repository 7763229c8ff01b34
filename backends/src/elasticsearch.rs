//! The index on Elasticsearch, for many processes: plain REST that versions 7.10 to 9 and OpenSearch share.
//!
//! Tokens are keywords, so the server needs no analysis. A write reads what stands and replaces it where nobody else did
//! meanwhile (`if_seq_no`), so that an older version never takes the place of a newer one, whoever writes. The index is
//! made where it is missing.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortResult,
        search::{Search, SearchIndex},
    },
    search::{
        Change, Found, Query, SUGGESTED_FROM, SeatsLeft, Suggestion, Term,
        attempt::{Attempt, Patience},
        suggestions,
    },
    time::Timestamp,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::indexed::Row;
use client::Client;
use rows::{Standing, Written};

pub use client::{ElasticsearchSettings, InvalidElasticsearch};

mod client;
mod query;
mod rows;

/// How often a write is tried anew where somebody else wrote meanwhile.
const TRIES: usize = 5;

/// The index. A clone is the same index.
#[derive(Debug, Clone)]
pub struct ElasticsearchSearch(Arc<Client>);

impl ElasticsearchSearch {
    /// The index that `settings` name. Nothing is asked of the servers before it is used.
    pub fn new(settings: &ElasticsearchSettings) -> Self {
        Self(Arc::new(Client::new(settings)))
    }

    async fn found(&self, query: &Query, attempt: Option<&Attempt>, patience: Patience) -> PortResult<Found> {
        let asked = query::asked(query, attempt);
        let answer = self.0.call(Method::POST, "/_search", Some(&asked)).await?;
        query::found(query, patience, &answer).map_err(|what| self.0.odd(&what))
    }

    /// Writes what `change` makes of what stands of each of `ids`, until nobody else wrote meanwhile.
    async fn write<'c>(
        &self,
        ids: impl Iterator<Item = &'c str>,
        change: impl Fn(&mut BTreeMap<String, Standing>) -> usize,
    ) -> PortResult<usize> {
        let ids: Vec<&str> = ids.collect();
        if ids.is_empty() {
            return Ok(0);
        }
        self.0.make().await?;
        let mut first = None;
        for _ in 0..TRIES {
            let answer = self.0.call(Method::POST, "/_mget", Some(&json!({ "ids": ids }))).await?;
            let mut standing = rows::standing(&answer).map_err(|what| self.0.odd(&what))?;
            let news = change(&mut standing);
            first.get_or_insert(news);
            let lines = rows::lines(standing.values());
            if lines.is_empty() {
                return Ok(first.unwrap_or(0));
            }
            let answer = self.0.bulk(lines).await?;
            match rows::written(&answer) {
                Ok(Written::All) => return Ok(first.unwrap_or(0)),
                Ok(Written::NotAll) => {}
                Err(what) => return Err(self.0.odd(&what)),
            }
        }
        Err(client::unavailable("others write the same events all the time"))
    }
}

#[async_trait]
impl Search for ElasticsearchSearch {
    async fn search(&self, query: &Query) -> PortResult<Found> {
        let Some(term) = &query.term else { return self.found(query, None, Patience::AsTyped).await };
        let mut found = Found::default();
        for patience in Patience::ALL {
            // A page behind a cursor is of the search that the cursor is of.
            if query.cursor.as_ref().is_some_and(|cursor| cursor.patience != patience) {
                continue;
            }
            let Some(attempt) = Attempt::of(term, patience) else { continue };
            found = self.found(query, Some(&attempt), patience).await?;
            if found.total > 0 {
                break;
            }
        }
        Ok(found)
    }

    async fn suggest(&self, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>> {
        let query = Query { term: Some(term.clone()), from, page_size: SUGGESTED_FROM, ..Query::all(from) };
        let Some(attempt) = Attempt::of(term, Patience::AsTyped) else { return Ok(Vec::new()) };
        let found = self.found(&query, Some(&attempt), Patience::AsTyped).await?;
        Ok(suggestions(term, found.hits.iter().map(|hit| &hit.document)))
    }

    /// Every row counts its changes; so their sum rises with each.
    async fn state(&self) -> PortResult<u64> {
        let asked = json!({ "size": 0, "aggs": { "changes": { "sum": { "field": rows::CHANGES } } } });
        let answer = self.0.call(Method::POST, "/_search", Some(&asked)).await?;
        let sum = answer["aggregations"]["changes"]["value"].as_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts, below 2^53")]
        sum.map(|sum| sum as u64).ok_or_else(|| self.0.odd("a sum that is none"))
    }
}

#[async_trait]
impl SearchIndex for ElasticsearchSearch {
    async fn apply(&self, changes: &[Change]) -> PortResult<usize> {
        let ids = changes.iter().map(|change| change.event_id.as_str());
        self.write(ids, |standing| {
            let mut news = 0;
            for change in changes {
                let Some(kept) = standing.get_mut(change.event_id.as_str()) else { continue };
                if let Some(row) = Row::after(kept.row.as_ref(), change) {
                    kept.replace(row, true);
                    news += 1;
                }
            }
            news
        })
        .await
    }

    async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()> {
        let ids = left.iter().map(|noted| noted.event_id.as_str());
        let noting = self.write(ids, |standing| {
            for noted in left {
                let Some(kept) = standing.get_mut(noted.event_id.as_str()) else { continue };
                if let Some((row, turned)) = kept.row.as_ref().and_then(|row| row.noted(noted)) {
                    kept.replace(row, turned);
                }
            }
            0
        });
        noting.await.map(drop)
    }

    async fn id(&self) -> PortResult<String> {
        self.0.make().await?;
        let answer = self.0.call(Method::GET, "/_settings", None).await?;
        let settings = answer.as_object().and_then(|indices| indices.values().next());
        let id = settings.and_then(|index| index["settings"]["index"]["uuid"].as_str());
        // Its letters are those of base 64 for addresses.
        id.map(|id| id.replace('_', "-")).ok_or_else(|| self.0.odd("settings without a uuid"))
    }
}

/// What is written between lines: nothing that could be taken for one.
fn line(out: &mut String, value: &Value) {
    out.push_str(&value.to_string());
    out.push('\n');
}
