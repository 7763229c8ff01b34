//! What a city is found by.

use super::words;

/// The same for two names of a city that differ in accents, case and marks only; what stands behind a comma is left out,
/// as in `Mumbai, India`.
pub fn city_key(name: &str) -> String {
    words::key(name.split(',').next().unwrap_or(name))
}
