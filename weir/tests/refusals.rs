//! What the executable says, and how it ends, when it can't start: one line with what to do, and a status of its own.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{fs, path::Path, process::Command};

use kit::{Weir, data, folder};

/// Starts `weir` with `arguments` where it must not start; its status and its one line.
fn refused(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(kit::binary())
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(["--set", "tracing.level=off"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.trim_end().lines().count(), 1, "one line: {said}");
    (output.status.code(), said)
}

#[test]
fn a_port_in_use_is_named() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(kit::binary())
        .args(["--listen", &address, "--admin-listen", "127.0.0.1:0", "--set", "tracing.level=off", "--data"])
        .arg(data(&folder))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains(&address), "{said}");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let (status, said) = refused(&file.join("data"), &[]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("data"), "{said}");
}

#[test]
fn a_corrupt_log_is_named_and_left_as_it_is() {
    let folder = folder();
    let data = data(&folder);
    Weir::start(&data).terminate();
    let log = data.join("log.db");
    let wreck = b"this was a log once".repeat(500);
    fs::write(&log, &wreck).unwrap();
    let (status, said) = refused(&data, &[]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("log.db"), "{said}");
    assert_eq!(fs::read(&log).unwrap(), wreck, "nothing is overwritten");
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let folder = folder();
    let data = data(&folder);
    let running = Weir::start(&data);
    let (status, said) = refused(&data, &[]);
    assert_eq!(status, Some(3), "{said}");
    drop(running);
}

#[test]
fn a_wrong_key_in_the_file_is_refused_with_its_line() {
    let folder = folder();
    let file = folder.path().join("weir.toml");
    fs::write(&file, "[gateway]\nguests = true\nrequests_per_minit = 5\n").unwrap();
    let (status, said) = refused(&data(&folder), &["--config", file.to_str().unwrap()]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains(":3") && said.contains("requests_per_minute"), "{said}");
}

#[test]
fn an_index_of_one_process_s_own_is_not_made_anew_from_outside() {
    let folder = folder();
    let (status, said) = refused(&data(&folder), &["search-indexer", "rebuild"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("stop weir, delete this folder"), "{said}");
}
