//! How far the crowd is: bars on a terminal, a plain line now and then elsewhere.

use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use booking_core::time::Timestamp;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::world::{Counted, World};
use crate::output::say;

const BAR_EVERY: Duration = Duration::from_millis(150);
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows the crowd's progress until `done`.
pub(super) async fn show(world: Arc<World>, visitors: u64, opens_at: Timestamp, done: CancellationToken) {
    if std::io::stderr().is_terminal() {
        bars(&world, visitors, opens_at, &done).await;
    } else {
        lines(&world, visitors, opens_at, &done).await;
    }
}

async fn lines(world: &World, visitors: u64, opens_at: Timestamp, done: &CancellationToken) {
    while !is_done_after(LINE_EVERY, done).await {
        let counted = world.tally.counted();
        let Counted { joined, through, .. } = counted;
        say(format_args!(
            "{}: joined {joined}/{visitors}, through {through}/{visitors}, {}",
            phase(world, opens_at),
            inside(counted)
        ));
    }
}

async fn bars(world: &World, visitors: u64, opens_at: Timestamp, done: &CancellationToken) {
    let style = ProgressStyle::with_template("{prefix:>9} [{bar:40}] {pos}/{len} {msg}")
        .expect("the template is a constant")
        .progress_chars("=> ");
    let bars = MultiProgress::new();
    let bar = |name: &'static str, length: u64| {
        bars.add(ProgressBar::new(length).with_style(style.clone()).with_prefix(name))
    };
    let (joined, through) = (bar("joined", visitors), bar("through", visitors));
    let booked = bar("seats", world.hall.len() as u64);
    loop {
        let is_done = is_done_after(BAR_EVERY, done).await;
        let counted = world.tally.counted();
        joined.set_position(counted.joined);
        joined.set_message(phase(world, opens_at));
        through.set_position(counted.through);
        through.set_message(inside(counted));
        booked.set_position(counted.seats_booked);
        if is_done {
            [joined, through, booked].iter().for_each(ProgressBar::abandon);
            return;
        }
    }
}

fn phase(world: &World, opens_at: Timestamp) -> String {
    match opens_at.millis_since(world.now()) {
        ms if ms > 0 => format!("lobby, opens in {} s", ms.div_euclid(1_000) + 1),
        _ => "open".to_owned(),
    }
}

fn inside(counted: Counted) -> String {
    let Counted { admitted, bookings, seats_booked, conflicts, declined, refused, .. } = counted;
    let waits = if refused == 0 { String::new() } else { format!(", {refused} asked again") };
    format!(
        "admitted {admitted}, bookings {bookings} ({seats_booked} seats), conflicts {conflicts}, declined {declined}{waits}"
    )
}

async fn is_done_after(pause: Duration, done: &CancellationToken) -> bool {
    tokio::select! {
        () = done.cancelled() => true,
        () = tokio::time::sleep(pause) => false,
    }
}
