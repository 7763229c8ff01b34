//! The suites of the ports.

use backends::postgres::{PostgresCatalog, PostgresLedger, PostgresMailroom, PostgresRefreshFamilies, PostgresSandbox};

use super::support::Schema;

fn fresh_ledger() -> impl AsyncFn() -> PostgresLedger {
    let schema = Schema::new();
    async move || schema.ledger().await
}

mod ledger {
    booking_core::ledger_contract!(
        #[tokio::test]
        super::fresh_ledger()
    );
}

fn fresh_catalog() -> impl AsyncFn() -> PostgresCatalog {
    let schema = Schema::new();
    async move || PostgresCatalog::new(schema.database().await)
}

mod changes {
    booking_core::changes_contract!(
        #[tokio::test]
        super::fresh_catalog()
    );
}

mod catalog {
    booking_core::catalog_contract!(
        #[tokio::test]
        super::fresh_catalog()
    );
}

fn fresh_families() -> impl AsyncFn() -> PostgresRefreshFamilies {
    let schema = Schema::new();
    async move || PostgresRefreshFamilies::new(schema.database().await)
}

fn fresh_mailroom() -> impl AsyncFn() -> PostgresMailroom {
    let schema = Schema::new();
    async move || PostgresMailroom::new(schema.database().await)
}

mod mailroom {
    booking_core::mailroom_contract!(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        super::fresh_mailroom()
    );
}

mod accounts {
    booking_core::accounts_contract!(
        #[tokio::test]
        super::fresh_families()
    );
}

fn fresh_sandbox() -> impl AsyncFn() -> PostgresSandbox {
    let schema = Schema::new();
    async move || PostgresSandbox::new(schema.database().await)
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
