//! An endpoint that keeps what it is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use booking_core::{
    id::HookId,
    ports::hook::{Handed, Hook},
    time::Timestamp,
};
use serde_json::Value;

/// What it answers is set by [`Listener::answers`]; without, it takes everything.
#[derive(Clone, Default)]
pub struct Listener(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    told: Vec<(HookId, Value)>,
    tried: usize,
    answer: Option<Handed>,
    refused: Option<String>,
}

impl Listener {
    /// From now on it answers this, or takes everything again.
    pub fn answers(&self, answer: Option<Handed>) {
        self.0.lock().expect("no test panicked in it").answer = answer;
    }

    /// From now on it takes nothing about this booking, or everything again.
    pub fn refuses(&self, booking: Option<&str>) {
        self.0.lock().expect("no test panicked in it").refused = booking.map(str::to_owned);
    }

    /// What it took, in order.
    pub fn told(&self) -> Vec<(HookId, Value)> {
        self.0.lock().expect("no test panicked in it").told.clone()
    }

    /// The types of what it took about each booking, copies apart, in order.
    pub fn stories(&self) -> BTreeMap<String, Vec<String>> {
        let mut stories: BTreeMap<String, Vec<(HookId, String)>> = BTreeMap::new();
        for (id, notice) in self.told() {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let story = stories.entry(text(&notice["data"]["bookingId"])).or_default();
            if !story.iter().any(|(known, _)| *known == id) {
                story.push((id, text(&notice["type"])));
            }
        }
        stories.into_iter().map(|(id, story)| (id, story.into_iter().map(|(_, kind)| kind).collect())).collect()
    }

    /// How often it was asked to take something.
    pub fn tried(&self) -> usize {
        self.0.lock().expect("no test panicked in it").tried
    }
}

#[async_trait]
impl Hook for Listener {
    async fn hand(&self, id: &HookId, payload: &str, _: Timestamp) -> Handed {
        let mut heard = self.0.lock().expect("no test panicked in it");
        heard.tried += 1;
        if let Some(answer) = &heard.answer {
            return answer.clone();
        }
        if heard.refused.as_ref().is_some_and(|booking| payload.contains(booking)) {
            return Handed::Later("it does not like it".to_owned());
        }
        heard.told.push((id.clone(), serde_json::from_str(payload).expect("JSON")));
        Handed::Taken(200)
    }
}
