//! `weir events`: what its operators do about an event that is sold, over their API.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, Call},
    cli::{EventsCommand, HallArgs, MoveArgs},
    failure::Failure,
    output::say,
};

/// How many findings of each kind are said.
const MAX_SAID: usize = 50;
/// The largest file of seats, in bytes: as much as a gateway takes.
const MAX_SEATS_BYTES: u64 = 1_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moved {
    from: String,
    starts_at: String,
    give_back_until: String,
    told: u64,
    left: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preview {
    is_possible: bool,
    sold: u64,
    same_id: u64,
    other_id: u64,
    unsold: u64,
    obstacles: Vec<Finding>,
    obstacles_in_all: usize,
    cautions: Vec<Finding>,
    cautions_in_all: usize,
    holds_in_all: usize,
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rehoused {
    from_venue_id: String,
    venue_id: String,
    left: u64,
    is_done: bool,
}

#[derive(Deserialize)]
struct Finding {
    detail: String,
}

/// Does what was asked for.
///
/// # Errors
/// If the gateway can't be reached, or refuses, or a file can't be read.
pub(crate) async fn run(command: &EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::Move(args) => move_event(args).await,
        EventsCommand::Hall(args) => hall(args).await,
    }
}

async fn move_event(args: &MoveArgs) -> Result<(), Failure> {
    let mut wanted = json!({ "startsAt": args.to, "reason": args.reason });
    if let Some(until) = args.give_back_until {
        wanted["giveBackUntil"] = json!(until);
    }
    let call = Call::post(format!("/v1/operator/events/{}/move", args.event), wanted);
    let moved: Moved = Api::at(&args.access.at, 1)?.require(call.bearer(&args.access.operator_key)).await?;
    say(format_args!("{} begins {}, no longer {}", args.event, moved.starts_at, moved.from));
    say(format_args!("  given back in full until {}", moved.give_back_until));
    say(format_args!("  bookings told: {}, still to be told: {}", moved.told, moved.left));
    Ok(())
}

async fn hall(args: &HallArgs) -> Result<(), Failure> {
    let seats = args.seats.as_deref().map_or_else(|| Ok(json!({})), read_seats)?;
    let mut wanted = json!({ "venueId": args.venue, "seats": seats });
    let call = Call::post(format!("/v1/operator/events/{}/hall/preview", args.event), wanted.clone());
    let api = Api::at(&args.access.at, 1)?;
    let preview: Preview = api.require(call.bearer(&args.access.operator_key)).await?;
    let Preview { sold, same_id, other_id, unsold, .. } = preview;
    say(format_args!("{sold} seats are sold: {same_id} keep their id, {other_id} get another; {unsold} stay unsold"));
    say_findings("in the way", &preview.obstacles, preview.obstacles_in_all);
    say_findings("to look at", &preview.cautions, preview.cautions_in_all);
    say(format_args!("live holds: {}", preview.holds_in_all));
    say(if preview.is_possible { "Every sold seat stays valid." } else { "Not every sold seat stays valid." });
    say(format_args!("fingerprint {}", preview.fingerprint));
    if !args.act {
        return Ok(());
    }
    wanted["fingerprint"] = json!(preview.fingerprint);
    wanted["reason"] = json!(args.reason);
    let call = Call::post(format!("/v1/operator/events/{}/hall", args.event), wanted);
    let rehoused: Rehoused = api.require(call.bearer(&args.access.operator_key)).await?;
    say(format_args!("{} is in {}, no longer in {}", args.event, rehoused.venue_id, rehoused.from_venue_id));
    if !rehoused.is_done {
        say(format_args!("  bookings that are still to get their new seats: {}", rehoused.left));
    }
    Ok(())
}

fn say_findings(what: &str, findings: &[Finding], in_all: usize) {
    say(format_args!("{what}: {in_all}"));
    for finding in findings.iter().take(MAX_SAID) {
        say(format_args!("  {}", finding.detail));
    }
    if in_all > MAX_SAID {
        say(format_args!("  and {} more", in_all - MAX_SAID));
    }
}

fn read_seats(path: &Path) -> anyhow::Result<Value> {
    let named = || format!("the seats in {} can't be read", path.display());
    let size = std::fs::metadata(path).with_context(named)?.len();
    anyhow::ensure!(size <= MAX_SEATS_BYTES, "{} is larger than {MAX_SEATS_BYTES} bytes", path.display());
    serde_json::from_slice(&std::fs::read(path).with_context(named)?).with_context(named)
}
