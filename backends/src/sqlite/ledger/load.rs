//! Reading what the verbs of a group may ask for: a fixed number of statements, however many verbs there are.

use std::collections::BTreeSet;

use booking_core::{
    id::{BookingId, EventId, SessionId, UserId},
    seats::SeatIndex,
    time::Timestamp,
};
use sqlx::SqliteConnection;

use super::{
    door,
    rows::{kept, select_bookings},
};
use crate::sql::{
    books::{Books, Hall, Seat},
    stored::{from_text, to_json, to_u64, unreadable},
};

/// An event's row: its id, version, seats booked, whether it was called off, first seat, whether it carries, until when it
/// rests.
type HallRow = (String, i64, i64, bool, u32, bool, Option<i64>);

/// What a group's verbs name.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Bookings by id.
    pub(super) bookings: BTreeSet<BookingId>,
    /// Of those, the ones to confirm: if late, their session's and user's other bookings count, too.
    pub(super) confirms: BTreeSet<BookingId>,
    /// And the ones whose tickets count.
    pub(super) marked: BTreeSet<BookingId>,
    pub(super) sessions: BTreeSet<SessionId>,
    pub(super) users: BTreeSet<(UserId, EventId)>,
    pub(super) seats: BTreeSet<(EventId, SeatIndex)>,
    /// Holds whose deadline has passed at this moment, so many at most.
    pub(super) due: Option<(Timestamp, usize)>,
}

impl Needs {
    /// Names these bookings, and what the door knows of their tickets.
    pub(super) fn tickets<'a>(&mut self, bookings: impl Iterator<Item = &'a BookingId>) {
        for booking in bookings {
            self.bookings.insert(booking.clone());
            self.marked.insert(booking.clone());
        }
    }
}

/// Reads the books for `needs`.
pub(super) async fn books(connection: &mut SqliteConnection, mut needs: Needs) -> Result<Books, sqlx::Error> {
    let mut books = Books::default();
    named(connection, &needs, &mut books).await?;
    due(connection, &needs, &mut books).await?;
    for kept in books.bookings.values() {
        let booking = &kept.booking;
        needs.seats.extend(booking.seats.iter().map(|seat| (booking.event_id.clone(), *seat)));
        if needs.confirms.contains(&booking.booking_id) {
            needs.sessions.insert(booking.session.clone());
            needs.users.insert((booking.user_id.clone(), booking.event_id.clone()));
        }
    }
    let owners = seats(connection, &needs, &mut books).await?;
    others(connection, &needs, &owners, &mut books).await?;
    halls(connection, &needs, &mut books).await?;
    given_back(connection, &needs, &mut books).await?;
    if !needs.marked.is_empty() {
        door::load(connection, &needs.marked, &mut books).await?;
    }
    Ok(books)
}

/// Which payments of the bookings to confirm must not pay for them any more.
async fn given_back(connection: &mut SqliteConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    if needs.confirms.is_empty() {
        return Ok(());
    }
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT booking_id, transaction_id FROM payment_acts
         WHERE booking_id IN (SELECT value FROM json_each(?1)) AND step = 'voidDue'",
    )
    .bind(to_json(&needs.confirms))
    .fetch_all(connection)
    .await?;
    for (booking, transaction) in rows {
        books.given_back.insert((from_text(&booking)?, from_text(&transaction)?));
    }
    Ok(())
}

async fn named(connection: &mut SqliteConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    if needs.bookings.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(select_bookings!("WHERE booking_id IN (SELECT value FROM json_each(?1))"))
        .bind(to_json(&needs.bookings))
        .fetch_all(connection)
        .await?;
    keep(&rows, books)
}

async fn due(connection: &mut SqliteConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    let Some((now, max)) = needs.due else {
        return Ok(());
    };
    let rows = sqlx::query(select_bookings!(
        "WHERE state = 'held' AND expires_at <= ?1 ORDER BY expires_at, booking_id LIMIT ?2"
    ))
    .bind(now.as_millis())
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let kept = kept(row)?;
        books.due.push(kept.booking.booking_id.clone());
        books.keep(kept);
    }
    Ok(())
}

/// Who has the seats.
async fn seats(
    connection: &mut SqliteConnection,
    needs: &Needs,
    books: &mut Books,
) -> Result<BTreeSet<BookingId>, sqlx::Error> {
    let mut owners = BTreeSet::new();
    if needs.seats.is_empty() {
        return Ok(owners);
    }
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "SELECT c.event_id, c.seat, c.booking_id
         FROM json_each(?1) j
         CROSS JOIN seat_claims c ON c.event_id = j.value ->> 0 AND c.seat = j.value ->> 1",
    )
    .bind(to_json(&needs.seats))
    .fetch_all(connection)
    .await?;
    for (event, seat, booking) in rows {
        let index = SeatIndex(u32::try_from(seat).map_err(unreadable)?);
        let owner: BookingId = from_text(&booking)?;
        owners.insert(owner.clone());
        let seat = Seat { stored: Some(owner.clone()), owner: Some(owner), changed: false };
        books.seats.insert((from_text(&event)?, index), seat);
    }
    Ok(owners)
}

/// The bookings that count for who may have how many seats, and those that have the seats asked for.
async fn others(
    connection: &mut SqliteConnection,
    needs: &Needs,
    owners: &BTreeSet<BookingId>,
    books: &mut Books,
) -> Result<(), sqlx::Error> {
    let owners: Vec<_> = owners.iter().filter(|owner| !books.bookings.contains_key(*owner)).collect();
    if owners.is_empty() && needs.sessions.is_empty() && needs.users.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(select_bookings!(
        "WHERE number IN (
            SELECT b.number FROM json_each(?1) j CROSS JOIN bookings b ON b.booking_id = j.value
            UNION
            SELECT b.number FROM json_each(?2) j CROSS JOIN bookings b ON b.session = j.value
                WHERE b.state IN ('held', 'confirmed', 'cancelled')
            UNION
            SELECT b.number FROM json_each(?3) j
                CROSS JOIN bookings b INDEXED BY bookings_of_a_user
                    ON b.user_id = j.value ->> 0 AND b.event_id = j.value ->> 1
                WHERE b.state IN ('held', 'confirmed'))"
    ))
    .bind(to_json(&owners))
    .bind(to_json(&needs.sessions))
    .bind(to_json(&needs.users))
    .fetch_all(connection)
    .await?;
    keep(&rows, books)
}

/// The events' versions.
async fn halls(connection: &mut SqliteConnection, needs: &Needs, books: &mut Books) -> Result<(), sqlx::Error> {
    if needs.seats.is_empty() {
        return Ok(());
    }
    let events: BTreeSet<&EventId> = needs.seats.iter().map(|(event, _)| event).collect();
    let rows: Vec<HallRow> = sqlx::query_as(
        "SELECT event_id, version, booked, called_off IS NOT NULL, first_seat, carries, rests_until FROM event_versions
         WHERE event_id IN (SELECT value FROM json_each(?1))",
    )
    .bind(to_json(&events))
    .fetch_all(connection)
    .await?;
    for (event, version, booked, is_called_off, first_seat, carries, rests_until) in rows {
        let hall = Hall {
            version: to_u64(version)?,
            booked: to_u64(booked)?,
            is_called_off,
            first_seat,
            carries,
            rests_until: rests_until.map(Timestamp::from_millis),
            changed: false,
        };
        books.halls.insert(from_text(&event)?, hall);
    }
    Ok(())
}

fn keep(rows: &[sqlx::sqlite::SqliteRow], books: &mut Books) -> Result<(), sqlx::Error> {
    for row in rows {
        books.keep(kept(row)?);
    }
    Ok(())
}
