//! The mailroom on Postgres: each verb is one statement.

use std::collections::BTreeMap;

use async_trait::async_trait;
use booking_core::{
    id::{BookingId, LetterId},
    mail::{Contact, Letter},
    ports::{
        PortResult,
        mailroom::{Due, Letters, Mailroom, RefusedLetter, Settled},
    },
    time::Timestamp,
};
use sqlx::PgConnection;

use super::{database::PostgresDatabase, gather::Gather, tries::ask};
use crate::sql::stored::{from_json, from_text, to_i64, to_json, to_u64, unreadable};

const PORT: &str = "mailroom";

/// What a read gives, or a write.
type Done<T> = Result<T, sqlx::Error>;

/// The mailroom. A clone is the same mailroom.
#[derive(Debug, Clone)]
pub struct PostgresMailroom {
    database: PostgresDatabase,
    /// Each confirmation brings its own contact, and many come side by side.
    contacts: Gather<Noted, ()>,
}

/// A contact, and when it was noted.
type Noted = (BookingId, Contact, Timestamp);

impl PostgresMailroom {
    /// The mailroom in `database`. Must be called on a Tokio runtime.
    pub fn new(database: PostgresDatabase) -> Self {
        let noting = database.clone();
        Self { contacts: Gather::new(PORT, move |noted| note(noting.clone(), noted)), database }
    }
}

#[async_trait]
impl Mailroom for PostgresMailroom {
    async fn remember(&self, contacts: &[(BookingId, Contact)], now: Timestamp) -> PortResult<()> {
        let noted = |(booking, contact): &(BookingId, Contact)| (booking.clone(), contact.clone(), now);
        match contacts {
            [] => Ok(()),
            [contact] => self.contacts.ask(noted(contact)).await,
            many => note(self.database.clone(), many.iter().map(noted).collect()).await.map(drop),
        }
    }

    async fn post(&self, letters: &[Letter], now: Timestamp) -> PortResult<usize> {
        if letters.is_empty() {
            return Ok(0);
        }
        ask!(&self.database, PORT, connection => post(connection, letters, now))
    }

    async fn due(&self, now: Timestamp, max: usize) -> PortResult<Vec<Due>> {
        ask!(&self.database, PORT, connection => due(connection, now, max))
    }

    async fn settle(&self, settled: &[(LetterId, Settled)], now: Timestamp) -> PortResult<()> {
        if settled.is_empty() {
            return Ok(());
        }
        ask!(&self.database, PORT, connection => settle(connection, settled, now))
    }

    async fn refused(&self, max: usize) -> PortResult<Vec<RefusedLetter>> {
        ask!(&self.database, PORT, connection => refused(connection, max))
    }

    async fn letters(&self) -> PortResult<Letters> {
        ask!(&self.database, PORT, connection => count(connection))
    }

    async fn forget(&self, before: Timestamp, max: usize) -> PortResult<usize> {
        ask!(&self.database, PORT, connection => forget(connection, before, max))
    }
}

/// Notes contacts: of one booking the last, in the order of their ids, as everybody locks several.
async fn note(database: PostgresDatabase, noted: Vec<Noted>) -> PortResult<Vec<()>> {
    let answers = vec![(); noted.len()];
    let last: BTreeMap<_, _> = noted.into_iter().map(|(booking, contact, at)| (booking, (contact, at))).collect();
    ask!(&database, PORT, connection => remember(connection, &last))?;
    Ok(answers)
}

async fn remember(connection: &mut PgConnection, noted: &BTreeMap<BookingId, (Contact, Timestamp)>) -> Done<()> {
    sqlx::query(
        "INSERT INTO contacts (booking_id, contact, noted_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
         ON CONFLICT (booking_id) DO UPDATE SET contact = excluded.contact, noted_at = excluded.noted_at",
    )
    .bind(noted.keys().map(BookingId::as_str).collect::<Vec<_>>())
    .bind(noted.values().map(|(contact, _)| to_json(contact)).collect::<Vec<_>>())
    .bind(noted.values().map(|(_, at)| at.as_millis()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// In the order of their ids, so that no two who post the same wait for each other; the numbers are in the order posted.
async fn post(connection: &mut PgConnection, letters: &[Letter], now: Timestamp) -> Done<usize> {
    let queued = sqlx::query(
        "WITH posted AS MATERIALIZED (
            SELECT DISTINCT ON (l.letter_id) l.* FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY
                AS l (letter_id, booking_id, letter, place)
            WHERE l.booking_id IN (SELECT booking_id FROM contacts WHERE booking_id = ANY ($2))
            ORDER BY l.letter_id, l.place
        ), numbered AS MATERIALIZED (
            SELECT nextval('letter_numbers') AS number, p.* FROM (SELECT * FROM posted ORDER BY place) p
            WHERE p.letter_id NOT IN (SELECT letter_id FROM letters WHERE letter_id = ANY ($1))
        )
        INSERT INTO letters (number, letter_id, booking_id, letter, posted_at, due_at)
        SELECT number, letter_id, booking_id, letter, $4, $4 FROM numbered ORDER BY letter_id
        ON CONFLICT (letter_id) DO NOTHING",
    )
    .bind(letters.iter().map(|letter| letter.letter_id.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(|letter| letter.booking.booking_id.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(to_json).collect::<Vec<_>>())
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    usize::try_from(queued.rows_affected()).map_err(unreadable)
}

async fn due(connection: &mut PgConnection, now: Timestamp, max: usize) -> Done<Vec<Due>> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT l.letter, c.contact, l.tries, l.posted_at
         FROM (SELECT * FROM letters WHERE due_at <= $1 ORDER BY due_at, number LIMIT $2) l
         JOIN contacts c ON c.booking_id = l.booking_id
         ORDER BY l.due_at, l.number",
    )
    .bind(now.as_millis())
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    let due = |(letter, contact, tries, posted_at): (String, String, i64, i64)| {
        Ok(Due {
            letter: from_json(&letter)?,
            contact: from_json(&contact)?,
            tries: u32::try_from(tries).map_err(unreadable)?,
            posted_at: Timestamp::from_millis(posted_at),
        })
    };
    rows.into_iter().map(due).collect()
}

async fn settle(connection: &mut PgConnection, settled: &[(LetterId, Settled)], now: Timestamp) -> Done<()> {
    let until = |settled: &Settled| if let Settled::Later(until) = settled { Some(until.as_millis()) } else { None };
    let why = |settled: &Settled| if let Settled::Refused(why) = settled { Some(why.clone()) } else { None };
    sqlx::query(
        "WITH named AS (
            SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]) AS s (letter_id, until, refused)
        ), locked AS MATERIALIZED (
            SELECT letter_id FROM letters WHERE letter_id = ANY ($1) AND settled_at IS NULL
            ORDER BY letter_id FOR UPDATE
        )
        UPDATE letters l SET
            tries = l.tries + (s.until IS NOT NULL)::int,
            letter = CASE WHEN s.until IS NOT NULL THEN l.letter END,
            due_at = s.until,
            settled_at = CASE WHEN s.until IS NULL THEN $4 END,
            refused = s.refused
        FROM named s JOIN locked USING (letter_id)
        WHERE l.letter_id = s.letter_id",
    )
    .bind(settled.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
    .bind(settled.iter().map(|(_, settled)| until(settled)).collect::<Vec<_>>())
    .bind(settled.iter().map(|(_, settled)| why(settled)).collect::<Vec<_>>())
    .bind(now.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

async fn refused(connection: &mut PgConnection, max: usize) -> Done<Vec<RefusedLetter>> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT letter_id, booking_id, refused, settled_at FROM letters WHERE refused IS NOT NULL
         ORDER BY settled_at DESC, number DESC LIMIT $1",
    )
    .bind(limit(max))
    .fetch_all(connection)
    .await?;
    let refused = |(letter, booking, reason, at): (String, String, String, i64)| {
        Ok(RefusedLetter {
            letter_id: from_text(&letter)?,
            booking_id: from_text(&booking)?,
            reason,
            at: Timestamp::from_millis(at),
        })
    };
    rows.into_iter().map(refused).collect()
}

async fn count(connection: &mut PgConnection) -> Done<Letters> {
    let (waiting, refused): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM letters WHERE due_at IS NOT NULL),
            (SELECT count(*) FROM letters WHERE refused IS NOT NULL)",
    )
    .fetch_one(connection)
    .await?;
    Ok(Letters { waiting: to_u64(waiting)?, refused: to_u64(refused)? })
}

async fn forget(connection: &mut PgConnection, before: Timestamp, max: usize) -> Done<usize> {
    let forgotten: i64 = sqlx::query_scalar(
        "WITH old_letters AS (
            DELETE FROM letters WHERE letter_id IN (
                SELECT letter_id FROM letters WHERE settled_at < $1 ORDER BY settled_at LIMIT $2
                FOR UPDATE SKIP LOCKED)
            RETURNING 1
        ), old_contacts AS (
            DELETE FROM contacts WHERE booking_id IN (
                SELECT c.booking_id FROM contacts c WHERE c.noted_at < $1
                    AND NOT EXISTS (SELECT 1 FROM letters l WHERE l.booking_id = c.booking_id AND l.due_at IS NOT NULL)
                ORDER BY c.noted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM old_letters) + (SELECT count(*) FROM old_contacts)",
    )
    .bind(before.as_millis())
    .bind(limit(max))
    .fetch_one(connection)
    .await?;
    usize::try_from(forgotten).map_err(unreadable)
}

fn limit(max: usize) -> i64 {
    to_i64(max as u64)
}
