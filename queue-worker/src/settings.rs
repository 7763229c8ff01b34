//! What an operator sets for the workers, each with its unit, its limits and its default.

use booking_core::sale::CHAIN_LENGTH;
use serde::{Deserialize, Serialize};

/// The workers' settings. A setting that is absent has its default; one that is unknown is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// This worker's name, 1 to 64 characters; the state log tells whose decisions it holds. Each start adds a few
    /// digits of its own. Default `worker`.
    pub name: String,
    /// How long a read of the log waits for something to come, 0 to 10,000 ms; also the longest that stopping waits for
    /// an idle part. 0 never waits, as a simulator wants it. Default 250.
    pub patience_ms: u64,

    /// How often the line's keeper decides, 10 to 1,000 ms. Default 100.
    pub tick_ms: u64,
    /// How many links a new line's seed chain has, 1,024 to 1,048,576: one is spent on each batch, and when they are
    /// spent no batch closes any more. Default 1,048,576; less is for trials and simulations.
    pub chain_length: u32,
    /// Entries of an open batch kept at hand, 0 to 16,777,216 (32 bytes each); those beyond are read again from the
    /// log when the batch closes. Default 4,194,304.
    pub max_open_entries: usize,

    /// Hold and release commands taken from one lane at once, 1 to 4,096. Default 512.
    pub hold_batch: usize,
    /// Hold and release commands being worked on at once, over all lanes, 1 to 65,536. Default 4,096.
    pub holds_in_flight: usize,
    /// Hold and release commands a second, over all lanes, 1 to 1,000,000. Default 10,000.
    pub holds_per_second: u32,

    /// Confirmations of one lane being worked on at once, 1 to 4,096. Default 1,024.
    pub confirms_in_flight: usize,
    /// How long the payment provider may take to answer, 100 to 120,000 ms; after that the outcome is unknown. Default
    /// 10,000.
    pub payment_timeout_ms: u64,
    /// How old a payment without an end must be before it is settled without its buyer, 1,000 to 3,600,000 ms. Default
    /// 60,000.
    pub settle_after_ms: u64,
    /// How often payments without an end are looked for, 100 to 600,000 ms. Default 10,000.
    pub settle_every_ms: u64,
    /// How old a payment or refund must be that still can't be settled to be left to a person, 1,000 to 604,800,000 ms.
    /// Default 3,600,000.
    pub stuck_after_ms: u64,

    /// How often holds that ran out are marked, 10 to 60,000 ms. Default 500.
    pub expire_every_ms: u64,
    /// Holds marked at once, 1 to 4,096. Default 512.
    pub expire_batch: usize,
    /// How often ledger, hold tables, payments and outbox are compared, 1,000 to 86,400,000 ms. Default 600,000.
    pub reconcile_every_ms: u64,
    /// How often the outbox is looked at, 10 to 60,000 ms. Default 200.
    pub outbox_every_ms: u64,
    /// Outbox rows published at once, 1 to 4,096. Default 1,024.
    pub outbox_batch: usize,

    /// How often letters are looked for, 10 to 60,000 ms. Default 500.
    pub mail_every_ms: u64,
    /// Letters on their way at once, 1 to 256: as many may be sent twice where a worker dies. Default 16.
    pub mail_at_once: usize,
    /// How long a letter is tried to be sent, 60,000 to 604,800,000 ms. Default 259,200,000: three days.
    pub mail_give_up_after_ms: u64,
    /// How long buyers' addresses are kept, and which letters they got, 1 to 3,650 days. Default 400.
    pub mail_keep_days: u32,

    /// How often it is looked whether there is a webhook to send, 10 to 60,000 ms. Default 250.
    pub webhooks_every_ms: u64,
    /// How long a webhook is tried to be delivered, 60,000 to 604,800,000 ms. Default 259,200,000: three days.
    pub webhooks_give_up_after_ms: u64,

    /// The first pause after a failure, 1 to 10,000 ms; each further one doubles it. Default 50.
    pub first_pause_ms: u64,
    /// The longest pause after failures, 1 to 60,000 ms. Default 5,000.
    pub longest_pause_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            patience_ms: 250,
            tick_ms: 100,
            chain_length: CHAIN_LENGTH,
            max_open_entries: 1 << 22,
            hold_batch: 512,
            holds_in_flight: 4_096,
            holds_per_second: 10_000,
            confirms_in_flight: 1_024,
            payment_timeout_ms: 10_000,
            settle_after_ms: 60_000,
            settle_every_ms: 10_000,
            stuck_after_ms: 3_600_000,
            expire_every_ms: 500,
            expire_batch: 512,
            reconcile_every_ms: 600_000,
            outbox_every_ms: 200,
            outbox_batch: 1_024,
            mail_every_ms: 500,
            mail_at_once: 16,
            mail_give_up_after_ms: 259_200_000,
            mail_keep_days: 400,
            webhooks_every_ms: 250,
            webhooks_give_up_after_ms: 259_200_000,
            first_pause_ms: 50,
            longest_pause_ms: 5_000,
        }
    }
}

/// A setting outside its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// A number outside its limits.
    #[error("{field} is {value}; it must be {min} to {max}")]
    OutOfRange {
        /// Which setting.
        field: &'static str,
        /// What was asked.
        value: u64,
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// A name that is none.
    #[error("name must be 1 to 64 characters, none of them of control")]
    Name,
}

impl Settings {
    /// Holds every setting to its limits.
    ///
    /// # Errors
    /// The first setting that is outside them.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        if !(1..=64).contains(&self.name.chars().count()) || self.name.chars().any(char::is_control) {
            return Err(InvalidSettings::Name);
        }
        let limits = [
            ("patience_ms", self.patience_ms, 0, 10_000),
            ("tick_ms", self.tick_ms, 10, 1_000),
            ("chain_length", self.chain_length.into(), 1_024, CHAIN_LENGTH.into()),
            ("max_open_entries", self.max_open_entries as u64, 0, 1 << 24),
            ("hold_batch", self.hold_batch as u64, 1, 4_096),
            ("holds_in_flight", self.holds_in_flight as u64, 1, 65_536),
            ("holds_per_second", self.holds_per_second.into(), 1, 1_000_000),
            ("confirms_in_flight", self.confirms_in_flight as u64, 1, 4_096),
            ("payment_timeout_ms", self.payment_timeout_ms, 100, 120_000),
            ("settle_after_ms", self.settle_after_ms, 1_000, 3_600_000),
            ("settle_every_ms", self.settle_every_ms, 100, 600_000),
            ("stuck_after_ms", self.stuck_after_ms, 1_000, 604_800_000),
            ("expire_every_ms", self.expire_every_ms, 10, 60_000),
            ("expire_batch", self.expire_batch as u64, 1, 4_096),
            ("reconcile_every_ms", self.reconcile_every_ms, 1_000, 86_400_000),
            ("outbox_every_ms", self.outbox_every_ms, 10, 60_000),
            ("outbox_batch", self.outbox_batch as u64, 1, 4_096),
            ("mail_every_ms", self.mail_every_ms, 10, 60_000),
            ("mail_at_once", self.mail_at_once as u64, 1, 256),
            ("mail_give_up_after_ms", self.mail_give_up_after_ms, 60_000, 604_800_000),
            ("mail_keep_days", self.mail_keep_days.into(), 1, 3_650),
            ("webhooks_every_ms", self.webhooks_every_ms, 10, 60_000),
            ("webhooks_give_up_after_ms", self.webhooks_give_up_after_ms, 60_000, 604_800_000),
            ("first_pause_ms", self.first_pause_ms, 1, 10_000),
            ("longest_pause_ms", self.longest_pause_ms, 1, 60_000),
        ];
        match limits.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
            Some((field, value, min, max)) => Err(InvalidSettings::OutOfRange { field, value, min, max }),
            None => Ok(()),
        }
    }
}

/// A setting in milliseconds, as times are reckoned in.
pub(crate) fn millis(setting: u64) -> i64 {
    i64::try_from(setting).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_limits() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_setting_outside_its_limits_is_named() {
        let wrong = Settings { hold_batch: 0, ..Settings::default() };
        let told = wrong.check().unwrap_err().to_string();
        assert_eq!(told, "hold_batch is 0; it must be 1 to 4096");
        assert_eq!(Settings { name: String::new(), ..Settings::default() }.check(), Err(InvalidSettings::Name));
    }

    #[test]
    fn an_unknown_setting_is_refused_and_an_absent_one_has_its_default() {
        assert!(serde_json::from_str::<Settings>(r#"{"tick": 5}"#).is_err());
        let some: Settings = serde_json::from_str(r#"{"tick_ms": 50}"#).unwrap();
        assert_eq!(some, Settings { tick_ms: 50, ..Settings::default() });
    }
}
