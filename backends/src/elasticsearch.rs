//! The index on Elasticsearch, for many processes: plain REST that versions 7.10 to 9 and OpenSearch share.
//!
//! Tokens are keywords, so the server needs no analysis. A write reads what stands and replaces it where nobody else did
//! meanwhile (`if_seq_no`), so that an older version never takes the place of a newer one, whoever writes. The configured
//! name is an alias of an index whose name is made up ([`names`]); the index is made where it is missing, and can be made
//! anew beside the one that is searched ([`draft`]).

use std::sync::Arc;

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortResult,
        search::{Drafted, Redraft, Search, SearchIndex},
    },
    search::{Change, Found, Query, SeatsLeft, Suggestion, Term},
    time::Timestamp,
};
use serde_json::Value;

use client::Client;
use write::Writing;

pub use client::{ElasticsearchSettings, InvalidElasticsearch};

mod client;
mod draft;
mod names;
mod query;
mod read;
mod rows;
mod write;

/// The index. A clone is the same index.
#[derive(Debug, Clone)]
pub struct ElasticsearchSearch(Arc<Client>);

impl ElasticsearchSearch {
    /// The index that `settings` name. Nothing is asked of the servers before it is used.
    pub fn new(settings: &ElasticsearchSettings) -> Self {
        Self(Arc::new(Client::new(settings)))
    }
}

#[async_trait]
impl Search for ElasticsearchSearch {
    async fn search(&self, query: &Query) -> PortResult<Found> {
        read::search(&self.0, self.0.index(), query).await
    }

    async fn suggest(&self, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>> {
        read::suggest(&self.0, self.0.index(), term, from).await
    }

    async fn state(&self) -> PortResult<u64> {
        read::state(&self.0, self.0.index()).await
    }
}

#[async_trait]
impl SearchIndex for ElasticsearchSearch {
    async fn apply(&self, changes: &[Change]) -> PortResult<usize> {
        if changes.is_empty() {
            return Ok(0);
        }
        Writing::live(&self.0, &names::live(&self.0).await?).apply(changes).await
    }

    async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()> {
        if left.is_empty() {
            return Ok(());
        }
        Writing::live(&self.0, &names::live(&self.0).await?).note_seats(left).await
    }

    async fn id(&self) -> PortResult<String> {
        Ok(names::live(&self.0).await?.id())
    }
}

#[async_trait]
impl Redraft for ElasticsearchSearch {
    async fn draft(&self, now: Timestamp) -> PortResult<Drafted> {
        draft::begin(&self.0, now).await
    }
}

/// What is written between lines: nothing that could be taken for one.
fn line(out: &mut String, value: &Value) {
    out.push_str(&value.to_string());
    out.push('\n');
}
