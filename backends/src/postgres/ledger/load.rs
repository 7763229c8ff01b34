//! Locking what a verb is about, and reading what it may ask for: a fixed number of statements, however large the
//! batch.

use std::collections::BTreeSet;

use booking_core::{
    id::{BookingId, EventId, SessionId},
    time::Timestamp,
};
use sqlx::{PgConnection, postgres::PgRow};

use super::{
    door,
    needs::Needs,
    rows::{kept, seat_index, select_bookings},
};
use crate::sql::{
    books::{Books, Hall, Seat},
    stored::{from_text, to_u64},
};

/// An event's row: its id, version, seats booked, whether it was called off, first seat, whether it carries, until when it
/// rests.
type HallRow = (String, i64, i64, bool, i64, bool, Option<i64>);

/// Locks the rows of the events, in the order of their ids, and begins the books with them. Whoever changes a booking
/// does this first; what is read afterwards stays so until the transaction ends.
pub(super) async fn lock(connection: &mut PgConnection, needs: &Needs) -> Result<Books, sqlx::Error> {
    let books = lock_known(connection, needs).await?;
    let new: Vec<&str> =
        needs.events.iter().filter(|event| !books.halls.contains_key(*event)).map(EventId::as_str).collect();
    if new.is_empty() {
        return Ok(books);
    }
    sqlx::query(
        "INSERT INTO event_versions (event_id, version, booked)
         SELECT event_id, 0, 0 FROM unnest($1::text[]) AS e (event_id) ORDER BY event_id
         ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(new)
    .execute(&mut *connection)
    .await?;
    lock_known(connection, needs).await
}

async fn lock_known(connection: &mut PgConnection, needs: &Needs) -> Result<Books, sqlx::Error> {
    let events: Vec<&str> = needs.events.iter().map(EventId::as_str).collect();
    let rows: Vec<HallRow> = sqlx::query_as(
        "SELECT event_id, version, booked, called_off IS NOT NULL, first_seat, carries, rests_until FROM event_versions
         WHERE event_id IN (
            SELECT unnest($1::text[]) UNION SELECT b.event_id FROM bookings b WHERE b.booking_id = ANY ($2))
         ORDER BY event_id FOR UPDATE",
    )
    .bind(events)
    .bind(ids(&needs.bookings))
    .fetch_all(connection)
    .await?;
    let mut books = Books::default();
    for (event, version, booked, is_called_off, first_seat, carries, rests_until) in rows {
        let hall = Hall {
            version: to_u64(version)?,
            booked: to_u64(booked)?,
            is_called_off,
            first_seat: seat_index(first_seat)?.0,
            carries,
            rests_until: rests_until.map(Timestamp::from_millis),
            changed: false,
        };
        books.halls.insert(from_text(&event)?, hall);
    }
    Ok(books)
}

/// Reads the rest of the books for `needs`.
pub(super) async fn books(connection: &mut PgConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    let mut needs = needs.clone();
    named(connection, &needs, books).await?;
    for kept in books.bookings.values() {
        let booking = &kept.booking;
        needs.seats.extend(booking.seats.iter().map(|seat| (booking.event_id.clone(), *seat)));
        if needs.confirms_at.is_some_and(|now| !booking.has_seats(now)) {
            needs.sessions.insert(booking.session.clone());
            needs.users.insert((booking.user_id.clone(), booking.event_id.clone()));
        }
    }
    let owners = seats(connection, &needs, books).await?;
    others(connection, &needs, &owners, books).await?;
    if needs.confirms_at.is_some() {
        given_back(connection, &needs, books).await?;
    }
    if needs.tickets {
        door::load(connection, &needs.bookings, books).await?;
    }
    Ok(())
}

/// The bookings that are named.
async fn named(connection: &mut PgConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(select_bookings!("WHERE b.booking_id = ANY ($1)"))
        .bind(ids(&needs.bookings))
        .fetch_all(connection)
        .await?;
    keep(&rows, books)
}

/// Who has the seats.
async fn seats(
    connection: &mut PgConnection,
    needs: &Needs,
    books: &mut Books,
) -> Result<BTreeSet<BookingId>, sqlx::Error> {
    let mut owners = BTreeSet::new();
    if needs.seats.is_empty() {
        return Ok(owners);
    }
    let (events, indices): (Vec<&str>, Vec<i64>) =
        needs.seats.iter().map(|(event, seat)| (event.as_str(), i64::from(seat.0))).unzip();
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "SELECT c.event_id, c.seat, c.booking_id
         FROM unnest($1::text[], $2::bigint[]) AS n (event_id, seat)
         JOIN seat_claims c ON c.event_id = n.event_id AND c.seat = n.seat",
    )
    .bind(events)
    .bind(indices)
    .fetch_all(connection)
    .await?;
    for (event, seat, booking) in rows {
        let owner: BookingId = from_text(&booking)?;
        owners.insert(owner.clone());
        let at = (from_text(&event)?, seat_index(seat)?);
        books.seats.insert(at, Seat { stored: Some(owner.clone()), owner: Some(owner), changed: false });
    }
    Ok(owners)
}

/// The bookings that count for who may have how many seats, and those that have the seats asked for. `OFFSET 0`: by user,
/// even where the statistics say that hardly any booking has seats.
async fn others(
    connection: &mut PgConnection,
    needs: &Needs,
    owners: &BTreeSet<BookingId>,
    books: &mut Books,
) -> Result<(), sqlx::Error> {
    let owners: Vec<&str> =
        owners.iter().filter(|owner| !books.bookings.contains_key(*owner)).map(BookingId::as_str).collect();
    if owners.is_empty() && needs.sessions.is_empty() && needs.users.is_empty() {
        return Ok(());
    }
    let sessions: Vec<&str> = needs.sessions.iter().map(SessionId::as_str).collect();
    let (users, events): (Vec<&str>, Vec<&str>) =
        needs.users.iter().map(|(user, event)| (user.as_str(), event.as_str())).unzip();
    let rows = sqlx::query(select_bookings!(
        "WHERE b.booking_id IN (
            SELECT unnest($1::text[])
            UNION ALL
            SELECT o.booking_id FROM bookings o
                WHERE o.session = ANY ($2) AND o.state IN ('held', 'confirmed', 'cancelled')
            UNION ALL
            SELECT o.booking_id FROM unnest($3::text[], $4::text[]) AS u (user_id, event_id)
                CROSS JOIN LATERAL (SELECT * FROM bookings WHERE user_id = u.user_id OFFSET 0) o
                WHERE o.event_id = u.event_id AND o.state IN ('held', 'confirmed'))"
    ))
    .bind(owners)
    .bind(sessions)
    .bind(users)
    .bind(events)
    .fetch_all(connection)
    .await?;
    keep(&rows, books)
}

/// Which payments of the bookings to confirm must not pay for them any more.
async fn given_back(connection: &mut PgConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT booking_id, transaction_id FROM payment_acts WHERE booking_id = ANY ($1) AND step = 'voidDue'",
    )
    .bind(ids(&needs.bookings))
    .fetch_all(connection)
    .await?;
    for (booking, transaction) in rows {
        books.given_back.insert((from_text(&booking)?, from_text(&transaction)?));
    }
    Ok(())
}

fn keep(rows: &[PgRow], books: &mut Books) -> Result<(), sqlx::Error> {
    for row in rows {
        books.keep(kept(row)?);
    }
    Ok(())
}

pub(super) fn ids(bookings: &BTreeSet<BookingId>) -> Vec<&str> {
    bookings.iter().map(BookingId::as_str).collect()
}
