//! A hold table that was lost, or that may lack what was written last, is not trusted until it is rebuilt.

use backends::redis::{RedisHolds, RedisSettings};
use booking_core::{
    holds::{Grant, SeatClaim, Settle, Want},
    id::EventId,
    ports::{PortError, holds::Holds as _},
    seats::SeatIndex,
    time::Timestamp,
};

use crate::{connect, intruder, settings};

fn now() -> Timestamp {
    Timestamp::from_millis(1_777_629_600_000)
}

fn event() -> EventId {
    "evt_lost".parse().unwrap()
}

fn want(booking: &str) -> Want {
    Want { booking: booking.parse().unwrap(), seats: vec![SeatIndex(1)], until: now().plus_millis(60_000) }
}

async fn ready(settings: &RedisSettings) -> RedisHolds {
    let holds = RedisHolds::new(connect(settings).await);
    let claim = SeatClaim { booking: "booking_1".parse().unwrap(), seats: vec![SeatIndex(1)], until: None };
    holds.rebuild(&event(), &[claim]).await.unwrap();
    assert!(holds.is_ready(&event()).await.unwrap());
    holds
}

async fn assert_not_trusted(holds: &RedisHolds) {
    let granted = holds.hold(&event(), &[want("booking_2"), want("booking_3")], now()).await.unwrap();
    assert_eq!(granted, [Grant::NotReady, Grant::NotReady]);
    assert!(matches!(holds.taken(&event(), now()).await, Err(PortError::Unavailable { .. })));
    assert!(!holds.is_ready(&event()).await.unwrap());
    holds.settle(&event(), &[Settle::Booked("booking_1".parse().unwrap())]).await.unwrap();
    assert!(!holds.is_ready(&event()).await.unwrap(), "only a rebuild makes it ready");
    holds.rebuild(&event(), &[]).await.unwrap();
    assert!(holds.is_ready(&event()).await.unwrap());
    assert_eq!(holds.hold(&event(), &[want("booking_2")], now()).await.unwrap(), [Grant::Granted]);
}

fn key(settings: &RedisSettings, part: &str) -> String {
    format!("{}{{{}}}:holds:{part}", settings.key_prefix, event())
}

#[tokio::test]
async fn a_table_of_which_anything_is_lost_is_not_trusted() {
    for lost in [&["deadlines", "claims"][..], &["deadlines"], &["claims"]] {
        let settings = settings();
        let holds = ready(&settings).await;
        let keys: Vec<_> = lost.iter().map(|part| key(&settings, part)).collect();
        redis::cmd("DEL").arg(keys).exec_async(&mut intruder(&settings).await).await.unwrap();
        assert_not_trusted(&holds).await;
    }
}

/// What a failover leaves: everything is there, but was rebuilt on another node.
#[tokio::test]
async fn a_table_that_another_node_rebuilt_is_not_trusted() {
    let settings = settings();
    let holds = ready(&settings).await;
    let claims = key(&settings, "claims");
    let elsewhere = format!("{} {}", "a".repeat(40), "b".repeat(40));
    let mut intruder = intruder(&settings).await;
    redis::cmd("HSET").arg(claims).arg("ready").arg(elsewhere).exec_async(&mut intruder).await.unwrap();
    assert_not_trusted(&holds).await;
}

/// What a restart leaves: the node is the same, its run is another.
#[tokio::test]
async fn a_table_from_before_a_restart_is_distrusted_when_it_is_asked() {
    let settings = settings();
    let holds = ready(&settings).await;
    let claims = key(&settings, "claims");
    let mut intruder = intruder(&settings).await;
    let ready: String = redis::cmd("HGET").arg(&claims).arg("ready").query_async(&mut intruder).await.unwrap();
    let earlier = format!("{} {}", &ready[..40], "b".repeat(40));
    redis::cmd("HSET").arg(claims).arg("ready").arg(earlier).exec_async(&mut intruder).await.unwrap();
    assert!(!holds.is_ready(&event()).await.unwrap());
    assert_not_trusted(&holds).await;
}

/// Two workers rebuild one table: it ends as one of them has it, whole, or the later one is told to repeat.
#[tokio::test]
async fn rebuilds_at_once_leave_a_whole_table_or_none() {
    let settings = settings();
    let holds = ready(&settings).await;
    let claims = |worker: u32| -> Vec<SeatClaim> {
        let seats = |number: u32| vec![SeatIndex(number * 2), SeatIndex(number * 2 + 1)];
        (0..3_000)
            .map(|number| SeatClaim {
                booking: format!("booking_{worker}_{number}").parse().unwrap(),
                seats: seats(number),
                until: None,
            })
            .collect()
    };
    let (one, two) = (claims(1), claims(2));
    let event = event();
    for _ in 0..5 {
        let (one, two) = tokio::join!(holds.rebuild(&event, &one), holds.rebuild(&event, &two));
        for outcome in [&one, &two] {
            assert!(matches!(outcome, Ok(()) | Err(PortError::Unavailable { .. })), "{outcome:?}");
        }
        if one.is_ok() || two.is_ok() {
            // Who was overtaken after it ended left the table to the other.
            if holds.is_ready(&event).await.unwrap() {
                assert_eq!(holds.taken(&event, now()).await.unwrap().count(), 6_000);
            }
        } else {
            assert!(!holds.is_ready(&event).await.unwrap());
        }
    }
    holds.rebuild(&event, &two).await.unwrap();
    assert_eq!(holds.taken(&event, now()).await.unwrap().count(), 6_000);
}
