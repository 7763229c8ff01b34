//! The log's suite: see [`crate::ports::contract`].

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use futures_util::future::{join, join_all};

use super::{Entry, Log, MAX_PAYLOAD_BYTES, Topic};
use crate::ports::contract::{CROWD, event, payload};

/// Makes one test of each sentence of the log's contract.
#[macro_export]
macro_rules! log_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) log:
            a_topic_has_a_lane_at_least_and_a_line_keeps_its_lanes
            a_lane_begins_at_0_and_its_offsets_rise
            what_was_acknowledged_is_read_in_order_and_byte_for_byte
            what_was_acknowledged_survives_a_restart
            offsets_go_on_after_a_restart
            a_read_begins_where_asked_and_gives_no_more_than_asked
            an_empty_lane_is_answered_at_once_without_patience
            a_read_with_patience_sees_an_append_that_comes_later
            a_read_with_patience_gives_up_when_it_is_over
            the_end_is_after_the_last_acknowledged_entry
            lanes_and_topics_are_apart
            concurrent_appends_have_offsets_of_their_own
            the_largest_payload_fits_and_no_larger_one
            a_lane_that_is_not_there_takes_nothing
            a_group_goes_on_where_it_committed
        }
    };
}

/// The lobby of the suite's event.
fn line() -> Topic {
    Topic::Line(event(1))
}

/// Everything of a lane, page by page.
async fn all(log: &impl Log, topic: &Topic, lane: u16) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let from = entries.last().map_or(0, |last| last.offset + 1);
        let page = log.read(topic, lane, from, 64, Duration::ZERO).await.expect("a read");
        if page.is_empty() {
            return entries;
        }
        entries.extend(page);
    }
}

/// "The topic is made where it was missing"; the lanes of a line never change.
pub async fn a_topic_has_a_lane_at_least_and_a_line_keeps_its_lanes<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    let lanes = log.lanes(&line()).await.expect("lanes");
    let topics = [
        Topic::Sales,
        Topic::State(event(1)),
        Topic::Commands,
        Topic::Bookings,
        Topic::Replies,
        Topic::Seats,
        Topic::Changes,
        Topic::Deliveries,
        Topic::Catalog,
        Topic::DeadLetters,
    ];
    for topic in topics {
        let lanes = log.lanes(&topic).await.expect("lanes");
        assert!(lanes >= 1, "{topic} has no lane");
        assert_eq!(log.ends(&topic).await.expect("ends"), vec![0; lanes.into()], "{topic} begins empty");
    }
    assert_eq!(log.lanes(&Topic::State(event(1))).await.expect("lanes"), 1, "one order of decisions");
    drop(log);
    assert_eq!(open().await.lanes(&line()).await.expect("lanes"), lanes, "a place is a lane and an offset for ever");
}

/// "Offsets of a lane begin at 0 and rise."
pub async fn a_lane_begins_at_0_and_its_offsets_rise<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    let mut last = log.append(&line(), 0, payload("first")).await.expect("an append");
    assert_eq!(last, 0);
    for _ in 0..5 {
        let next = log.append(&line(), 0, payload("next")).await.expect("an append");
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}

/// "An offset, once acknowledged, names that payload for ever. A lane's entries are read in offset order."
pub async fn what_was_acknowledged_is_read_in_order_and_byte_for_byte<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    let mut expected = Vec::new();
    for payload in [Bytes::new(), payload("text"), Bytes::from_static(&[0, 255, 0, 10, 13, 34]), payload("text")] {
        let offset = log.append(&line(), 0, payload.clone()).await.expect("an append");
        expected.push(Entry { offset, payload });
        assert_eq!(all(&log, &line(), 0).await, expected, "a read that starts after the acknowledgement sees it");
    }
}

/// "An append is acknowledged only when it survives the loss of the process."
pub async fn what_was_acknowledged_survives_a_restart<L: Log>(open: impl AsyncFn() -> L) {
    let topics = [
        line(),
        Topic::Sales,
        Topic::State(event(1)),
        Topic::Commands,
        Topic::Bookings,
        Topic::Changes,
        Topic::Deliveries,
        Topic::Catalog,
        Topic::DeadLetters,
    ];
    let log = open().await;
    let mut expected = Vec::new();
    for topic in &topics {
        for text in ["one", "two", "three"] {
            log.append(topic, 0, payload(&format!("{topic} {text}"))).await.expect("an append");
        }
        expected.push(all(&log, topic, 0).await);
    }
    drop(log);
    let log = open().await;
    for (topic, expected) in topics.iter().zip(expected) {
        assert_eq!(expected.len(), 3);
        assert_eq!(all(&log, topic, 0).await, expected, "invariant 3: {topic}");
    }
}

/// "An offset, once acknowledged, names that payload for ever", also for what comes after a restart.
pub async fn offsets_go_on_after_a_restart<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    let before = log.append(&line(), 0, payload("before")).await.expect("an append");
    drop(log);
    let log = open().await;
    let after = log.append(&line(), 0, payload("after")).await.expect("an append");
    assert!(after > before, "{after} after {before}");
    let texts: Vec<_> = all(&log, &line(), 0).await.into_iter().map(|entry| entry.payload).collect();
    assert_eq!(texts, ["before", "after"]);
}

/// "Up to `max` entries of `lane` from offset `from` on."
pub async fn a_read_begins_where_asked_and_gives_no_more_than_asked<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    for number in 0..300 {
        log.append(&line(), 0, payload(&number.to_string())).await.expect("an append");
    }
    let everything = all(&log, &line(), 0).await;
    assert_eq!(everything.len(), 300);
    for (from, max) in [(0, 1), (1, 7), (63, 2), (64, 64), (250, 10), (299, 5)] {
        let expected: Vec<_> = everything[from..].iter().take(max).cloned().collect();
        let got = log.read(&line(), 0, everything[from].offset, max, Duration::ZERO).await.expect("a read");
        // Fewer than asked is allowed, none is not: a reader goes on behind what it got.
        assert!(!got.is_empty() && got.len() <= max, "{} of {max} from {from}", got.len());
        assert_eq!(got, expected[..got.len()], "from {from}");
    }
}

/// "An empty answer means that there still is none."
pub async fn an_empty_lane_is_answered_at_once_without_patience<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    assert_eq!(log.read(&line(), 0, 0, 10, Duration::ZERO).await.expect("a read"), []);
    let only = log.append(&line(), 0, payload("only")).await.expect("an append");
    assert_eq!(log.read(&line(), 0, only + 1, 10, Duration::ZERO).await.expect("a read"), []);
    assert_eq!(log.read(&line(), 0, only + 1_000, 10, Duration::ZERO).await.expect("a read"), []);
}

/// "Where there is none yet, waits up to `patience` for one", on durable topics and on the others.
pub async fn a_read_with_patience_sees_an_append_that_comes_later<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    for topic in [line(), Topic::State(event(1)), Topic::Replies, Topic::Seats] {
        let patience = Duration::from_secs(30);
        let (read, appended) = join(log.read(&topic, 0, 0, 10, patience), log.append(&topic, 0, payload("late"))).await;
        let read = read.expect("a read");
        assert_eq!(read.len(), 1, "{topic}");
        assert_eq!((read[0].offset, read[0].payload.as_ref()), (appended.expect("an append"), b"late".as_slice()));
    }
}

/// Patience has an end.
pub async fn a_read_with_patience_gives_up_when_it_is_over<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    assert_eq!(log.read(&line(), 0, 0, 10, Duration::from_millis(20)).await.expect("a read"), []);
}

/// "Each lane's end: the offset after its last acknowledged entry."
pub async fn the_end_is_after_the_last_acknowledged_entry<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    for text in ["a", "b", "c"] {
        let offset = log.append(&line(), 0, payload(text)).await.expect("an append");
        assert_eq!(log.ends(&line()).await.expect("ends")[0], offset + 1);
    }
    let ends = log.ends(&line()).await.expect("ends");
    drop(log);
    assert_eq!(open().await.ends(&line()).await.expect("ends"), ends, "after a restart");
}

/// Each lane of each topic, and each event's topic, has its own entries and offsets.
pub async fn lanes_and_topics_are_apart<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    for topic in [line(), Topic::Line(event(2)), Topic::State(event(1)), Topic::Bookings, Topic::Replies] {
        for lane in 0..log.lanes(&topic).await.expect("lanes") {
            let text = payload(&format!("{topic} {lane}"));
            assert_eq!(log.append(&topic, lane, text.clone()).await.expect("an append"), 0, "{topic} {lane}");
            assert_eq!(all(&log, &topic, lane).await, [Entry { offset: 0, payload: text }]);
        }
    }
}

/// Many at once: each acknowledged offset is given once and holds what was appended under it.
pub async fn concurrent_appends_have_offsets_of_their_own<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    let lanes = log.lanes(&line()).await.expect("lanes");
    let appends = (0..CROWD).map(|number| {
        let lane = u16::try_from(number % u32::from(lanes)).expect("below a u16");
        let (log, topic) = (&log, line());
        async move {
            let text = payload(&number.to_string());
            let offset = log.append(&topic, lane, text.clone()).await.expect("an append");
            (lane, offset, text)
        }
    });
    let appended = join_all(appends).await;
    let places: BTreeSet<_> = appended.iter().map(|(lane, offset, _)| (*lane, *offset)).collect();
    assert_eq!(places.len(), appended.len(), "a place is given once");
    drop(log);
    let log = open().await;
    for (lane, offset, text) in appended {
        let read = log.read(&line(), lane, offset, 1, Duration::ZERO).await.expect("a read");
        assert_eq!(read, [Entry { offset, payload: text }], "invariant 3");
    }
}

/// [`MAX_PAYLOAD_BYTES`] is the limit, for every topic alike.
pub async fn the_largest_payload_fits_and_no_larger_one<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    for topic in [line(), Topic::Seats] {
        let largest = Bytes::from(vec![7; MAX_PAYLOAD_BYTES]);
        log.append(&topic, 0, largest.clone()).await.expect("the largest fits");
        assert!(log.append(&topic, 0, Bytes::from(vec![7; MAX_PAYLOAD_BYTES + 1])).await.is_err(), "{topic}");
        let entries = all(&log, &topic, 0).await;
        assert_eq!(entries.len(), 1);
        assert!(entries[0].payload == largest, "{topic}: byte for byte");
    }
}

/// An append to a lane that the topic does not have is an error and goes nowhere.
pub async fn a_lane_that_is_not_there_takes_nothing<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    for topic in [line(), Topic::Replies] {
        let lanes = log.lanes(&topic).await.expect("lanes");
        assert!(log.append(&topic, lanes, payload("nowhere")).await.is_err(), "{topic}");
        assert_eq!(log.ends(&topic).await.expect("ends"), vec![0; lanes.into()], "{topic}");
    }
}

/// "Where `group` goes on reading `lane`: what it last committed, or 0"; a restart may lose the latest notes.
pub async fn a_group_goes_on_where_it_committed<L: Log>(open: impl AsyncFn() -> L) {
    let log = open().await;
    for text in ["a", "b", "c", "d"] {
        log.append(&Topic::Bookings, 0, payload(text)).await.expect("an append");
    }
    assert_eq!(log.committed("pool", &Topic::Bookings, 0).await.expect("a note"), 0);
    log.commit("pool", &Topic::Bookings, 0, 2).await.expect("a commit");
    log.commit("pool", &Topic::Bookings, 0, 3).await.expect("a commit");
    assert_eq!(log.committed("pool", &Topic::Bookings, 0).await.expect("a note"), 3);
    assert_eq!(log.committed("finaliser", &Topic::Bookings, 0).await.expect("a note"), 0, "groups are apart");
    assert_eq!(log.committed("pool", &Topic::Commands, 0).await.expect("a note"), 0, "topics are apart");
    drop(log);
    let kept = open().await.committed("pool", &Topic::Bookings, 0).await.expect("a note");
    assert!(kept <= 3, "a group never goes on behind what it is done with: {kept}");
}
