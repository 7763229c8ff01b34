//! The records of `weir.state.<event>`: what the keeper decided, each one chained to the one before by its hash.
//!
//! A record is a line of compact JSON with its members in a fixed order: `seq`, `prev`, `epoch`, `at`, `kind`, then the
//! kind's own. Its hash is SHA-256 of exactly that text, so that anybody can check the chain with a JSON parser.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::draw::Beacon;
use crate::{
    digest::Digest,
    id::{EventId, SessionId},
    sale::SalePolicy,
    time::Timestamp,
};

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateRecord {
    /// Its number among the accepted ones, from 0.
    pub seq: u64,
    /// The hash of the accepted record before it; the first names [`Digest::ZERO`].
    pub prev: Digest,
    /// The keeper's epoch, from 1.
    pub epoch: u64,
    /// When it was decided; never before the record before it.
    pub at: Timestamp,
    /// What was decided.
    #[serde(flatten)]
    pub kind: StateKind,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StateKind {
    /// The line exists. The first record, and only that; its keeper has epoch 1.
    Opened {
        /// The keeper, by its name.
        owner: String,
        /// Of which event.
        event_id: EventId,
        /// The seed chain's first link, `s[0]`.
        commitment: Digest,
        /// How many links follow it.
        chain_length: u32,
        /// How many lanes the line has.
        lanes: u16,
        /// The sale's settings.
        policy: SalePolicy,
    },
    /// Another keeper took over, with the next epoch.
    Owned {
        /// The keeper, by its name.
        owner: String,
    },
    /// The settings changed, before the lobby opened.
    PolicyChanged {
        /// The new settings, all of them.
        policy: SalePolicy,
    },
    /// A batch is closed and drawn.
    BatchClosed {
        /// Its number, from 0.
        batch: u32,
        /// The first offset of each lane that is in it: where the batch before ended.
        start: Vec<u64>,
        /// The first offset of each lane that is not.
        end: Vec<u64>,
        /// How many are in it.
        size: u64,
        /// How many are in the batches before: its lowest rank.
        before: u64,
        /// The Merkle root of its entries, in index order.
        root: Digest,
        /// The seed chain's next link, `s[batch + 1]`.
        reveal: Digest,
        /// The public random value used, empty where the sale names none.
        beacon: Beacon,
        /// What its shuffle runs on: see [`super::draw::seed`].
        seed: Digest,
    },
    /// Everybody of a rank below this has been called.
    Served {
        /// The lowest rank not called.
        up_to: u64,
    },
    /// The rate is now this.
    RateSet {
        /// Admissions a minute.
        rate_per_minute: u32,
    },
    /// The cap is now this.
    CapSet {
        /// The most admissions alive at once.
        max_active: u32,
    },
    /// Calling and admitting rest.
    Paused,
    /// They go on.
    Resumed,
    /// Every seat is booked.
    SoldOut,
    /// Seats came back.
    Reopened,
    /// An operator ended an admission.
    Revoked {
        /// Which.
        session: SessionId,
    },
    /// The line has ended. Nothing follows.
    Closed,
}

impl StateRecord {
    /// The record as it goes into the log.
    pub fn text(&self) -> Bytes {
        serde_json::to_vec(self).expect("a record is plain data with text keys").into()
    }

    /// Reads what [`Self::text`] wrote.
    ///
    /// # Errors
    /// If `text` is not a record that this version knows.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

/// The hash of a record: SHA-256 of its exact text.
pub fn hash_of(text: &[u8]) -> Digest {
    Digest::of(&[text])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(kind: StateKind) -> String {
        let record = StateRecord { seq: 3, prev: Digest::ZERO, epoch: 2, at: Timestamp::from_millis(7), kind };
        String::from_utf8(record.text().to_vec()).unwrap()
    }

    #[test]
    fn a_records_text_is_compact_with_its_members_in_order() {
        let head = format!(r#"{{"seq":3,"prev":"{}","epoch":2,"at":"1970-01-01T00:00:00.007Z","#, Digest::ZERO);
        assert_eq!(text_of(StateKind::Served { up_to: 9 }), format!(r#"{head}"kind":"served","upTo":9}}"#));
        assert_eq!(text_of(StateKind::SoldOut), format!(r#"{head}"kind":"soldOut"}}"#));
        assert_eq!(
            text_of(StateKind::RateSet { rate_per_minute: 5 }),
            format!(r#"{head}"kind":"rateSet","ratePerMinute":5}}"#)
        );
    }

    #[test]
    fn a_batchs_record_has_its_members_in_the_public_order() {
        let batch = StateKind::BatchClosed {
            batch: 1,
            start: vec![1, 2],
            end: vec![3, 4],
            size: 4,
            before: 3,
            root: Digest::ZERO,
            reveal: Digest::ZERO,
            beacon: Beacon::default(),
            seed: Digest::ZERO,
        };
        let zeros = Digest::ZERO;
        let tail = format!(
            r#""kind":"batchClosed","batch":1,"start":[1,2],"end":[3,4],"size":4,"before":3,"root":"{zeros}","reveal":"{zeros}","beacon":"","seed":"{zeros}"}}"#
        );
        assert!(text_of(batch).ends_with(&tail));
    }

    #[test]
    fn every_kind_comes_back_from_its_text() {
        let policy = crate::line::testing::policy();
        let opened = StateKind::Opened {
            owner: "k".to_owned(),
            event_id: "evt_a".parse().unwrap(),
            commitment: Digest([1; 32]),
            chain_length: 9,
            lanes: 3,
            policy: policy.clone(),
        };
        let session = "session_a".parse().unwrap();
        let kinds = [
            opened,
            StateKind::Owned { owner: "l".to_owned() },
            StateKind::PolicyChanged { policy },
            StateKind::CapSet { max_active: 4 },
            StateKind::Paused,
            StateKind::Resumed,
            StateKind::Reopened,
            StateKind::Revoked { session },
            StateKind::Closed,
        ];
        for kind in kinds {
            let text = text_of(kind.clone());
            let back = StateRecord::parse(text.as_bytes()).unwrap();
            assert_eq!(back.kind, kind);
            assert_eq!(back.text(), text);
        }
    }

    #[test]
    fn a_kind_that_is_not_known_can_not_be_read() {
        let text = text_of(StateKind::Paused).replace("paused", "pauses");
        assert!(StateRecord::parse(text.as_bytes()).is_err());
    }
}
