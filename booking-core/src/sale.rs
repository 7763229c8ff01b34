//! What an operator sets for a sale, and the limits of each setting.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The links of a sale's seed chain: one is spent on each batch.
pub const CHAIN_LENGTH: u32 = 1 << 20;

/// A sale's settings. Times are wall-clock moments; durations are in the unit the name ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SalePolicy {
    /// When joining becomes possible.
    pub lobby_opens_at: Timestamp,
    /// When the lobby is drawn and calling begins.
    pub opens_at: Timestamp,
    /// When the line ends: nobody joins or is called from here on.
    pub closes_at: Timestamp,
    /// Admissions a minute, 1 to 600,000. To stop admitting, pause.
    pub rate_per_minute: u32,
    /// The most admissions alive at once, 1 to 1,000,000.
    pub max_active: u32,
    /// How long a called visitor has to come in, 5 to 3,600 s; once more after a pause of the same length.
    #[serde(default = "defaults::turn_seconds")]
    pub turn_seconds: u32,
    /// How long an admission lives, 30 to 86,400 s.
    #[serde(default = "defaults::session_seconds")]
    pub session_seconds: u32,
    /// How long seats stay held, 10 to 7,200 s.
    #[serde(default = "defaults::hold_seconds")]
    pub hold_seconds: u32,
    /// By how much a buyer may have a hold extended, once, 0 to 3,600 s. 0: not at all.
    #[serde(default)]
    pub extend_seconds: u32,
    /// The most seats of one admission, and of one user in this event, 1 to 100.
    #[serde(default = "defaults::max_seats")]
    pub max_seats: u32,
    /// How long a batch stays open after the lobby, 100 to 60,000 ms.
    #[serde(default = "defaults::batch_ms")]
    pub batch_ms: u32,
    /// Whether a hold may leave a single empty seat where another choice in the row would not.
    #[serde(default)]
    pub orphans_allowed: bool,
}

mod defaults {
    pub(super) fn turn_seconds() -> u32 {
        120
    }
    pub(super) fn session_seconds() -> u32 {
        600
    }
    pub(super) fn hold_seconds() -> u32 {
        300
    }
    pub(super) fn max_seats() -> u32 {
        6
    }
    pub(super) fn batch_ms() -> u32 {
        1_000
    }
}

/// A setting that is refused, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// A number outside its limits.
    #[error("{field} is {value}; it must be {min} to {max}")]
    OutOfRange {
        /// The field, as JSON names it.
        field: &'static str,
        /// What was asked.
        value: i64,
        /// The least allowed.
        min: u32,
        /// The most allowed.
        max: u32,
    },
    /// Times that do not follow one another.
    #[error("lobbyOpensAt must not be after opensAt, and opensAt must be before closesAt")]
    TimesOutOfOrder,
    /// More batches could close than the seed chain has links.
    #[error(
        "between opensAt and closesAt more than {CHAIN_LENGTH} batches of batchMs fit; end earlier or lengthen batchMs"
    )]
    TooManyBatches,
}

/// The limits of `ratePerMinute`.
pub const RATE_PER_MINUTE: (u32, u32) = (1, 600_000);
/// The limits of `maxActive`.
pub const MAX_ACTIVE: (u32, u32) = (1, 1_000_000);

/// Holds `value` to `limits`.
///
/// # Errors
/// [`InvalidPolicy::OutOfRange`], naming `field`.
pub fn within(field: &'static str, value: i64, (min, max): (u32, u32)) -> Result<u32, InvalidPolicy> {
    match u32::try_from(value) {
        Ok(fits) if (min..=max).contains(&fits) => Ok(fits),
        _ => Err(InvalidPolicy::OutOfRange { field, value, min, max }),
    }
}

impl SalePolicy {
    /// Holds every setting to its limits.
    ///
    /// # Errors
    /// The first setting that is outside them.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        within("ratePerMinute", self.rate_per_minute.into(), RATE_PER_MINUTE)?;
        within("maxActive", self.max_active.into(), MAX_ACTIVE)?;
        within("turnSeconds", self.turn_seconds.into(), (5, 3_600))?;
        within("sessionSeconds", self.session_seconds.into(), (30, 86_400))?;
        within("holdSeconds", self.hold_seconds.into(), (10, 7_200))?;
        within("extendSeconds", self.extend_seconds.into(), (0, 3_600))?;
        within("maxSeats", self.max_seats.into(), (1, 100))?;
        within("batchMs", self.batch_ms.into(), (100, 60_000))?;
        if self.lobby_opens_at > self.opens_at || self.opens_at >= self.closes_at {
            return Err(InvalidPolicy::TimesOutOfOrder);
        }
        let batches = self.closes_at.millis_since(self.opens_at) / i64::from(self.batch_ms) + 2;
        if batches > i64::from(CHAIN_LENGTH) {
            return Err(InvalidPolicy::TooManyBatches);
        }
        Ok(())
    }
}
