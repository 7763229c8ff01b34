//! An index that is made anew beside the one that is searched.
//!
//! Whoever has the alias of drafts is at it. Becoming live is one request that also takes this alias (again), and the
//! servers refuse all of it where another has it: so a rebuild that hung and was given up can't become live any more.
//! Only once that is certain is its index removed.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortError, PortResult,
        search::{DRAFT_LOST_MS, Draft, Drafted, Search, SearchIndex},
    },
    search::{Change, Found, Query, SeatsLeft, Suggestion, Term},
    time::Timestamp,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    client::Client,
    names::{self, Real},
    read,
    write::Writing,
};

/// Where a draft says when it was heard of last, in milliseconds.
const HEARD: &str = "heard_at";

/// How far a draft is.
const FILLED: u8 = 0;
const BEING_PUBLISHED: u8 = 1;
const LIVE: u8 = 2;

/// The draft.
pub(super) struct ElasticsearchDraft {
    client: Arc<Client>,
    real: Real,
    stage: AtomicU8,
}

/// Begins a draft, if nobody is at one.
pub(super) async fn begin(client: &Arc<Client>, now: Timestamp) -> PortResult<Drafted> {
    if let Some((other, heard_at)) = holder(client).await? {
        if now.millis_since(heard_at).abs() < DRAFT_LOST_MS {
            return Ok(Drafted::Taken(heard_at));
        }
        release(client, &other).await?;
    }
    let name = names::made_up(client);
    let (status, answer) = names::make(client, &name, &names::draft(client), heard(now)).await?;
    match holder(client).await? {
        Some((holder, _)) if holder == name => {}
        Some((_, heard_at)) => return Ok(Drafted::Taken(heard_at)),
        None => return Err(client.refused(status, &answer)),
    }
    names::remove_others(client, &name).await?;
    let real = names::look(client, &name).await?.ok_or_else(|| lost(client))?;
    Ok(Drafted::Begun(Arc::new(ElasticsearchDraft { client: Arc::clone(client), real, stage: AtomicU8::new(FILLED) })))
}

/// The index that has the alias of drafts, and when it was heard of.
async fn holder(client: &Client) -> PortResult<Option<(String, Timestamp)>> {
    let (status, answer) = client.ask(Method::GET, &format!("/{}/_mapping", names::draft(client)), None).await?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = client.require(status, answer)?;
    let found = answer.as_object().and_then(|found| found.iter().next());
    Ok(found.map(|(name, index)| {
        let heard_at = index["mappings"]["_meta"][HEARD].as_i64().unwrap_or(0);
        (name.clone(), Timestamp::from_millis(heard_at))
    }))
}

/// Takes the alias of drafts from `name`, if it has it.
async fn release(client: &Client, name: &str) -> PortResult<()> {
    let act = json!({ "remove": { "index": name, "alias": names::draft(client) } });
    match client.ask(Method::POST, "/_aliases", Some(&json!({ "actions": [act] }))).await? {
        (StatusCode::NOT_FOUND, _) => Ok(()),
        (status, answer) => client.require(status, answer).map(drop),
    }
}

fn heard(now: Timestamp) -> Value {
    json!({ HEARD: now.as_millis() })
}

fn lost(client: &Client) -> PortError {
    client.odd("no draft of this rebuild any more: it was not heard of for too long, and another took its turn")
}

impl ElasticsearchDraft {
    fn stage(&self) -> u8 {
        self.stage.load(Ordering::Acquire)
    }

    fn writing(&self) -> Writing<'_> {
        if self.stage() == LIVE {
            return Writing::live(&self.client, &self.real);
        }
        Writing::draft(&self.client, &self.real.name)
    }

    /// What makes it the live index instead of `before`, all or nothing.
    fn switch(&self, before: Option<&Real>) -> Value {
        let (name, live) = (&self.real.name, self.client.index());
        let add = |alias: &str| json!({ "add": { "index": name, "alias": alias, "is_write_index": true } });
        let mut acts = vec![add(&names::draft(&self.client))];
        acts.extend(before.map(|before| {
            if before.name == live {
                // An earlier version made it. Its name is needed, so it goes at once.
                return json!({ "remove_index": { "index": live } });
            }
            json!({ "remove": { "index": before.name, "alias": live } })
        }));
        acts.push(add(live));
        json!({ "actions": acts })
    }
}

#[async_trait]
impl Draft for ElasticsearchDraft {
    async fn keep(&self, now: Timestamp) -> PortResult<()> {
        let noted = json!({ "_meta": heard(now) });
        match self.client.ask(Method::PUT, &format!("/{}/_mapping", self.real.name), Some(&noted)).await? {
            (StatusCode::NOT_FOUND, _) => Err(lost(&self.client)),
            (status, answer) => self.client.require(status, answer).map(drop),
        }
    }

    async fn publish(&self) -> PortResult<()> {
        self.client.call(Method::POST, &format!("/{}/_refresh", self.real.name), None).await?;
        // The first search of an index takes longest; it is nobody's.
        self.search(&Query::all(Timestamp::from_millis(0))).await?;
        let before = names::look(&self.client, self.client.index()).await?;
        if before.as_ref() != Some(&self.real) {
            self.stage.store(BEING_PUBLISHED, Ordering::Release);
            let switch = self.switch(before.as_ref());
            let (status, answer) = self.client.ask(Method::POST, "/_aliases", Some(&switch)).await?;
            if !status.is_success() && holder(&self.client).await?.is_some_and(|(name, _)| name != self.real.name) {
                return Err(lost(&self.client));
            }
            self.client.require(status, answer)?;
        }
        self.stage.store(LIVE, Ordering::Release);
        Ok(())
    }

    async fn end(&self) -> PortResult<()> {
        match self.stage() {
            FILLED => names::remove(&self.client, &self.real.name).await,
            LIVE => {
                names::remove_others(&self.client, &self.real.name).await?;
                release(&self.client, &self.real.name).await
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Search for ElasticsearchDraft {
    async fn search(&self, query: &Query) -> PortResult<Found> {
        read::search(&self.client, &self.real.name, query).await
    }

    async fn suggest(&self, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>> {
        read::suggest(&self.client, &self.real.name, term, from).await
    }

    async fn state(&self) -> PortResult<u64> {
        read::state(&self.client, &self.real.name).await
    }
}

#[async_trait]
impl SearchIndex for ElasticsearchDraft {
    async fn apply(&self, changes: &[Change]) -> PortResult<usize> {
        self.writing().apply(changes).await
    }

    async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()> {
        self.writing().note_seats(left).await
    }

    async fn id(&self) -> PortResult<String> {
        Ok(self.real.id())
    }
}
