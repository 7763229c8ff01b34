//! What the desk does when a fact can't be written.

use booking_core::{
    digest::Digest,
    id::EventId,
    line::{Place, entry::JoinRecord},
    ports::{
        desk::{Admit, AdmitRequest, Counts, Desk as _},
        log::{Log as _, Topic},
    },
    time::Timestamp,
};

use super::{SqliteDesk, SqliteLog, folder, intruder, open_desk, open_log, sabotage};

fn event() -> EventId {
    "evt_1".parse().unwrap()
}

async fn stand(desk: &SqliteDesk, log: &SqliteLog, number: u64) -> AdmitRequest {
    let user: booking_core::id::UserId = format!("user_{number}").parse().unwrap();
    let record = JoinRecord { entry: Digest::ZERO, user: user.clone(), joined_at: Timestamp::default() };
    let offset = log.append(&Topic::Line(event()), 0, record.encode()).await.unwrap();
    let place = Place { lane: 0, offset };
    assert_eq!(desk.claim_place(&event(), &user, place, None).await.unwrap(), place);
    AdmitRequest {
        user,
        place,
        rank: number,
        session: format!("session_{number}").parse().unwrap(),
        rate_per_minute: 600_000,
        max_active: 10,
        session_seconds: 60,
    }
}

#[tokio::test]
async fn an_admission_that_can_not_be_written_never_was() {
    let folder = folder();
    let log = open_log(&folder).await;
    let desk = open_desk(&folder, &log).await;
    let now = Timestamp::from_millis(1_000);
    let (first, second) = (stand(&desk, &log, 1).await, stand(&desk, &log, 2).await);
    assert!(matches!(desk.admit(&event(), &first, now).await, Ok(Admit::Admitted { .. })));
    let mut intruder = intruder(&folder.path().join("desk.db")).await;
    sabotage(&mut intruder, "facts", true).await;
    let event_id = event();
    let (admitted, changes) = tokio::join!(desk.admit(&event_id, &second, now), desk.changes(&event_id, 0, 10));
    assert!(admitted.is_err(), "{admitted:?}");
    // Whoever looks meanwhile sees what is on the disk, or that it can't be known now.
    assert!(changes.as_ref().is_ok_and(|changes| changes.len() == 1) || changes.is_err(), "{changes:?}");
    let expected = Counts { active: 1, admitted: 1, came: 1, came_from_rank: 1, left: 0 };
    assert_eq!(desk.counts(&event(), 0, now).await.unwrap(), expected, "told anew from the disk");
    sabotage(&mut intruder, "facts", false).await;
    assert!(matches!(desk.admit(&event(), &second, now).await, Ok(Admit::Admitted { .. })));
    assert_eq!(desk.changes(&event(), 0, 10).await.unwrap().len(), 2);
    drop((desk, intruder));
    let desk = open_desk(&folder, &log).await;
    assert_eq!(desk.counts(&event(), 0, now).await.unwrap().admitted, 2, "invariant 3");
}

#[tokio::test]
async fn places_are_claimed_while_nothing_can_be_written() {
    let folder = folder();
    let log = open_log(&folder).await;
    let desk = open_desk(&folder, &log).await;
    let mut intruder = intruder(&folder.path().join("desk.db")).await;
    sabotage(&mut intruder, "facts", true).await;
    // The log holds the join; the desk has nothing to add.
    let asked = stand(&desk, &log, 1).await;
    assert_eq!(desk.place_of(&event(), &asked.user).await.unwrap().unwrap().place, asked.place);
}

#[tokio::test]
async fn a_closed_desk_decides_nothing_and_still_tells() {
    let folder = folder();
    let log = open_log(&folder).await;
    let desk = open_desk(&folder, &log).await;
    let (first, second) = (stand(&desk, &log, 1).await, stand(&desk, &log, 2).await);
    desk.admit(&event(), &first, Timestamp::default()).await.unwrap();
    desk.close().await;
    assert!(desk.admit(&event(), &second, Timestamp::default()).await.is_err());
    assert_eq!(desk.counts(&event(), 0, Timestamp::default()).await.unwrap().admitted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: admissions a second"]
async fn throughput() {
    let folder = folder();
    let log = open_log(&folder).await;
    let desk = open_desk(&folder, &log).await;
    let stand = (0..10_000).map(|number| stand(&desk, &log, number));
    let requests = futures_util::future::join_all(stand).await;
    let started = std::time::Instant::now();
    let tasks = requests.into_iter().zip(0_i64..).map(|(request, number)| {
        let desk = desk.clone();
        let request = AdmitRequest { max_active: 100_000, ..request };
        tokio::spawn(async move { desk.admit(&event(), &request, Timestamp::from_millis(number)).await.unwrap() })
    });
    let decided = futures_util::future::join_all(tasks).await;
    let rate = f64::from(u32::try_from(decided.len()).unwrap()) / started.elapsed().as_secs_f64();
    println!("{rate:.0} admissions a second");
}
