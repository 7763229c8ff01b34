//! Writing what a group changed: one statement a table, whatever the group's size.

use std::collections::BTreeMap;

use booking_core::booking::BookingState;
use sqlx::SqliteConnection;

use super::rows::{BookingRow, UPSERT_BOOKINGS};
use crate::sql::{
    books::Books,
    stored::{to_json, unreadable},
};

/// Writes what changed in `books`. The order matters to the triggers that hold the invariants: bookings, then who has
/// the seats, then the outbox.
pub(super) async fn books(connection: &mut SqliteConnection, books: &Books) -> Result<(), sqlx::Error> {
    if books.changed.is_empty() {
        return Ok(());
    }
    bookings(connection, books).await?;
    seats(connection, books).await?;
    halls(connection, books).await?;
    outbox(connection, books).await
}

async fn bookings(connection: &mut SqliteConnection, books: &Books) -> Result<(), sqlx::Error> {
    let rows: Vec<BookingRow<'_>> = books.changed.iter().map(|id| BookingRow::from(&books.bookings[id])).collect();
    let written = sqlx::query(UPSERT_BOOKINGS).bind(to_json(&rows)).execute(connection).await?;
    if written.rows_affected() == rows.len() as u64 {
        return Ok(());
    }
    Err(unreadable(format!("{} bookings were written instead of {}", written.rows_affected(), rows.len())))
}

async fn seats(connection: &mut SqliteConnection, books: &Books) -> Result<(), sqlx::Error> {
    let (mut freed, mut taken) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    for ((event, index), seat) in books.seats.iter().filter(|(_, seat)| seat.changed) {
        match &seat.owner {
            Some(owner) => {
                let is_booked =
                    books.bookings.get(owner).is_some_and(|kept| kept.booking.state == BookingState::Confirmed);
                taken.push((event, index, owner, u8::from(is_booked)));
            }
            None if seat.stored.is_some() => freed.entry(event).or_default().push(index),
            None => {}
        }
    }
    for (event, indices) in freed {
        sqlx::query("DELETE FROM seat_claims WHERE event_id = ?1 AND seat IN (SELECT value FROM json_each(?2))")
            .bind(event.as_str())
            .bind(to_json(&indices))
            .execute(&mut *connection)
            .await?;
    }
    if !taken.is_empty() {
        sqlx::query(
            "INSERT INTO seat_claims (event_id, seat, booking_id, booked, claimed_at)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2 FROM json_each(?1) WHERE true
             ON CONFLICT (event_id, seat) DO UPDATE SET booking_id = excluded.booking_id, booked = excluded.booked,
                 claimed_at = excluded.claimed_at",
        )
        .bind(to_json(&taken))
        .bind(books.latest.as_millis())
        .execute(connection)
        .await?;
    }
    Ok(())
}

async fn halls(connection: &mut SqliteConnection, books: &Books) -> Result<(), sqlx::Error> {
    let changed = books.halls.iter().filter(|(_, hall)| hall.changed);
    let rows: Vec<_> = changed.map(|(event, hall)| (event, hall.version, hall.booked)).collect();
    sqlx::query(
        "INSERT INTO event_versions (event_id, version, booked)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
         ON CONFLICT (event_id) DO UPDATE SET version = excluded.version, booked = excluded.booked",
    )
    .bind(to_json(&rows))
    .execute(connection)
    .await?;
    Ok(())
}

async fn outbox(connection: &mut SqliteConnection, books: &Books) -> Result<(), sqlx::Error> {
    let rows: Vec<_> =
        books.outbox.iter().map(|row| (&row.kind, &row.booking.booking_id, &row.booking, row.at.as_millis())).collect();
    sqlx::query(
        "INSERT INTO outbox (kind, booking_id, booking, at, written_at)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2 FROM json_each(?1)",
    )
    .bind(to_json(&rows))
    .bind(books.latest.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}
