//! What a cluster does to its clients: scripts are forgotten, answers come late, connections break, slots move.

use std::time::Duration;

use backends::redis::{RedisCluster, RedisDesk, RedisHolds, RedisSettings};
use booking_core::{
    desk::{Admit, AdmitRequest, Ended},
    holds::{Grant, Settle, Want},
    id::EventId,
    line::Place,
    ports::{PortError, desk::Desk as _, holds::Holds as _},
    seats::SeatIndex,
    time::Timestamp,
};

use tokio::sync::RwLock;

use crate::{connect, intruder, settings};

/// Who breaks every connection, or makes the nodes forget every script, must not do so while another test awaits an
/// answer too late: what was sent would not be done.
static EVERYBODYS: RwLock<()> = RwLock::const_new(());

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_777_629_600_000 + ms)
}

fn event(name: &str) -> EventId {
    format!("evt_{name}").parse().unwrap()
}

fn request(number: u32, session: &str) -> AdmitRequest {
    AdmitRequest {
        user: format!("user_{number}").parse().unwrap(),
        place: Place { lane: 0, offset: number.into() },
        rank: number.into(),
        session: format!("session_{session}").parse().unwrap(),
        rate_per_minute: 60_000,
        max_active: 100,
        session_seconds: 60,
    }
}

fn want(number: u32) -> Want {
    Want { booking: format!("booking_{number}").parse().unwrap(), seats: vec![SeatIndex(number)], until: at(60_000) }
}

#[tokio::test]
async fn scripts_that_the_nodes_forget_are_loaded_again() {
    let _alone = EVERYBODYS.write().await;
    let settings = settings();
    let cluster = connect(&settings).await;
    let (desk, holds, event) = (RedisDesk::new(cluster.clone()), RedisHolds::new(cluster), event("forget"));
    let mut intruder = intruder(&settings).await;
    let mut forget = async || redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut intruder).await.unwrap();
    let asked = request(1, "a");
    forget().await;
    assert_eq!(desk.claim_place(&event, &asked.user, asked.place, None).await.unwrap(), asked.place);
    forget().await;
    assert!(matches!(desk.admit(&event, &asked, at(0)).await.unwrap(), Admit::Admitted { .. }));
    forget().await;
    desk.finish(&event, &asked.session, Ended::Booked, at(1)).await.unwrap();
    forget().await;
    assert_eq!(desk.place_of(&event, &asked.user).await.unwrap().unwrap().ended, Some(Ended::Booked));
    forget().await;
    desk.give_up(&event, &asked.user, at(1)).await.unwrap();
    forget().await;
    assert_eq!(desk.counts(&event, 0, at(1)).await.unwrap().admitted, 1);
    forget().await;
    holds.rebuild(&event, &[]).await.unwrap();
    forget().await;
    assert!(holds.is_ready(&event).await.unwrap());
    let wants: Vec<_> = (0..50).map(want).collect();
    forget().await;
    assert_eq!(holds.hold(&event, &wants, at(0)).await.unwrap(), vec![Grant::Granted; 50]);
    forget().await;
    let settles: Vec<_> = wants.iter().map(|want| Settle::Booked(want.booking.clone())).collect();
    holds.settle(&event, &settles).await.unwrap();
    forget().await;
    assert_eq!(holds.taken(&event, at(99_000)).await.unwrap().count(), 50);
}

/// Stops the node that has `event` from doing anything for a while; what is sent meanwhile is done afterwards.
async fn pause(settings: &RedisSettings, event: &EventId, ms: u32) {
    let key = format!("{}{{{event}}}:", settings.key_prefix);
    let route = redis::cluster_routing::Route::with_key(key, redis::cluster_routing::SlotAddr::Master);
    let node = redis::cluster_routing::SingleNodeRoutingInfo::SpecificNode(route);
    let mut command = redis::cmd("CLIENT");
    command.arg("PAUSE").arg(ms).arg("ALL");
    intruder(settings)
        .await
        .route_command(command, redis::cluster_routing::RoutingInfo::SingleNode(node))
        .await
        .unwrap();
}

/// A client that soon loses its patience.
async fn impatient(settings: &RedisSettings) -> RedisCluster {
    connect(&RedisSettings {
        response_timeout: Duration::from_millis(60),
        give_up_after: Duration::from_millis(150),
        replica_timeout: Duration::from_millis(30),
        ..settings.clone()
    })
    .await
}

#[tokio::test]
async fn an_admission_whose_answer_came_too_late_is_the_same_when_it_is_asked_for_again() {
    let _undisturbed = EVERYBODYS.read().await;
    let (settings, event) = (settings(), event("late"));
    let desk = RedisDesk::new(impatient(&settings).await);
    let asked = request(1, "a");
    desk.claim_place(&event, &asked.user, asked.place, None).await.unwrap();
    // The node has the script from now on.
    assert_eq!(desk.admit(&event, &request(2, "c"), at(0)).await.unwrap(), Admit::NotTheirPlace);
    pause(&settings, &event, 400).await;
    let late = desk.admit(&event, &asked, at(0)).await;
    assert!(matches!(&late, Err(PortError::Unavailable { reason, .. }) if reason.contains("repeat")), "{late:?}");
    tokio::time::sleep(Duration::from_millis(450)).await;
    let again = desk.admit(&event, &request(1, "b"), at(1)).await.unwrap();
    let first = Admit::Admitted { session: asked.session.clone(), expires_at: at(60_000) };
    assert_eq!(again, first, "what was sent in vain was done");
    let counts = desk.counts(&event, 0, at(1)).await.unwrap();
    assert_eq!((counts.active, counts.admitted, counts.came), (1, 1, 1), "once, however often it was sent");
    assert_eq!(desk.changes(&event, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_hold_whose_answer_came_too_late_is_granted_again() {
    let _undisturbed = EVERYBODYS.read().await;
    let (settings, event) = (settings(), event("late"));
    let holds = RedisHolds::new(impatient(&settings).await);
    holds.rebuild(&event, &[]).await.unwrap();
    // The node has the script from now on.
    assert_eq!(holds.hold(&event, &[Want { until: at(1), ..want(3) }], at(0)).await.unwrap(), [Grant::Granted]);
    holds.settle(&event, &[Settle::Freed(want(3).booking)]).await.unwrap();
    let wants = [want(1), want(2)];
    pause(&settings, &event, 400).await;
    let late = holds.hold(&event, &wants, at(0)).await;
    assert!(matches!(late, Err(PortError::Unavailable { .. })), "{late:?}");
    tokio::time::sleep(Duration::from_millis(450)).await;
    let longer = wants.clone().map(|want| Want { until: at(600_000), ..want });
    assert_eq!(holds.hold(&event, &longer, at(1)).await.unwrap(), [Grant::Granted, Grant::Granted]);
    assert_eq!(holds.taken(&event, at(61_000)).await.unwrap().count(), 0, "with the deadline that it had at first");
}

#[tokio::test]
async fn connections_that_break_are_mended_behind_the_callers_back() {
    let _alone = EVERYBODYS.write().await;
    let (settings, event) = (settings(), event("broken"));
    let desk = RedisDesk::new(connect(&settings).await);
    let mut intruder = intruder(&settings).await;
    for number in 0..20 {
        let asked = request(number, &number.to_string());
        desk.claim_place(&event, &asked.user, asked.place, None).await.unwrap();
        // Also those of other tests, which must stand it.
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal");
        let everywhere = redis::cluster_routing::MultipleNodeRoutingInfo::AllMasters;
        let everywhere = redis::cluster_routing::RoutingInfo::MultiNode((everywhere, None));
        intruder.route_command(kill, everywhere).await.unwrap();
        let admitted = desk.admit(&event, &asked, at(i64::from(number))).await.unwrap();
        assert!(matches!(admitted, Admit::Admitted { .. }), "{admitted:?}");
    }
    assert_eq!(desk.counts(&event, 0, at(20)).await.unwrap().admitted, 20);
}

#[tokio::test]
async fn a_key_that_holds_something_else_is_damage_and_not_an_outage() {
    let (settings, event) = (settings(), event("damaged"));
    let desk = RedisDesk::new(connect(&settings).await);
    let key = format!("{}{{{event}}}:desk", settings.key_prefix);
    redis::cmd("SET").arg(key).arg("x").exec_async(&mut intruder(&settings).await).await.unwrap();
    let answer = desk.admit(&event, &request(1, "a"), at(0)).await;
    assert!(matches!(answer, Err(PortError::Damaged { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_named_with_what_to_do() {
    let nodes = vec!["redis://127.0.0.1:1".to_owned()];
    let failed = RedisCluster::connect(&RedisSettings::new(nodes)).await;
    let reason = failed.map(|_| ()).unwrap_err().to_string();
    assert!(reason.contains("can't be reached") && reason.contains("start it"), "{reason}");
}
