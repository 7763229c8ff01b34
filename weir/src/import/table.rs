//! Events in tables: which column is which of Weir's own fields.

use csv::StringRecord;
use serde_json::{Map, Value};

/// Columns that are taken as they are.
const PLAIN: [&str; 10] =
    ["id", "title", "description", "category", "language", "thumbnail", "venueId", "venue", "startsAt", "currency"];
const PERFORMERS: &str = "performers";
const REFUND_POLICY: &str = "refundPolicy";
const PRICE: &str = "price";
/// What the name of a column with the prices of one category begins with.
const PRICE_OF: &str = "price:";
/// Columns without which no row is an event.
const NEEDED: [&str; 3] = ["title", "startsAt", "currency"];

/// The columns of a table, by their names.
pub(super) struct Columns(Vec<String>);

impl Columns {
    /// The columns that the first row names.
    ///
    /// # Errors
    /// Each name that is none, and why.
    pub(super) fn named(names: &StringRecord) -> Result<Self, Vec<(String, String)>> {
        let names: Vec<String> = names.iter().map(str::to_owned).collect();
        let is_known = |name: &str| {
            PLAIN.contains(&name) || [PERFORMERS, REFUND_POLICY, PRICE].contains(&name) || name.starts_with(PRICE_OF)
        };
        let mut mistakes = Vec::new();
        for (number, name) in names.iter().enumerate() {
            if !is_known(name) {
                mistakes
                    .push((name.clone(), "is no column of events; weir import events --help names them".to_owned()));
            } else if names[..number].contains(name) {
                mistakes.push((name.clone(), "is there twice".to_owned()));
            }
        }
        for needed in NEEDED {
            if !names.iter().any(|name| name == needed) {
                mistakes.push((needed.to_owned(), "is no column of this table, and must be".to_owned()));
            }
        }
        if mistakes.is_empty() { Ok(Self(names)) } else { Err(mistakes) }
    }

    /// A row as Weir's own fields. An empty cell is none.
    ///
    /// # Errors
    /// If it has more or fewer cells than there are columns.
    pub(super) fn fields(&self, row: &StringRecord) -> Result<Map<String, Value>, String> {
        if row.len() != self.0.len() {
            return Err(format!("has {} cells where the table has {} columns", row.len(), self.0.len()));
        }
        let (mut fields, mut prices) = (Map::new(), Map::new());
        for (name, cell) in self.0.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
            if let Some(category) = name.strip_prefix(PRICE_OF) {
                prices.insert(category.to_owned(), number_or_text(cell));
                continue;
            }
            let value = match name.as_str() {
                PERFORMERS => cell.split(';').map(|name| Value::from(name.trim())).collect(),
                REFUND_POLICY => serde_json::from_str(cell).unwrap_or_else(|_| cell.into()),
                PRICE => number_or_text(cell),
                _ => cell.into(),
            };
            fields.insert(name.clone(), value);
        }
        if !prices.is_empty() {
            fields.insert("prices".to_owned(), prices.into());
        }
        Ok(fields)
    }
}

/// What is no number stays text, for whoever reads prices to refuse.
fn number_or_text(cell: &str) -> Value {
    cell.parse::<i64>().map_or_else(|_| cell.into(), Value::from)
}

/// What a table calls a field of Weir's own.
pub(super) fn column(field: &str) -> String {
    field.strip_prefix("prices.").map_or_else(|| field.to_owned(), |category| format!("{PRICE_OF}{category}"))
}
