//! Tickets that somebody was let in with or that were revoked, and what a door is told.

use std::collections::{BTreeSet, HashMap};

use booking_core::{
    booking::{DoorBooking, DoorCounts, GateEntry, TicketMark},
    id::{BookingId, EventId},
    seats::SeatIndex,
    time::Timestamp,
};
use serde::Serialize;
use sqlx::{Row as _, SqliteConnection, SqliteExecutor, SqlitePool};

use super::rows::{kept, select_bookings};
use crate::sql::{
    books::Books,
    stored::{from_text, to_i64, to_json, to_u64, unreadable},
};

type Read<T> = Result<T, sqlx::Error>;
type MarkRow = (String, i64, Option<i64>, Option<String>, Option<String>, Option<String>);

/// The marks of these bookings' tickets.
async fn marks_of(
    executor: impl SqliteExecutor<'_>,
    bookings: &impl Serialize,
) -> Read<Vec<(BookingId, SeatIndex, TicketMark)>> {
    let rows: Vec<MarkRow> = sqlx::query_as(
        "SELECT booking_id, seat, entered_at, gate, scan, revoked FROM ticket_marks
         WHERE booking_id IN (SELECT value FROM json_each(?1)) ORDER BY booking_id, seat",
    )
    .bind(to_json(bookings))
    .fetch_all(executor)
    .await?;
    let mark = |(booking, seat, at, gate, scan, revoked): MarkRow| {
        let entry = at.zip(gate).zip(scan);
        let entry = entry.map(|((at, gate), scan)| GateEntry { gate, scan, at: Timestamp::from_millis(at) });
        let seat = SeatIndex(u32::try_from(seat).map_err(unreadable)?);
        Ok((from_text(&booking)?, seat, TicketMark { entry, revoked }))
    };
    rows.into_iter().map(mark).collect()
}

/// Reads what the door knows of these bookings' tickets.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    bookings: &BTreeSet<BookingId>,
    books: &mut Books,
) -> Read<()> {
    for (booking, seat, mark) in marks_of(connection, bookings).await? {
        books.marks.insert((booking, seat), mark);
    }
    Ok(())
}

/// Writes the marks that changed; after the bookings, which the triggers look at.
pub(super) async fn marks(connection: &mut SqliteConnection, books: &Books) -> Read<()> {
    if books.marked.is_empty() {
        return Ok(());
    }
    let row = |at: &(BookingId, SeatIndex)| {
        let (booking, mark) = (&books.bookings.get(&at.0)?.booking, books.marks.get(at)?);
        let entry = mark.entry.as_ref();
        let (entered, gate, scan) =
            (entry.map(|entry| entry.at.as_millis()), entry.map(|entry| &entry.gate), entry.map(|entry| &entry.scan));
        Some((&booking.booking_id, at.1, &booking.event_id, entered, gate, scan, &mark.revoked))
    };
    let rows: Vec<_> = books.marked.iter().filter_map(row).collect();
    sqlx::query(
        "INSERT INTO ticket_marks (booking_id, seat, event_id, entered_at, gate, scan, revoked)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
         FROM json_each(?1) WHERE true
         ON CONFLICT (booking_id, seat) DO UPDATE SET entered_at = excluded.entered_at, gate = excluded.gate,
             scan = excluded.scan, revoked = excluded.revoked",
    )
    .bind(to_json(&rows))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn bookings(readers: &SqlitePool, event: &EventId, since: u64, max: usize) -> Read<Vec<DoorBooking>> {
    // One snapshot, so that a booking's marks belong to its version.
    let mut snapshot = readers.begin().await?;
    let changes: Vec<(i64, String)> = sqlx::query_as(
        "SELECT number, booking_id FROM door_changes WHERE event_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )
    .bind(event.as_str())
    .bind(to_i64(since))
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(&mut *snapshot)
    .await?;
    let ids: Vec<&str> = changes.iter().map(|(_, id)| id.as_str()).collect();
    let rows = sqlx::query(select_bookings!("WHERE booking_id IN (SELECT value FROM json_each(?1))"))
        .bind(to_json(&ids))
        .fetch_all(&mut *snapshot)
        .await?;
    let mut bookings = HashMap::with_capacity(rows.len());
    for row in &rows {
        bookings.insert(row.try_get::<String, _>(0)?, kept(row)?.booking);
    }
    let mut marks: HashMap<BookingId, Vec<_>> = HashMap::new();
    for (booking, seat, mark) in marks_of(&mut *snapshot, &ids).await? {
        marks.entry(booking).or_default().push((seat, mark));
    }
    let one = |(number, id): (i64, String)| {
        let booking = bookings.remove(&id).ok_or_else(|| unreadable(format!("a change of booking {id}, unknown")))?;
        let marks = marks.remove(&booking.booking_id).unwrap_or_default();
        Ok(DoorBooking { version: to_u64(number)?, booking, marks })
    };
    changes.into_iter().map(one).collect()
}

pub(super) async fn counts(readers: &SqlitePool, event: &EventId) -> Read<DoorCounts> {
    let by_gate: Vec<(String, i64)> = sqlx::query_as(
        "SELECT gate, count(*) FROM ticket_marks WHERE event_id = ?1 AND gate IS NOT NULL GROUP BY gate ORDER BY gate",
    )
    .bind(event.as_str())
    .fetch_all(readers)
    .await?;
    let revoked: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ticket_marks m CROSS JOIN bookings b ON b.booking_id = m.booking_id
         WHERE m.event_id = ?1 AND m.revoked IS NOT NULL AND b.state = 'confirmed'
            AND EXISTS (SELECT 1 FROM json_each(b.seats) s WHERE m.seat = coalesce(
                (SELECT j.value ->> 1 FROM json_each(b.bought_as) j WHERE j.value ->> 0 = s.value), s.value))",
    )
    .bind(event.as_str())
    .fetch_one(readers)
    .await?;
    let by_gate = by_gate.into_iter().map(|(gate, count)| Ok((gate, to_u64(count)?))).collect::<Read<_>>()?;
    Ok(DoorCounts { by_gate, revoked: to_u64(revoked)? })
}
