//! The desk's journal: facts, in the order they were decided.

use std::sync::Arc;

use booking_core::{desk::DeskFact, id::EventId, ports::PortError};
use serde_json::value::RawValue;
use sqlx::SqliteConnection;

use super::{PORT, event::EventDesk};
use crate::sqlite::{
    error::{to_json, unavailable},
    group::Group,
    queue::Act,
};

/// A fact to be written.
pub(super) struct Write {
    desk: Arc<EventDesk>,
    life: u64,
    number: u64,
    fact: Box<RawValue>,
    settled: bool,
}

impl Write {
    /// The fact number `number` of `desk`, decided in its life `life`.
    pub(super) fn new(desk: Arc<EventDesk>, life: u64, number: u64, fact: &DeskFact) -> Self {
        let fact = serde_json::value::to_raw_value(fact).expect("a fact is plain data with text keys");
        Self { desk, life, number, fact, settled: false }
    }
}

impl Act for Write {
    fn bytes(&self) -> usize {
        64 + self.fact.get().len()
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if !self.settled {
            self.desk.lose(self.life, &unavailable(PORT, "its writer has ended"));
        }
    }
}

/// Writes facts.
pub(super) struct Journal;

impl Group for Journal {
    type Act = Write;
    /// A fact builds on those before it.
    const APART: bool = false;

    fn is_one_statement(&self, _: &[Write]) -> bool {
        true
    }

    async fn write(&mut self, transaction: &mut SqliteConnection, writes: &mut Vec<Write>) -> Result<(), sqlx::Error> {
        // What was decided on a state that is lost can't follow the facts that are there.
        writes.retain(|write| write.desk.is_alive(write.life));
        if writes.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&EventId, u64, &RawValue)> =
            writes.iter().map(|write| (write.desk.event(), write.number, &*write.fact)).collect();
        sqlx::query(
            "INSERT INTO facts (event_id, number, fact)
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)",
        )
        .bind(to_json(&rows))
        .execute(transaction)
        .await?;
        Ok(())
    }

    fn written(&mut self, writes: Vec<Write>) {
        let mut writes = writes.into_iter().peekable();
        while let Some(mut write) = writes.next() {
            write.settled = true;
            // One notice for the facts of one event that follow one another.
            let goes_on =
                writes.peek().is_some_and(|next| Arc::ptr_eq(&next.desk, &write.desk) && next.life == write.life);
            if !goes_on {
                write.desk.written(write.life, write.number + 1);
            }
        }
    }

    fn failed(&mut self, writes: Vec<Write>, why: &PortError) {
        for mut write in writes {
            write.settled = true;
            write.desk.lose(write.life, why);
        }
    }
}
