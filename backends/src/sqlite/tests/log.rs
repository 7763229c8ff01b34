//! What the log does beside its contract: memory and disk, failures, bulk.

use std::time::{Duration, Instant};

use booking_core::{
    digest::Digest,
    id::EventId,
    line::{Place, entry::JoinRecord},
    ports::{
        PortError,
        log::{Log as _, Topic},
    },
    time::Timestamp,
};
use bytes::Bytes;
use futures_util::future::join_all;

use super::{LogSettings, SqliteLog, folder, intruder, open_log, sabotage};

fn event() -> EventId {
    "evt_1".parse().unwrap()
}

fn line() -> Topic {
    Topic::Line(event())
}

fn join(number: u64) -> JoinRecord {
    JoinRecord {
        entry: Digest::of(&[&number.to_le_bytes()]),
        user: format!("user_{number}").parse().unwrap(),
        joined_at: Timestamp::from_millis(i64::try_from(number).unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_in_the_files_at_any_moment() {
    let (folder, image) = (folder(), super::folder());
    let log = open_log(&folder).await;
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..3_000_u64 {
        let log = log.clone();
        let lane = u16::try_from(number % 3).unwrap();
        appends.spawn(async move { (lane, log.append(&line(), lane, join(number).encode()).await.unwrap(), number) });
    }
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 700 {
        acknowledged.push(appends.join_next().await.unwrap().unwrap());
    }
    // What a machine would find that lost its power now, while others are being written.
    for file in ["log.db", "log.db-wal"] {
        std::fs::copy(folder.path().join(file), image.path().join(file)).unwrap();
    }
    let found = open_log(&image).await;
    for (lane, offset, number) in acknowledged {
        let read = found.read(&line(), lane, offset, 1, Duration::ZERO).await.unwrap();
        assert_eq!(read[0].payload, join(number).encode(), "invariant 3: {lane}/{offset}");
    }
    while appends.join_next().await.is_some() {}
}

#[tokio::test]
async fn one_append_more_than_may_wait_is_unavailable_and_the_others_are_kept() {
    let folder = folder();
    let settings = LogSettings { max_waiting: 8, ..LogSettings::default() };
    let log = SqliteLog::open(&folder.path().join("log.db"), settings).await.unwrap();
    // All of them wait before the writer has a turn.
    let appends = join_all((0..20_u8).map(|number| {
        let log = &log;
        async move { log.append(&Topic::Bookings, 0, Bytes::copy_from_slice(&[number])).await }
    }))
    .await;
    let (kept, refused): (Vec<_>, Vec<_>) = appends.into_iter().partition(Result::is_ok);
    assert_eq!((kept.len(), refused.len()), (8, 12));
    for refusal in refused {
        assert!(matches!(refusal, Err(PortError::Unavailable { port: "log", .. })), "{refusal:?}");
    }
    assert_eq!(log.ends(&Topic::Bookings).await.unwrap(), [8]);
    assert_eq!(log.append(&Topic::Bookings, 0, Bytes::new()).await.unwrap(), 8, "there is room again");
}

#[tokio::test]
async fn a_failed_commit_acknowledges_nothing_and_leaves_no_gap() {
    let folder = folder();
    let log = open_log(&folder).await;
    log.append(&line(), 0, Bytes::from_static(b"before")).await.unwrap();
    let mut intruder = intruder(&folder.path().join("log.db")).await;
    sabotage(&mut intruder, "segments", true).await;
    let line = line();
    let failed = join_all((0..5).map(|_| log.append(&line, 0, Bytes::from_static(b"lost")))).await;
    assert!(failed.iter().all(Result::is_err), "{failed:?}");
    assert_eq!(log.ends(&line).await.unwrap()[0], 1);
    assert_eq!(log.read(&line, 0, 0, 10, Duration::ZERO).await.unwrap().len(), 1, "what failed is not shown");
    sabotage(&mut intruder, "segments", false).await;
    assert_eq!(log.append(&line, 0, Bytes::from_static(b"after")).await.unwrap(), 1);
    let texts = log.read(&line, 0, 0, 10, Duration::ZERO).await.unwrap();
    assert_eq!(texts.iter().map(|entry| &entry.payload[..]).collect::<Vec<_>>(), [&b"before"[..], b"after"]);
}

#[tokio::test]
async fn entries_that_memory_no_longer_has_come_from_the_disk() {
    let folder = folder();
    let (log, line) = (open_log(&folder).await, line());
    let text = |number: u64| Bytes::from(format!("{number} {}", "x".repeat(usize::try_from(number % 300).unwrap())));
    for first in (0..10_000).step_by(500) {
        join_all((first..first + 500).map(|number| log.append(&line, 0, text(number)))).await;
    }
    assert_all(&log, &line, &text).await;
    drop(log);
    assert_all(&open_log(&folder).await, &line, &text).await;
}

async fn assert_all(log: &SqliteLog, line: &Topic, text: &impl Fn(u64) -> Bytes) {
    let mut next = 0;
    while next < 10_000 {
        let page = log.read(line, 0, next, 777, Duration::ZERO).await.unwrap();
        assert!(!page.is_empty() && page.len() <= 777);
        for entry in page {
            assert_eq!((entry.offset, entry.payload), (next, text(next)));
            next += 1;
        }
    }
}

#[tokio::test]
async fn a_reader_who_falls_behind_in_memory_goes_on_at_the_oldest_entry_kept() {
    let folder = folder();
    let log = open_log(&folder).await;
    for number in 0..20_000_u32 {
        log.append(&Topic::Seats, 0, Bytes::copy_from_slice(&number.to_le_bytes())).await.unwrap();
    }
    let page = log.read(&Topic::Seats, 0, 5, 10, Duration::ZERO).await.unwrap();
    let oldest = page[0].offset;
    assert_eq!(oldest, 20_000 - 16_384, "the ring's size");
    assert_eq!(page[0].payload[..], u32::try_from(oldest).unwrap().to_le_bytes());
}

#[tokio::test]
async fn notes_of_groups_come_to_the_disk_by_themselves() {
    let folder = folder();
    let log = open_log(&folder).await;
    log.commit("pool", &Topic::Bookings, 0, 7).await.unwrap();
    let mut intruder = intruder(&folder.path().join("log.db")).await;
    let (asked, mut written) = (Instant::now(), None::<i64>);
    // A second, and another for a machine that has other things to do.
    while written.is_none() && asked.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let note = sqlx::query_scalar("SELECT next FROM notes WHERE reader = 'pool'");
        written = note.fetch_optional(&mut intruder).await.unwrap();
    }
    assert_eq!(written, Some(7));
    log.commit("pool", &Topic::Bookings, 0, 9).await.unwrap();
    drop((log, intruder));
    assert_eq!(open_log(&folder).await.committed("pool", &Topic::Bookings, 0).await.unwrap(), 9, "and at the end");
}

#[tokio::test]
async fn a_line_keeps_the_lanes_it_was_made_with() {
    let folder = folder();
    let open = async |line_lanes| {
        let settings = LogSettings { line_lanes, ..LogSettings::default() };
        SqliteLog::open(&folder.path().join("log.db"), settings).await.unwrap()
    };
    assert_eq!(open(5).await.lanes(&line()).await.unwrap(), 5);
    let log = open(2).await;
    assert_eq!(log.lanes(&line()).await.unwrap(), 5);
    assert_eq!(log.lanes(&Topic::Line("evt_2".parse().unwrap())).await.unwrap(), 2);
}

#[tokio::test]
async fn all_joins_of_a_line_are_told_in_order_and_nothing_else() {
    let folder = folder();
    let log = open_log(&folder).await;
    for lane in 0..3 {
        for number in 0..50_u64 {
            log.append(&line(), lane, join(u64::from(lane) * 1_000 + number).encode()).await.unwrap();
        }
        log.append(&line(), lane, Bytes::from_static(b"no join")).await.unwrap();
    }
    let mut told = Vec::new();
    log.joins(&event(), |place, join| told.push((place, join))).await.unwrap();
    let expected: Vec<_> = (0..3_u16)
        .flat_map(|lane| (0..50).map(move |offset| (Place { lane, offset }, join(u64::from(lane) * 1_000 + offset))))
        .collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn asking_for_topics_that_are_not_there_uses_nothing_up() {
    let folder = folder();
    let log = open_log(&folder).await;
    log.append(&line(), 0, Bytes::from_static(b"kept")).await.unwrap();
    for number in 0..70_000 {
        let nowhere = Topic::Line(format!("evt_none{number}").parse().unwrap());
        assert_eq!(log.ends(&nowhere).await.unwrap(), [0; 3]);
    }
    assert_eq!(log.ends(&line()).await.unwrap(), [1, 0, 0]);
}

#[tokio::test]
async fn a_closed_log_takes_no_more() {
    let folder = folder();
    let log = open_log(&folder).await;
    log.append(&line(), 0, Bytes::from_static(b"kept")).await.unwrap();
    log.close().await;
    assert!(log.append(&line(), 0, Bytes::from_static(b"refused")).await.is_err());
    assert_eq!(log.read(&line(), 0, 0, 9, Duration::ZERO).await.unwrap().len(), 1, "but is still read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: how many appends a second, and how fast a line is read again"]
async fn throughput() {
    let folder = folder();
    let log = open_log(&folder).await;
    for (appenders, each) in [(1_u32, 4_000), (64, 4_000), (1_000, 1_000), (4_000, 250)] {
        let started = Instant::now();
        let tasks = (0..appenders).map(|number| {
            let log = log.clone();
            let lane = u16::try_from(number % 3).unwrap();
            tokio::spawn(async move {
                let payload = join(u64::from(number)).encode();
                for _ in 0..each {
                    log.append(&line(), lane, payload.clone()).await.unwrap();
                }
            })
        });
        join_all(tasks).await;
        let rate = f64::from(appenders * each) / started.elapsed().as_secs_f64();
        println!("{appenders} appenders: {rate:.0} appends a second");
    }
    let (started, mut joins) = (Instant::now(), 0_u64);
    log.joins(&event(), |_, _| joins += 1).await.unwrap();
    println!("{joins} joins read in {:?}", started.elapsed());
}
