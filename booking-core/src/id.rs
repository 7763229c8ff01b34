//! Identifiers. Each kind has a type of its own and a prefix, so that an id of one kind is never taken for another.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest identifier accepted, in bytes, prefix included.
pub const MAX_ID_BYTES: usize = 64;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not an id that begins with '{prefix}' and goes on with letters, digits, '-' or '_', {MAX_ID_BYTES} bytes at most"
)]
pub struct InvalidId {
    prefix: &'static str,
    text: String,
}

fn check(prefix: &'static str, text: &str) -> Result<(), InvalidId> {
    let rest = text.strip_prefix(prefix).unwrap_or("");
    let fits = !rest.is_empty()
        && text.len() <= MAX_ID_BYTES
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits { Ok(()) } else { Err(InvalidId { prefix, text: text.chars().take(MAX_ID_BYTES).collect() }) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// What every id of this kind begins with.
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
                check($prefix, text)?;
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
    EventId, "evt_"
);
id!(
    /// A venue: a hall with its seat map.
    VenueId, "venue_"
);
id!(
    /// A visitor, guest or known to an outside issuer.
    UserId, "user_"
);
id!(
    /// A booking, from its hold to its tickets.
    BookingId, "booking_"
);
id!(
    /// One ticket: one seat of one confirmed booking.
    TicketId, "ticket_"
);
id!(
    /// An admission's session: the `jti` of its token.
    SessionId, "session_"
);
id!(
    /// A payment at the provider, as the provider names it to the client.
    TransactionId, "txn_"
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
}
