//! `weir import`: venues and events out of files, over the operators' API.
//!
//! Files are read twice, thing by thing: first everything is checked, then everything is added, each under an
//! idempotency key that is made of what it is. So a repeated import, whatever ended the one before, adds what is
//! missing and nothing twice.

use std::sync::Arc;

use anyhow::Context as _;
use booking_core::digest::Digest;
use futures_util::{TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Answer, ApiError, Call},
    cli::ImportCommand,
    failure::Failure,
    output::say,
};

mod events;
mod fields;
mod halls;
mod json_ld;
mod office;
mod place;
mod seen;
mod source;
mod table;
mod tally;
#[cfg(test)]
mod tests;
mod venues;

use events::Events;
use halls::Halls;
use office::Office;
use place::Place;
use seen::{Before, Seen};
use source::{Files, Found};
use tally::Tally;
use venues::Venues;

/// How many mistakes, and how many refusals, are said.
const MAX_SAID: u64 = 50;
/// How many requests are on their way at once.
const IN_FLIGHT: usize = 16;

/// Something to add.
#[derive(Debug)]
struct Wanted {
    place: Place,
    /// What it is known by.
    key: Digest,
    content: Digest,
    /// As the API wants it.
    body: Value,
}

/// What a thing out of a file is.
#[derive(Debug)]
enum Judged {
    Wanted(Wanted),
    /// It is not for this import.
    PassedOver,
    /// Everything that is wrong with it, each in a line with its place.
    Wrong(Vec<String>),
}

/// What Weir answers to what it added.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    is_new: bool,
    venue_id: Option<String>,
    name: Option<String>,
    seats: Option<u64>,
}

/// Tells what things can be, in the order in which they are found.
enum Judge {
    Events(Box<Events>),
    Venues(Venues),
}

impl Judge {
    async fn judge(&mut self, found: Found) -> Result<Judged, ApiError> {
        match self {
            Self::Events(events) => events.judge(found).await,
            Self::Venues(venues) => Ok(venues.judge(found)),
        }
    }
}

/// Does what was asked for.
///
/// # Errors
/// If something in the files is wrong or refused, or Weir can't be reached.
pub(crate) async fn run(command: &ImportCommand, stop: CancellationToken) -> Result<(), Failure> {
    let (what, access, files, is_dry) = match command {
        ImportCommand::Events(args) => {
            ("events", &args.access, Files::at(&args.files, events::MAX_BYTES, true)?, args.dry_run)
        }
        ImportCommand::Venues(args) => {
            ("venues", &args.access, Files::at(&args.files, venues::MAX_BYTES, false)?, args.dry_run)
        }
    };
    let tally = Tally { what, bytes: files.bytes, ..Tally::default() };
    let work = Work { command, office: Office::new(access, IN_FLIGHT)?, files, tally };
    tokio::select! {
        done = work.run(is_dry) => done,
        never = work.tally.show() => match never {},
        () = stop.cancelled() => Err(work.broken_off(anyhow::anyhow!("stopped by a signal"))),
    }
}

/// An import on its way.
struct Work<'a> {
    command: &'a ImportCommand,
    office: Office,
    files: Files,
    tally: Tally,
}

impl Work<'_> {
    async fn run(&self, is_dry: bool) -> Result<(), Failure> {
        self.check().await?;
        let passed_over = self.tally.passed_over.get();
        if passed_over > 0 {
            say(format_args!("{passed_over} things are no {}, or are cancelled, and are passed over", self.tally.what));
        }
        if is_dry {
            say(format_args!("{} {}: all can be added", self.tally.checked.get(), self.tally.what));
            return Ok(());
        }
        self.add_all().await?;
        say(self.tally.result());
        match self.tally.refused.get() {
            0 => Ok(()),
            refused => Err(anyhow::anyhow!(
                "{refused} {} are there already under the same id, but otherwise; they stay as they are",
                self.tally.what
            )
            .into()),
        }
    }

    fn judge(&self) -> anyhow::Result<Judge> {
        Ok(match self.command {
            ImportCommand::Events(args) => Judge::Events(Box::new(Events::new(args, Halls::of(self.office.clone()))?)),
            ImportCommand::Venues(args) => Judge::Venues(Venues::new(args)),
        })
    }

    /// Says everything that is wrong in the files.
    async fn check(&self) -> Result<(), Failure> {
        let (mut judge, mut seen, mut mistakes) = (self.judge()?, Seen::default(), 0);
        let mut found = self.files.read(Arc::clone(&self.tally.bytes_read));
        while let Some(found) = found.recv().await {
            let wrong = match judge.judge(found).await.context("nothing was added")? {
                Judged::Wanted(wanted) => {
                    self.tally.checked.add_one();
                    match seen.note(&wanted.key, &wanted.content) {
                        Before::Never | Before::Same => continue,
                        Before::Other => vec![wanted.place.mistake("", "its id is there before, of something else")],
                    }
                }
                Judged::PassedOver => {
                    self.tally.passed_over.add_one();
                    continue;
                }
                Judged::Wrong(wrong) => wrong,
            };
            for mistake in wrong {
                mistakes += 1;
                if mistakes <= MAX_SAID {
                    eprintln!("{mistake}");
                }
            }
        }
        match mistakes {
            0 => Ok(()),
            1..=MAX_SAID => {
                Err(anyhow::anyhow!("{mistakes} mistakes; nothing was added: mend them, and repeat").into())
            }
            _ => Err(anyhow::anyhow!(
                "{mistakes} mistakes, the first {MAX_SAID} above; nothing was added: mend them, and repeat"
            )
            .into()),
        }
    }

    async fn add_all(&self) -> Result<(), Failure> {
        let begin = (self.files.read(Arc::default()), self.judge()?, Seen::default());
        let wanted = stream::try_unfold(begin, |(mut found, mut judge, mut seen)| async {
            while let Some(next) = found.recv().await {
                match judge.judge(next).await? {
                    Judged::Wanted(wanted) if seen.note(&wanted.key, &wanted.content) == Before::Same => {
                        self.tally.there.add_one();
                    }
                    Judged::Wanted(wanted) => return Ok(Some((wanted, (found, judge, seen)))),
                    Judged::PassedOver => {}
                    Judged::Wrong(mistakes) => {
                        let what = "the files, or the venues, were changed while they were imported";
                        return Err(anyhow::anyhow!("{what}: {}", mistakes.join("; ")));
                    }
                }
            }
            Ok(None)
        });
        let added = wanted.map_ok(|wanted| self.add(wanted)).try_buffer_unordered(IN_FLIGHT);
        added.try_collect::<()>().await.map_err(|error| self.broken_off(error))
    }

    async fn add(&self, wanted: Wanted) -> anyhow::Result<()> {
        let path = format!("/v1/operator/{}", self.tally.what);
        let call = Call::post(&path, wanted.body).idempotency_key(format!("import-{}", wanted.key));
        match self.office.ask::<Added>(call).await? {
            Answer::Ok(added) => {
                if added.is_new { &self.tally.added } else { &self.tally.there }.add_one();
                if let (Some(id), Some(name), Some(seats)) = (added.venue_id, added.name, added.seats) {
                    say(format_args!("{id} {name}, {seats} seats, of {}", wanted.place));
                }
                Ok(())
            }
            Answer::Refused(problem) if problem.slug == "idempotency-key-reused" => {
                self.tally.refused.add_one();
                if self.tally.refused.get() <= MAX_SAID {
                    eprintln!("{}", wanted.place.mistake("", "is there already under its id, but otherwise"));
                }
                Ok(())
            }
            Answer::Refused(problem) => {
                let url = format!("{}{path}", self.office.address());
                Err(anyhow::Error::from(ApiError::Refused { url, problem }).context(wanted.place.to_string()))
            }
        }
    }

    /// The failure of an import that did not come to its end.
    fn broken_off(&self, error: anyhow::Error) -> Failure {
        let so_far = self.tally.result();
        error.context(format!("{so_far}; repeat the command to go on, nothing is added twice")).into()
    }
}
