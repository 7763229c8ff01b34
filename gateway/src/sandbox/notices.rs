//! The sandbox's notices: signed, sent to where a provider's are, and read there.
//!
//! The gateway that sends one also takes it, so the key that signs is made when the gateway starts and leaves it nowhere.

use booking_core::{
    id::{BookingId, TransactionId},
    money::{Currency, Money},
    ports::{
        clock::Entropy,
        payments::{Notice, NoticeRefused, PaymentNotices},
    },
    time::Timestamp,
};
use ring::hmac;
use serde::{Deserialize, Serialize};

/// How far a signature's time may be from ours, either way, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

/// Signs and reads them.
pub(crate) struct SandboxNotices(hmac::Key);

/// A notice as it is sent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    booking_id: BookingId,
    transaction_id: TransactionId,
    amount: i64,
    currency: Currency,
}

impl SandboxNotices {
    /// Notices under a key that nobody can guess.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// The signature and the body of `notice`, sent at `now`.
    pub(crate) fn write(&self, notice: &Notice, now: Timestamp) -> (String, Vec<u8>) {
        let Notice { booking, transaction, amount } = notice.clone();
        let (amount, currency) = (amount.amount, amount.currency);
        let wire = Wire { booking_id: booking, transaction_id: transaction, amount, currency };
        let body = serde_json::to_vec(&wire).expect("plain data with text keys");
        let at = now.as_seconds();
        let mac = hmac::sign(&self.0, &signed(&at.to_string(), &body));
        (format!("t={at},v1={}", hex::encode(mac)), body)
    }
}

fn signed(at: &str, body: &[u8]) -> Vec<u8> {
    [at.as_bytes(), b".", body].concat()
}

impl PaymentNotices for SandboxNotices {
    fn signature_header(&self) -> &'static str {
        "sandbox-signature"
    }

    fn read(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Option<Notice>, NoticeRefused> {
        let parts =
            signature.split_once(',').and_then(|(at, mac)| Some((at.strip_prefix("t=")?, mac.strip_prefix("v1=")?)));
        let (at, mac) = parts.ok_or(NoticeRefused::Forged)?;
        let mac = hex::decode(mac).map_err(|_| NoticeRefused::Forged)?;
        // In constant time.
        hmac::verify(&self.0, &signed(at, body), &mac).map_err(|_| NoticeRefused::Forged)?;
        let at: i64 = at.parse().map_err(|_| NoticeRefused::Forged)?;
        if now.as_seconds().abs_diff(at) > TOLERANCE_SECONDS {
            return Err(NoticeRefused::Stale);
        }
        let Wire { booking_id, transaction_id, amount, currency } =
            serde_json::from_slice(body).map_err(|_| NoticeRefused::Unreadable)?;
        let amount = Money { amount, currency };
        Ok(Some(Notice { booking: booking_id, transaction: transaction_id, amount }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_notice_is_read_as_it_was_written_and_nothing_else_is() {
        let (notices, now) = (SandboxNotices::new(&Sevens), Timestamp::from_millis(1_000_000));
        let amount = Money { amount: 2_500, currency: "EUR".parse().unwrap() };
        let notice = Notice { booking: "booking_1".parse().unwrap(), transaction: "txn_1".parse().unwrap(), amount };
        let (signature, body) = notices.write(&notice, now);
        assert_eq!(notices.read(&signature, &body, now.plus_seconds(300)), Ok(Some(notice)));
        assert_eq!(notices.read(&signature, &body, now.plus_seconds(301)), Err(NoticeRefused::Stale));
        assert_eq!(notices.read(&signature, &body, now.plus_millis(-301_000)), Err(NoticeRefused::Stale));
        let other = String::from_utf8(body.clone()).unwrap().replace("2500", "1500");
        assert_eq!(notices.read(&signature, other.as_bytes(), now), Err(NoticeRefused::Forged));
        for forged in ["", "t=1000", "t=1000,v1=", "t=1000,v1=zz", &signature.replace("t=1000", "t=1001")] {
            assert_eq!(notices.read(forged, &body, now), Err(NoticeRefused::Forged), "{forged}");
        }
    }
}
