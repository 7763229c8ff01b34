//! What a durable desk writes down: the smallest facts from which the state can be told again.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Ended;
use crate::{
    digest::Digest,
    id::{SessionId, UserId},
    line::Place,
    time::Timestamp,
};

/// Who, in 16 bytes: the first half of a SHA-256 of the user's id. As text: 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(pub [u8; 16]);

impl Identity {
    /// `user`'s identity.
    pub fn of(user: &UserId) -> Self {
        let digest = Digest::of(&[b"weir/identity/v1", user.as_str().as_bytes()]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.0[..16]);
        Self(bytes)
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.as_ref(), &mut bytes)
            .map_err(|_| de::Error::custom("an identity is 32 hex digits"))?;
        Ok(Self(bytes))
    }
}

/// One fact of an event's desk. [`super::DeskState::replay`] of all of them, in order, tells the same state again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "fact")]
pub enum DeskFact {
    /// An identity stands at a place.
    #[serde(rename_all = "camelCase")]
    Placed {
        /// Who.
        identity: Identity,
        /// Where.
        place: Place,
        /// False where the line's log tells the same: a desk that rebuilds its places from the line (see
        /// [`super::DeskState::restore_place`]) needs to keep only the pinned ones.
        pinned: bool,
    },
    /// Somebody was called and came, and could not be admitted yet.
    Came {
        /// Their rank.
        rank: u64,
        /// When.
        at: Timestamp,
    },
    /// Somebody was admitted (and came with that, if they had not before).
    #[serde(rename_all = "camelCase")]
    Admitted {
        /// Their place.
        place: Place,
        /// Its rank.
        rank: u64,
        /// The session opened.
        session: SessionId,
        /// When.
        at: Timestamp,
        /// When the session ends.
        expires_at: Timestamp,
        /// The rate then: what the admission took of it.
        rate_per_minute: u32,
    },
    /// An admission ended before its time, or a place before any admission.
    Ended {
        /// Which.
        place: Place,
        /// How.
        why: Ended,
        /// When.
        at: Timestamp,
    },
}
