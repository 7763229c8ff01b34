use super::{Ledger, claim, give_up, must_cancel, must_confirm, must_hold, stored};
use crate::{
    booking::{ClaimSeats, MOVED, OutboxRow, TELL_AGAIN_MS, Telling},
    catalog::{KNOWN_AFTER_MS, Moved},
    id::BookingId,
    ports::contract::{at, booking, event},
    time::Timestamp,
};

/// The event's move `number`, decided at `now`.
fn moved(number: u32, now: Timestamp) -> Moved {
    Moved {
        command: format!("move {number}"),
        number,
        at: now,
        from: at(1_000_000 * i64::from(number)),
        to: at(1_000_000 * i64::from(number + 1)),
        reason: "The singer's \"throat\".".to_owned(),
        give_back_until: at(500_000),
    }
}

/// Everything that `ledger` tells of moves, in steps of `max`, at `now`.
async fn told(ledger: &impl Ledger, max: usize, now: Timestamp) -> Vec<(BookingId, Timestamp)> {
    let mut told = Vec::new();
    // An event is finished with a step that told fewer, which may be none.
    for _ in 0..20 {
        ledger.tell_moved(max, now).await.expect("a step");
        let rows = ledger.outbox(1_000).await.expect("the outbox");
        let of_moves = rows.iter().filter(|row| row.kind == MOVED);
        for row in of_moves.clone() {
            assert_eq!(row.booking, ledger.booking(&row.booking.booking_id).await.expect("a look").expect("there"));
        }
        told.extend(of_moves.map(|row| (row.booking.booking_id.clone(), row.at)));
        publish(ledger, &rows).await;
    }
    told.sort();
    told
}

async fn publish(ledger: &impl Ledger, rows: &[OutboxRow]) {
    let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
    ledger.outbox_published(&numbers).await.expect("published");
}

async fn telling(ledger: &impl Ledger) -> Option<Telling> {
    ledger.telling(&event(1)).await.expect("a look")
}

/// "Each is told once for each move", whoever had booked when it was decided and still has seats; nobody else.
pub async fn bookings_are_told_of_each_move_once<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    assert_eq!(telling(&ledger).await, None);
    assert_eq!(ledger.tell_moved(10, at(0)).await.expect("nobody"), 0);
    for number in 1..=7 {
        let of = if number == 7 { event(2) } else { event(1) };
        let made = if number == 6 { at(101 + KNOWN_AFTER_MS) } else { at(100 + i64::from(number)) };
        let ask = ClaimSeats { event: of, until: at(500_000), ..claim(number, &[number, 10 + number]) };
        must_hold(&ledger, &ask, made).await;
        must_confirm(&ledger, number, made).await;
    }
    must_cancel(&ledger, give_up(2, &[2, 12], 0), at(111)).await;
    let last = must_cancel(&ledger, give_up(3, &[3], 0), at(111)).await;
    let rows = ledger.outbox(100).await.expect("the outbox");
    publish(&ledger, &rows).await;
    let first = moved(1, at(100));
    for _ in 0..2 {
        ledger.record_move(&event(1), &first).await.expect("recorded");
    }
    let begun = Telling { moved: first.clone(), told: 0, left: 4 };
    assert_eq!(telling(&ledger).await, Some(begun));
    assert_eq!(ledger.tell_moved(10, at(99)).await.expect("not yet"), 0, "no sooner than it was decided");
    assert_eq!(ledger.tell_moved(3, at(120)).await.expect("a step"), 3, "a bounded step");
    drop(ledger);
    let ledger = open().await;
    assert_eq!(telling(&ledger).await.map(|telling| (telling.told, telling.left)), Some((3, 1)));
    let expected = |now: Timestamp| [1, 3, 4, 5].map(|number| (booking(number), now)).to_vec();
    assert_eq!(told(&ledger, 3, at(120)).await, expected(at(120)));
    ledger.record_move(&event(1), &first).await.expect("recorded before");
    assert_eq!(told(&ledger, 3, at(121)).await, [], "once");
    assert_eq!(telling(&ledger).await, Some(Telling { moved: first.clone(), told: 4, left: 0 }));
    assert_eq!(stored(&ledger, 3).await, last, "the booking itself does not change");
    // Moved again: everybody who had booked by then is told, once more.
    let second = moved(2, at(100_000));
    ledger.record_move(&event(1), &second).await.expect("recorded");
    ledger.record_move(&event(1), &first).await.expect("an old one changes nothing");
    assert_eq!(telling(&ledger).await, Some(Telling { moved: second, told: 0, left: 5 }));
    let mut expected = expected(at(200_000));
    expected.push((booking(6), at(200_000)));
    assert_eq!(told(&ledger, 2, at(200_000)).await, expected);
    // An event that nothing was sold of.
    ledger.record_move(&event(3), &moved(1, at(200_000))).await.expect("recorded");
    assert_eq!(told(&ledger, 2, at(300_000)).await, []);
}

/// "A hold that is confirmed later is told then", also where that takes a while; what is held after the move is not.
pub async fn a_hold_that_is_confirmed_after_a_move_is_told<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    must_hold(&ledger, &claim(1, &[1]), at(0)).await;
    ledger.record_move(&event(1), &moved(1, at(10))).await.expect("recorded");
    assert_eq!(told(&ledger, 5, at(12)).await, []);
    must_confirm(&ledger, 1, at(13)).await;
    let later = at(12 + TELL_AGAIN_MS);
    assert_eq!(told(&ledger, 5, later).await, [(booking(1), later)]);
    // Also whoever holds seats while pages may still show the start before.
    let last = at(10 + KNOWN_AFTER_MS);
    for (number, made) in [(2, last), (3, last.plus_millis(1))] {
        must_hold(&ledger, &ClaimSeats { until: at(500_000), ..claim(number, &[number]) }, made).await;
        assert_eq!(told(&ledger, 5, made).await, []);
    }
    let looks = [20_000, 200_000].map(|after| last.plus_millis(after));
    assert_eq!(told(&ledger, 5, looks[0]).await, []);
    for number in [2, 3] {
        must_confirm(&ledger, number, looks[0]).await;
    }
    assert_eq!(told(&ledger, 5, looks[1]).await, [(booking(2), looks[1])]);
    assert_eq!(told(&ledger, 5, looks[1].plus_millis(TELL_AGAIN_MS)).await, []);
}
