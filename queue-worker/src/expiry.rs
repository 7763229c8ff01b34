//! Expiry: holds end by their deadline, whoever looks; this tells the screens. And the bookings of events that were
//! called off end here, too, those of events that were moved are told, and those of events that go to another hall are carried
//! over.

use std::{collections::BTreeMap, sync::Arc};

use booking_core::{holds::Settle, id::EventId, time::Timestamp};

use crate::{Error, Gauges, Parts, Progress, Settings, called_off, moved, outward, rehoused};

/// Marks holds that ran out, and cancels what was called off. One for all events; more than one do no harm.
pub struct Expiry {
    parts: Parts,
    gauges: Arc<Gauges>,
    at_once: usize,
}

impl Expiry {
    /// An expiry that begins with its first step.
    pub fn new(parts: Parts, settings: &Settings, gauges: Arc<Gauges>) -> Self {
        Self { parts, gauges, at_once: settings.expire_batch }
    }

    /// Marks up to a batch of holds whose deadline has passed, cancels up to a batch of bookings of events that were
    /// called off, tells up to a batch of bookings that their event was moved, and carries up to a batch over to another
    /// hall.
    ///
    /// # Errors
    /// If the ledger fails. A table or a screen that could not be told finds out by itself.
    pub async fn step(&mut self, now: Timestamp) -> Result<Progress, Error> {
        let applied = self.parts.ledger.expire(now, self.at_once).await?;
        let mut freed: BTreeMap<EventId, Vec<Settle>> = BTreeMap::new();
        for booking in &applied.answers {
            freed.entry(booking.event_id.clone()).or_default().push(Settle::Freed(booking.booking_id.clone()));
        }
        for (event, settles) in freed {
            if let Err(error) = self.parts.holds.settle(&event, &settles).await {
                tracing::debug!(%error, %event, "the hold table lets these seats go by their deadline");
            }
        }
        outward::publish_seats(&*self.parts.log, &applied.seats).await;
        self.gauges.expired_total.add(applied.answers.len());
        let called_off = called_off::cancel_some(&self.parts, &self.gauges, self.at_once, now).await?;
        let told = moved::tell_some(&self.parts, &self.gauges, self.at_once, now).await?;
        let carried = rehoused::carry_some(&self.parts, &self.gauges, self.at_once, now).await?;
        Ok(Progress::of(applied.answers.len() + called_off + told + carried))
    }
}
