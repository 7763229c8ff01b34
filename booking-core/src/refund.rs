//! What a cancelled booking gets back.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const MS_PER_HOUR: i64 = 3_600_000;

/// The most tiers of a policy.
pub const MAX_TIERS: usize = 20;

/// How long before the event's start a tier reaches, in hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Notice {
    /// More than this: exactly as much is not enough.
    OverHours(u32),
    /// This or more.
    FromHours(u32),
}

impl Notice {
    /// Whether `before` milliseconds before the start are enough.
    fn is_given(self, before: i64) -> bool {
        match self {
            Self::OverHours(hours) => before > i64::from(hours) * MS_PER_HOUR,
            Self::FromHours(hours) => before >= i64::from(hours) * MS_PER_HOUR,
        }
    }

    /// The least notice that is enough, in milliseconds.
    fn least_ms(self) -> i64 {
        match self {
            Self::OverHours(hours) => i64::from(hours) * MS_PER_HOUR + 1,
            Self::FromHours(hours) => i64::from(hours) * MS_PER_HOUR,
        }
    }
}

/// One line of a policy. As JSON: `{"overHours": 24, "percent": 100}` or `{"fromHours": 12, "percent": 50}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundTier {
    /// From which notice on.
    #[serde(flatten)]
    pub notice: Notice,
    /// How much of the amount, 0 to 100.
    pub percent: u8,
}

/// What is given back, by how long before the event's start a booking is cancelled. As JSON: the list of tiers. The
/// first tier whose notice is given counts; where none is, nothing is given back.
///
/// | by default, before the start | given back |
/// | --- | --- |
/// | more than 24 h | all |
/// | 24 h exactly, down to 12 h exactly | half |
/// | less than 12 h, and after the start | nothing |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<RefundTier>", into = "Vec<RefundTier>")]
pub struct RefundPolicy {
    tiers: Vec<RefundTier>,
}

/// Why a table is not a refund policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRefundPolicy {
    /// More than [`MAX_TIERS`].
    #[error("a refund policy has at most {MAX_TIERS} tiers")]
    TooManyTiers,
    /// A percentage over 100.
    #[error("tier {tier} gives {percent} percent back; it must be 0 to 100")]
    OverAll {
        /// Which, from 1.
        tier: usize,
        /// What it gives.
        percent: u8,
    },
    /// A tier that never counts, or that gives more for cancelling later.
    #[error("tier {tier} must ask for less notice than the one before, and give no more")]
    OutOfOrder {
        /// Which, from 1.
        tier: usize,
    },
}

impl RefundPolicy {
    /// The policy of `tiers`, the longest notice first. Without tiers: nothing is ever given back.
    ///
    /// # Errors
    /// If a tier gives more than all, or tiers are not in order: less notice must never give back more.
    pub fn new(tiers: Vec<RefundTier>) -> Result<Self, InvalidRefundPolicy> {
        if tiers.len() > MAX_TIERS {
            return Err(InvalidRefundPolicy::TooManyTiers);
        }
        for (n, tier) in tiers.iter().enumerate() {
            if tier.percent > 100 {
                return Err(InvalidRefundPolicy::OverAll { tier: n + 1, percent: tier.percent });
            }
            let before = n.checked_sub(1).map(|before| tiers[before]);
            let in_order = |before: RefundTier| {
                tier.notice.least_ms() < before.notice.least_ms() && tier.percent <= before.percent
            };
            if before.is_some_and(|before| !in_order(before)) {
                return Err(InvalidRefundPolicy::OutOfOrder { tier: n + 1 });
            }
        }
        Ok(Self { tiers })
    }

    /// The tiers, the longest notice first.
    pub fn tiers(&self) -> &[RefundTier] {
        &self.tiers
    }

    /// How much of a booking's amount is given back at `now` for an event that begins at `starts_at`: 0 to 100.
    pub fn percent(&self, starts_at: Timestamp, now: Timestamp) -> u8 {
        let before = starts_at.millis_since(now);
        self.tiers.iter().find(|tier| before > 0 && tier.notice.is_given(before)).map_or(0, |tier| tier.percent)
    }

    /// What is given back of `amount` (minor units), rounded down to whole minor units: 0 to `amount`, and never more
    /// at a later moment. Of a negative amount: nothing.
    pub fn refund(&self, amount: i64, starts_at: Timestamp, now: Timestamp) -> i64 {
        let percent = i64::from(self.percent(starts_at, now));
        let amount = amount.max(0);
        // Whole hundreds first, so that no amount overflows.
        amount / 100 * percent + amount % 100 * percent / 100
    }
}

impl Default for RefundPolicy {
    fn default() -> Self {
        Self {
            tiers: vec![
                RefundTier { notice: Notice::OverHours(24), percent: 100 },
                RefundTier { notice: Notice::FromHours(12), percent: 50 },
            ],
        }
    }
}

impl TryFrom<Vec<RefundTier>> for RefundPolicy {
    type Error = InvalidRefundPolicy;

    fn try_from(tiers: Vec<RefundTier>) -> Result<Self, InvalidRefundPolicy> {
        Self::new(tiers)
    }
}

impl From<RefundPolicy> for Vec<RefundTier> {
    fn from(policy: RefundPolicy) -> Self {
        policy.tiers
    }
}

#[cfg(test)]
mod tests;
