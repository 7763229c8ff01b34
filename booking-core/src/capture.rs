//! Changes of the catalog as records of the log, in the envelope that Debezium's Cassandra connector writes: what
//! changed in which row of which table, and where the connector found it.
//!
//! Weir's own catalogs write the same, so that there is one way from a catalog to an index. The table `events` has the
//! columns `event_id`, `version` (rises with every change of the event) and `event` (its JSON). What is of other tables
//! is passed over: of a venue nothing changes under its id.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{catalog::Event, id::EventId, time::Timestamp};

/// The table that events are rows of.
pub const EVENTS: &str = "events";
/// The largest record that is kept whole among what can't be read, in bytes.
pub const MAX_KEPT_BYTES: usize = 64 << 10;

/// A change of an event in a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogChange {
    /// Rises with every change of the event.
    pub version: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Of which event.
    pub event_id: EventId,
    /// What it is from then on; `None`: it is no more.
    pub event: Option<Event>,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Captured {
    /// An event changed.
    Event(Box<CatalogChange>),
    /// Something that no index holds.
    Other,
}

/// Why a record can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no envelope.
    #[error("it is no change record: {0}")]
    Envelope(String),
    /// A kind of change that is not known.
    #[error("its op is '{0}', which is not known")]
    Op(String),
    /// A column without which nothing can be done.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A column that holds something else.
    #[error("its {0} can't be read: {1}")]
    Column(&'static str, String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    ts_ms: i64,
    op: String,
    source: Source,
    #[serde(default)]
    after: Option<BTreeMap<String, Option<Cell>>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Source {
    #[serde(default)]
    connector: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    pos: i64,
    #[serde(default)]
    keyspace: String,
    table: String,
    ts_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Cell {
    value: Value,
    #[serde(default)]
    deletion_ts: Option<i64>,
    #[serde(default)]
    set: bool,
}

/// `change`, found as its row number `pos` in a catalog and published at `now`, as a record.
pub fn write(change: &CatalogChange, now: Timestamp) -> Bytes {
    let cell = |value: Value| Some(Cell { value, deletion_ts: None, set: true });
    let mut after = BTreeMap::from([
        ("event_id".to_owned(), cell(Value::from(change.event_id.as_str()))),
        ("version".to_owned(), cell(Value::from(change.version))),
    ]);
    let event = change.event.as_ref().map(|event| serde_json::to_string(event).expect("an event is plain data"));
    after.insert("event".to_owned(), event.map(Value::from).and_then(cell));
    let envelope = Envelope {
        ts_ms: now.as_millis(),
        op: if change.event.is_some() { "u" } else { "d" }.to_owned(),
        source: Source {
            connector: "weir".to_owned(),
            file: "changes".to_owned(),
            pos: i64::try_from(change.version).unwrap_or(i64::MAX),
            keyspace: "weir".to_owned(),
            table: EVENTS.to_owned(),
            ts_ms: change.at.as_millis(),
        },
        after: Some(after),
    };
    serde_json::to_vec(&envelope).expect("an envelope is plain data with text keys").into()
}

/// What a record says.
///
/// # Errors
/// What is wrong with it, in a line.
pub fn read(record: &[u8]) -> Result<Captured, Unreadable> {
    let envelope: Envelope = serde_json::from_slice(record).map_err(|error| Unreadable::Envelope(error.to_string()))?;
    if envelope.source.table != EVENTS {
        return Ok(Captured::Other);
    }
    let row = Row(envelope.after.unwrap_or_default());
    let event_id = row.text("event_id")?.parse().map_err(|error| column("event_id", error))?;
    let at = Timestamp::from_millis(envelope.source.ts_ms);
    let version = match row.get("version") {
        None => u64::try_from(at.as_millis()).unwrap_or(0),
        Some(value) => value.as_u64().ok_or_else(|| column("version", format!("{value} is no version")))?,
    };
    let event = match envelope.op.as_str() {
        "d" => None,
        "c" | "i" | "u" | "r" => {
            let event: Event = serde_json::from_str(row.text("event")?).map_err(|error| column("event", error))?;
            if event.event_id != event_id {
                return Err(column("event", format!("it is of {}", event.event_id)));
            }
            Some(event)
        }
        other => return Err(Unreadable::Op(other.chars().take(20).collect())),
    };
    Ok(Captured::Event(Box::new(CatalogChange { version, at, event_id, event })))
}

struct Row(BTreeMap<String, Option<Cell>>);

impl Row {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)?.as_ref().map(|cell| &cell.value).filter(|value| !value.is_null())
    }

    fn text(&self, name: &'static str) -> Result<&str, Unreadable> {
        let value = self.get(name).ok_or(Unreadable::Missing(name))?;
        value.as_str().ok_or_else(|| column(name, "it is no text"))
    }
}

fn column(name: &'static str, why: impl ToString) -> Unreadable {
    Unreadable::Column(name, why.to_string())
}

/// A record that can't be read, kept with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The topic it is of.
    pub topic: String,
    /// Its lane.
    pub lane: u16,
    /// Its offset.
    pub offset: u64,
    /// When it was given up.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What it says: its first [`MAX_KEPT_BYTES`], with what is no text replaced.
    pub record: String,
}

impl DeadLetter {
    /// The beginning of `record` as text.
    pub fn kept(record: &[u8]) -> String {
        String::from_utf8_lossy(&record[..record.len().min(MAX_KEPT_BYTES)]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Event {
        serde_json::from_value(json!({
            "eventId": "evt_1", "title": "A play", "description": "", "venueId": "venue_1",
            "startsAt": "2026-05-01T19:00:00.000Z", "currency": "EUR", "prices": { "Stalls": 9_500 },
        }))
        .unwrap()
    }

    fn change(event: Option<Event>) -> CatalogChange {
        CatalogChange { version: 7, at: Timestamp::from_millis(5), event_id: "evt_1".parse().unwrap(), event }
    }

    /// A record as the connector writes it.
    fn of_cassandra(op: &str, after: &Value) -> Vec<u8> {
        let source = json!({
            "version": "3.3.0.Final", "connector": "cassandra", "name": "weir", "ts_ms": 1_777_629_600_000_i64,
            "snapshot": "false", "db": "NULL", "sequence": null, "cluster": "weir", "file": "CommitLog-7-1.log",
            "pos": 1234, "keyspace": "weir", "table": "events",
        });
        serde_json::to_vec(&json!({ "ts_ms": 1_777_629_600_030_i64, "op": op, "source": source, "after": after }))
            .unwrap()
    }

    fn cell(value: Value) -> Value {
        json!({ "value": value, "deletion_ts": null, "set": true })
    }

    #[test]
    fn what_is_written_is_read_again() {
        for change in [change(Some(event())), change(None)] {
            let record = write(&change, Timestamp::from_millis(9));
            assert_eq!(read(&record), Ok(Captured::Event(Box::new(change))));
        }
    }

    #[test]
    fn what_the_connector_writes_is_read_the_same() {
        let text = serde_json::to_string(&event()).unwrap();
        let after = json!({ "event_id": cell("evt_1".into()), "version": cell(3.into()), "event": cell(text.into()) });
        let Ok(Captured::Event(change)) = read(&of_cassandra("i", &after)) else { panic!("an event") };
        assert_eq!((change.version, change.event), (3, Some(event())));
        let gone = json!({ "event_id": cell("evt_1".into()), "event": null });
        let Ok(Captured::Event(change)) = read(&of_cassandra("d", &gone)) else { panic!("an event") };
        assert_eq!((change.version, change.event), (1_777_629_600_000, None), "by its time without a version");
    }

    #[test]
    fn what_can_t_be_read_says_why() {
        let why = |record: &[u8]| read(record).unwrap_err().to_string();
        assert!(why(b"{").starts_with("it is no change record"));
        let id = json!({ "event_id": cell("evt_1".into()) });
        assert_eq!(why(&of_cassandra("u", &id)), "it has no event");
        assert_eq!(why(&of_cassandra("x", &id)), "its op is 'x', which is not known");
        let other = json!({ "event_id": cell("venue_1".into()) });
        assert!(why(&of_cassandra("u", &other)).starts_with("its event_id can't be read"));
    }
}
