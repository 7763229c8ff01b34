//! An event that goes to another hall.

use futures_util::future::join;

use super::{
    Ledger, cancel_now, claim, claim_now, confirm_now, extend_now, give_up, must_cancel, must_confirm, must_hold, only,
    owners, shown, stored,
};
use crate::{
    booking::{
        Begun, BookingState, Cancelled, Carry, CheckIn, CheckedIn, Claimed, Confirmed, Extended, GateEntry, HallChange,
        REHOUSED, REST_MS, Revocation, RevokeTicket,
    },
    catalog::Rehoused,
    digest::Digest,
    ports::contract::{CROWD, at, booking, event},
    rehousing::SeatNames,
    seats::{SeatIndex, SeatStatus},
    time::Timestamp,
};

/// The event's change of hall `number`, decided at `now`.
fn change(number: u32, first_seat: u32, now: Timestamp) -> HallChange {
    let rehoused = Rehoused {
        command: format!("change {number}"),
        number,
        at: now,
        from: format!("venue_{number}").parse().expect("an id"),
        to: format!("venue_{}", number + 1).parse().expect("an id"),
        first_seat,
        reason: "The roof isn't \"tight\".".to_owned(),
        fingerprint: Digest::of(&[b"looked at"]),
    };
    let name = |text: &str| text.parse().expect("a seat id");
    HallChange { rehoused, seats: SeatNames::from([(name("A-1"), name("B \"1\""))]), actor: "ada".to_owned() }
}

/// From these seats to the ones so much further.
fn on(number: u32, seats: &[u32], by: u32, is_told: bool) -> Carry {
    let ways = seats.iter().map(|seat| (SeatIndex(*seat), SeatIndex(seat + by))).collect();
    Carry { booking: booking(number), ways, is_told }
}

fn indices(seats: &[u32]) -> Vec<SeatIndex> {
    seats.iter().copied().map(SeatIndex).collect()
}

async fn begin(ledger: &impl Ledger, change: &HallChange, now: Timestamp) -> Begun {
    let version = ledger.seat_states(&event(1)).await.expect("the seats").version;
    ledger.begin_rehousing(&event(1), change, version, now).await.expect("an answer")
}

async fn carry(ledger: &impl Ledger, ask: Carry, now: Timestamp) -> bool {
    only(ledger.carry(&[ask], now).await.expect("carried")).0
}

async fn show(ledger: &impl Ledger, number: u32, seat: u32, scan: &str) -> CheckedIn {
    let entry = GateEntry { gate: "North".to_owned(), scan: scan.to_owned(), at: at(7) };
    let ask = CheckIn { booking: booking(number), seat: SeatIndex(seat), entry };
    ledger.check_in(&event(1), &[ask]).await.expect("a check-in").remove(0)
}

/// "Gives confirmed bookings their seats in the new hall, each all at once": those and no others, each once.
pub async fn bookings_go_to_another_hall_with_their_event<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    assert_eq!(ledger.housing(&event(1)).await.expect("a look"), None);
    assert_eq!(ledger.bookings_to_carry(9).await.expect("a look"), None);
    for (number, seats) in [(1, &[1, 2][..]), (2, &[3]), (4, &[5, 6, 7])] {
        must_hold(&ledger, &claim(number, seats), at(0)).await;
        must_confirm(&ledger, number, at(1)).await;
    }
    must_hold(&ledger, &claim(3, &[4]), at(0)).await;
    must_cancel(&ledger, give_up(4, &[5], 100), at(2)).await;
    assert_eq!(show(&ledger, 1, 2, "s1").await, CheckedIn::In);
    let rows = ledger.outbox(100).await.expect("the outbox");
    ledger.outbox_published(&rows.iter().map(|row| row.number).collect::<Vec<_>>()).await.expect("published");
    let since = ledger.door_bookings(&event(1), 0, 10).await.expect("a page").last().expect("some").version;

    // The hold of 3 has run out; nobody has said so yet.
    let first = change(1, 10, at(60_000));
    for _ in 0..2 {
        assert_eq!(begin(&ledger, &first, at(60_000)).await, Begun::Begun, "once");
    }
    drop(ledger);
    let ledger = open().await;
    let housing = ledger.housing(&event(1)).await.expect("a look").expect("begun");
    assert_eq!((&housing.change, housing.left, housing.is_done), (&first, 3, false));
    for (number, seat) in [(50, 8), (51, 18)] {
        let answer = claim_now(&ledger, &claim(number, &[seat]), at(60_001)).await;
        assert_eq!(answer, Claimed::Resting, "nothing is claimed on the way");
    }
    let late = confirm_now(&ledger, 3, at(60_001)).await;
    assert!(matches!(late, Confirmed::Gone(_)), "a payment that comes late takes no seat of any hall: {late:?}");
    assert_eq!(begin(&ledger, &change(2, 20, at(60_002)), at(60_002)).await, Begun::Another);

    let to_carry = ledger.bookings_to_carry(2).await.expect("a look").expect("on its way");
    assert_eq!((&to_carry.event, &to_carry.change), (&event(1), &first));
    assert!((1..=2).contains(&to_carry.bookings.len()), "a bounded step");
    let before = stored(&ledger, 1).await;
    let (carried, changes) = only(ledger.carry(&[on(1, &[1, 2], 10, true)], at(60_003)).await.expect("carried"));
    assert!(carried);
    let shown_so: Vec<_> = changes.into_iter().flat_map(|changes| changes.changes).collect();
    for (seat, status) in [(1, SeatStatus::Available), (12, SeatStatus::Booked)] {
        assert!(shown_so.contains(&(SeatIndex(seat), status)), "{shown_so:?}");
    }
    let after = stored(&ledger, 1).await;
    assert_eq!((&after.seats, after.bought_seats()), (&indices(&[11, 12]), before.seats.clone()));
    assert_eq!(
        (after.total, after.settled_at, &after.transaction),
        (before.total, before.settled_at, &before.transaction)
    );
    assert!(!carry(&ledger, on(1, &[1, 2], 10, true), at(60_004)).await, "once");
    ledger.end_rehousing(&event(1), 1).await.expect("not yet");
    assert!(
        !ledger.housing(&event(1)).await.expect("a look").expect("begun").is_done,
        "others are still in the old hall"
    );
    assert!(carry(&ledger, on(2, &[3], 10, false), at(60_004)).await);
    assert!(carry(&ledger, on(4, &[6, 7], 10, true), at(60_004)).await);
    assert!(!carry(&ledger, on(3, &[4], 10, true), at(60_004)).await, "it never was confirmed");
    let done = ledger.bookings_to_carry(9).await.expect("a look").expect("not ended");
    assert_eq!(done.bookings, []);

    let rows = ledger.outbox(100).await.expect("the outbox");
    let told: Vec<_> = rows.iter().filter(|row| row.kind == REHOUSED).collect();
    let ids: Vec<_> = told.iter().map(|row| row.booking.booking_id.clone()).collect();
    assert_eq!(ids, [booking(1), booking(4)], "who is to be told, once");
    assert_eq!(told[0].booking, after);
    let (_, taken) = shown(&ledger).await;
    let booked: Vec<_> =
        taken.iter().filter(|(_, status)| **status == SeatStatus::Booked).map(|(seat, _)| *seat).collect();
    assert_eq!(booked, indices(&[11, 12, 13, 16, 17]));
    assert_eq!(owners(&ledger, at(60_005)).await.len(), 5);
    assert_eq!(ledger.totals(&event(1), at(60_005)).await.expect("sums").booked, 5);
    let page = ledger.door_bookings(&event(1), since, 10).await.expect("a page");
    assert_eq!(page.len(), 3, "doors hear of it");
    let first_of = page.iter().find(|one| one.booking == after).expect("with its tickets' marks");
    assert_eq!(first_of.marks.iter().map(|(seat, _)| *seat).collect::<Vec<_>>(), indices(&[2]), "by what was bought");

    for number in [2, 1] {
        ledger.end_rehousing(&event(1), number).await.expect("ended, or another");
    }
    assert!(ledger.housing(&event(1)).await.expect("a look").expect("done").is_done);
    assert_eq!(ledger.bookings_to_carry(9).await.expect("a look"), None);
    assert_eq!(claim_now(&ledger, &claim(52, &[8]), at(60_006)).await, Claimed::Resting, "a seat of the old hall");
    let taken = claim_now(&ledger, &claim(53, &[12]), at(60_006)).await;
    assert_eq!(taken, Claimed::Unavailable(indices(&[12])));
    let hold = crate::booking::ClaimSeats { until: at(120_000), ..claim(54, &[14, 15]) };
    must_hold(&ledger, &hold, at(60_006)).await;
    must_confirm(&ledger, 54, at(60_007)).await;
    assert!(matches!(confirm_now(&ledger, 3, at(60_008)).await, Confirmed::Gone(_)), "ever");
    assert_eq!(stored(&ledger, 3).await.state, BookingState::Expired);

    // A ticket is known by what was bought: for letting in, revoking and cancelling.
    assert!(matches!(show(&ledger, 1, 2, "s2").await, CheckedIn::Again { .. }), "invariant 11");
    assert_eq!(show(&ledger, 1, 12, "s3").await, CheckedIn::Unknown);
    assert_eq!(show(&ledger, 1, 1, "s4").await, CheckedIn::In);
    assert_eq!(show(&ledger, 4, 5, "s5").await, CheckedIn::Cancelled);
    let used = only(cancel_now(&ledger, give_up(1, &[1], 100), at(60_009)).await).0;
    assert!(matches!(used, Cancelled::Used(_)), "{used:?}");
    let revoke = RevokeTicket { booking: booking(4), seat: SeatIndex(6), why: Some("stolen".to_owned()) };
    assert_eq!(ledger.revoke_tickets(&event(1), &[revoke]).await.expect("revoked"), [Revocation::Done]);
    assert_eq!(ledger.door_counts(&event(1)).await.expect("the counts").revoked, 1);
    let left = must_cancel(&ledger, give_up(4, &[7], 100), at(60_010)).await;
    assert_eq!((&left.seats, &left.cancelled_seats), (&indices(&[16]), &indices(&[5, 17])));
    assert_eq!(left.refund, Some(200));

    // And once more, with bookings of both halls.
    assert_eq!(begin(&ledger, &change(2, 20, at(70_000)), at(70_000)).await, Begun::Begun);
    for (number, seats) in [(1, &[11, 12][..]), (2, &[13]), (4, &[16]), (54, &[14, 15])] {
        assert!(carry(&ledger, on(number, seats, 10, false), at(70_001)).await, "{number}");
    }
    ledger.end_rehousing(&event(1), 2).await.expect("ended");
    drop(ledger);
    let ledger = open().await;
    assert_eq!(ledger.housing(&event(1)).await.expect("a look").map(|housing| housing.is_done), Some(true));
    assert_eq!(stored(&ledger, 4).await.bought(SeatIndex(26)), SeatIndex(6));
    assert_eq!(stored(&ledger, 54).await.bought_seats(), indices(&[14, 15]));
    assert_eq!(show(&ledger, 2, 3, "s6").await, CheckedIn::In, "the first ticket still");
    assert_eq!(show(&ledger, 54, 14, "s7").await, CheckedIn::In);
}

/// "Unless there are live holds": they stand, no new ones are made for a while, and then it can begin.
pub async fn live_holds_keep_an_event_in_its_hall<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    must_hold(&ledger, &crate::booking::ClaimSeats { until: at(90_000), ..claim(2, &[2]) }, at(0)).await;
    let held = Begun::Held { holds: 2, until: at(90_000) };
    assert_eq!(begin(&ledger, &change(1, 10, at(1)), at(1)).await, held);
    drop(ledger);
    let ledger = open().await;
    assert_eq!(claim_now(&ledger, &claim(3, &[3]), at(2)).await, Claimed::Resting);
    let longer = extend_now(&ledger, 2, at(2)).await;
    assert!(matches!(longer, Extended::Resting(_)), "what it waits for gets no longer: {longer:?}");
    let elsewhere = crate::booking::ClaimSeats { event: event(2), ..claim(4, &[3]) };
    must_hold(&ledger, &elsewhere, at(2)).await;
    must_hold(&ledger, &claim(1, &[1]), at(2)).await;
    must_confirm(&ledger, 1, at(3)).await;
    let rests_until = at(90_000 + REST_MS);
    let held = |from: i64| crate::booking::ClaimSeats { until: rests_until.plus_millis(from + 9), ..claim(3, &[3]) };
    assert_eq!(claim_now(&ledger, &held(0), rests_until.plus_millis(-1)).await, Claimed::Resting);
    must_hold(&ledger, &held(0), rests_until).await;
    let now = rests_until.plus_millis(9);
    let stale = ledger.begin_rehousing(&event(1), &change(1, 10, now), 1, now).await.expect("an answer");
    assert_eq!(stale, Begun::Changed, "it was worked out by other seats");
    assert_eq!(begin(&ledger, &change(2, 10, now), now).await, Begun::Changed, "a change that does not follow");
    assert_eq!(begin(&ledger, &change(1, 10, now), now).await, Begun::Begun);
    ledger.end_rehousing(&event(1), 1).await.expect("not yet");
    assert_eq!(claim_now(&ledger, &claim(5, &[15]), now).await, Claimed::Resting);
    assert!(carry(&ledger, on(1, &[1], 10, false), now).await);
    ledger.end_rehousing(&event(1), 1).await.expect("ended");
    must_hold(&ledger, &crate::booking::ClaimSeats { until: now.plus_seconds(60), ..claim(5, &[15]) }, now).await;
}

/// Whatever races: an event that begins its change has no live hold, and makes none of the hall before.
pub async fn claims_and_a_change_of_hall_at_once_never_mix_their_seats<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let claims: Vec<_> = (0..CROWD).map(|number| claim(100 + number, &[number % 9])).collect();
    let one_by_one = async {
        let mut held = 0;
        for claim in &claims {
            held += usize::from(matches!(claim_now(&ledger, claim, at(1)).await, Claimed::Held(_)));
        }
        held
    };
    let (held, begun) = join(one_by_one, begin(&ledger, &change(1, 10, at(1)), at(1))).await;
    match begun {
        Begun::Begun => assert_eq!(held, 0, "a hold of a hall that the event has left"),
        Begun::Held { .. } | Begun::Changed => assert!(held > 0),
        Begun::Another => panic!("there is no other"),
    }
}
