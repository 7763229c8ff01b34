//! Where the public record comes from: a Weir, or a file that somebody saved.

use std::path::Path;

use booking_core::{
    digest::Digest,
    id::EventId,
    line::verify::{EntriesPage, PublicDraw, RecordsPage},
};

use super::{Unverified, saved::Saved};
use crate::api::{Api, Call};

/// How many connections the verifier keeps.
const CONNECTIONS: usize = 2;

/// A sale's public record.
pub(crate) struct PublicRecord {
    event: EventId,
    from: From,
}

enum From {
    Weir(Api),
    File(Saved),
}

impl PublicRecord {
    /// What `text` names: an event's address, or a file.
    ///
    /// # Errors
    /// If it names neither.
    pub(crate) fn open(text: &str) -> Result<Self, Unverified> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let (base, event) = event_address(text).ok_or_else(|| Unverified::Address(text.to_owned()))?;
            let api = Api::at(base, CONNECTIONS).map_err(|_| Unverified::Address(text.to_owned()))?;
            return Ok(Self { event, from: From::Weir(api) });
        }
        let saved = Saved::read(Path::new(text))?;
        Ok(Self { event: saved.event().clone(), from: From::File(saved) })
    }

    /// The record of `event` at a Weir.
    pub(crate) fn at(api: Api, event: EventId) -> Self {
        Self { event, from: From::Weir(api) }
    }

    /// Of which event.
    pub(crate) fn event(&self) -> &EventId {
        &self.event
    }

    /// The draw's page that begins with batch `from`.
    pub(super) async fn draw(&self, from: u32) -> Result<PublicDraw, Unverified> {
        match &self.from {
            From::Weir(api) => Ok(api.require(self.call(&format!("draw?from={from}"))).await?),
            From::File(saved) => saved.draw(from),
        }
    }

    /// The records from number `from` on.
    pub(super) async fn records(&self, from: u64) -> Result<RecordsPage, Unverified> {
        match &self.from {
            From::Weir(api) => Ok(api.require(self.call(&format!("records?from={from}"))).await?),
            From::File(saved) => Ok(saved.records(from)),
        }
    }

    /// A batch's entries from index `from` on.
    pub(super) async fn entries(&self, batch: u32, from: u64) -> Result<EntriesPage, Unverified> {
        match &self.from {
            From::Weir(api) => Ok(api.require(self.call(&format!("draw/{batch}/entries?from={from}"))).await?),
            From::File(saved) => Ok(saved.entries(batch, from)),
        }
    }

    fn call(&self, rest: &str) -> Call {
        Call::get(format!("/v1/events/{}/line/{rest}", self.event))
    }
}

/// The base address and the event of an address of the event's: of its API or of one of its pages.
fn event_address(text: &str) -> Option<(&str, EventId)> {
    let (at, rest) = ["/v1/events/", "/e/"].into_iter().find_map(|mark| Some((text.find(mark)?, mark.len())))?;
    let event = text[at + rest..].split(['/', '?', '#']).next()?;
    Some((&text[..at], event.parse().ok()?))
}

/// The entries of one page at most, of those saved.
pub(super) fn page_of(entries: &[Digest], from: u64, most: usize) -> EntriesPage {
    let rest = usize::try_from(from).ok().and_then(|from| entries.get(from..)).unwrap_or_default();
    let page = &rest[..rest.len().min(most)];
    let next = (page.len() < rest.len()).then_some(from + page.len() as u64);
    EntriesPage { entries: page.to_vec(), next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_s_api_and_its_pages_name_the_same_record() {
        for address in [
            "http://127.0.0.1:8080/v1/events/evt_1",
            "http://127.0.0.1:8080/v1/events/evt_1/line/draw?from=0",
            "http://127.0.0.1:8080/e/evt_1/draw",
        ] {
            let (base, event) = event_address(address).unwrap();
            assert_eq!((base, event.as_str()), ("http://127.0.0.1:8080", "evt_1"));
        }
        assert!(event_address("http://127.0.0.1:8080/operator").is_none());
    }
}
