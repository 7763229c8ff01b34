//! Writing what a verb changed: one statement, whatever the batch's size, and one more where seats are given up.

use booking_core::{
    booking::{Booking, BookingState, seat_status},
    id::{BookingId, EventId, TransactionId},
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};
use sqlx::PgConnection;

use super::{door, payments, write::ActId};
use crate::sql::{
    books::{Books, Seat},
    stored::{state_text, to_i64, to_json, unreadable},
};

/// Whether an earlier try wrote it.
pub(super) async fn is_written(connection: &mut PgConnection, act: ActId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM acts WHERE act_id = $1)")
        .bind(&act[..])
        .fetch_one(connection)
        .await
}

/// Writes what changed in `books`, and the mark of `act`.
pub(super) async fn books(connection: &mut PgConnection, books: &Books, act: ActId) -> Result<(), sqlx::Error> {
    reseat(connection, books).await?;
    extend(connection, books).await?;
    give_up(connection, books).await?;
    write(connection, books, act).await?;
    door::marks(connection, books).await?;
    if !books.acts.is_empty() {
        payments::record(connection, &books.acts).await?;
    }
    Ok(())
}

/// Writes which seats the bookings have that have fewer than before, or others.
async fn reseat(connection: &mut PgConnection, books: &Books) -> Result<(), sqlx::Error> {
    let mut reseated: Vec<&BookingId> = books.reseated.iter().collect();
    reseated.sort_unstable();
    reseated.dedup();
    if reseated.is_empty() {
        return Ok(());
    }
    let bookings = || reseated.iter().map(|id| &books.bookings[*id].booking);
    let written = sqlx::query(
        "UPDATE bookings b SET seats = r.seats::bigint[], cancelled_seats = r.cancelled::bigint[], bought_as = r.bought_as,
            door_version = nextval('door_versions')
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS r (booking_id, seats, cancelled, bought_as)
         WHERE b.booking_id = r.booking_id",
    )
    .bind(reseated.iter().map(|id| id.as_str()).collect::<Vec<_>>())
    .bind(bookings().map(|booking| array(&booking.seats)).collect::<Vec<_>>())
    .bind(bookings().map(|booking| array(&booking.cancelled_seats)).collect::<Vec<_>>())
    .bind(bookings().map(|booking| to_json(&booking.bought_as)).collect::<Vec<_>>())
    .execute(connection)
    .await?
    .rows_affected();
    all("bookings with other seats", to_i64(written), reseated.len())
}

/// Writes the deadlines of the holds that were extended; those of their seats are written with the rest.
async fn extend(connection: &mut PgConnection, books: &Books) -> Result<(), sqlx::Error> {
    let changed = books.changed.iter().map(|id| &books.bookings[id].booking);
    let extended: Vec<&Booking> = changed.filter(|booking| is_extended(booking)).collect();
    if extended.is_empty() {
        return Ok(());
    }
    let written = sqlx::query(
        "WITH extended AS (
            SELECT b.event_id, b.expires_at AS before, e.booking_id, e.expires_at
            FROM unnest($1::text[], $2::bigint[]) AS e (booking_id, expires_at)
            JOIN bookings b ON b.booking_id = e.booking_id
         ), moved AS (
            UPDATE holds h SET expires_at = e.expires_at FROM extended e
            WHERE h.event_id = e.event_id AND h.expires_at = e.before AND h.booking_id = e.booking_id
            RETURNING h.booking_id, h.expires_at
         )
         UPDATE bookings b SET expires_at = m.expires_at, extended = true FROM moved m WHERE b.booking_id = m.booking_id",
    )
    .bind(extended.iter().map(|booking| booking.booking_id.as_str()).collect::<Vec<_>>())
    .bind(extended.iter().map(|booking| booking.expires_at.as_millis()).collect::<Vec<_>>())
    .execute(connection)
    .await?
    .rows_affected();
    all("holds extended", to_i64(written), extended.len())
}

/// Whether it is a hold that was extended: never by the transaction that made it.
fn is_extended(booking: &Booking) -> bool {
    booking.state == BookingState::Held && booking.extended
}

/// Deletes who had the seats that are free now, and those that went to somebody else after being given up.
async fn give_up(connection: &mut PgConnection, books: &Books) -> Result<(), sqlx::Error> {
    let (mut events, mut seats, mut owners) = (Vec::new(), Vec::new(), Vec::new());
    for ((event, index), seat) in &books.seats {
        let Some(owner) = seat.stored.as_ref().filter(|_| seat.changed) else { continue };
        if seat.owner.is_none() || gave_up(books, *index, seat, owner) {
            events.push(event.as_str());
            seats.push(i64::from(index.0));
            owners.push(owner.as_str());
        }
    }
    if seats.is_empty() {
        return Ok(());
    }
    let wanted = seats.len();
    let deleted = sqlx::query(
        "DELETE FROM seat_claims c USING unnest($1::text[], $2::bigint[], $3::text[]) AS f (event_id, seat, booking_id)
         WHERE c.event_id = f.event_id AND c.seat = f.seat AND c.booking_id = f.booking_id",
    )
    .bind(events)
    .bind(seats)
    .bind(owners)
    .execute(connection)
    .await?
    .rows_affected();
    all("seats given up", to_i64(deleted), wanted)
}

/// Whether `owner` gave the seat up in this transaction and another booking took it.
fn gave_up(books: &Books, index: SeatIndex, seat: &Seat, owner: &BookingId) -> bool {
    let is_free =
        |booking: &Booking| seat_status(booking.state) == SeatStatus::Available || !booking.seats.contains(&index);
    seat.owner.as_ref() != Some(owner)
        && books.bookings.get(owner).is_some_and(|kept| kept.changed && is_free(&kept.booking))
}

/// Everything but the seats given up. A seat that somebody else has is taken over only where that hold has run out. The rows
/// of holds that end are each looked up by their key and then deleted by their place, whatever the statistics say: under
/// the events' locks nobody else moves them.
const WRITE: &str = "WITH made AS (
        INSERT INTO bookings (booking_id, event_id, user_id, session, seats, state, amount, currency, expires_at,
            created_at, fingerprint, max_seats)
        SELECT booking_id, event_id, user_id, session, seats::bigint[], 'held', amount, currency, expires_at,
            created_at, fingerprint, max_seats
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
            $8::bigint[], $9::bigint[], $10::bytea[], $11::bigint[]) WITH ORDINALITY
            AS m (booking_id, event_id, user_id, session, seats, amount, currency, expires_at, created_at,
                fingerprint, max_seats, place)
        ORDER BY place
        RETURNING event_id, expires_at, booking_id
    ), begun AS (
        INSERT INTO holds (event_id, expires_at, booking_id) SELECT event_id, expires_at, booking_id FROM made
        RETURNING 1
    ), settled AS (
        UPDATE bookings b SET state = s.state, settled_at = s.settled_at, transaction_id = s.transaction_id,
            refund = s.refund,
            door_version = CASE WHEN s.state IN ('confirmed', 'cancelled') THEN nextval('door_versions') END
        FROM unnest($12::text[], $13::text[], $14::bigint[], $15::text[], $16::bigint[])
            AS s (booking_id, state, settled_at, transaction_id, refund)
        WHERE b.booking_id = s.booking_id
        RETURNING b.event_id, b.expires_at, b.booking_id, b.door_version
    ), ended AS (
        DELETE FROM holds WHERE ctid = ANY (ARRAY(
            SELECT h.ctid FROM settled s CROSS JOIN LATERAL (
                SELECT ctid FROM holds
                WHERE event_id = s.event_id AND expires_at = s.expires_at AND booking_id = s.booking_id OFFSET 0) h))
    ), heard AS (
        INSERT INTO door_changes (event_id, version, booking_id)
        SELECT event_id, door_version, booking_id FROM settled WHERE door_version IS NOT NULL
    ), taken AS (
        INSERT INTO seat_claims AS c (event_id, seat, booking_id, until, claimed_at)
        SELECT event_id, seat, booking_id, until, $21
        FROM unnest($17::text[], $18::bigint[], $19::text[], $20::bigint[]) AS t (event_id, seat, booking_id, until)
        ORDER BY event_id, seat
        ON CONFLICT (event_id, seat) DO UPDATE SET booking_id = excluded.booking_id, until = excluded.until,
            claimed_at = excluded.claimed_at
        WHERE c.booking_id = excluded.booking_id OR c.until <= excluded.claimed_at
        RETURNING 1
    ), kept AS (
        UPDATE seat_claims c SET until = k.until, claimed_at = $21
        FROM unnest($30::text[], $31::bigint[], $32::text[], $33::bigint[]) AS k (event_id, seat, booking_id, until)
        WHERE c.event_id = k.event_id AND c.seat = k.seat AND c.booking_id = k.booking_id
        RETURNING 1
    ), counted AS (
        UPDATE event_versions v SET version = h.version, booked = h.booked
        FROM unnest($22::text[], $23::bigint[], $24::bigint[]) AS h (event_id, version, booked)
        WHERE v.event_id = h.event_id
        RETURNING 1
    ), told AS (
        INSERT INTO outbox (kind, booking_id, booking, at)
        SELECT kind, booking_id, booking, at
        FROM unnest($25::text[], $26::text[], $27::text[], $28::bigint[]) WITH ORDINALITY
            AS o (kind, booking_id, booking, at, place)
        ORDER BY place
    ), marked AS (
        INSERT INTO acts (act_id) VALUES ($29)
    )
    SELECT (SELECT count(*) FROM begun), (SELECT count(*) FROM settled), (SELECT count(*) FROM taken) + (SELECT count(*) FROM kept),
        (SELECT count(*) FROM counted)";

async fn write(connection: &mut PgConnection, books: &Books, act: ActId) -> Result<(), sqlx::Error> {
    let changed = || books.changed.iter().map(|id| &books.bookings[id]);
    // Nothing becomes a hold later: what is one was made now, or extended.
    let is_made = |booking: &Booking| booking.state == BookingState::Held && !is_extended(booking);
    let made: Vec<_> = changed().filter(|kept| is_made(&kept.booking)).collect();
    let of_made = |part: fn(&Booking) -> &str| made.iter().map(|kept| part(&kept.booking)).collect::<Vec<_>>();
    let settled: Vec<_> =
        changed().map(|kept| &kept.booking).filter(|booking| booking.state != BookingState::Held).collect();
    let (kept, taken): (Vec<_>, Vec<_>) = owned(books).partition(|seat| seat.is_kept);
    let halls: Vec<_> = books.halls.iter().filter(|(_, hall)| hall.changed).collect();
    let written: (i64, i64, i64, i64) = sqlx::query_as(WRITE)
        .bind(of_made(|booking| booking.booking_id.as_str()))
        .bind(of_made(|booking| booking.event_id.as_str()))
        .bind(of_made(|booking| booking.user_id.as_str()))
        .bind(of_made(|booking| booking.session.as_str()))
        .bind(made.iter().map(|kept| array(&kept.booking.seats)).collect::<Vec<_>>())
        .bind(made.iter().map(|kept| kept.booking.total.amount).collect::<Vec<_>>())
        .bind(of_made(|booking| booking.total.currency.as_str()))
        .bind(made.iter().map(|kept| kept.booking.expires_at.as_millis()).collect::<Vec<_>>())
        .bind(made.iter().map(|kept| kept.booking.created_at.as_millis()).collect::<Vec<_>>())
        .bind(made.iter().map(|kept| &kept.booking.fingerprint.0[..]).collect::<Vec<_>>())
        .bind(made.iter().map(|kept| i64::from(kept.max_seats)).collect::<Vec<_>>())
        .bind(settled.iter().map(|booking| booking.booking_id.as_str()).collect::<Vec<_>>())
        .bind(settled.iter().map(|booking| state_text(booking.state)).collect::<Vec<_>>())
        .bind(settled.iter().map(|booking| booking.settled_at.map(Timestamp::as_millis)).collect::<Vec<_>>())
        .bind(settled.iter().map(|booking| booking.transaction.as_ref().map(TransactionId::as_str)).collect::<Vec<_>>())
        .bind(settled.iter().map(|booking| booking.refund).collect::<Vec<_>>())
        .bind(taken.iter().map(|taken| taken.event.as_str()).collect::<Vec<_>>())
        .bind(taken.iter().map(|taken| i64::from(taken.seat.0)).collect::<Vec<_>>())
        .bind(taken.iter().map(|taken| taken.owner.as_str()).collect::<Vec<_>>())
        .bind(taken.iter().map(|taken| taken.until).collect::<Vec<_>>())
        .bind(books.latest.as_millis())
        .bind(halls.iter().map(|(event, _)| event.as_str()).collect::<Vec<_>>())
        .bind(halls.iter().map(|(_, hall)| to_i64(hall.version)).collect::<Vec<_>>())
        .bind(halls.iter().map(|(_, hall)| to_i64(hall.booked)).collect::<Vec<_>>())
        .bind(books.outbox.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>())
        .bind(books.outbox.iter().map(|row| row.booking.booking_id.as_str()).collect::<Vec<_>>())
        .bind(books.outbox.iter().map(|row| to_json(&row.booking)).collect::<Vec<_>>())
        .bind(books.outbox.iter().map(|row| row.at.as_millis()).collect::<Vec<_>>())
        .bind(&act[..])
        .bind(kept.iter().map(|kept| kept.event.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|kept| i64::from(kept.seat.0)).collect::<Vec<_>>())
        .bind(kept.iter().map(|kept| kept.owner.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|kept| kept.until).collect::<Vec<_>>())
        .fetch_one(connection)
        .await?;
    all("bookings made", written.0, made.len())?;
    all("bookings changed", written.1, settled.len())?;
    all("seats taken", written.2, taken.len() + kept.len())?;
    all("events", written.3, halls.len())
}

/// A seat that is somebody's after the transaction.
struct Owned<'a> {
    event: &'a EventId,
    seat: SeatIndex,
    owner: &'a BookingId,
    /// The hold's deadline, `None` where the seat is booked.
    until: Option<i64>,
    /// Whether it was the same booking's before.
    is_kept: bool,
}

fn owned(books: &Books) -> impl Iterator<Item = Owned<'_>> {
    let changed = books.seats.iter().filter(|(_, seat)| seat.changed);
    changed.filter_map(|((event, seat), now)| {
        let owner = now.owner.as_ref()?;
        let booking = &books.bookings.get(owner)?.booking;
        let until = (booking.state == BookingState::Held).then_some(booking.expires_at.as_millis());
        let is_kept = now.stored.as_ref() == Some(owner);
        Some(Owned { event, seat: *seat, owner, until, is_kept })
    })
}

/// An array as Postgres writes it: one booking's seats, where every booking has another number of them.
fn array(seats: &[SeatIndex]) -> String {
    let seats: Vec<String> = seats.iter().map(|seat| seat.0.to_string()).collect();
    format!("{{{}}}", seats.join(","))
}

/// Under the events' locks everything is written that was decided.
fn all(what: &str, written: i64, wanted: usize) -> Result<(), sqlx::Error> {
    if usize::try_from(written) == Ok(wanted) {
        return Ok(());
    }
    Err(unreadable(format!("{what}: {written} of {wanted} could be written")))
}
