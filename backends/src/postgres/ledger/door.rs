//! Tickets that somebody was let in with or that were revoked, and what a door is told.

use std::collections::{BTreeSet, HashMap};

use booking_core::{
    booking::{DoorBooking, DoorCounts, GateEntry, TicketMark},
    id::{BookingId, EventId},
    seats::SeatIndex,
    time::Timestamp,
};
use sqlx::PgConnection;

use super::{
    read::{self, Read, limit},
    rows::seat_index,
};
use crate::sql::{
    books::Books,
    stored::{from_text, to_i64, to_u64, unreadable},
};

type MarkRow = (String, i64, Option<i64>, Option<String>, Option<String>, Option<String>);

/// The marks of these bookings' tickets.
async fn marks_of(connection: &mut PgConnection, bookings: &[&str]) -> Read<Vec<(BookingId, SeatIndex, TicketMark)>> {
    let rows: Vec<MarkRow> = sqlx::query_as(
        "SELECT booking_id, seat, entered_at, gate, scan, revoked FROM ticket_marks
         WHERE booking_id = ANY ($1) ORDER BY booking_id, seat",
    )
    .bind(bookings)
    .fetch_all(connection)
    .await?;
    let mark = |(booking, seat, at, gate, scan, revoked): MarkRow| {
        let entry = at.zip(gate).zip(scan);
        let entry = entry.map(|((at, gate), scan)| GateEntry { gate, scan, at: Timestamp::from_millis(at) });
        Ok((from_text(&booking)?, seat_index(seat)?, TicketMark { entry, revoked }))
    };
    rows.into_iter().map(mark).collect()
}

/// Reads what the door knows of these bookings' tickets.
pub(super) async fn load(connection: &mut PgConnection, bookings: &BTreeSet<BookingId>, books: &mut Books) -> Read<()> {
    let ids: Vec<&str> = bookings.iter().map(BookingId::as_str).collect();
    for (booking, seat, mark) in marks_of(connection, &ids).await? {
        books.marks.insert((booking, seat), mark);
    }
    Ok(())
}

/// Writes the marks that changed; after the bookings, which the triggers look at.
pub(super) async fn marks(connection: &mut PgConnection, books: &Books) -> Read<()> {
    if books.marked.is_empty() {
        return Ok(());
    }
    let row = |at: &(BookingId, SeatIndex)| Some((&books.bookings.get(&at.0)?.booking, at.1, books.marks.get(at)?));
    let rows: Vec<_> = books.marked.iter().filter_map(row).collect();
    let entries = || rows.iter().map(|(_, _, mark)| mark.entry.as_ref());
    sqlx::query(
        "INSERT INTO ticket_marks (booking_id, seat, event_id, entered_at, gate, scan, revoked)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])
         ON CONFLICT (booking_id, seat) DO UPDATE SET entered_at = excluded.entered_at, gate = excluded.gate,
             scan = excluded.scan, revoked = excluded.revoked",
    )
    .bind(rows.iter().map(|(booking, ..)| booking.booking_id.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, seat, _)| i64::from(seat.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(booking, ..)| booking.event_id.as_str()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.map(|entry| entry.at.as_millis())).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.map(|entry| entry.gate.as_str())).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.map(|entry| entry.scan.as_str())).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, _, mark)| mark.revoked.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// `OFFSET 0`: each booking by its key, even where the statistics say that there are hardly any.
///
/// What is read after the versions may be newer than they are: then it comes once more, under a later version.
pub(super) async fn bookings(
    connection: &mut PgConnection,
    event: &EventId,
    since: u64,
    max: usize,
) -> Read<Vec<DoorBooking>> {
    let changes: Vec<(i64, String)> = sqlx::query_as(
        "SELECT d.version, d.booking_id FROM door_changes d
         CROSS JOIN LATERAL (SELECT door_version FROM bookings WHERE booking_id = d.booking_id OFFSET 0) b
         WHERE d.event_id = $1 AND d.version > $2 AND b.door_version = d.version ORDER BY d.version LIMIT $3",
    )
    .bind(event.as_str())
    .bind(to_i64(since))
    .bind(limit(max))
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<&str> = changes.iter().map(|(_, id)| id.as_str()).collect();
    let mut marks: HashMap<BookingId, Vec<_>> = HashMap::new();
    for (booking, seat, mark) in marks_of(&mut *connection, &ids).await? {
        marks.entry(booking).or_default().push((seat, mark));
    }
    let ids = ids.into_iter().map(from_text).collect::<Read<Vec<BookingId>>>()?;
    let found = read::bookings(connection, &ids).await?;
    let one = |((number, id), booking): ((i64, String), Option<_>)| {
        let booking: booking_core::booking::Booking =
            booking.ok_or_else(|| unreadable(format!("a change of booking {id}, which is unknown")))?;
        let marks = marks.remove(&booking.booking_id).unwrap_or_default();
        Ok(DoorBooking { version: to_u64(number)?, booking, marks })
    };
    changes.into_iter().zip(found).map(one).collect()
}

pub(super) async fn counts(connection: &mut PgConnection, event: &EventId) -> Read<DoorCounts> {
    let by_gate: Vec<(String, i64)> = sqlx::query_as(
        "SELECT gate, count(*) FROM ticket_marks WHERE event_id = $1 AND gate IS NOT NULL
         GROUP BY gate ORDER BY gate COLLATE \"C\"",
    )
    .bind(event.as_str())
    .fetch_all(&mut *connection)
    .await?;
    let revoked: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ticket_marks m JOIN bookings b ON b.booking_id = m.booking_id
         WHERE m.event_id = $1 AND m.revoked IS NOT NULL AND b.state = 'confirmed' 
            AND m.seat = ANY (weir_bought(b.seats, b.bought_as))",
    )
    .bind(event.as_str())
    .fetch_one(connection)
    .await?;
    let by_gate = by_gate.into_iter().map(|(gate, count)| Ok((gate, to_u64(count)?))).collect::<Read<_>>()?;
    Ok(DoorCounts { by_gate, revoked: to_u64(revoked)? })
}
