//! The mailroom's suite: see [`crate::ports::contract`].

use futures_util::future::join_all;

use super::{Due, Letters, Mailroom, Settled};
use crate::{
    booking::{Booking, BookingState, OutboxRow},
    digest::Digest,
    id::LetterId,
    mail::{Contact, Letter, Subject},
    ports::contract::{at, booking, euros, event, user},
    seats::SeatIndex,
};

/// Makes one test of each sentence of the mailroom's contract.
#[macro_export]
macro_rules! mailroom_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) mailroom:
            a_letter_is_due_until_it_is_sent
            a_letter_is_queued_once_whatever_became_of_it
            nobody_is_written_to_whose_address_is_unknown
            the_latest_contact_counts
            a_letter_that_is_put_off_waits_for_its_moment
            a_letter_that_is_refused_is_listed_with_the_reason
            what_is_settled_stays_so
            letters_that_are_posted_at_once_are_queued_once
            letters_and_contacts_are_forgotten_in_time
        }
    };
}

fn contact(number: u32) -> Contact {
    Contact { email: format!("buyer-{number}@example.org").parse().expect("an address") }
}

/// The letter about booking `number` after its change `change`.
fn letter(number: u32, change: u64) -> Letter {
    let booking = Booking {
        booking_id: booking(number),
        event_id: event(1),
        user_id: user(number),
        session: format!("session_{number}").parse().expect("a session"),
        seats: vec![SeatIndex(number)],
        cancelled_seats: Vec::new(),
        bought_as: Vec::new(),
        state: BookingState::Confirmed,
        total: euros(4_500),
        expires_at: at(60_000),
        extended: false,
        created_at: at(0),
        settled_at: Some(at(1)),
        transaction: Some(format!("txn_{number}").parse().expect("a transaction")),
        refund: None,
        fingerprint: Digest::of(&[b"letter"]),
    };
    let row = OutboxRow { number: change, kind: "booking.confirmed".to_owned(), booking, at: at(1) };
    Letter::about(&row).expect("a letter")
}

async fn remember(mailroom: &impl Mailroom, number: u32) {
    mailroom.remember(&[(booking(number), contact(number))], at(0)).await.expect("noted");
}

async fn post(mailroom: &impl Mailroom, letters: &[Letter], ms: i64) -> usize {
    mailroom.post(letters, at(ms)).await.expect("posted")
}

async fn due(mailroom: &impl Mailroom, ms: i64) -> Vec<Due> {
    mailroom.due(at(ms), 100).await.expect("letters")
}

async fn settle(mailroom: &impl Mailroom, letter: &Letter, settled: Settled, ms: i64) {
    mailroom.settle(&[(letter.letter_id.clone(), settled)], at(ms)).await.expect("settled");
}

fn ids(due: &[Due]) -> Vec<LetterId> {
    due.iter().map(|due| due.letter.letter_id.clone()).collect()
}

/// "A letter is due until it is settled as sent", and a restart changes nothing.
pub async fn a_letter_is_due_until_it_is_sent<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    assert_eq!(due(&mailroom, 0).await, []);
    remember(&mailroom, 1).await;
    remember(&mailroom, 2).await;
    assert_eq!(post(&mailroom, &[letter(1, 1), letter(2, 2)], 5).await, 2);
    assert_eq!(mailroom.due(at(5), 1).await.expect("letters").len(), 1);
    drop(mailroom);
    let mailroom = open().await;
    let waiting = due(&mailroom, 5).await;
    let expected =
        |number, change| Due { letter: letter(number, change), contact: contact(number), tries: 0, posted_at: at(5) };
    assert_eq!(waiting, [expected(1, 1), expected(2, 2)], "in the order posted");
    assert_eq!(waiting[0].letter.subject, Subject::Confirmed);
    settle(&mailroom, &letter(1, 1), Settled::Sent, 6).await;
    drop(mailroom);
    let mailroom = open().await;
    assert_eq!(due(&mailroom, 7).await, [expected(2, 2)]);
    assert_eq!(mailroom.letters().await.expect("counts"), Letters { waiting: 1, refused: 0 });
}

/// "A letter is queued once, whatever became of it."
pub async fn a_letter_is_queued_once_whatever_became_of_it<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    remember(&mailroom, 1).await;
    assert_eq!(post(&mailroom, &[letter(1, 1), letter(1, 1)], 1).await, 1);
    assert_eq!(post(&mailroom, &[letter(1, 1)], 2).await, 0, "while it waits");
    settle(&mailroom, &letter(1, 1), Settled::Sent, 3).await;
    assert_eq!(post(&mailroom, &[letter(1, 1)], 4).await, 0, "after it was sent");
    assert_eq!(post(&mailroom, &[letter(1, 2), letter(1, 1)], 5).await, 1, "another one is another one");
    settle(&mailroom, &letter(1, 2), Settled::Refused("no such box".to_owned()), 6).await;
    drop(mailroom);
    let mailroom = open().await;
    assert_eq!(post(&mailroom, &[letter(1, 1), letter(1, 2)], 7).await, 0, "after a restart");
    assert_eq!(due(&mailroom, 8).await, []);
    assert_eq!(post(&mailroom, &[], 9).await, 0);
}

/// "Only where its booking has a contact": it is not queued later either, by itself.
pub async fn nobody_is_written_to_whose_address_is_unknown<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    remember(&mailroom, 2).await;
    assert_eq!(post(&mailroom, &[letter(1, 1), letter(2, 2)], 1).await, 1);
    remember(&mailroom, 1).await;
    assert_eq!(ids(&due(&mailroom, 2).await), [letter(2, 2).letter_id]);
    assert_eq!(post(&mailroom, &[letter(1, 1)], 3).await, 1, "posted again, it is");
}

/// "The latest contact of a booking counts, also for letters that wait."
pub async fn the_latest_contact_counts<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    mailroom.remember(&[(booking(1), contact(7)), (booking(1), contact(8))], at(0)).await.expect("noted");
    post(&mailroom, &[letter(1, 1)], 1).await;
    assert_eq!(due(&mailroom, 1).await[0].contact, contact(8));
    remember(&mailroom, 1).await;
    drop(mailroom);
    let mailroom = open().await;
    assert_eq!(due(&mailroom, 1).await[0].contact, contact(1));
}

/// "Not before the moment it was put off to"; others go on meanwhile.
pub async fn a_letter_that_is_put_off_waits_for_its_moment<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    for number in 1..=2 {
        remember(&mailroom, number).await;
        post(&mailroom, &[letter(number, number.into())], number.into()).await;
    }
    settle(&mailroom, &letter(1, 1), Settled::Later(at(100)), 5).await;
    assert_eq!(ids(&due(&mailroom, 99).await), [letter(2, 2).letter_id]);
    drop(mailroom);
    let mailroom = open().await;
    let waiting = due(&mailroom, 100).await;
    assert_eq!(ids(&waiting), [letter(2, 2).letter_id, letter(1, 1).letter_id], "by the moment they wait for");
    assert_eq!((waiting[1].tries, waiting[1].posted_at), (1, at(1)));
    settle(&mailroom, &letter(1, 1), Settled::Later(at(200)), 101).await;
    assert_eq!(due(&mailroom, 200).await[1].tries, 2);
    assert_eq!(mailroom.letters().await.expect("counts").waiting, 2);
}

/// "Of a letter that was refused only its id is kept, and the reason."
pub async fn a_letter_that_is_refused_is_listed_with_the_reason<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    for number in 1..=3 {
        remember(&mailroom, number).await;
        post(&mailroom, &[letter(number, number.into())], 1).await;
    }
    for (number, ms) in [(1, 10), (3, 20)] {
        settle(&mailroom, &letter(number, number.into()), Settled::Refused(format!("no box {number}")), ms).await;
    }
    drop(mailroom);
    let mailroom = open().await;
    let listed = mailroom.refused(10).await.expect("a list");
    let told: Vec<_> = listed.iter().map(|one| (one.booking_id.clone(), one.reason.as_str(), one.at)).collect();
    assert_eq!(told, [(booking(3), "no box 3", at(20)), (booking(1), "no box 1", at(10))], "the latest first");
    assert_eq!(listed[0].letter_id, letter(3, 3).letter_id);
    assert_eq!(mailroom.refused(1).await.expect("a list"), listed[..1]);
    assert_eq!(mailroom.letters().await.expect("counts"), Letters { waiting: 1, refused: 2 });
}

/// "Nothing changes that any more."
pub async fn what_is_settled_stays_so<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    for number in 1..=2 {
        remember(&mailroom, number).await;
        post(&mailroom, &[letter(number, number.into())], 1).await;
    }
    settle(&mailroom, &letter(1, 1), Settled::Sent, 2).await;
    settle(&mailroom, &letter(2, 2), Settled::Refused("no".to_owned()), 2).await;
    for number in 1..=2 {
        for late in [Settled::Later(at(3)), Settled::Refused("late".to_owned()), Settled::Sent] {
            settle(&mailroom, &letter(number, number.into()), late, 4).await;
        }
    }
    settle(&mailroom, &letter(9, 9), Settled::Sent, 4).await;
    assert_eq!(due(&mailroom, 1_000).await, []);
    let refused = mailroom.refused(10).await.expect("a list");
    assert_eq!(refused.iter().map(|one| (one.reason.as_str(), one.at)).collect::<Vec<_>>(), [("no", at(2))]);
}

/// Each verb is one transaction: two relays that post the same letters queue each once.
pub async fn letters_that_are_posted_at_once_are_queued_once<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    let contacts: Vec<_> = (1..=50).map(|number| (booking(number), contact(number))).collect();
    let letters: Vec<_> = (1..=50).map(|number| letter(number, number.into())).collect();
    let backwards: Vec<_> = letters.iter().rev().cloned().collect();
    mailroom.remember(&contacts, at(0)).await.expect("noted");
    let posts = [&letters, &backwards, &letters, &backwards].map(|letters| mailroom.post(letters, at(1)));
    let queued: usize = join_all(posts).await.into_iter().map(|queued| queued.expect("posted")).sum();
    assert_eq!((queued, due(&mailroom, 1).await.len()), (50, 50));
}

/// "Letters that were settled before; contacts that were noted before it and that no letter waits for."
pub async fn letters_and_contacts_are_forgotten_in_time<M: Mailroom>(open: impl AsyncFn() -> M) {
    let mailroom = open().await;
    for number in 1..=4 {
        mailroom.remember(&[(booking(number), contact(number))], at(i64::from(number))).await.expect("noted");
        post(&mailroom, &[letter(number, number.into())], 10).await;
    }
    settle(&mailroom, &letter(1, 1), Settled::Sent, 20).await;
    settle(&mailroom, &letter(2, 2), Settled::Refused("no".to_owned()), 30).await;
    settle(&mailroom, &letter(4, 4), Settled::Sent, 40).await;
    assert_eq!(mailroom.forget(at(1), 10).await.expect("forgotten"), 0);
    assert_eq!(mailroom.forget(at(20), 10).await.expect("forgotten"), 3, "contacts 1, 2 and 4");
    assert_eq!(mailroom.forget(at(31), 1).await.expect("forgotten"), 1, "a bounded step: a letter");
    assert_eq!(mailroom.forget(at(31), 10).await.expect("forgotten"), 1, "the other");
    assert_eq!(mailroom.refused(10).await.expect("a list"), []);
    drop(mailroom);
    let mailroom = open().await;
    assert_eq!(ids(&due(&mailroom, 50).await), [letter(3, 3).letter_id], "what waits is kept, with its address");
    assert_eq!(post(&mailroom, &[letter(4, 4)], 60).await, 0, "what was sent since is known");
}
