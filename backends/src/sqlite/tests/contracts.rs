use super::{
    SqliteCatalog, SqliteDesk, SqliteLedger, SqliteLog, SqliteMailroom, SqliteRefreshFamilies, SqliteSandbox, folder,
    open_desk, open_ledger, open_log,
};

fn fresh_log() -> impl AsyncFn() -> SqliteLog {
    let folder = folder();
    async move || open_log(&folder).await
}

fn fresh_desk() -> impl AsyncFn() -> (SqliteDesk, SqliteLog) {
    let folder = folder();
    async move || {
        let log = open_log(&folder).await;
        (open_desk(&folder, &log).await, log)
    }
}

mod log {
    booking_core::log_contract!(
        #[tokio::test]
        super::fresh_log()
    );
}

mod desk {
    booking_core::desk_contract!(
        #[tokio::test]
        super::fresh_desk()
    );
}

fn fresh_ledger() -> impl AsyncFn() -> SqliteLedger {
    let folder = folder();
    async move || open_ledger(&folder).await
}

mod ledger {
    booking_core::ledger_contract!(
        #[tokio::test]
        super::fresh_ledger()
    );
}

fn fresh_catalog() -> impl AsyncFn() -> SqliteCatalog {
    let folder = folder();
    async move || SqliteCatalog::open(&folder.path().join("catalog.db")).await.expect("a catalog")
}

mod catalog {
    booking_core::catalog_contract!(
        #[tokio::test]
        super::fresh_catalog()
    );
}

mod changes {
    booking_core::changes_contract!(
        #[tokio::test]
        super::fresh_catalog()
    );
}

fn fresh_families() -> impl AsyncFn() -> SqliteRefreshFamilies {
    let folder = folder();
    async move || SqliteRefreshFamilies::open(&folder.path().join("accounts.db")).await.expect("families")
}

mod accounts {
    booking_core::accounts_contract!(
        #[tokio::test]
        super::fresh_families()
    );
}

fn fresh_mailroom() -> impl AsyncFn() -> SqliteMailroom {
    let folder = folder();
    async move || SqliteMailroom::open(&folder.path().join("mail.db")).await.expect("a mailroom")
}

mod mailroom {
    booking_core::mailroom_contract!(
        #[tokio::test]
        super::fresh_mailroom()
    );
}

fn fresh_sandbox() -> impl AsyncFn() -> SqliteSandbox {
    let folder = folder();
    async move || SqliteSandbox::open(&folder.path().join("payments.db")).await.expect("a sandbox")
}

mod payments {
    booking_core::payments_contract!(
        #[tokio::test]
        super::fresh_sandbox()
    );
    booking_core::sandbox_contract!(
        #[tokio::test]
        super::fresh_sandbox()
    );
}
