//! Running, as everything in one process or as one role: opens the stores, runs the gateway, the indexer and the worker,
//! and drains them in that order.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use gateway::{AccessKeys, Admin, Gateway, Keys, Readiness, SigningKeys};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, ConfigError},
    data::{
        DataFolder,
        key_ring::{KeyRing, RingName},
        operator_keys::OperatorKeys,
    },
    failure::Failure,
    output::say,
    stores::{self, Open, Role, Stores},
    system::SystemEntropy,
};

/// How often the operators' keys are looked at: a key that was added or revoked counts this soon.
const OPERATORS_EVERY: Duration = Duration::from_secs(1);
/// How long the workers may take to finish what they are at.
const WORKER_GRACE: Duration = Duration::from_secs(10);

/// Runs `role` until `stop`, then drains.
///
/// # Errors
/// Why it could not start, or ended by itself.
pub(crate) async fn run(config: &Config, role: Role, stop: CancellationToken) -> Result<(), Failure> {
    // Beside others nothing of a process's own is in the folder, only keys that all gateways share.
    let (locked, shared);
    let folder: Option<&DataFolder> = match role {
        Role::All => {
            locked = DataFolder::lock(&config.data.folder)?;
            Some(&locked)
        }
        Role::Gateway => {
            shared = DataFolder::open(&config.data.folder)?;
            Some(&shared)
        }
        Role::Worker | Role::Indexer => None,
    };
    let running = start(config, role, folder).await?;
    if let Some(public) = running.public {
        say(format_args!("visitors: http://{public}/"));
    }
    say(format_args!("admin: http://{}/ (live, ready, metrics)", running.admin));
    if let Some(folder) = folder
        && OperatorKeys::of(folder).live()?.is_empty()
    {
        say("no operator key yet: weir operator-key add --name NAME --role admin");
    }
    let failed = tokio::select! {
        () = stop.cancelled() => None,
        failure = running.failed() => Some(failure),
    };
    let stopped = running.stop().await;
    failed.map_or(stopped, Err)
}

/// A running Weir, or a role of it.
pub(crate) struct Running {
    /// Where visitors connect, if there is a gateway.
    pub(crate) public: Option<SocketAddr>,
    admin: SocketAddr,
    /// In the order in which they are to stop.
    parts: Vec<Part>,
    failures: Mutex<mpsc::Receiver<anyhow::Error>>,
    open: Open,
}

/// A part that runs until it is told to stop.
struct Part {
    name: &'static str,
    /// How long it may take to stop; `None`: it knows itself.
    grace: Option<Duration>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts `role`, a gateway with the keys of `folder`; once it answers, visitors can connect.
///
/// # Errors
/// If the keys, a store or an address can't be used.
pub(crate) async fn start(config: &Config, role: Role, folder: Option<&DataFolder>) -> Result<Running, Failure> {
    if role == Role::Indexer {
        return start_indexer(config).await;
    }
    let keys = folder.map(|folder| keys(folder, OperatorKeys::of(folder))).transpose()?;
    let nowhere = Path::new("");
    let (stores, open) = stores::open(config, role, folder.map_or(nowhere, DataFolder::path)).await?;
    match parts(config, role, keys, stores).await {
        Ok((public, admin, parts, failures)) => {
            Ok(Running { public, admin, parts, failures: Mutex::new(failures), open })
        }
        Err(failure) => {
            open.close().await;
            Err(failure)
        }
    }
}

type Started = (Option<SocketAddr>, SocketAddr, Vec<Part>, mpsc::Receiver<anyhow::Error>);

async fn parts(
    config: &Config,
    role: Role,
    keys: Option<(Keys, OperatorKeys)>,
    stores: Stores,
) -> Result<Started, Failure> {
    let (failed, failures) = mpsc::channel(4);
    let gauges = Arc::new(queue_worker::Gauges::default());
    let indexed = Arc::new(search_indexer::Gauges::default());
    let (measured, of_indexer) = (Arc::clone(&gauges), Arc::clone(&indexed));
    let numbers: gateway::Numbers = Arc::new(move || {
        let mut all = measured.all();
        all.extend(of_indexer.all());
        all
    });
    let (mut parts, public, admin);
    if let Some((keys, operator_keys)) = keys {
        let operators = keys.operators.clone();
        let bound = Gateway::bind(gateway_parts(&stores), keys, config.gateway_settings()).await.map_err(unbound)?;
        (public, admin) = (Some(bound.public_addr()), bound.admin_addr());
        if role == Role::All {
            bound.show_metrics(numbers);
        }
        parts = vec![
            Part::spawn("the operators' keys", None, &failed, |stop| follow(operator_keys, operators, stop)),
            Part::spawn("the gateway", None, &failed, |stop| async move {
                bound.run(stop).await;
                Ok(())
            }),
        ];
    } else {
        let measured = Arc::clone(&gauges);
        let readiness = move || if measured.knows_its_duties() { Readiness::Ready } else { Readiness::Starting };
        let bound = Admin::bind(config.gateway.admin_listen, numbers, Arc::new(readiness));
        let bound = bound.await.map_err(unbound)?;
        (public, admin) = (None, bound.address());
        parts = vec![Part::spawn("the admin listener", None, &failed, |stop| async move {
            bound.run(stop).await;
            Ok(())
        })];
    }
    if role == Role::All
        && let Some(parts_of_indexer) = indexer_parts(&stores)
    {
        parts.push(indexer(config, parts_of_indexer, indexed, &failed));
    }
    if role != Role::Gateway {
        let (parts_of_worker, settings) = (worker_parts(stores), config.worker_settings());
        parts.push(Part::spawn("the worker", Some(WORKER_GRACE), &failed, |stop| async move {
            let ran = queue_worker::run_with(parts_of_worker, settings, gauges, stop).await;
            ran.map_err(anyhow::Error::from)
        }));
    }
    Ok((public, admin, parts, failures))
}

impl Running {
    /// Waits for a part to end by itself, and says why it did.
    pub(crate) async fn failed(&self) -> Failure {
        let failure = self.failures.lock().await.recv().await;
        failure.unwrap_or_else(|| anyhow::anyhow!("every part has ended")).into()
    }

    /// Stops: first the gateway, whose open requests may still need the worker, then the worker, then the stores.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        for part in self.parts {
            let (name, grace) = (part.name, part.grace);
            if let Some(grace) = grace {
                if tokio::time::timeout(grace, part.stop()).await.is_err() {
                    return Err(anyhow::anyhow!("{name} did not stop within {} s", grace.as_secs()).into());
                }
            } else {
                part.stop().await;
            }
        }
        self.open.close().await;
        match self.failures.into_inner().try_recv() {
            Ok(error) => Err(error.into()),
            Err(_) => Ok(()),
        }
    }
}

impl Part {
    fn spawn<R>(
        name: &'static str,
        grace: Option<Duration>,
        failed: &mpsc::Sender<anyhow::Error>,
        run: impl FnOnce(CancellationToken) -> R,
    ) -> Self
    where
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (run, told, failed) = (run(stop.clone()), stop.clone(), failed.clone());
        let task = tokio::spawn(async move {
            let error = match run.await {
                Ok(()) if told.is_cancelled() => return,
                Ok(()) => anyhow::anyhow!("{name} ended by itself"),
                Err(error) => error.context(format!("{name} failed")),
            };
            let _ = failed.try_send(error);
        });
        Self { name, grace, stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        // A panic of the part is on the standard error stream already.
        let _ = self.task.await;
    }
}

fn gateway_parts(stores: &Stores) -> gateway::Parts {
    gateway::Parts {
        log: stores.log.clone(),
        desk: stores.desk.clone(),
        ledger: stores.ledger.clone(),
        catalog: stores.catalog.clone(),
        search: stores.search.as_ref().map(|index| Arc::clone(index) as _),
        refresh: stores.refresh.clone(),
        sandbox: stores.sandbox.clone(),
        notices: stores.notices.clone(),
        clock: stores.clock.clone(),
        entropy: Arc::new(SystemEntropy),
    }
}

/// What the indexer stands on, where there is an index to keep.
fn indexer_parts(stores: &Stores) -> Option<search_indexer::Parts> {
    Some(search_indexer::Parts {
        log: stores.log.clone(),
        catalog: stores.catalog.clone(),
        changes: stores.changes.clone(),
        ledger: stores.ledger.clone(),
        index: stores.search.clone()?,
        clock: stores.clock.clone(),
    })
}

fn indexer(
    config: &Config,
    parts: search_indexer::Parts,
    gauges: Arc<search_indexer::Gauges>,
    failed: &mpsc::Sender<anyhow::Error>,
) -> Part {
    let settings = config.indexer_settings();
    Part::spawn("the indexer", Some(WORKER_GRACE), failed, |stop| async move {
        search_indexer::run(parts, settings, gauges, stop).await.map_err(anyhow::Error::from)
    })
}

/// Starts an indexer beside others.
async fn start_indexer(config: &Config) -> Result<Running, Failure> {
    let (parts_of_indexer, open) = stores::open_for_indexing(config).await?;
    let (failed, failures) = mpsc::channel(4);
    let gauges = Arc::new(search_indexer::Gauges::default());
    let (measured, running) = (Arc::clone(&gauges), Arc::clone(&gauges));
    let readiness = move || if running.parts.get() > 0 { Readiness::Ready } else { Readiness::Starting };
    let numbers: gateway::Numbers = Arc::new(move || measured.all());
    let bound = match Admin::bind(config.gateway.admin_listen, numbers, Arc::new(readiness)).await {
        Ok(bound) => bound,
        Err(error) => {
            open.close().await;
            return Err(unbound(error));
        }
    };
    let admin = bound.address();
    let listener = Part::spawn("the admin listener", None, &failed, |stop| async move {
        bound.run(stop).await;
        Ok(())
    });
    let parts = vec![indexer(config, parts_of_indexer, gauges, &failed), listener];
    Ok(Running { public: None, admin, parts, failures: Mutex::new(failures), open })
}

pub(crate) fn worker_parts(stores: Stores) -> queue_worker::Parts {
    queue_worker::Parts {
        log: stores.log,
        assignment: stores.assignment,
        desk: stores.desk,
        holds: stores.holds,
        ledger: stores.ledger,
        catalog: stores.catalog,
        payments: stores.payments.expect("only a gateway is opened without a provider"),
        mail: stores.mail,
        endpoints: stores.endpoints,
        clock: stores.clock,
        entropy: Arc::new(SystemEntropy),
    }
}

fn unbound(error: gateway::Error) -> Failure {
    match error {
        gateway::Error::Listen { address, source } => Failure::Bind { address, source },
        gateway::Error::Setting(wrong) => ConfigError::Together(format!("gateway.{wrong}")).into(),
        gateway::Error::Pages(source) => {
            let problem = format!("gateway.pages_folder: {:#}", anyhow::Error::from(source));
            ConfigError::Together(problem).into()
        }
        gateway::Error::Log(error) => Failure::Store(format!("stores.log: {error}")),
    }
}

/// The rings of the data folder, made on first start, and the operators' keys.
fn keys(folder: &DataFolder, operators: OperatorKeys) -> Result<(Keys, OperatorKeys), Failure> {
    let ring = |name| KeyRing::load_or_make(folder, name, &SystemEntropy);
    let keys = Keys {
        access: {
            let (signing, older) = ring(RingName::Access)?.named();
            AccessKeys::new(signing, older)
        },
        place: ring(RingName::Place)?.place_keys(),
        admission: {
            let (signing, older) = ring(RingName::Admission)?.named();
            SigningKeys::new(signing, older)
        },
        tickets: {
            let (signing, older) = ring(RingName::Ticket)?.named();
            SigningKeys::new(signing, older)
        },
        operators: gateway::OperatorKeys::new(operators.live()?),
    };
    Ok((keys, operators))
}

/// Keeps the gateway's list as the file has it. A file that can't be read changes nothing.
async fn follow(file: OperatorKeys, list: gateway::OperatorKeys, stop: CancellationToken) -> anyhow::Result<()> {
    let mut seen = file.version();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(OPERATORS_EVERY) => {}
        }
        let now = file.version();
        if now == seen {
            continue;
        }
        match file.live() {
            Ok(keys) => list.replace(keys),
            Err(error) => tracing::warn!(%error, "the operators' keys stay as they were"),
        }
        seen = now;
    }
}
