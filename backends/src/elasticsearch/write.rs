//! Writing to one index: what stands is read, and replaced where nobody else did meanwhile.

use std::collections::BTreeMap;

use booking_core::{
    ports::PortResult,
    search::{Change, SeatsLeft},
};
use reqwest::Method;
use serde_json::json;

use super::{
    client::{Client, unavailable},
    names::{self, Real},
    rows::{self, Standing, Written},
};
use crate::indexed::Row;

/// How often a write is tried anew where somebody else wrote meanwhile.
const TRIES: usize = 5;

/// An index to write to. Always the same one: what was read of one index must never be written to another.
pub(super) struct Writing<'c> {
    client: &'c Client,
    /// What it is read and written through, and how.
    at: String,
    how: &'static str,
}

impl<'c> Writing<'c> {
    /// Writes to the index that is searched; searches see what is answered.
    pub(super) fn live(client: &'c Client, live: &Real) -> Self {
        if live.name == client.index() {
            return Self { client, at: live.name.clone(), how: "refresh=true" };
        }
        Self { client, at: names::own(&live.name), how: "require_alias=true&refresh=true" }
    }

    /// Writes to a draft, which is not searched yet.
    pub(super) fn draft(client: &'c Client, name: &str) -> Self {
        Self { client, at: names::own(name), how: "require_alias=true" }
    }

    /// Applies changes, in order. How many of them were news.
    pub(super) async fn apply(&self, changes: &[Change]) -> PortResult<usize> {
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

    /// Notes how many seats are left of what the index holds.
    pub(super) async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()> {
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

    /// Writes what `change` makes of what stands of each of `ids`, until nobody else wrote meanwhile.
    async fn write<'i>(
        &self,
        ids: impl Iterator<Item = &'i str>,
        change: impl Fn(&mut BTreeMap<String, Standing>) -> usize,
    ) -> PortResult<usize> {
        let ids: Vec<&str> = ids.collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let (reads, writes) = (format!("/{}/_mget", self.at), format!("/{}/_bulk?{}", self.at, self.how));
        let mut first = None;
        for _ in 0..TRIES {
            let answer = self.client.call(Method::POST, &reads, Some(&json!({ "ids": ids }))).await?;
            let mut standing = rows::standing(&answer).map_err(|what| self.client.odd(&what))?;
            let news = change(&mut standing);
            first.get_or_insert(news);
            let lines = rows::lines(standing.values());
            if lines.is_empty() {
                return Ok(first.unwrap_or(0));
            }
            let answer = self.client.bulk(&writes, lines).await?;
            match rows::written(&answer) {
                Ok(Written::All) => return Ok(first.unwrap_or(0)),
                Ok(Written::NotAll) => {}
                Err(what) => return Err(self.client.odd(&what)),
            }
        }
        Err(unavailable("others write the same events all the time"))
    }
}
