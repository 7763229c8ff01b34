//! The place token: what a visitor shows to be shown their place. Nobody stores it; a MAC makes it trusted everywhere.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use super::Place;
use crate::{
    digest::Digest,
    id::{EventId, MAX_ID_BYTES, UserId},
    time::Timestamp,
};

/// The first byte of every token; another one means a layout that this version does not know.
const VERSION: u8 = 1;
const MAC_BYTES: usize = 32;
/// Version, key id, lane, offset, joined-at, entry, whether a rank follows, rank, two lengths.
const FIXED_BYTES: usize = 1 + 4 + 2 + 8 + 8 + 32 + 1 + 8 + 2;
/// The longest token, in characters of base64url.
pub const MAX_TOKEN_CHARS: usize = (FIXED_BYTES + 2 * MAX_ID_BYTES + MAC_BYTES).div_ceil(3) * 4;

/// What a place token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceToken {
    /// In which event's line.
    pub event: EventId,
    /// Whose.
    pub user: UserId,
    /// Where.
    pub place: Place,
    /// The join's public entry.
    pub entry: Digest,
    /// When they joined.
    pub joined_at: Timestamp,
    /// The rank, once drawn: spares later polls the shuffle.
    pub rank: Option<u64>,
}

/// A place token as it was read, its texts still in the buffer it was read into: for whoever opens it only to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedToken<'a> {
    /// In which event's line.
    pub event: &'a str,
    /// Whose.
    pub user: &'a str,
    /// Where.
    pub place: Place,
    /// The join's public entry.
    pub entry: Digest,
    /// When they joined.
    pub joined_at: Timestamp,
    /// The rank, once drawn.
    pub rank: Option<u64>,
}

impl OpenedToken<'_> {
    /// The same, for keeps.
    ///
    /// # Errors
    /// If its texts are not the ids that every genuine token holds.
    pub fn to_token(self) -> Result<PlaceToken, InvalidPlaceToken> {
        let Self { event, user, place, entry, joined_at, rank } = self;
        let event = event.parse().map_err(|_| InvalidPlaceToken::Malformed)?;
        let user = user.parse().map_err(|_| InvalidPlaceToken::Malformed)?;
        Ok(PlaceToken { event, user, place, entry, joined_at, rank })
    }
}

/// One key of the ring.
#[derive(Clone)]
pub struct PlaceKey {
    id: u32,
    key: hmac::Key,
}

impl PlaceKey {
    /// The key `secret`, 32 unpredictable bytes, named `id` in the tokens it made.
    pub fn new(id: u32, secret: &[u8; 32]) -> Self {
        Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// Its name.
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl fmt::Debug for PlaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlaceKey({})", self.id)
    }
}

/// The ring: one key makes tokens, it and the older ones check them.
#[derive(Debug, Clone)]
pub struct PlaceKeys {
    signing: PlaceKey,
    older: Vec<PlaceKey>,
}

/// Why a text is not a place token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlaceToken {
    /// It has another shape.
    #[error("this is not a place token")]
    Malformed,
    /// It names a key that is not on the ring (any more).
    #[error("the place token's key is not known here")]
    UnknownKey,
    /// It was changed, or made by somebody else.
    #[error("the place token is not genuine")]
    Forged,
}

impl PlaceKeys {
    /// The ring whose `signing` key makes tokens; `older` ones still check theirs. Keep it to a handful: an unknown
    /// key id costs a look at each.
    pub fn new(signing: PlaceKey, older: Vec<PlaceKey>) -> Self {
        Self { signing, older }
    }

    /// The token as text: base64url without padding.
    pub fn seal(&self, token: &PlaceToken) -> String {
        let (event, user) = (token.event.as_str().as_bytes(), token.user.as_str().as_bytes());
        let mut out = Vec::with_capacity(FIXED_BYTES + event.len() + user.len() + MAC_BYTES);
        out.push(VERSION);
        out.extend_from_slice(&self.signing.id.to_be_bytes());
        out.extend_from_slice(&token.place.lane.to_be_bytes());
        out.extend_from_slice(&token.place.offset.to_be_bytes());
        out.extend_from_slice(&token.joined_at.as_millis().to_be_bytes());
        out.extend_from_slice(&token.entry.0);
        out.push(u8::from(token.rank.is_some()));
        out.extend_from_slice(&token.rank.unwrap_or(0).to_be_bytes());
        for text in [event, user] {
            out.push(u8::try_from(text.len()).expect("an id has at most MAX_ID_BYTES"));
            out.extend_from_slice(text);
        }
        let mac = hmac::sign(&self.signing.key, &out);
        out.extend_from_slice(mac.as_ref());
        URL_SAFE_NO_PAD.encode(out)
    }

    /// Reads a token that [`Self::seal`] made with a key of this ring. Whether it belongs to the event and the user at
    /// hand is the caller's question.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn open(&self, text: &str) -> Result<PlaceToken, InvalidPlaceToken> {
        self.open_in(text, &mut [0; MAX_TOKEN_CHARS])?.to_token()
    }

    /// The same without taking any memory but `buffer`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_in<'a>(
        &self,
        text: &str,
        buffer: &'a mut [u8; MAX_TOKEN_CHARS],
    ) -> Result<OpenedToken<'a>, InvalidPlaceToken> {
        use InvalidPlaceToken::{Forged, Malformed, UnknownKey};
        if text.len() > MAX_TOKEN_CHARS {
            return Err(Malformed);
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, buffer).map_err(|_| Malformed)?;
        let buffer: &'a [u8] = buffer;
        let (said, mac) =
            length.checked_sub(MAC_BYTES).and_then(|at| buffer[..length].split_at_checked(at)).ok_or(Malformed)?;
        let mut reader = Reader(said);
        if reader.array::<1>()? != [VERSION] {
            return Err(Malformed);
        }
        let key_id = u32::from_be_bytes(reader.array()?);
        let key = std::iter::once(&self.signing).chain(&self.older).find(|key| key.id == key_id).ok_or(UnknownKey)?;
        hmac::verify(&key.key, said, mac).map_err(|_| Forged)?;
        let place = Place { lane: u16::from_be_bytes(reader.array()?), offset: u64::from_be_bytes(reader.array()?) };
        let joined_at = Timestamp::from_millis(i64::from_be_bytes(reader.array()?));
        let entry = Digest(reader.array()?);
        let has_rank = reader.array::<1>()? != [0];
        let rank = u64::from_be_bytes(reader.array()?);
        let (event, user) = (reader.text()?, reader.text()?);
        if !reader.0.is_empty() {
            return Err(Malformed);
        }
        Ok(OpenedToken { event, user, place, entry, joined_at, rank: has_rank.then_some(rank) })
    }
}

/// Takes fields off the front of a token.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidPlaceToken> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(InvalidPlaceToken::Malformed)?;
        self.0 = rest;
        Ok(*field)
    }

    fn text(&mut self) -> Result<&'a str, InvalidPlaceToken> {
        let [length] = self.array::<1>()?;
        let (field, rest) = self.0.split_at_checked(length.into()).ok_or(InvalidPlaceToken::Malformed)?;
        self.0 = rest;
        std::str::from_utf8(field).map_err(|_| InvalidPlaceToken::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(rank: Option<u64>) -> PlaceToken {
        PlaceToken {
            event: "evt_a".parse().unwrap(),
            user: "user_b".parse().unwrap(),
            place: Place { lane: 3, offset: 1 << 40 },
            entry: Digest([6; 32]),
            joined_at: Timestamp::from_millis(1_234_567),
            rank,
        }
    }

    fn keys() -> PlaceKeys {
        PlaceKeys::new(PlaceKey::new(2, &[2; 32]), vec![PlaceKey::new(1, &[1; 32])])
    }

    #[test]
    fn a_token_comes_back_as_it_was_sealed() {
        for rank in [None, Some(0), Some(u64::MAX)] {
            assert_eq!(keys().open(&keys().seal(&token(rank))), Ok(token(rank)));
        }
    }

    #[test]
    fn the_longest_ids_fit() {
        let long = "x".repeat(MAX_ID_BYTES);
        let (event, user) = (format!("evt_{}", &long[4..]), format!("user_{}", &long[5..]));
        let token = PlaceToken { event: event.parse().unwrap(), user: user.parse().unwrap(), ..token(Some(1)) };
        let text = keys().seal(&token);
        assert!(text.len() <= MAX_TOKEN_CHARS);
        assert_eq!(keys().open(&text), Ok(token));
    }

    #[test]
    fn an_older_key_still_opens_what_it_sealed() {
        let before = PlaceKeys::new(PlaceKey::new(1, &[1; 32]), vec![]);
        assert_eq!(keys().open(&before.seal(&token(None))), Ok(token(None)));
        assert_eq!(before.open(&keys().seal(&token(None))), Err(InvalidPlaceToken::UnknownKey));
    }

    #[test]
    fn a_key_of_the_same_name_with_another_secret_forges() {
        let other = PlaceKeys::new(PlaceKey::new(2, &[9; 32]), vec![]);
        assert_eq!(keys().open(&other.seal(&token(None))), Err(InvalidPlaceToken::Forged));
    }

    #[test]
    fn a_token_with_any_bit_changed_is_refused() {
        let sealed = URL_SAFE_NO_PAD.decode(keys().seal(&token(Some(5)))).unwrap();
        for at in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(keys().open(&URL_SAFE_NO_PAD.encode(changed)).is_err(), "bit {at}");
        }
    }

    #[test]
    fn a_text_of_another_shape_is_refused() {
        let good = keys().seal(&token(None));
        let cut = &good[..good.len() - 4];
        let long = "A".repeat(MAX_TOKEN_CHARS + 4);
        for wrong in ["", "A", "====", "not a token", cut, &format!("{good}="), &format!("{good}AAAA"), &long] {
            assert!(keys().open(wrong).is_err(), "{wrong}");
        }
    }
}
