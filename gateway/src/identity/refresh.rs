//! Refresh tokens: whose, of which family, the how manyth, until when. A MAC makes them trusted, so that only the family's serial is
//! stored.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use booking_core::{id::UserId, ports::accounts::FamilyId, time::Timestamp};
use ring::hmac;

use crate::keys::AccessKeys;

/// The first byte of every token; another one means a layout that this version does not know.
const VERSION: u8 = 1;
const MAC_BYTES: usize = 32;
const HEAD_BYTES: usize = 1 + 16 + 8 + 8;
/// The longest token, in characters.
const MAX_CHARS: usize = 256;

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    /// Its family.
    pub(crate) family: FamilyId,
    /// Its number in the family, from 0.
    pub(crate) serial: u64,
    /// Until when it works.
    pub(crate) expires_at: Timestamp,
    /// Whose.
    pub(crate) user: UserId,
}

impl RefreshToken {
    /// The token as text.
    pub(crate) fn seal(&self, keys: &AccessKeys) -> String {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.user.as_str().len() + MAC_BYTES);
        out.push(VERSION);
        out.extend_from_slice(&self.family);
        out.extend_from_slice(&self.serial.to_be_bytes());
        out.extend_from_slice(&self.expires_at.as_millis().to_be_bytes());
        out.extend_from_slice(self.user.as_str().as_bytes());
        let key = keys.refresh().next().expect("a ring has a key that signs");
        let mac = hmac::sign(key, &out);
        out.extend_from_slice(mac.as_ref());
        URL_SAFE_NO_PAD.encode(out)
    }

    /// Reads a token that [`Self::seal`] made; `None`: it is anything else.
    pub(crate) fn open(text: &str, keys: &AccessKeys) -> Option<Self> {
        if text.len() > MAX_CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (said, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        keys.refresh().find(|key| hmac::verify(key, said, mac).is_ok())?;
        let (head, user) = said.split_at_checked(HEAD_BYTES)?;
        let (version, head) = head.split_first()?;
        let (family, head) = head.split_first_chunk::<16>()?;
        let (serial, head) = head.split_first_chunk::<8>()?;
        let expires_at = head.first_chunk::<8>()?;
        (*version == VERSION).then_some(())?;
        Some(Self {
            family: *family,
            serial: u64::from_be_bytes(*serial),
            expires_at: Timestamp::from_millis(i64::from_be_bytes(*expires_at)),
            user: std::str::from_utf8(user).ok()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_comes_back_and_no_changed_byte_of_it_does() {
        let keys = AccessKeys::new(("k".to_owned(), [7; 32]), Vec::new());
        let token = RefreshToken {
            family: [3; 16],
            serial: 9,
            expires_at: Timestamp::from_millis(5_000),
            user: "user_7".parse().unwrap(),
        };
        let text = token.seal(&keys);
        assert_eq!(RefreshToken::open(&text, &keys), Some(token));
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(RefreshToken::open(&URL_SAFE_NO_PAD.encode(changed), &keys), None);
        }
    }
}
