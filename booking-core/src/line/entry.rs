//! What a join leaves behind: an entry that is public without naming anyone, and the record in the log that names them.

use bytes::Bytes;

use crate::{
    digest::Digest,
    id::{EventId, UserId},
    time::Timestamp,
};

/// What stands in a draw for an offset that holds no readable join, so that an index stays plain arithmetic.
pub const NO_ENTRY: Digest = Digest::ZERO;

/// The first byte of every join record; another one means a layout that this version does not know.
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 32 + 8;

/// The public entry of a join: `SHA-256("weir/entry/v1" || event id || 0x00 || user id || 0x00 || nonce)`.
///
/// The nonce is 16 bytes that nobody can predict: without it, an entry would tell who joined to anyone who guesses.
pub fn entry_of(event: &EventId, user: &UserId, nonce: &[u8; 16]) -> Digest {
    Digest::of(&[b"weir/entry/v1", event.as_str().as_bytes(), &[0], user.as_str().as_bytes(), &[0], nonce])
}

/// One join, as it stands in `weir.line.<event>`. Where it stands, lane and offset, is the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRecord {
    /// Its public entry.
    pub entry: Digest,
    /// Who joined.
    pub user: UserId,
    /// When, by the gateway's clock. Shown, never decided by.
    pub joined_at: Timestamp,
}

/// A payload of the line that is not a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a join record")]
pub struct InvalidJoin;

impl JoinRecord {
    /// The record as bytes: version, entry, joined-at (milliseconds, big-endian), then the user's id to the end.
    pub fn encode(&self) -> Bytes {
        let user = self.user.as_str().as_bytes();
        let mut out = Vec::with_capacity(HEAD_BYTES + user.len());
        out.push(VERSION);
        out.extend_from_slice(&self.entry.0);
        out.extend_from_slice(&self.joined_at.as_millis().to_be_bytes());
        out.extend_from_slice(user);
        out.into()
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If `bytes` are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidJoin> {
        let (head, user) = bytes.split_at_checked(HEAD_BYTES).ok_or(InvalidJoin)?;
        let (version, head) = head.split_first().ok_or(InvalidJoin)?;
        let (entry, joined_at) = head.split_first_chunk::<32>().ok_or(InvalidJoin)?;
        let joined_at = i64::from_be_bytes(joined_at.try_into().map_err(|_| InvalidJoin)?);
        if *version != VERSION || !(0..=Timestamp::MAX.as_millis()).contains(&joined_at) {
            return Err(InvalidJoin);
        }
        let user = std::str::from_utf8(user).map_err(|_| InvalidJoin)?;
        Ok(Self {
            entry: Digest(*entry),
            user: user.parse().map_err(|_| InvalidJoin)?,
            joined_at: Timestamp::from_millis(joined_at),
        })
    }

    /// The entry of a payload of the line, [`NO_ENTRY`] where it is not a join: what the draw takes.
    pub fn entry_in(payload: &[u8]) -> Digest {
        Self::decode(payload).map_or(NO_ENTRY, |join| join.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join() -> JoinRecord {
        let (event, user) = ("evt_a".parse().unwrap(), "user_b".parse().unwrap());
        JoinRecord { entry: entry_of(&event, &user, &[9; 16]), user, joined_at: Timestamp::from_millis(1_234) }
    }

    #[test]
    fn an_entry_is_the_hash_of_its_named_parts() {
        let mut parts = b"weir/entry/v1evt_a\0user_b\0".to_vec();
        parts.extend_from_slice(&[9; 16]);
        assert_eq!(join().entry, Digest::of(&[&parts]));
    }

    #[test]
    fn a_join_comes_back_from_its_bytes() {
        assert_eq!(JoinRecord::decode(&join().encode()), Ok(join()));
        assert_eq!(JoinRecord::entry_in(&join().encode()), join().entry);
    }

    #[test]
    fn bytes_that_are_no_join_are_refused_and_count_as_no_entry() {
        let good = join().encode();
        let mut other_version = good.to_vec();
        other_version[0] = 2;
        let mut no_moment = good.to_vec();
        no_moment[33] = 0xff;
        for wrong in [&[][..], &good[..40], &good[..HEAD_BYTES], &other_version, &no_moment, b"{}"] {
            assert_eq!(JoinRecord::decode(wrong), Err(InvalidJoin), "{wrong:?}");
            assert_eq!(JoinRecord::entry_in(wrong), NO_ENTRY);
        }
    }
}
