//! `weir demo`: a whole sale on this machine, with a crowd of simulated visitors over real HTTP, and a check of it.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use booking_core::ports::clock::Clock as _;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Api, Call},
    cli::{DemoArgs, SettingFlags},
    config::{Config, Source},
    data::{
        DataFolder,
        operator_keys::{OperatorKeys, Role},
    },
    failure::Failure,
    output::say,
    serve,
    stores::Role as Running,
    system::{SystemClock, SystemEntropy},
    verify_draw::PublicRecord,
};

mod character;
mod check;
mod crowd;
mod notes;
mod progress;
mod seats;
mod setup;
mod summary;
mod venue;
mod visitor;
mod world;

use seats::Hall;
use setup::{Sale, Timing};
use world::World;

/// The port for visitors, where nobody names one and it is free.
const USUAL_PORT: u16 = 8080;
/// How many seats the crowd leaves to whoever joins by hand.
const SEATS_TO_LEAVE: u64 = 60;
/// Guests and requests a minute from one address: the whole crowd has the same.
const CROWD_PER_MINUTE: &str = "1000000000";

/// Runs the demo.
///
/// # Errors
/// [`Failure::Check`] if a check failed; otherwise why it could not go on.
pub(crate) async fn run(
    args: DemoArgs,
    config: &Config,
    data: Option<PathBuf>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    if let (false, Some(operator_key)) = (args.at.is_empty(), &args.operator_key) {
        let api = Api::at_all(&args.at, crowd::CONNECTIONS)?;
        let holds = sale(&args, &api, operator_key, &stop).await?;
        return if holds || !args.once { Ok(()) } else { Err(Failure::Check) };
    }
    // Removed with everything in it when it goes out of scope.
    let temporary = if data.is_none() { Some(temporary_folder()?) } else { None };
    let path = data.or_else(|| temporary.as_ref().map(|folder| folder.path().to_owned())).unwrap_or_default();
    let folder = DataFolder::lock(&path)?;
    let operator_key = operator_key(&folder)?;
    let running = serve::start(config, Running::All, Some(&folder)).await?;
    let public = running.public.context("there is no gateway")?;

    let api = Api::at(&format!("http://{public}"), crowd::CONNECTIONS)?;
    let ended = tokio::select! {
        ended = sale(&args, &api, &operator_key, &stop) => ended,
        failed = running.failed() => Err(failed),
    };
    let stopped = running.stop().await;
    let holds = ended?;
    stopped?;
    if holds || !args.once { Ok(()) } else { Err(Failure::Check) }
}

fn temporary_folder() -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("weir-demo-")
        .tempdir()
        .context("no temporary folder can be made; name one with --data")
}

/// A key for the operator's console. What an earlier demo in the same folder gave out is void.
fn operator_key(folder: &DataFolder) -> Result<String, Failure> {
    let (keys, now) = (OperatorKeys::of(folder), SystemClock.now());
    if keys.list()?.iter().any(|key| key.name == "demo" && key.revoked_at.is_none()) {
        keys.revoke("demo", now)?;
    }
    Ok(keys.add("demo", Role::Admin, &SystemEntropy, now)?)
}

/// The defaults, but for what a crowd from a single address needs; then what `flags` say. No file, no variables: a
/// demo is the same everywhere.
///
/// # Errors
/// If no port is free, or a flag's value is none.
pub(crate) fn configuration(args: &DemoArgs, flags: &SettingFlags) -> Result<Config, Failure> {
    let port = match args.port {
        Some(0) => free_port(0)?,
        Some(port) => port,
        None => free_port(USUAL_PORT).or_else(|_| free_port(0))?,
    };
    let mut config = Config::default();
    let settings = [
        ("gateway.listen", format!("127.0.0.1:{port}")),
        ("gateway.admin_listen", "127.0.0.1:0".to_owned()),
        ("gateway.public_url", format!("http://127.0.0.1:{port}")),
        ("gateway.guests_per_minute", CROWD_PER_MINUTE.to_owned()),
        ("gateway.address_requests_per_minute", CROWD_PER_MINUTE.to_owned()),
        ("gateway.reserves_per_minute", "30".to_owned()),
        ("tracing.level", "warn".to_owned()),
    ];
    for (key, value) in settings {
        config.set(key, &value, Source::Program).map_err(anyhow::Error::msg)?;
    }
    config.apply_flags(&flags.values())?;
    Ok(config)
}

fn free_port(wanted: u16) -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).context("127.0.0.1 has no free port")?;
    Ok(listener.local_addr()?.port())
}

/// The sale from its setup to the check; whether everything holds.
async fn sale(args: &DemoArgs, api: &Api, operator_key: &str, stop: &CancellationToken) -> Result<bool, Failure> {
    let timing = Timing::of(args.visitors, args.once);
    let Sale { event, other_event, lobby_opens_at, opens_at } = setup::set_up(api, operator_key, &timing).await?;
    addresses(api, &event, &other_event, operator_key);

    let details = api.require(Call::get(format!("/v1/events/{event}"))).await?;
    let seats_to_leave = if args.once { 0 } else { SEATS_TO_LEAVE };
    let mut world = World::new(api.clone(), event.to_string(), timing.session_seconds, Hall::new(details));
    (world.seats_to_leave, world.roams) = (seats_to_leave, args.roam);
    let world = Arc::new(world);
    let mut characters = character::crowd(args.visitors, args.seed, timing.lobby, timing.after);
    let planned = characters.len();

    tokio::time::sleep(lobby_opens_at.until(SystemClock.now())).await;
    let begin = Instant::now();
    // On a slow machine the lobby opened while the sale was set up: then the first ones come at once.
    let late = SystemClock.now().until(lobby_opens_at);
    for one in &mut characters {
        one.arrives = one.arrives.saturating_sub(late);
    }
    let through = CancellationToken::new();
    let progress = tokio::spawn(progress::show(world.clone(), planned as u64, opens_at, through.clone()));
    let visitors = crowd::send(&world, characters, stop).await;
    through.cancel();
    let _ = progress.await;

    summary::print(&visitors, planned, begin.elapsed());
    let record = PublicRecord::at(api.clone(), event);
    let holds = summary::print_checks(&check::check(api, &record, &visitors, &world.written_down()).await);
    if !args.once && !stop.is_cancelled() {
        say("");
        say("The sale goes on for you. Ctrl-C ends it.");
        stop.cancelled().await;
    }
    Ok(holds)
}

fn addresses(api: &Api, event: &impl std::fmt::Display, other: &impl std::fmt::Display, operator_key: &str) {
    let base = api.base();
    say("Weir's demo is running. Open:");
    say(format_args!("  all events        {base}/"));
    say(format_args!("  join this sale    {base}/e/{event}"));
    say(format_args!("  check its draw    {base}/e/{event}/draw"));
    say(format_args!("  a quieter lobby   {base}/e/{other}"));
    say(format_args!("  operator          {base}/operator"));
    say(format_args!("  operator's key    {operator_key}"));
    say(format_args!("  or verify by      weir verify-draw {base}/v1/events/{event}"));
    say("");
}
