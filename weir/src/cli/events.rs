//! `weir events`: what its operators do about an event that is sold.

use std::path::PathBuf;

use booking_core::time::Timestamp;
use clap::{Args, Subcommand};

use super::OperatorAccess;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum EventsCommand {
    /// Let an event begin at another time. Bookings stand; whoever had booked is told, and may give back in full
    Move(MoveArgs),
    /// Show what another hall would mean for the seats that are sold; with --act, have the event there
    Hall(HallArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct MoveArgs {
    #[command(flatten)]
    pub(crate) access: OperatorAccess,

    /// The event
    pub(crate) event: String,

    /// When it begins instead, such as 2030-06-20T19:30:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Timestamp,

    /// Why, for those who have tickets
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// Until when whoever had booked may give back in full; 14 days where it is not named
    #[arg(long, value_name = "TIME")]
    pub(crate) give_back_until: Option<Timestamp>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct HallArgs {
    #[command(flatten)]
    pub(crate) access: OperatorAccess,

    /// The event
    pub(crate) event: String,

    /// The hall it would be in
    #[arg(long = "to", alias = "venue", value_name = "ID")]
    pub(crate) venue: String,

    /// A file with where seats go that don't keep their id: a JSON object from old ids to new ones
    #[arg(long, value_name = "FILE")]
    pub(crate) seats: Option<PathBuf>,

    /// Do it, if every sold seat stays valid and it comes to just what is shown
    #[arg(long, requires = "reason")]
    pub(crate) act: bool,

    /// Why, for those who have tickets
    #[arg(long, value_name = "TEXT", requires = "act")]
    pub(crate) reason: Option<String>,
}
