//! What is kept of an event, as the servers have it.

use std::collections::BTreeMap;

use booking_core::search;
use serde_json::{Map, Value, json};

use super::line;
use crate::indexed::Row;

/// How often what can be found of an event has changed.
pub(super) const CHANGES: &str = "changes";
/// The deepest that pages go by number, and the event behind them.
const MAX_WINDOW: usize = search::MAX_DEPTH + search::MAX_PAGE_SIZE;

/// What the index is made with.
pub(super) fn mapping() -> Value {
    let mut fields = Map::new();
    for field in search::Field::ALL {
        fields.insert(field.name().to_owned(), json!({ "type": "keyword", "doc_values": false }));
    }
    for name in ["event_id", "currency", "city", "category_name", "is"] {
        fields.insert(name.to_owned(), json!({ "type": "keyword" }));
    }
    let numbers = ["version", "seats_version", "seats_left", "starts_at", "least_price", "most_price", CHANGES];
    for name in numbers {
        fields.insert(name.to_owned(), json!({ "type": "long" }));
    }
    fields.insert("point".to_owned(), json!({ "type": "geo_point" }));
    fields.insert("whole".to_owned(), json!({ "type": "object", "enabled": false }));
    json!({
        "settings": { "index": { "number_of_shards": 1, "max_result_window": MAX_WINDOW } },
        "mappings": { "dynamic": "strict", "properties": fields },
    })
}

/// What stands of an event, and what is to.
#[derive(Debug)]
pub(super) struct Standing {
    id: String,
    /// As which change it was read: number and term.
    read_as: Option<(u64, u64)>,
    changes: u64,
    is_replaced: bool,
    pub(super) row: Option<Row>,
}

impl Standing {
    /// Puts `row` in the place of what stands; `counts`: something else may be found from then on.
    pub(super) fn replace(&mut self, row: Row, counts: bool) {
        self.row = Some(row);
        self.changes += u64::from(counts);
        self.is_replaced = true;
    }
}

/// What an answer of `_mget` says, by event.
pub(super) fn standing(answer: &Value) -> Result<BTreeMap<String, Standing>, String> {
    let found = answer["docs"].as_array().ok_or("an answer without docs")?;
    let one = |doc: &Value| {
        let id = doc["_id"].as_str().ok_or("a row without an id")?.to_owned();
        if doc["found"] != true {
            if !doc["error"].is_null() {
                return Err("a row that can't be read".to_owned());
            }
            return Ok((id.clone(), Standing { id, read_as: None, changes: 0, is_replaced: false, row: None }));
        }
        let number = |name: &str| doc["_source"][name].as_u64();
        let read_as = doc["_seq_no"].as_u64().zip(doc["_primary_term"].as_u64());
        let document = match &doc["_source"]["whole"] {
            Value::Null => None,
            whole => Some(serde_json::from_value(whole.clone()).map_err(|error| format!("an event: {error}"))?),
        };
        let row = Row {
            event_id: id.clone(),
            version: number("version").ok_or("a row without a version")?,
            seats: number("seats_version").zip(number("seats_left")),
            document,
        };
        let changes = number(CHANGES).unwrap_or(0);
        Ok((id.clone(), Standing { id, read_as, changes, is_replaced: false, row: Some(row) }))
    };
    found.iter().map(one).collect()
}

/// Lines for `_bulk` that write what is replaced where it is still as it was read.
pub(super) fn lines<'s>(standing: impl Iterator<Item = &'s Standing>) -> String {
    let mut out = String::new();
    for kept in standing.filter(|kept| kept.is_replaced) {
        let Some(row) = &kept.row else { continue };
        let act = match kept.read_as {
            None => json!({ "create": { "_id": kept.id } }),
            Some((number, term)) => {
                json!({ "index": { "_id": kept.id, "if_seq_no": number, "if_primary_term": term } })
            }
        };
        line(&mut out, &act);
        line(&mut out, &source(row, kept.changes));
    }
    out
}

fn source(row: &Row, changes: u64) -> Value {
    let mut source = json!({ "event_id": row.event_id, "version": row.version, CHANGES: changes });
    if let Some((version, left)) = row.seats {
        source["seats_version"] = version.into();
        source["seats_left"] = left.into();
    }
    let Some(document) = &row.document else { return source };
    source["is"] = "event".into();
    for field in search::Field::ALL {
        source[field.name()] = document.tokens(field).into_iter().collect();
    }
    source["starts_at"] = document.starts_at.as_millis().into();
    if let Some(point) = document.point {
        source["point"] = json!({ "lat": point.lat, "lon": point.long });
    }
    source["least_price"] = document.prices.0.into();
    source["most_price"] = document.prices.1.into();
    source["currency"] = document.currency.to_string().into();
    source["city"] = document.city.as_str().into();
    if let Some(category) = &document.category {
        source["category_name"] = category.as_str().into();
    }
    source["whole"] = serde_json::to_value(document).expect("a document is plain data with text keys");
    source
}

/// What became of the lines.
pub(super) enum Written {
    /// All is written.
    All,
    /// Somebody else wrote some of the events meanwhile.
    NotAll,
}

/// What an answer of `_bulk` says.
pub(super) fn written(answer: &Value) -> Result<Written, String> {
    let items = answer["items"].as_array().ok_or("an answer without items")?;
    let mut written = Written::All;
    for item in items {
        let outcome = item.as_object().and_then(|acts| acts.values().next()).unwrap_or(&Value::Null);
        match outcome["status"].as_u64() {
            Some(200 | 201) => {}
            Some(409 | 429) => written = Written::NotAll,
            _ => return Err(format!("what it refuses: {}", outcome["error"]["reason"])),
        }
    }
    Ok(written)
}
