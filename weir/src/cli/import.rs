//! `weir import`: venues and events out of files.

use std::path::PathBuf;

use booking_core::id::VenueId;
use clap::{Args, Subcommand};

use super::OperatorAccess;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ImportCommand {
    /// Add events out of files; an admin's key is needed
    #[command(long_about = EVENTS)]
    Events(ImportEventsArgs),
    /// Add venues out of files; an admin's key is needed
    #[command(long_about = VENUES)]
    Venues(ImportVenuesArgs),
}

const EVENTS: &str = "\
Add events out of files; an admin's key is needed.

Files are read twice: first everything is checked and every mistake is named with its place, and nothing is added unless \
all is well. The same file again, with a key of the same name, adds nothing twice: an event is known by its id in the \
file, or where it has none by all that is said of it. One that is there under the same id, but otherwise, is refused.

What a file is, its ending says:
  .json, .jsonld    an event, a list of events, or a JSON-LD @graph
  .jsonl, .ndjson   one of these on each line
  .csv              a table, its columns named in the first row

An event is schema.org's Event in JSON-LD where it has an @type: name, startDate, location, offers (one of each category \
of seats by name, or a single one without a name for all), description, performer, image, inLanguage; its id is its @id or \
identifier. What is no Event, or is cancelled, is passed over. Otherwise it is Weir's own, as POST /v1/operator/events \
has it, with `id` and `venue`, a name that --venues knows, if you like; `price` in place of `prices` is the price of \
every category.

Columns of a table are Weir's own fields: id, title, description, performers (several with ; between), category, language, \
thumbnail, venueId or venue, startsAt, currency, refundPolicy (as JSON), and the prices in minor units: price for every \
category, or price:NAME of the category NAME each.";

const VENUES: &str = "\
Add venues out of files; an admin's key is needed.

A file of the ending .json has a venue or a list of venues, one of .jsonl or .ndjson a venue on each line: each Weir's own \
seat map, as POST /v1/operator/venues has it, or a pretix seating plan. Everything is checked before anything is added, \
and the same file again, with a key of the same name, adds nothing twice. A venue that is changed in the file is another \
one.";

#[derive(Debug, Clone, Args)]
pub(crate) struct ImportEventsArgs {
    #[command(flatten)]
    pub(crate) access: OperatorAccess,

    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The venue of events that name none; without --venues, of all that have no venueId
    #[arg(long, value_name = "ID")]
    pub(crate) venue: Option<VenueId>,

    /// A JSON object from names of venues, as the files have them, to ids of Weir's
    #[arg(long, value_name = "FILE")]
    pub(crate) venues: Option<PathBuf>,

    /// Where the files come from, if ids of several sources could be the same
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) source: String,

    /// Check everything and add nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ImportVenuesArgs {
    #[command(flatten)]
    pub(crate) access: OperatorAccess,

    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The name of a pretix plan's venue; its own where it is not given
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Street and number of a pretix plan's venue
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) address: String,

    /// The city of a pretix plan's venue; needed for one
    #[arg(long, value_name = "NAME")]
    pub(crate) city: Option<String>,

    /// Check everything and add nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
