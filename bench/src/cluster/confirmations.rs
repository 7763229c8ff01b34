//! What a booking system gets that confirms each booking in a transaction of its own: the same rows, by `pgbench`. It writes
//! the payment's acts with the booking, where Weir writes the first before the provider is asked and the last after the
//! money is taken.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::backlog::BOOKINGS;

/// Buyers at once.
pub(super) const CLIENTS: usize = 8;

/// Confirmations a second. The event's count of its changes comes last, so that its lock is held for the commit alone.
///
/// # Errors
/// If `psql` or `pgbench` fails.
pub(super) async fn one_by_one(url: &str, schema: &str) -> Result<f64> {
    let setup = format!(
        "SET search_path = {schema};
         CREATE TABLE one_events (event int PRIMARY KEY, version bigint NOT NULL, booked bigint NOT NULL);
         CREATE TABLE one_bookings (booking int PRIMARY KEY, event int NOT NULL, seat int NOT NULL, state text NOT NULL,
            payment text, settled_at bigint);
         CREATE TABLE one_claims (event int, seat int, booking int NOT NULL, until bigint, PRIMARY KEY (event, seat));
         CREATE TABLE one_outbox (number bigserial PRIMARY KEY, told text NOT NULL);
         CREATE TABLE one_acts (number bigserial PRIMARY KEY, booking int NOT NULL, payment text NOT NULL,
            step text NOT NULL, amount bigint NOT NULL, at bigint NOT NULL, UNIQUE (booking, payment, step));
         CREATE SEQUENCE one_next;
         INSERT INTO one_events VALUES (1, 0, 0);
         INSERT INTO one_bookings SELECT n, 1, n, 'held' FROM generate_series(1, {BOOKINGS}) n;
         INSERT INTO one_claims SELECT 1, n, n, 1 FROM generate_series(1, {BOOKINGS}) n;
         ANALYZE one_bookings, one_claims;"
    );
    run(Command::new("psql").args(["-q", "-v", "ON_ERROR_STOP=1", "-c", &setup, url])).await?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("confirm.sql");
    let transaction = format!(
        "SELECT nextval('{schema}.one_next') AS booking \\gset
         BEGIN;
         INSERT INTO {schema}.one_acts (booking, payment, step, amount, at)
            VALUES (:booking, 'txn', 'asked', 4500, 2), (:booking, 'txn', 'authorised', 4500, 2),
                (:booking, 'txn', 'captured', 4500, 2);
         UPDATE {schema}.one_bookings SET state = 'confirmed', payment = 'txn', settled_at = 2
            WHERE booking = :booking AND state = 'held';
         UPDATE {schema}.one_claims SET until = NULL WHERE event = 1 AND seat = :booking AND booking = :booking;
         INSERT INTO {schema}.one_outbox (told) VALUES ('confirmed ' || :booking);
         UPDATE {schema}.one_events SET version = version + 1, booked = booked + 1 WHERE event = 1;
         COMMIT;\n"
    );
    tokio::fs::write(&script, transaction).await?;
    let (clients, each) = (CLIENTS.to_string(), (BOOKINGS / CLIENTS).to_string());
    let mut pgbench = Command::new("pgbench");
    pgbench.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-t", &each, "-f"]).arg(&script);
    let said = run(pgbench.arg(url)).await?;
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next());
    Ok(rate.with_context(|| format!("no rate in {said}"))?.parse()?)
}

async fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().await.with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}
