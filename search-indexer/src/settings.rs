//! What an operator sets for the indexer, each with its unit, its limits and its default.

use serde::{Deserialize, Serialize};

/// The indexer's settings. A setting that is absent has its default; one that is unknown is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a read of the log waits for something to come, 0 to 10,000 ms; also the longest that stopping waits for an
    /// idle part. 0 never waits, as a simulator wants it. Default 250.
    pub patience_ms: u64,
    /// Change records applied at once, 1 to 4,096. Default 256.
    pub batch: usize,
    /// How often the catalog is asked for its changes, 10 to 60,000 ms. Default 100.
    pub changes_every_ms: u64,
    /// How often it is noted how many seats are left of an event, 100 to 60,000 ms. Default 1,000.
    pub seats_every_ms: u64,
    /// The first pause after a failure, 1 to 10,000 ms; each further one doubles it. Default 50.
    pub first_pause_ms: u64,
    /// The longest pause after failures, 1 to 60,000 ms. Default 5,000.
    pub longest_pause_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            patience_ms: 250,
            batch: 256,
            changes_every_ms: 100,
            seats_every_ms: 1_000,
            first_pause_ms: 50,
            longest_pause_ms: 5_000,
        }
    }
}

/// A setting outside its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; it must be {min} to {max}")]
pub struct InvalidSettings {
    /// Which setting.
    pub field: &'static str,
    /// What was asked.
    pub value: u64,
    /// The least allowed.
    pub min: u64,
    /// The most allowed.
    pub max: u64,
}

impl Settings {
    /// Holds every setting to its limits.
    ///
    /// # Errors
    /// The first setting that is outside them.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        let limits = [
            ("patience_ms", self.patience_ms, 0, 10_000),
            ("batch", self.batch as u64, 1, 4_096),
            ("changes_every_ms", self.changes_every_ms, 10, 60_000),
            ("seats_every_ms", self.seats_every_ms, 100, 60_000),
            ("first_pause_ms", self.first_pause_ms, 1, 10_000),
            ("longest_pause_ms", self.longest_pause_ms, 1, 60_000),
        ];
        match limits.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
            Some((field, value, min, max)) => Err(InvalidSettings { field, value, min, max }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_limits_and_others_are_named() {
        assert_eq!(Settings::default().check(), Ok(()));
        let wrong = Settings { batch: 0, ..Settings::default() }.check().unwrap_err();
        assert_eq!(wrong.to_string(), "batch is 0; it must be 1 to 4096");
    }
}
