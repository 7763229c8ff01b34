//! The outbox relay: what the ledger wrote beside its bookings goes to `weir.changes`, at least once, in order for one
//! booking; and what a buyer is written to about, to the mailroom, once.

use std::{collections::BTreeMap, sync::Arc};

use booking_core::{
    booking::OutboxRow,
    id::BookingId,
    mail::Letter,
    message,
    ports::{
        PortResult,
        log::{Log, Topic, lane_of},
    },
    time::Timestamp,
};
use futures_util::future::try_join_all;

use crate::{Error, Gauges, Parts, Progress, Settings};

/// Publishes the outbox. One for a ledger: two would publish twice, and out of order.
pub struct Relay {
    parts: Parts,
    gauges: Arc<Gauges>,
    at_once: usize,
    every_ms: u64,
}

impl Relay {
    /// A relay that goes on where the ledger says.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>) -> Self {
        Self { parts, gauges, at_once: settings.outbox_batch, every_ms: settings.outbox_every_ms }
    }

    /// Publishes up to a batch of rows, the oldest first.
    ///
    /// # Errors
    /// If the ledger or the log fails; what was published then is published again.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let rows = self.parts.ledger.outbox(self.at_once).await?;
        if rows.is_empty() {
            return Ok(Progress::Idle);
        }
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        let letters: Vec<Letter> = rows.iter().filter_map(Letter::about).collect();
        let published = rows.len();
        let log = &*self.parts.log;
        let lanes = log.lanes(&Topic::Changes).await?;
        let mut of_booking: BTreeMap<BookingId, Vec<OutboxRow>> = BTreeMap::new();
        for row in rows {
            of_booking.entry(row.booking.booking_id.clone()).or_default().push(row);
        }
        // Rows of one booking one after the other, bookings side by side.
        try_join_all(of_booking.into_values().map(|rows| publish(log, lanes, rows))).await?;
        if let Some(mail) = &self.parts.mail {
            mail.mailroom.post(&letters, now).await?;
        }
        self.parts.ledger.outbox_published(&numbers).await?;
        self.gauges.published_total.add(published);
        // A row at a time would cost the ledger and the log a round trip each; nobody waits for these.
        Ok(if published < self.at_once { Progress::Later(self.every_ms) } else { Progress::Did(published) })
    }
}

async fn publish(log: &dyn Log, lanes: u16, rows: Vec<OutboxRow>) -> PortResult<()> {
    for row in rows {
        let lane = lane_of(row.booking.booking_id.as_str(), lanes);
        log.append(&Topic::Changes, lane, message::encode(&row)).await?;
    }
    Ok(())
}
