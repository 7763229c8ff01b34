//! A line that the test itself keeps.

use std::time::Duration;

use booking_core::{
    digest::Digest,
    id::EventId,
    line::{draw::SeedChain, entry::JoinRecord, keeper, merkle, record::StateKind, state::LineState},
    ports::log::{Log as _, Topic},
    sale::SalePolicy,
};
use reqwest::StatusCode;
use serde_json::json;

use super::{World, read, until};

impl World {
    /// A line that the test keeps itself.
    pub async fn line(&self, event: &str, policy: SalePolicy) -> Keeper<'_> {
        self.hall(event).await;
        let event: EventId = event.parse().unwrap();
        let chain = SeedChain::from_end(Digest::of(&[b"the end"]), 1_000);
        let lanes = self.log.lanes(&Topic::Line(event.clone())).await.unwrap();
        let mut keeper = Keeper { world: self, line: LineState::new(event.clone()), chain };
        let opening = keeper::Opening {
            owner: "test".to_owned(),
            commitment: keeper.chain.commitment(),
            chain_length: 1_000,
            lanes,
        };
        let kind = keeper::open(&keeper.line, &policy, opening, self.now()).unwrap();
        keeper.say(kind).await;
        let record = json!({ "eventId": event }).to_string();
        self.log.append(&Topic::Sales, 0, record.into_bytes().into()).await.unwrap();
        until("the gateway knows the sale", || async {
            let path = format!("/v1/events/{event}/line");
            self.get(&path).send().await.unwrap().status() == StatusCode::OK
        })
        .await;
        keeper
    }
}

/// The test, keeping a line.
pub struct Keeper<'a> {
    world: &'a World,
    pub line: LineState,
    chain: SeedChain,
}

impl Keeper<'_> {
    /// Appends a record.
    pub async fn say(&mut self, kind: StateKind) {
        let record = self.line.next(kind, self.world.now()).text();
        let applied = self.line.apply(&record);
        assert!(applied.is_accepted(), "{applied:?}");
        self.world.log.append(&Topic::State(self.line.event().clone()), 0, record).await.unwrap();
    }

    /// Closes a batch with everybody who has joined, and waits until the gateway shows it.
    pub async fn draw(&mut self) {
        let topic = Topic::Line(self.line.event().clone());
        let ends = self.world.log.ends(&topic).await.unwrap();
        let mut entries = Vec::new();
        for (lane, (&start, &end)) in (0..).zip(self.line.last_ends().iter().zip(&ends)) {
            let count = usize::try_from(end - start).unwrap();
            if count > 0 {
                let read = self.world.log.read(&topic, lane, start, count, Duration::ZERO).await.unwrap();
                entries.extend(read.iter().map(|entry| JoinRecord::decode(&entry.payload).unwrap().entry));
            }
        }
        let reveal = self.chain.reveal(u32::try_from(self.line.batches().len()).unwrap()).unwrap();
        let kind = keeper::close_batch(&self.line, &ends, merkle::root(entries.into_iter()), reveal);
        self.say(kind).await;
    }

    /// Calls everybody of a rank below `up_to`.
    pub async fn call(&mut self, up_to: u64) {
        self.say(StateKind::Served { up_to }).await;
        let served = self.line.served();
        let path = format!("/v1/events/{}/line/records?from={}", self.line.event(), self.line.version() - 1);
        until("the gateway has folded the call", || async {
            let (_, body) = read(self.world.get(&path).send().await.unwrap()).await;
            body["records"].as_array().is_some_and(|records| !records.is_empty())
        })
        .await;
        assert_eq!(served, up_to);
    }
}
