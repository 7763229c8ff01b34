//! What every handler shares.

use std::sync::Arc;

use booking_core::ports::{
    accounts::RefreshFamilies,
    catalog::CatalogReader,
    clock::{Clock, Entropy},
    desk::Desk,
    ledger::LedgerReader,
    log::Log,
    payments::{PaymentNotices, Sandbox},
    search::Search,
};
use tokio_util::sync::CancellationToken;

use crate::{
    booking::{pending::Pending, ticket::TicketTokens},
    browse::{found::Searches, live::LiveSeats},
    commands::Commands,
    identity::{access::AccessTokens, outside::Outside},
    keys::Keys,
    limits::Limits,
    line::{admission::AdmissionTokens, join::Joining},
    metrics::Metrics,
    pages::Pages,
    sales::Sales,
    sandbox::notices::SandboxNotices,
    settings::Settings,
};

/// What stands behind the gateway.
#[derive(Clone)]
pub struct Parts {
    /// The log: the only thing the gateway writes to, besides the desk.
    pub log: Arc<dyn Log>,
    /// The desk.
    pub desk: Arc<dyn Desk>,
    /// The ledger, to read.
    pub ledger: Arc<dyn LedgerReader>,
    /// The catalog, to read.
    pub catalog: Arc<dyn CatalogReader>,
    /// The index that events are searched in; without, searches get a plain list.
    pub search: Option<Arc<dyn Search>>,
    /// Guests' refresh tokens.
    pub refresh: Arc<dyn RefreshFamilies>,
    /// The sandbox provider, where payments can be made for trying out.
    pub sandbox: Option<Arc<dyn Sandbox>>,
    /// What reads the payment provider's notices, where it sends any.
    pub notices: Option<Arc<dyn PaymentNotices>>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Bytes that nobody can predict.
    pub entropy: Arc<dyn Entropy>,
}

/// Everything, shared by all requests.
pub(crate) struct App {
    pub(crate) parts: Parts,
    pub(crate) keys: Keys,
    pub(crate) settings: Settings,
    pub(crate) access: AccessTokens,
    pub(crate) outside: Outside,
    pub(crate) admission: AdmissionTokens,
    pub(crate) tickets: TicketTokens,
    pub(crate) limits: Limits,
    pub(crate) sales: Sales,
    pub(crate) joining: Joining,
    pub(crate) commands: Commands,
    pub(crate) pending: Pending,
    pub(crate) seats: LiveSeats,
    pub(crate) searches: Searches,
    pub(crate) site_map: crate::site::SiteMap,
    pub(crate) pages: Pages,
    pub(crate) metrics: Metrics,
    /// What signs and reads the sandbox's notices.
    pub(crate) sandbox_notices: SandboxNotices,
    /// Cancelled when the gateway begins to drain: streams end.
    pub(crate) closing: CancellationToken,
}
