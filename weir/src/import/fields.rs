//! Taking the fields of a thing one by one, so that each that is wrong is named.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::place::Place;

/// What a thing's fields are called where it comes from.
pub(super) type Naming = fn(&str) -> String;

/// The fields of a thing that are not taken yet, and what is wrong with those that are.
pub(super) struct Fields {
    pub(super) place: Place,
    left: Map<String, Value>,
    naming: Naming,
    mistakes: Vec<String>,
}

impl Fields {
    pub(super) fn new(place: Place, left: Map<String, Value>, naming: Naming) -> Self {
        Self { place, left, naming, mistakes: Vec::new() }
    }

    pub(super) fn mistake(&mut self, field: &str, what: impl std::fmt::Display) {
        self.mistakes.push(self.place.mistake(&(self.naming)(field), what));
    }

    /// A field as it is; null is none.
    pub(super) fn value(&mut self, field: &str) -> Option<Value> {
        self.left.remove(field).filter(|value| !value.is_null())
    }

    /// A field that may be missing.
    pub(super) fn take<T: DeserializeOwned>(&mut self, field: &str) -> Option<T> {
        let value = self.value(field)?;
        serde_json::from_value(value).map_err(|error| self.mistake(field, error)).ok()
    }

    /// A field that must be there.
    pub(super) fn require<T: DeserializeOwned>(&mut self, field: &str) -> Option<T> {
        if self.left.get(field).is_none_or(Value::is_null) {
            self.mistake(field, "is missing");
        }
        self.take(field)
    }

    /// Everything that is wrong, once no field of `what` is left to be taken.
    pub(super) fn finish(mut self, what: &str) -> Vec<String> {
        for (field, _) in std::mem::take(&mut self.left) {
            self.mistake(&field, format_args!("is no field of {what}"));
        }
        self.mistakes
    }
}
