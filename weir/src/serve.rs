//! Everything in one process: opens the stores, runs the gateway and the worker, and drains them in that order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gateway::{AccessKeys, AdmissionKeys, Gateway, Keys};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, ConfigError},
    data::{
        DataFolder, LockedFolder,
        key_ring::{KeyRing, RingName},
        operator_keys::OperatorKeys,
    },
    failure::Failure,
    output::say,
    stores::{self, Files, Stores},
    system::{SystemClock, SystemEntropy},
};

/// How often the operators' keys are looked at: a key that was added or revoked counts this soon.
const OPERATORS_EVERY: Duration = Duration::from_secs(1);
/// How long the workers may take to finish what they are at.
const WORKER_GRACE: Duration = Duration::from_secs(10);

/// Runs until `stop`, then drains.
///
/// # Errors
/// Why it could not start, or ended by itself.
pub(crate) async fn run(config: &Config, stop: CancellationToken) -> Result<(), Failure> {
    let folder = DataFolder::lock(&config.data.folder)?;
    let running = start(config, &folder).await?;
    say(format_args!("visitors: http://{}/", running.public_addr()));
    say(format_args!("admin: http://{}/ (live, ready, metrics)", running.admin_addr()));
    if OperatorKeys::of(&folder).live()?.is_empty() {
        say("no operator key yet: weir operator-key add --name NAME --role admin");
    }
    let failed = tokio::select! {
        () = stop.cancelled() => None,
        failure = running.failed() => Some(failure),
    };
    let stopped = running.stop().await;
    failed.map_or(stopped, Err)
}

/// A running Weir.
pub(crate) struct Running {
    public: SocketAddr,
    admin: SocketAddr,
    gateway: Part,
    worker: Part,
    operators: Part,
    failures: Mutex<mpsc::Receiver<anyhow::Error>>,
    files: Files,
}

/// A part that runs until it is told to stop.
struct Part {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts everything on `folder`; once it answers, visitors can connect.
///
/// # Errors
/// If the keys, a store or an address can't be used.
pub(crate) async fn start(config: &Config, folder: &LockedFolder) -> Result<Running, Failure> {
    let operator_keys = OperatorKeys::of(folder);
    let keys = keys(folder, &operator_keys)?;
    let operators = keys.operators.clone();
    let stores = stores::open(config, folder.path()).await?;
    let settings = config.gateway_settings();
    let gateway = Gateway::bind(gateway_parts(&stores), keys, settings).await.map_err(unbound)?;
    let (public, admin) = (gateway.public_addr(), gateway.admin_addr());

    let (files, (failed, failures)) = (stores.files.clone(), mpsc::channel(3));
    let (settings, gauges) = (config.worker_settings(), Arc::new(queue_worker::Gauges::default()));
    let measured = Arc::clone(&gauges);
    gateway.show_metrics("weir_worker", Arc::new(move || measured.all()));
    let worker = Part::spawn("the worker", failed.clone(), |stop| async move {
        queue_worker::run_with(worker_parts(stores), settings, gauges, stop).await.map_err(anyhow::Error::from)
    });
    let gateway = Part::spawn("the gateway", failed.clone(), |stop| async move {
        gateway.run(stop).await;
        Ok(())
    });
    let operators = Part::spawn("the operators' keys", failed, |stop| follow(operator_keys, operators, stop));
    Ok(Running { public, admin, gateway, worker, operators, failures: Mutex::new(failures), files })
}

impl Running {
    /// Where visitors connect.
    pub(crate) fn public_addr(&self) -> SocketAddr {
        self.public
    }

    /// Where `/live`, `/ready` and `/metrics` are.
    pub(crate) fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Waits for a part to end by itself, and says why it did.
    pub(crate) async fn failed(&self) -> Failure {
        let failure = self.failures.lock().await.recv().await;
        failure.unwrap_or_else(|| anyhow::anyhow!("every part has ended")).into()
    }

    /// Stops: first the gateway, whose open requests may still need the worker, then the worker, then the stores.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.operators.stop().await;
        self.gateway.stop().await;
        if tokio::time::timeout(WORKER_GRACE, self.worker.stop()).await.is_err() {
            return Err(anyhow::anyhow!("the worker did not stop within {} s", WORKER_GRACE.as_secs()).into());
        }
        self.files.close().await;
        match self.failures.into_inner().try_recv() {
            Ok(error) => Err(error.into()),
            Err(_) => Ok(()),
        }
    }
}

impl Part {
    fn spawn<R>(
        name: &'static str,
        failed: mpsc::Sender<anyhow::Error>,
        run: impl FnOnce(CancellationToken) -> R,
    ) -> Self
    where
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (run, told) = (run(stop.clone()), stop.clone());
        let task = tokio::spawn(async move {
            let error = match run.await {
                Ok(()) if told.is_cancelled() => return,
                Ok(()) => anyhow::anyhow!("{name} ended by itself"),
                Err(error) => error.context(format!("{name} failed")),
            };
            let _ = failed.try_send(error);
        });
        Self { stop, task }
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
        refresh: stores.refresh.clone(),
        sandbox: stores.sandbox.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

fn worker_parts(stores: Stores) -> queue_worker::Parts {
    queue_worker::Parts {
        log: stores.log,
        desk: stores.desk,
        holds: stores.holds,
        ledger: stores.ledger,
        catalog: stores.catalog,
        payments: stores.payments,
        clock: Arc::new(SystemClock),
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
fn keys(folder: &DataFolder, operators: &OperatorKeys) -> Result<Keys, Failure> {
    let ring = |name| KeyRing::load_or_make(folder, name, &SystemEntropy);
    Ok(Keys {
        access: {
            let (signing, older) = ring(RingName::Access)?.named();
            AccessKeys::new(signing, older)
        },
        place: ring(RingName::Place)?.place_keys(),
        admission: {
            let (signing, older) = ring(RingName::Admission)?.named();
            AdmissionKeys::new(signing, older)
        },
        operators: gateway::OperatorKeys::new(operators.live()?),
    })
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
