//! A disk that is full in the middle of a sale: what can't be kept is refused, nothing acknowledged is lost, and with
//! room again the sale goes on.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use kit::{Client, PATIENCE, SaleOf, Visitor, Weir, folder, open_sale, operator_key};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// What the small disk has room for: an installation and a few hundred joins.
const DISK: &str = "16m";
/// By then a full disk has refused one, whatever room its files still had.
const MANY_JOINS: usize = 20_000;

/// A disk of its own in memory, gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None`: this user may not mount one.
    fn mount(at: &Path) -> Option<Self> {
        let size = format!("size={DISK},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "weir-test"]).arg(at).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    /// Writes until nothing more fits; the file that takes the room.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A visitor who joined, and what they were answered.
struct Joined {
    visitor: Visitor,
    entry: Value,
}

async fn join(client: &Client, event: &str) -> Result<Joined, StatusCode> {
    let mut visitor = Visitor::arrive(client, event).await.unwrap();
    let answer = visitor.join().await.unwrap();
    if answer.status == StatusCode::CREATED {
        return Ok(Joined { visitor, entry: answer.body["entry"].clone() });
    }
    answer.clone().refuses(503, "unavailable");
    Err(answer.status)
}

async fn buy(joined: &mut Joined) -> (Value, Value) {
    let visitor = &mut joined.visitor;
    visitor.come_in().await;
    let held = visitor.reserve("first", &json!({"bestAvailable": {"count": 2}})).await.unwrap().expect(201);
    let transaction = visitor.pay(&held["totalAmount"], &held["currency"], "approve").await.unwrap();
    let sold = visitor.confirm(&held, &transaction).await.unwrap().expect(200);
    (held, sold)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_it_cant_keep_and_loses_nothing() {
    let folder = folder();
    let Some(disk) = Disk::mount(folder.path()) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "under CI this must run, and no disk can be mounted");
        eprintln!("SKIPPED: only root can mount a disk that is small enough to fill");
        return;
    };
    let data = folder.path().join("data");
    let key = operator_key(&data, "admin");
    let mut weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    let sale = SaleOf { opens_in_ms: 1_000, batch_ms: 100, hold_seconds: 7_200, ..SaleOf::default() };
    let event = open_sale(&client, &key, &sale).await;

    let mut joined = Vec::new();
    for _ in 0..20 {
        joined.push(join(&client, &event).await.unwrap());
    }
    let mut bookings = vec![buy(&mut joined[0]).await];
    joined[1].visitor.come_in().await;

    let filler = disk.fill();
    let mut refusals = 0;
    while refusals < 20 {
        match join(&client, &event).await {
            Ok(one) => joined.push(one),
            Err(_) => refusals += 1,
        }
        assert!(joined.len() < MANY_JOINS, "a full disk takes everything");
    }
    // Who waits is shown their place, and no seat is promised that the disk can't keep.
    joined[2].visitor.poll().await.unwrap().expect(200);
    let reserved = joined[1].visitor.reserve("full", &json!({"bestAvailable": {"count": 1}})).await.unwrap();
    assert!(matches!(reserved.status.as_u16(), 202 | 503), "{reserved:?}");

    std::fs::remove_file(filler).unwrap();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "there is room, and nobody can join");
        if let Ok(one) = join(&client, &event).await {
            joined.push(one);
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let last = joined.len() - 1;
    bookings.push(buy(&mut joined[last]).await);

    weir.kill();
    weir = Weir::start(&data);
    let client = Client::new(&weir.public);
    for Joined { visitor, entry } in &mut joined {
        visitor.at(&client);
        assert_eq!(visitor.join().await.unwrap().expect(200)["entry"], *entry, "invariant 3");
    }
    for ((held, sold), visitor) in bookings.iter().zip([0, last]) {
        let now = joined[visitor].visitor.booking(held["bookingId"].as_str().unwrap()).await.expect(200);
        assert_eq!((&now["status"], &now["seats"]), (&json!("confirmed"), &held["seats"]), "invariant 3: {sold}");
    }
    eprintln!("{} joins acknowledged, {refusals} refused for want of room, 2 bookings, nothing lost", joined.len());
    assert_eq!(weir.terminate(), Some(0));
}
