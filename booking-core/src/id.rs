//! Identifiers. Each kind has a type of its own and a prefix, so that an id of one kind is never taken for another.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest identifier accepted, in bytes, prefix included.
pub const MAX_ID_BYTES: usize = 64;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not an id that {begins} and goes on with letters, digits, '-' or '_', {MAX_ID_BYTES} bytes at most"
)]
pub struct InvalidId {
    begins: String,
    text: String,
}

fn is_plain(text: &str) -> bool {
    text.len() <= MAX_ID_BYTES && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// An id that we make ourselves.
fn check_ours(prefix: &'static str, text: &str) -> Result<(), InvalidId> {
    if text.len() > prefix.len() && text.starts_with(prefix) && is_plain(text) {
        return Ok(());
    }
    Err(InvalidId { begins: format!("begins with '{prefix}'"), text: text.chars().take(MAX_ID_BYTES).collect() })
}

/// An id that others make, with whatever prefix is theirs; but none of another kind of ours.
fn check_foreign(_: &'static str, text: &str) -> Result<(), InvalidId> {
    let is_ours = OUR_PREFIXES.iter().any(|ours| text.starts_with(ours));
    if !text.is_empty() && !is_ours && is_plain(text) {
        return Ok(());
    }
    let begins = "begins with no other kind's prefix".to_owned();
    Err(InvalidId { begins, text: text.chars().take(MAX_ID_BYTES).collect() })
}

/// What ids of a kind of ours begin with.
const OUR_PREFIXES: [&str; 8] = [
    EventId::PREFIX,
    VenueId::PREFIX,
    UserId::PREFIX,
    BookingId::PREFIX,
    TicketId::PREFIX,
    SessionId::PREFIX,
    LetterId::PREFIX,
    HookId::PREFIX,
];

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// What every id of this kind begins with that we make.
            pub const PREFIX: &'static str = $prefix;

            /// The id whose part after the prefix is the lower-case hex of `bytes`.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(format!("{}{}", $prefix, hex::encode(bytes)).into())
            }

            /// The whole id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                $check($prefix, text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

id!(
    /// An event: one show, one sale.
    EventId, "evt_", check_ours
);
id!(
    /// A venue: a hall with its seat map.
    VenueId, "venue_", check_ours
);
id!(
    /// A visitor, guest or known to an outside issuer.
    UserId, "user_", check_ours
);
id!(
    /// A booking, from its hold to its tickets.
    BookingId, "booking_", check_ours
);
id!(
    /// One ticket: one seat of one confirmed booking.
    TicketId, "ticket_", check_ours
);
id!(
    /// An admission's session: the `jti` of its token.
    SessionId, "session_", check_ours
);
id!(
    /// A letter to a buyer.
    LetterId, "letter_", check_ours
);
id!(
    /// A webhook: what its receiver knows a copy by.
    HookId, "msg_", check_ours
);
id!(
    /// A payment at the provider, as the provider names it to the client: with the provider's own prefix.
    TransactionId, "txn_", check_foreign
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        assert!("evt_1".parse::<EventId>().is_ok());
        for wrong in ["venue_1", "evt_", "evt_a b", "evt_é", "", &format!("evt_{}", "x".repeat(MAX_ID_BYTES))] {
            assert!(wrong.parse::<EventId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_payment_has_the_provider_s_name_which_is_no_other_id_s() {
        for right in ["txn_1", "pi_3MtwBwLkdIwHu7ix28a3tqPa"] {
            assert!(right.parse::<TransactionId>().is_ok(), "{right}");
        }
        for wrong in ["", "booking_1", "evt_1", "a/b", "pi_1?x", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(wrong.parse::<TransactionId>().is_err(), "{wrong}");
        }
    }
}
