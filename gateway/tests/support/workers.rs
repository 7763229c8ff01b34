//! The real workers behind a test's gateway.

use std::sync::Arc;

use backends::memory::SoleWorker;

use crate::support::World;

/// Starts them; they stop with the gateway.
pub(crate) fn start(world: &World) {
    let parts = queue_worker::Parts {
        log: world.log.clone(),
        assignment: Arc::new(SoleWorker::new(world.log.clone())),
        desk: world.desk.clone(),
        holds: world.holds.clone(),
        ledger: world.ledger.clone(),
        catalog: world.catalog.clone(),
        payments: world.payments.clone(),
        mail: None,
        endpoints: Vec::new(),
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
    };
    tokio::spawn(queue_worker::run(parts, queue_worker::Settings::default(), world.stop.clone()));
}
