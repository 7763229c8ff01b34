//! The courier: has the letters that wait written and sent.
//!
//! It takes as many as may be on their way at once, sends them side by side, and notes what became of each before it takes
//! more. So a crash has at most those sent again, with the ids that they had; whoever died before a letter was noted as
//! sent can't know better. A letter that no server took is tried again after a pause that doubles; while none is taken
//! at all, the courier pauses as a whole.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use booking_core::{
    id::{EventId, LetterId},
    mail::{Letters, Message, Occasion, Sending},
    ports::{
        PortResult,
        mailroom::{Due, Mailroom, Settled},
        post::Post,
    },
    reason::one_line,
    time::Timestamp,
};
use futures_util::future::join_all;

use crate::{Error, Gauges, Parts, Progress, Settings, hall::not_heard_yet, pause::scattered, settings::millis};

/// The first pause of a letter that was not taken; each further one doubles it.
const FIRST_PAUSE_MS: i64 = 30_000;
/// The most doublings: some four hours.
const MAX_DOUBLINGS: u32 = 9;
/// The longest that the courier pauses where nothing is taken, and the first.
const LONGEST_REST_MS: u64 = 300_000;
const FIRST_REST_MS: u64 = 1_000;
/// How often what is old is forgotten, and how much at once.
const FORGET_EVERY_MS: i64 = 60_000;
const FORGET_AT_ONCE: usize = 4_096;
/// How often letters are counted.
const COUNT_EVERY_MS: i64 = 5_000;

/// What letters need.
#[derive(Clone)]
pub struct Mail {
    /// Where they wait.
    pub mailroom: Arc<dyn Mailroom>,
    /// Who finds the words.
    pub letters: Arc<dyn Letters>,
    /// Who carries them.
    pub post: Arc<dyn Post>,
}

/// Sends letters. One for a mailroom: two would send twice what both took.
pub struct Courier {
    parts: Parts,
    gauges: Arc<Gauges>,
    at_once: usize,
    give_up_after_ms: i64,
    keep_ms: i64,
    /// Steps in a row in which no letter was taken.
    in_vain: u32,
    forgot_at: Option<Timestamp>,
    counted_at: Option<Timestamp>,
}

impl Courier {
    /// A courier; without [`Parts::mail`] it has nothing to do.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>) -> Self {
        let keep = Duration::from_hours(24) * settings.mail_keep_days;
        Self {
            parts,
            gauges,
            at_once: settings.mail_at_once,
            give_up_after_ms: millis(settings.mail_give_up_after_ms),
            keep_ms: i64::try_from(keep.as_millis()).unwrap_or(i64::MAX),
            in_vain: 0,
            forgot_at: None,
            counted_at: None,
        }
    }

    /// Sends what is due, as much as may be on its way at once.
    ///
    /// # Errors
    /// If the mailroom, the catalog or the ledger fails; what was sent then is sent again.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let Some(mail) = self.parts.mail.clone() else { return Ok(Progress::Idle) };
        self.keep_house(&*mail.mailroom, now).await?;
        let due = mail.mailroom.due(now, self.at_once).await?;
        if due.is_empty() {
            return Ok(Progress::Idle);
        }
        let occasions = self.occasions(&due).await?;
        let sent = join_all(due.iter().map(|due| send(&mail, &occasions, due))).await;
        // It may have taken a while.
        let now = now.max(self.parts.clock.now());
        let is_in_vain = sent.iter().all(|sending| matches!(sending, Sending::Later(_)));
        let settled: Vec<_> = due.iter().zip(sent).map(|(due, sending)| self.settled(due, sending, now)).collect();
        mail.mailroom.settle(&settled, now).await?;
        if !is_in_vain {
            self.in_vain = 0;
            return Ok(Progress::Did(settled.len()));
        }
        let rest = (FIRST_REST_MS << self.in_vain.min(MAX_DOUBLINGS)).min(LONGEST_REST_MS);
        self.in_vain += 1;
        Ok(Progress::Later(rest))
    }

    /// What the letters tell of beside their bookings; `None`: the event is unknown.
    async fn occasions(&self, due: &[Due]) -> PortResult<BTreeMap<EventId, Option<Occasion>>> {
        let (catalog, ledger) = (&*self.parts.catalog, &*self.parts.ledger);
        let mut occasions = BTreeMap::new();
        for id in due.iter().map(|due| &due.letter.booking.event_id) {
            if occasions.contains_key(id) {
                continue;
            }
            let event = catalog.event(id).await?;
            let venue = match &event {
                Some(event) => catalog.hall(event).await?,
                None => None,
            };
            let occasion = match event.zip(venue) {
                Some((event, venue)) => Some(Occasion {
                    event,
                    venue,
                    called_off: ledger.called_off(id).await?,
                    moved: ledger.telling(id).await?.map(|telling| telling.moved),
                }),
                None => None,
            };
            occasions.insert(id.clone(), occasion);
        }
        for booking in due.iter().map(|due| &due.letter.booking) {
            let occasion = occasions.get(&booking.event_id).and_then(Option::as_ref);
            if occasion.is_some_and(|occasion| !booking.is_known_to(&occasion.venue.seat_map)) {
                return Err(not_heard_yet(&booking.event_id));
            }
        }
        Ok(occasions)
    }

    fn settled(&self, due: &Due, sending: Sending, now: Timestamp) -> (LetterId, Settled) {
        let id = &due.letter.letter_id;
        let settled = match sending {
            Sending::Sent => {
                self.gauges.letters_sent_total.add(1);
                Settled::Sent
            }
            Sending::Refused(why) => self.refused(due, why),
            Sending::Later(why) if now.millis_since(due.posted_at) >= self.give_up_after_ms => self.refused(due, why),
            Sending::Later(why) => {
                tracing::warn!(letter = %id, booking = %due.letter.booking.booking_id, why, "a letter was not taken; later");
                Settled::Later(now.plus_millis(pause_ms(id, due.tries)))
            }
        };
        (id.clone(), settled)
    }

    fn refused(&self, due: &Due, why: String) -> Settled {
        let Due { letter, .. } = due;
        tracing::error!(letter = %letter.letter_id, booking = %letter.booking.booking_id, why, "a letter can't be sent");
        self.gauges.letters_refused_total.add(1);
        Settled::Refused(one_line(&why))
    }

    async fn keep_house(&mut self, mailroom: &dyn Mailroom, now: Timestamp) -> PortResult<()> {
        let is_due = |at: Option<Timestamp>, every| at.is_none_or(|at| !(0..every).contains(&now.millis_since(at)));
        if is_due(self.counted_at, COUNT_EVERY_MS) {
            self.gauges.letters_waiting.set(mailroom.letters().await?.waiting);
            self.counted_at = Some(now);
        }
        if is_due(self.forgot_at, FORGET_EVERY_MS) {
            mailroom.forget(now.plus_millis(-self.keep_ms), FORGET_AT_ONCE).await?;
            self.forgot_at = Some(now);
        }
        Ok(())
    }
}

async fn send(mail: &Mail, occasions: &BTreeMap<EventId, Option<Occasion>>, due: &Due) -> Sending {
    let letter = &due.letter;
    let Some(Some(occasion)) = occasions.get(&letter.booking.event_id) else {
        return Sending::Refused("its event or its venue is unknown".to_owned());
    };
    match mail.letters.write(letter, occasion) {
        Ok(words) => {
            let message = Message { letter_id: letter.letter_id.clone(), to: due.contact.email.clone(), words };
            mail.post.send(&message).await
        }
        // Whoever broke the words may mend them.
        Err(why) => Sending::Later(why),
    }
}

/// How long a letter waits that was put off `tries` times before.
fn pause_ms(id: &LetterId, tries: u32) -> i64 {
    scattered(FIRST_PAUSE_MS << tries.min(MAX_DOUBLINGS), id.as_str(), tries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_some_hours_and_are_scattered() {
        let pauses: Vec<i64> = (0..20).map(|tries| pause_ms(&LetterId::from_bytes([1; 16]), tries)).collect();
        for (tries, pause) in (0..20).zip(&pauses) {
            let whole = FIRST_PAUSE_MS << std::cmp::min(tries, 9);
            assert!((whole * 3 / 4..=whole).contains(pause), "{tries}: {pause}");
        }
        let of_others: std::collections::BTreeSet<i64> =
            (0..50).map(|number| pause_ms(&LetterId::from_bytes([number; 16]), 3)).collect();
        assert!(of_others.len() > 30, "{of_others:?}");
    }
}
