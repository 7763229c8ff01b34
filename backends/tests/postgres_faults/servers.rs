//! The servers, for one test after the other.

use std::process::{Command, Output, Stdio};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Mutex, MutexGuard};

use super::support::url;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/servers");
const BOTH: [&str; 2] = ["postgres-1", "postgres-2"];

static TURN: Mutex<()> = Mutex::const_new(());

/// The primary and its standby, as long as it is this test's turn. Dropped, they are as they were.
pub(crate) struct Servers {
    /// The primary at first.
    pub(crate) primary: &'static str,
    /// The standby at first.
    pub(crate) standby: &'static str,
    _turn: MutexGuard<'static, ()>,
}

impl Servers {
    pub(crate) async fn take() -> Self {
        let turn = TURN.lock().await;
        let primary =
            primary().unwrap_or_else(|| panic!("no Postgres of scripts/servers runs: scripts/servers up postgres"));
        assert_eq!(
            address_of(&primary),
            address_of(&url()),
            "these tests kill the servers of scripts/servers and no others"
        );
        let is_first = port_of(BOTH[0]) == address_of(&primary).1;
        let [primary, standby] = if is_first { BOTH } else { [BOTH[1], BOTH[0]] };
        must("start", &BOTH).await;
        Self { primary, standby, _turn: turn }
    }

    /// The URLs of both, the primary's first.
    pub(crate) fn urls(&self) -> String {
        format!("{},{}", url_of(self.primary), url_of(self.standby))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for name in BOTH {
            // Most often it does not hang.
            let _ = servers("cont", &[name]);
        }
        report(&servers("start", &BOTH));
        if primary().is_some_and(|now| address_of(&now) != address_of(&url_of(self.primary))) {
            for (command, names) in [("kill", &[self.standby][..]), ("promote", &[]), ("start", &BOTH)] {
                report(&servers(command, names));
            }
        }
    }
}

/// `scripts/servers COMMAND NAME…`, which must succeed.
pub(crate) async fn must(command: &'static str, names: &[&'static str]) {
    let names = names.to_vec();
    let output = tokio::task::spawn_blocking(move || servers(command, &names)).await.unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The URL of the server `name`.
pub(crate) fn url_of(name: &str) -> String {
    let options: PgConnectOptions = url().parse().unwrap();
    let (user, database) = (options.get_username(), options.get_database().unwrap_or("postgres"));
    format!("postgres://{user}@{}:{}/{database}", options.get_host(), port_of(name))
}

fn servers(command: &str, names: &[&str]) -> Output {
    let mut script = Command::new(SCRIPT);
    script.arg(command).args(names).stdin(Stdio::null());
    script.output().expect("scripts/servers")
}

fn report(output: &Output) {
    if !output.status.success() {
        eprintln!("scripts/servers: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The URL of the primary, as the script has it.
fn primary() -> Option<String> {
    let variables = String::from_utf8(servers("env", &[]).stdout).unwrap();
    variables.lines().find_map(|line| line.strip_prefix("export WEIR_TEST_POSTGRES=").map(str::to_owned))
}

fn port_of(name: &str) -> u16 {
    let status = String::from_utf8(servers("status", &[]).stdout).unwrap();
    let row = status.lines().find(|line| line.split_whitespace().next() == Some(name)).expect("its row");
    row.split_whitespace().nth(2).unwrap().parse().unwrap()
}

fn address_of(url: &str) -> (String, u16) {
    let options: PgConnectOptions = url.parse().unwrap();
    (options.get_host().to_owned(), options.get_port())
}
