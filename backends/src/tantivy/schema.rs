//! What is kept of an event: tokens to look it up by, columns to filter and sort by, and the whole as JSON to show.

use booking_core::search;
use tantivy::{
    TantivyDocument, TantivyError,
    schema::{FAST, Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions},
};

use crate::indexed::Row;

/// Names of the columns.
pub(super) mod column {
    pub(crate) const EVENT: &str = "event_id";
    pub(crate) const VERSION: &str = "version";
    pub(crate) const SEATS_VERSION: &str = "seats_version";
    pub(crate) const SEATS_LEFT: &str = "seats_left";
    pub(crate) const STARTS_AT: &str = "starts_at";
    pub(crate) const LAT: &str = "lat";
    pub(crate) const LONG: &str = "long";
    pub(crate) const LEAST_PRICE: &str = "least_price";
    pub(crate) const MOST_PRICE: &str = "most_price";
    pub(crate) const CURRENCY: &str = "currency";
    pub(crate) const CITY: &str = "city";
    pub(crate) const CATEGORY: &str = "category_name";
    /// Whether it is an event, rather than what is left of one that is gone.
    pub(crate) const IS: &str = "is";
    pub(crate) const WHOLE: &str = "whole";
}

/// What [`column::IS`] has of an event.
pub(super) const IS: &str = "event";

/// Tokens are compared as they are; neither how often nor where they stand counts.
fn tokens() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

fn names() -> TextOptions {
    TextOptions::default().set_fast("raw")
}

/// The schema of this version.
pub(super) fn schema() -> Schema {
    let mut schema = Schema::builder();
    for field in search::Field::ALL {
        schema.add_text_field(field.name(), tokens());
    }
    schema.add_text_field(column::IS, tokens());
    schema.add_text_field(column::EVENT, tokens().set_fast("raw"));
    for name in [column::CURRENCY, column::CITY, column::CATEGORY] {
        schema.add_text_field(name, names());
    }
    for name in [column::VERSION, column::SEATS_VERSION, column::SEATS_LEFT] {
        schema.add_u64_field(name, FAST);
    }
    for name in [column::STARTS_AT, column::LEAST_PRICE, column::MOST_PRICE] {
        schema.add_i64_field(name, FAST);
    }
    for name in [column::LAT, column::LONG] {
        schema.add_f64_field(name, FAST);
    }
    schema.add_text_field(column::WHOLE, STORED);
    schema.build()
}

/// The schema's fields.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    tokens: Vec<Field>,
    pub(super) is: Field,
    pub(super) event: Field,
    pub(super) whole: Field,
    version: Field,
    seats_version: Field,
    seats_left: Field,
    starts_at: Field,
    lat: Field,
    long: Field,
    least_price: Field,
    most_price: Field,
    currency: Field,
    city: Field,
    category: Field,
}

impl Fields {
    pub(super) fn of(schema: &Schema) -> Result<Self, TantivyError> {
        let tokens = search::Field::ALL.iter().map(|field| schema.get_field(field.name()));
        Ok(Self {
            tokens: tokens.collect::<Result<_, _>>()?,
            is: schema.get_field(column::IS)?,
            event: schema.get_field(column::EVENT)?,
            whole: schema.get_field(column::WHOLE)?,
            version: schema.get_field(column::VERSION)?,
            seats_version: schema.get_field(column::SEATS_VERSION)?,
            seats_left: schema.get_field(column::SEATS_LEFT)?,
            starts_at: schema.get_field(column::STARTS_AT)?,
            lat: schema.get_field(column::LAT)?,
            long: schema.get_field(column::LONG)?,
            least_price: schema.get_field(column::LEAST_PRICE)?,
            most_price: schema.get_field(column::MOST_PRICE)?,
            currency: schema.get_field(column::CURRENCY)?,
            city: schema.get_field(column::CITY)?,
            category: schema.get_field(column::CATEGORY)?,
        })
    }

    /// Where the tokens of `field` are.
    pub(super) fn tokens(&self, field: search::Field) -> Field {
        let at = search::Field::ALL.iter().position(|known| *known == field).expect("ALL has every field");
        self.tokens[at]
    }

    /// `row` as it is written.
    pub(super) fn written(&self, row: &Row) -> TantivyDocument {
        let mut written = TantivyDocument::default();
        written.add_text(self.event, &row.event_id);
        written.add_u64(self.version, row.version);
        if let Some((version, left)) = row.seats {
            written.add_u64(self.seats_version, version);
            written.add_u64(self.seats_left, left);
        }
        let Some(document) = &row.document else { return written };
        written.add_text(self.is, IS);
        for field in search::Field::ALL {
            for token in document.tokens(field) {
                written.add_text(self.tokens(field), token);
            }
        }
        written.add_i64(self.starts_at, document.starts_at.as_millis());
        if let Some(point) = document.point {
            written.add_f64(self.lat, point.lat);
            written.add_f64(self.long, point.long);
        }
        written.add_i64(self.least_price, document.prices.0);
        written.add_i64(self.most_price, document.prices.1);
        written.add_text(self.currency, document.currency.to_string());
        written.add_text(self.city, &document.city);
        if let Some(category) = &document.category {
            written.add_text(self.category, category);
        }
        let whole = serde_json::to_string(document).expect("a document is plain data with text keys");
        written.add_text(self.whole, whole);
        written
    }
}
