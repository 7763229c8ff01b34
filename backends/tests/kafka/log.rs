//! The log's suite, and what only this log promises.

use std::time::{Duration, Instant};

use backends::kafka::{KafkaLog, KafkaSettings};
use booking_core::ports::log::{Log, Topic};
use bytes::Bytes;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use super::brokers::Corner;

mod contract {
    booking_core::log_contract!(
        #[tokio::test]
        super::fresh_log()
    );
}

/// One log, opened again and again.
fn fresh_log() -> impl AsyncFn() -> KafkaLog {
    let corner = Corner::new();
    async move || open(corner.settings()).await
}

async fn open(settings: KafkaSettings) -> KafkaLog {
    KafkaLog::open(settings).await.expect("a log")
}

fn line() -> Topic {
    Topic::Line("evt_1".parse().expect("an id"))
}

fn number(number: usize) -> Bytes {
    number.to_string().into()
}

/// Everything of a lane, page by page.
async fn all(log: &KafkaLog, topic: &Topic, lane: u16) -> Vec<(u64, Bytes)> {
    let mut entries: Vec<(u64, Bytes)> = Vec::new();
    loop {
        let from = entries.last().map_or(0, |(last, _)| last + 1);
        let page = log.read(topic, lane, from, 1_000, Duration::ZERO).await.expect("a read");
        if page.is_empty() {
            return entries;
        }
        entries.extend(page.into_iter().map(|entry| (entry.offset, entry.payload)));
    }
}

/// A reader from the very beginning meets one who follows: both see everything, in order.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_and_who_follows_see_the_same() {
    const ENTRIES: usize = 3_000;
    let corner = Corner::new();
    let log = open(corner.settings()).await;
    let topic = line();
    let follower = {
        let (log, topic) = (log.clone(), topic.clone());
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < ENTRIES {
                let from = seen.last().map_or(0, |(last, _)| last + 1);
                let page = log.read(&topic, 1, from, 100, Duration::from_secs(30)).await.expect("a read");
                assert!(!page.is_empty(), "after {from}");
                seen.extend(page.into_iter().map(|entry| (entry.offset, entry.payload)));
            }
            seen
        })
    };
    let appends = (0..ENTRIES).map(|at| log.append(&topic, 1, number(at)));
    futures_util::future::try_join_all(appends).await.expect("appends");
    let followed = follower.await.expect("a follower");
    assert_eq!(all(&log, &topic, 1).await, followed);
    // A log that never followed the lane.
    assert_eq!(all(&open(corner.settings()).await, &topic, 1).await, followed);
}

/// "What was acknowledged is seen by every read that starts later", also by a log that followed the lane while another
/// appended.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_follows_sees_at_once_what_another_appended() {
    let corner = Corner::new();
    let (writer, reader) = (open(corner.settings()).await, open(corner.settings()).await);
    let topic = line();
    let first = writer.append(&topic, 0, number(0)).await.expect("an append");
    assert!(reader.read(&topic, 0, first + 1, 1, Duration::from_millis(1)).await.expect("a read").is_empty());
    for at in 1..100 {
        let offset = writer.append(&topic, 0, number(at)).await.expect("an append");
        let read = reader.read(&topic, 0, offset, 1, Duration::ZERO).await.expect("a read");
        assert_eq!(read.len(), 1, "entry {at} was acknowledged");
        assert_eq!(read[0].payload, number(at));
    }
}

/// Has the brokers drop what stands in a lane of the replies before `first`, as when its time is over.
async fn drop_replies(settings: &KafkaSettings, lane: i32, first: i64) {
    let mut config = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> =
        config.set("bootstrap.servers", &settings.brokers).create().expect("a client");
    let mut offsets = TopicPartitionList::new();
    let name = format!("{}replies", settings.topic_prefix);
    offsets.add_partition_offset(&name, lane, Offset::Offset(first)).expect("an offset");
    let dropped = admin.delete_records(&offsets, &AdminOptions::new()).await.expect("an answer");
    dropped.elements()[0].error().expect("they are dropped");
}

/// A reader who comes too late goes on at the first entry that is still kept, or waits where there is none.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_kept_is_passed_over() {
    let corner = Corner::new();
    let topic = Topic::Replies;
    let writer = open(corner.settings()).await;
    for at in 0..10 {
        writer.append(&topic, 1, number(at)).await.expect("an append");
    }
    drop_replies(&corner.settings(), 1, 6).await;
    let read = all(&open(corner.settings()).await, &topic, 1).await;
    assert_eq!(read, (6..10).zip(6..10).map(|(at, text)| (at, number(text))).collect::<Vec<_>>());
    drop_replies(&corner.settings(), 1, 10).await;
    let late = open(corner.settings()).await;
    assert_eq!(all(&late, &topic, 1).await, []);
    let (read, appended) =
        tokio::join!(late.read(&topic, 1, 3, 1, Duration::from_secs(30)), writer.append(&topic, 1, number(10)));
    assert_eq!(appended.expect("an append"), 10);
    assert_eq!(read.expect("a read")[0].payload, number(10));
}

/// Fewer readers and followed lanes than lanes that are read: each waits for its turn or takes another's place.
#[tokio::test(flavor = "multi_thread")]
async fn few_readers_serve_many_lanes() {
    let corner = Corner::new();
    let settings = KafkaSettings { max_readers: 1, max_followed: 1, ..corner.settings() };
    let log = open(settings).await;
    let topic = line();
    for lane in 0..3 {
        for at in 0..20 {
            log.append(&topic, lane, number(at)).await.expect("an append");
        }
    }
    let readings = (0..12).map(|reader| {
        let (log, topic) = (&log, &topic);
        async move {
            let read = all(log, topic, reader % 3).await;
            assert_eq!(read.len(), 20);
        }
    });
    futures_util::future::join_all(readings).await;
    for lane in 0..3 {
        let end = log.ends(&topic).await.expect("ends")[usize::from(lane)];
        assert!(log.read(&topic, lane, end, 1, Duration::from_millis(5)).await.expect("a read").is_empty());
    }
}

/// A lane that nobody reads is left, and followed again by who comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_left_alone_is_followed_anew() {
    let corner = Corner::new();
    let log = open(KafkaSettings { follow_idle_ms: 0, ..corner.settings() }).await;
    let topic = line();
    let mut from = 0;
    // The sweep comes once a second; some of these rounds fall before it, some after.
    let until = Instant::now() + Duration::from_millis(3_500);
    while Instant::now() < until {
        let (read, appended) =
            tokio::join!(log.read(&topic, 0, from, 1, Duration::from_secs(30)), log.append(&topic, 0, number(7)));
        let read = read.expect("a read");
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].offset, appended.expect("an append"));
        from = read[0].offset + 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// More appends than may wait are refused at once, and none of those that were taken is lost.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_appends_are_refused_at_once() {
    let corner = Corner::new();
    let log = open(KafkaSettings { max_waiting: 10, linger_ms: 50, ..corner.settings() }).await;
    let topic = line();
    log.lanes(&topic).await.expect("lanes");
    let results = futures_util::future::join_all((0..200).map(|at| log.append(&topic, 0, number(at)))).await;
    let taken = results.iter().filter(|result| result.is_ok()).count();
    assert!((1..200).contains(&taken), "{taken} of 200 were taken");
    let read = all(&log, &topic, 0).await;
    assert_eq!(read.len(), taken);
    for (at, result) in results.iter().enumerate() {
        match result {
            Ok(offset) => assert!(read.contains(&(*offset, number(at)))),
            Err(error) => assert!(error.to_string().contains("too many appends"), "{error}"),
        }
    }
}

/// Notes are there after a close, for whoever works for the group next.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_there_after_a_close() {
    let corner = Corner::new();
    let log = open(KafkaSettings { notes_every_ms: 3_600_000, ..corner.settings() }).await;
    log.commit("pool", &Topic::Bookings, 1, 7).await.expect("a commit");
    log.close().await;
    let next = open(corner.settings()).await;
    assert_eq!(next.committed("pool", &Topic::Bookings, 1).await.expect("a note"), 7);
    assert_eq!(next.committed("pool", &Topic::Bookings, 0).await.expect("a note"), 0);
}

/// What a topic's lanes are was settled when it was made.
#[tokio::test]
async fn a_topic_keeps_the_lanes_it_was_made_with() {
    let corner = Corner::new();
    assert_eq!(open(corner.settings()).await.lanes(&line()).await.expect("lanes"), 3);
    let other = open(KafkaSettings { line_lanes: 5, ..corner.settings() }).await;
    assert_eq!(other.lanes(&line()).await.expect("lanes"), 3);
}
