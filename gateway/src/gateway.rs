//! The gateway as a whole: bound, run, drained.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accept,
    admin::{self, AdminService, Health, Readiness},
    app::{App, Parts},
    booking::{pending::Pending, ticket::TicketTokens},
    browse::{
        found::Searches,
        live::{self, LiveSeats},
    },
    commands::{self, Commands},
    identity::{access::AccessTokens, outside::Outside},
    keys::Keys,
    limits::{Limits, SWEEP_SECONDS},
    line::{admission::AdmissionTokens, join::Joining},
    metrics::{Metrics, Numbers},
    pages::{self, Pages},
    router,
    sales::{self, Sales},
    sandbox::{self, notices::SandboxNotices},
    service::PublicService,
    settings::{InvalidSetting, Settings},
};

/// Why a gateway could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is outside its limits.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A template, catalogue or static file can't be used.
    #[error("the pages can't be loaded")]
    Pages(#[source] pages::Error),
    /// An address can't be listened on.
    #[error("{address} can't be listened on")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The log can't be read.
    #[error("the log can't be read")]
    Log(#[source] booking_core::ports::PortError),
}

/// A gateway, bound to its addresses.
pub struct Gateway {
    app: Arc<App>,
    public: TcpListener,
    admin: TcpListener,
    public_addr: SocketAddr,
    admin_addr: SocketAddr,
    answers: (u16, u64),
}

impl Gateway {
    /// Loads the pages, binds both addresses and finds its place in the log. Nothing is served before [`Self::run`].
    ///
    /// # Errors
    /// If a setting is wrong, a page can't be loaded, an address is taken, or the log can't be read.
    pub async fn bind(parts: Parts, keys: Keys, settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        let pages = Pages::load(settings.pages_folder.as_deref(), &settings.default_language).map_err(Error::Pages)?;
        let name = if settings.name.is_empty() {
            format!("gateway-{}", hex::encode(&parts.entropy.id_bytes()[..8]))
        } else {
            settings.name.clone()
        };
        let (public, public_addr) = listen(settings.listen).await?;
        let (admin, admin_addr) = listen(settings.admin_listen).await?;
        let app = Arc::new(App {
            access: AccessTokens::new(&keys.access, &settings.public_url, settings.access_token_seconds),
            outside: Outside::new(&settings.issuers),
            admission: AdmissionTokens::new(keys.admission.clone(), &settings.public_url),
            tickets: TicketTokens::new(keys.tickets.clone(), &settings.public_url),
            limits: Limits::new(&settings),
            sales: Sales::default(),
            joining: Joining::new(),
            commands: Commands::new(name, settings.max_waiting_commands),
            pending: Pending::default(),
            seats: LiveSeats::default(),
            searches: Searches::default(),
            site_map: crate::site::SiteMap::default(),
            pages,
            metrics: Metrics::new(),
            sandbox_notices: SandboxNotices::new(&*parts.entropy),
            closing: CancellationToken::new(),
            parts,
            keys,
            settings,
        });
        let answers = commands::begin(&app).await.map_err(Error::Log)?;
        Ok(Self { app, public, admin, public_addr, admin_addr, answers })
    }

    /// Where visitors connect.
    pub fn public_addr(&self) -> SocketAddr {
        self.public_addr
    }

    /// Where `/live`, `/ready` and `/metrics` are.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// Shows `numbers` of another part of this process on `/metrics` too.
    pub fn show_metrics(&self, numbers: Numbers) {
        self.app.metrics.show_too(numbers);
    }

    /// Serves until `stop`, then lets open requests finish for the time of grace; streams end at once, with a hint to
    /// come again. The admin listener answers until the end.
    pub async fn run(self, stop: CancellationToken) {
        let Self { app, public, admin, answers, .. } = self;
        // Followers outlive the listener: requests that finish during the drain still need their answers.
        let (tasks, followers) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(commands::run(Arc::clone(&app), answers, followers.clone()));
        tasks.spawn(live::run(Arc::clone(&app), tasks.clone(), followers.clone()));
        tasks.spawn(sales::run(Arc::clone(&app), tasks.clone(), followers.clone()));
        tasks.spawn(sweep(Arc::clone(&app), followers.clone()));
        tasks.spawn(sandbox::tell::run(Arc::clone(&app), followers.clone()));

        let settings = &app.settings;
        let limits = accept::Limits {
            max_connections: settings.max_connections,
            header_timeout: Duration::from_millis(settings.header_timeout_ms),
            idle_timeout: Duration::from_secs(settings.idle_timeout_seconds),
            drain: Duration::from_secs(settings.drain_seconds),
            max_header_bytes: settings.max_header_bytes,
            max_headers: settings.max_headers,
        };
        let admin_limits =
            accept::Limits { max_connections: admin::MAX_CONNECTIONS, drain: Duration::ZERO, ..limits.clone() };
        let serving_admin =
            accept::serve(admin, Arc::new(AdminService(Arc::clone(&app))), admin_limits, followers.clone());
        tasks.spawn(serving_admin);

        let service = PublicService { app: Arc::clone(&app), router: router::router(Arc::clone(&app)) };
        let closing = app.closing.clone();
        let closing_begins = async move {
            stop.cancelled().await;
            closing.cancel();
        };
        let serving = accept::serve(public, Arc::new(service), limits, app.closing.clone());
        tokio::join!(closing_begins, serving);
        followers.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

impl Health for App {
    fn readiness(&self) -> Readiness {
        if self.closing.is_cancelled() {
            Readiness::Stopping
        } else if self.sales.is_ready() {
            Readiness::Ready
        } else {
            Readiness::Starting
        }
    }

    fn metrics(&self) -> String {
        self.metrics.text()
    }
}

pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Forgets, every now and then, what need not be remembered.
async fn sweep(app: Arc<App>, stop: CancellationToken) {
    let mut timer = tokio::time::interval(Duration::from_secs(SWEEP_SECONDS));
    loop {
        tokio::select! { _ = timer.tick() => {}, () = stop.cancelled() => return }
        let now = app.parts.clock.now();
        app.limits.sweep();
        app.commands.sweep(now);
        app.pending.sweep(now);
    }
}
