//! Files that can't be used: each gets one line that says what to do.

use std::{os::unix::fs::FileExt as _, path::Path, time::Instant};

use booking_core::ports::{
    PortError, PortResult,
    log::{Log as _, Topic},
};
use bytes::Bytes;
use sqlx::Executor as _;

use super::{LogSettings, SqliteLedger, SqliteLog, folder, intruder, open_log};

async fn open(path: &Path) -> PortResult<SqliteLog> {
    SqliteLog::open(path, LogSettings::default()).await
}

async fn refusal(path: &Path) -> String {
    let Err(error) = open(path).await else { panic!("{} was opened", path.display()) };
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    text
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("log.db");
    let text = "This is a letter, and no database. ".repeat(300);
    std::fs::write(&path, &text).unwrap();
    let refused = refusal(&path).await;
    assert!(refused.contains("damaged") && refused.contains("is not a database"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_corrupt_database_is_refused() {
    let folder = folder();
    let path = folder.path().join("log.db");
    let log = open_log(&folder).await;
    for _ in 0..20 {
        log.append(&Topic::Bookings, 0, Bytes::from(vec![7; 3_000])).await.unwrap();
    }
    log.close().await;
    drop(log);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4_096;
    assert!(pages > 5, "there is something to corrupt: {pages}");
    for page in 1..pages {
        file.write_all_at(&[0xa5; 2_048], page * 4_096).unwrap();
    }
    let refused = refusal(&path).await;
    assert!(refused.contains("log is damaged") && refused.contains("is corrupt"), "{refused}");
}

#[tokio::test]
async fn the_database_of_another_port_or_program_is_refused() {
    let folder = folder();
    let path = folder.path().join("ledger.db");
    SqliteLedger::open(&path).await.unwrap().close().await;
    let refused = refusal(&path).await;
    assert!(refused.contains("another part's database"), "{refused}");
    let foreign = folder.path().join("foreign.db");
    let sql = "CREATE TABLE notes (text)";
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&foreign).create_if_missing(true);
    sqlx::ConnectOptions::connect(&options).await.unwrap().execute(sql).await.unwrap();
    let refused = refusal(&foreign).await;
    assert!(refused.contains("another program's"), "{refused}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let folder = folder();
    let path = folder.path().join("log.db");
    open_log(&folder).await.close().await;
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (99, 'from the future', 1, x'00', 0)";
    intruder(&path).await.execute(sql).await.unwrap();
    let refused = refusal(&path).await;
    assert!(refused.contains("newer weir (schema 99, known up to 1)"), "{refused}");
}

#[tokio::test]
async fn a_folder_that_is_missing_or_no_folder_is_refused() {
    let folder = folder();
    let missing = refusal(&folder.path().join("nowhere/log.db")).await;
    assert!(missing.contains("does not exist"), "{missing}");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let no_folder = refusal(&folder.path().join("file/log.db")).await;
    assert!(no_folder.contains("can't be written"), "{no_folder}");
}

#[tokio::test]
async fn a_folder_that_can_not_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(folder.path().join("probe"), "").is_ok() {
        // Whoever is root writes anywhere; then there is nothing to refuse.
        return;
    }
    let refused = refusal(&folder.path().join("log.db")).await;
    assert!(refused.contains("can't be written"), "{refused}");
}

#[tokio::test]
async fn a_database_is_of_one_process_at_a_time() {
    let folder = folder();
    let log = open_log(&folder).await;
    let refused = refusal(&folder.path().join("log.db")).await;
    assert!(refused.contains("is in use"), "{refused}");
    log.append(&Topic::Bookings, 0, Bytes::from_static(b"undisturbed")).await.unwrap();
    drop(log);
    assert_eq!(open_log(&folder).await.ends(&Topic::Bookings).await.unwrap(), [1], "and free when that has ended");
}

#[tokio::test]
async fn opening_a_database_takes_no_time_to_speak_of() {
    let folder = folder();
    let mut took = Vec::new();
    for _ in 0..4 {
        let started = Instant::now();
        let log = open_log(&folder).await;
        took.push(started.elapsed());
        log.close().await;
    }
    // The best of them, because the machine that tests has other things to do.
    assert!(took.iter().min().unwrap().as_millis() < 100, "{took:?}");
}

#[tokio::test]
async fn damage_that_shows_later_is_told_as_such() {
    let folder = folder();
    let log = open_log(&folder).await;
    for _ in 0..3 {
        log.append(&Topic::Bookings, 0, Bytes::from_static(b"entry")).await.unwrap();
    }
    log.close().await;
    drop(log);
    let mut intruder = intruder(&folder.path().join("log.db")).await;
    intruder.execute("DROP TRIGGER segments_stay").await.unwrap();
    intruder.execute("UPDATE segments SET bytes = x'00'").await.unwrap();
    drop(intruder);
    let log = open_log(&folder).await;
    let read = log.read(&Topic::Bookings, 0, 0, 10, std::time::Duration::ZERO).await;
    assert!(matches!(&read, Err(PortError::Damaged { port: "log", .. })), "{read:?}");
}
