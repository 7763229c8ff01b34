//! The real workers behind a test's gateway.

use crate::support::World;

/// Starts them; they stop with the gateway.
pub(crate) fn start(world: &World) {
    let parts = queue_worker::Parts {
        log: world.log.clone(),
        desk: world.desk.clone(),
        holds: world.holds.clone(),
        ledger: world.ledger.clone(),
        catalog: world.catalog.clone(),
        payments: world.payments.clone(),
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
    };
    tokio::spawn(queue_worker::run(parts, queue_worker::Settings::default(), world.stop.clone()));
}
