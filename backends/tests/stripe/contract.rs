//! The port's suite.

use crate::{stand_in::StandIn, support::OnStandIn};

fn on_stand_in() -> impl AsyncFn() -> OnStandIn {
    let stand_in = StandIn::start();
    async move || OnStandIn::new(&stand_in)
}

booking_core::payments_contract!(
    #[tokio::test]
    on_stand_in()
);
