//! Letters to buyers: what is told of a booking, and to which address.
//!
//! Where a buyer is to be reached is no part of a booking, so it is in nothing that is told of bookings; it comes with
//! the confirmation, and is kept by itself and forgotten.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    booking::{Booking, CalledOff, MOVED, OutboxRow, REHOUSED},
    catalog::{Event, Moved, Venue},
    id::LetterId,
    time::Timestamp,
};

/// The longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3, without the brackets).
pub const MAX_ADDRESS_BYTES: usize = 254;
/// The longest part before the `@`, in bytes (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// An e-mail address, as far as a text shows that it is one. Its `Debug` does not show it: it is somebody's.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// What came of a try to send a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// A server took it over.
    Sent,
    /// It can't be sent, ever: why.
    Refused(String),
    /// Not now: why.
    Later(String),
}

/// Why a text is not an e-mail address. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address is a name, an '@' and a domain, {MAX_ADDRESS_BYTES} bytes at most")]
pub struct InvalidAddress;

impl EmailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidAddress;

    /// Names are those that need no quoting, and domains are in letters, digits, `-` and dots (a foreign one in its
    /// `xn--` form): what every server on the way takes.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (name, domain) = text.rsplit_once('@').ok_or(InvalidAddress)?;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let fits = text.len() <= MAX_ADDRESS_BYTES
            && name.len() <= MAX_LOCAL_BYTES
            && name.split('.').all(|part| !part.is_empty() && part.bytes().all(is_name))
            && domain.split('.').all(is_label);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidAddress) }
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

/// Where a buyer is to be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contact {
    /// The address.
    pub email: EmailAddress,
}

/// What a letter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// The booking is confirmed.
    Confirmed,
    /// Some of its seats were cancelled.
    Reduced,
    /// It was cancelled, by its owner or with its event.
    Cancelled,
    /// Its event begins at another time.
    Moved,
    /// Its event is in another hall.
    Rehoused,
}

/// Something to tell a buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// The same whenever the same outbox row is looked at.
    pub letter_id: LetterId,
    /// What it is about.
    pub subject: Subject,
    /// The booking as it was then.
    pub booking: Booking,
    /// When it happened.
    pub at: Timestamp,
}

impl Letter {
    /// The letter about an outbox row; nobody is written to about a hold.
    pub fn about(row: &OutboxRow) -> Option<Self> {
        let subject = match row.kind.as_str() {
            "booking.confirmed" => Subject::Confirmed,
            "booking.reduced" => Subject::Reduced,
            "booking.cancelled" => Subject::Cancelled,
            MOVED => Subject::Moved,
            REHOUSED => Subject::Rehoused,
            _ => return None,
        };
        let letter_id = LetterId::from_bytes(row.name_for(b"weir/letter/v1"));
        Some(Self { letter_id, subject, booking: row.booking.clone(), at: row.at })
    }
}

/// What a letter tells of beside its booking.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// The booking's event.
    pub event: Arc<Event>,
    /// Where it takes place.
    pub venue: Arc<Venue>,
    /// Whether and why it does not take place.
    pub called_off: Option<CalledOff>,
    /// Its latest move, if there was one.
    pub moved: Option<Moved>,
}

/// Whoever finds the words.
pub trait Letters: Send + Sync {
    /// What `letter` says.
    ///
    /// # Errors
    /// If no words can be found for it as things are: why.
    fn write(&self, letter: &Letter, occasion: &Occasion) -> Result<Words, String>;
}

/// What a letter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// A letter that was written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which letter it is: what it is sent with is known by it, so that a mailbox knows a copy.
    pub letter_id: LetterId,
    /// To whom.
    pub to: EmailAddress,
    /// What it says.
    pub words: Words,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        let name = "n".repeat(64);
        let long = format!("{name}@{}.example", ["d"; 90].join("."));
        for good in
            ["a@b", "jane.o'neil+seats@mail.example.org", "x_y@xn--bcher-kva.example", &format!("{name}@b.c"), &long]
        {
            assert_eq!(good.parse::<EmailAddress>().map(String::from), Ok(good.to_owned()));
        }
        let too_long = format!("{name}@{}.example", ["d"; 95].join("."));
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a",
            "a b@c",
            "a@b c",
            "a@b\r\nRCPT TO:<x@y>",
            "a\n@b",
            "a@b@",
            "a@-b.c",
            "a@b-.c",
            "a@b..c",
            "a@.b",
            "a@b.",
            ".a@b",
            "a.@b",
            "a..b@c",
            "<a@b>",
            "\"a b\"@c",
            "a@[127.0.0.1]",
            "ä@b.c",
            "a@bücher.example",
            &format!("n{name}@b.c"),
            &too_long,
        ] {
            assert_eq!(bad.parse::<EmailAddress>(), Err(InvalidAddress), "{bad:?}");
        }
        assert!(serde_json::from_str::<Contact>(r#"{"email": "a b"}"#).is_err());
    }

    #[test]
    fn a_log_does_not_show_whose_it_is() {
        let contact = Contact { email: "jane@example.org".parse().unwrap() };
        assert!(!format!("{contact:?}").contains("jane"));
    }
}
