//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::data::operator_keys::Role;

mod events;
mod import;

pub(crate) use events::{EventsCommand, HallArgs, MoveArgs};
pub(crate) use import::{ImportCommand, ImportEventsArgs, ImportVenuesArgs};

/// What the exit statuses mean; part of `--help`.
const STATUSES: &str = "\
Exit statuses: 0 done, or stopped by a signal after draining; 1 a check failed, or something went wrong while running; \
2 the command line or the configuration is wrong; 3 the data folder can't be used; 4 an address can't be listened on.";

/// A waiting room and reservation gateway for flash sales: lines visitors up by a fair draw, lets them in at the rate
/// you set, never sells a seat twice. Without a command it runs everything in this process.
#[derive(Debug, Parser)]
#[command(name = "weir", version, after_help = STATUSES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: SettingFlags,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The flags that set configuration keys.
#[derive(Debug, Args, Default)]
pub(crate) struct SettingFlags {
    /// The configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = "WEIR_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The data folder (key data.folder)
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,

    /// Where visitors connect (key gateway.listen)
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,

    /// Where `/live`, `/ready` and `/metrics` are (key `gateway.admin_listen`)
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    admin_listen: Option<String>,

    /// Any configuration key, such as --set stores.log=sqlite:/fast/log.db; may be given again
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = known_key)]
    set: Vec<(String, String)>,
}

/// A known key and its value.
fn known_key(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    crate::config::require_key(key)?;
    Ok((key.to_owned(), value.to_owned()))
}

impl SettingFlags {
    /// What the flags set: (flag, key, value), in the order in which they apply.
    pub(crate) fn values(&self) -> Vec<(&'static str, &str, String)> {
        let flags = [
            ("--data", "data.folder", &self.data),
            ("--listen", "gateway.listen", &self.listen),
            ("--admin-listen", "gateway.admin_listen", &self.admin_listen),
        ];
        let named = flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value.clone()?)));
        named.chain(self.set.iter().map(|(key, value)| ("--set", key.as_str(), value.clone()))).collect()
    }

    /// The data folder, where a flag names one.
    pub(crate) fn data(&self) -> Option<PathBuf> {
        self.data.as_ref().map(PathBuf::from)
    }
}

/// What a process that is looked at does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DoctorRole {
    /// `weir gateway`
    Gateway,
    /// `weir queue-worker`
    QueueWorker,
    /// `weir search-indexer`
    SearchIndexer,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a gateway alone: visitors' and operators' edge. The stores must be servers that other processes share
    Gateway,
    /// Run a worker alone: keeper of lines, hold pool, finaliser. Start as many as the sale needs
    QueueWorker,
    /// Run an indexer alone: what changes in the catalog goes into the index that events are searched in. One is enough
    SearchIndexer {
        #[command(subcommand)]
        command: Option<SearchIndexerCommand>,
    },
    /// Bring the databases of the configuration to what this version needs; starting does the same
    Migrate,
    /// Check everything that the configuration names, and say what is wrong and what to do
    Doctor {
        /// Check only what this role needs: a gateway, say, has no key to the payment provider
        #[arg(long, value_enum)]
        role: Option<DoctorRole>,
    },
    /// Compare ledger, hold tables, payments and outbox; name each difference and mend what has one right answer
    Reconcile {
        /// Mend nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Run a whole example sale with a crowd of simulated visitors, and check it
    Demo(DemoArgs),
    /// Check a draw from its public record: every commitment, root, seed and link of the chain
    VerifyDraw(VerifyDrawArgs),
    /// Run random sales in memory, with crashes, delays and clock jumps, and check the invariants after every step
    Simulate(SimulateArgs),
    /// Manage the operators' keys of a data folder
    #[command(subcommand)]
    OperatorKey(OperatorKeyCommand),
    /// See to payments and refunds that are stuck
    #[command(subcommand)]
    Payments(PaymentsCommand),
    /// Move an event, or look at what another hall would mean for it
    #[command(subcommand)]
    Events(EventsCommand),
    /// Add venues or events out of files, checked as a whole beforehand, and each once however often it is repeated
    #[command(subcommand)]
    Import(ImportCommand),
    /// Look at what became of webhooks, and have some sent again
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum SearchIndexerCommand {
    /// Make the index on Elasticsearch anew beside the one that is searched, then switch over. Gateways and indexers go on
    Rebuild,
}

/// Where to ask as an operator.
#[derive(Debug, Clone, Args)]
pub(crate) struct OperatorAccess {
    /// A gateway's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) at: String,

    /// An operator's key
    #[arg(long, value_name = "KEY", env = "WEIR_OPERATOR_KEY", hide_env_values = true)]
    pub(crate) operator_key: String,
}

/// A payment or refund, as `weir payments stuck` shows it.
#[derive(Debug, Clone, Args)]
pub(crate) struct StuckPayment {
    /// The booking
    pub(crate) booking: String,

    /// The payment at the provider
    #[arg(long, value_name = "ID")]
    pub(crate) transaction: String,

    /// Of which of the booking's refunds; 0 is the payment itself
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) refund: u32,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// List what became of webhooks, newest first
    Deliveries {
        /// Only of this endpoint
        #[arg(long, value_name = "NAME")]
        endpoint: Option<String>,
        #[command(flatten)]
        access: OperatorAccess,
    },
    /// Send an endpoint again what happened since a moment, with the same ids; an admin's key is needed
    Replay {
        /// The endpoint
        endpoint: String,
        /// Since when, such as 2030-06-20T19:30:00Z
        #[arg(long, value_name = "TIME")]
        since: booking_core::time::Timestamp,
        #[command(flatten)]
        access: OperatorAccess,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PaymentsCommand {
    /// List payments and refunds that the provider would not do, the longest stuck first
    Stuck {
        #[command(flatten)]
        access: OperatorAccess,
    },
    /// Ask the provider once more; an admin's key is needed
    Repeat {
        #[command(flatten)]
        payment: StuckPayment,
        #[command(flatten)]
        access: OperatorAccess,
    },
    /// Note that it was done outside, for the audit trail; an admin's key is needed
    Resolve {
        #[command(flatten)]
        payment: StuckPayment,
        /// How, in a line
        #[arg(long, value_name = "TEXT")]
        how: String,
        #[command(flatten)]
        access: OperatorAccess,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// How many visitors come
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) visitors: u32,

    /// End once the crowd is through; status 1 if a check failed
    #[arg(long)]
    pub(crate) once: bool,

    /// The port for visitors on 127.0.0.1; 0 takes any free one. Without it: 8080, or any free one where that is taken
    #[arg(long)]
    pub(crate) port: Option<u16>,

    /// Send the crowd to a Weir that already runs, by a gateway's address; given again, to several of its gateways. Its
    /// limits by address and user must let a crowd through that comes from one machine
    #[arg(long, value_name = "URL", requires = "operator_key", conflicts_with = "port")]
    pub(crate) at: Vec<String>,

    /// Let visitors send each request to another gateway, to see that they agree; otherwise each stays at one
    #[arg(long, requires = "at")]
    pub(crate) roam: bool,

    /// An operator's key of that Weir, of the role admin
    #[arg(long, value_name = "KEY", requires = "at", env = "WEIR_TEST_OPERATOR_KEY", hide_env_values = true)]
    pub(crate) operator_key: Option<String>,

    /// The same seed makes the same crowd; the draw stays unpredictable
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyDrawArgs {
    /// The event's address, such as `http://127.0.0.1:8080/v1/events/evt_…`, or a file made with --save
    #[arg(value_name = "URL|FILE")]
    pub(crate) from: String,

    /// Keep the public record that was checked in this file, so that anyone can check it again
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,

    /// The commitment that you noted before the sale; the draw must begin with it
    #[arg(long, value_name = "HEX")]
    pub(crate) commitment: Option<booking_core::digest::Digest>,

    /// Say which rank this entry has; may be given again
    #[arg(long, value_name = "HEX")]
    pub(crate) entry: Vec<booking_core::digest::Digest>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// How many seeds to run
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,

    /// The first of them
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub(crate) from: u64,

    /// Run this seed only, exactly as it ran before
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from"])]
    pub(crate) seed: Option<u64>,

    /// Say of each seed what it came to
    #[arg(long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OperatorKeyCommand {
    /// Make a key and print it, once
    Add {
        /// Whose it is; shown in the audit trail
        #[arg(long)]
        name: String,
        /// What it allows
        #[arg(long, value_enum)]
        role: Role,
    },
    /// List the keys
    List,
    /// Revoke a key
    Revoke {
        /// Whose
        #[arg(long)]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective configuration as TOML, each value with where it comes from; secrets are never printed
    Show {
        /// With what each key means and the variable that sets it
        #[arg(long)]
        docs: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_everything_runs_and_flags_name_their_keys() {
        let cli = Cli::parse_from(["weir", "--data", "d", "--set", "stores.log=sqlite:x.db"]);
        assert!(cli.command.is_none());
        assert_eq!(
            cli.settings.values(),
            [("--data", "data.folder", "d".to_owned()), ("--set", "stores.log", "sqlite:x.db".to_owned()),]
        );
    }

    #[test]
    fn a_key_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
        let refusal = Cli::try_parse_from(["weir", "--set", "stores.lgo=sqlite:x.db"]).unwrap_err().to_string();
        assert!(refusal.contains("did you mean 'stores.log'?"), "{refusal}");
    }

    #[test]
    fn the_data_folder_may_be_named_after_the_command_too() {
        let cli = Cli::parse_from(["weir", "operator-key", "add", "--name", "ann", "--role", "admin", "--data", "d"]);
        assert_eq!(cli.settings.data(), Some("d".into()));
        assert!(matches!(cli.command, Some(Command::OperatorKey(OperatorKeyCommand::Add { role: Role::Admin, .. }))));
    }

    #[test]
    fn an_import_needs_a_file_and_a_venue_s_id_is_one() {
        let with = |args: &[&str]| {
            let begun = ["weir", "import", "events", "--operator-key", "k"];
            Cli::try_parse_from(begun.iter().chain(args))
        };
        assert!(with(&[]).is_err());
        assert!(with(&["a.csv", "--venue", "evt_1"]).is_err());
        let cli = with(&["a.csv", "b.json", "--venue", "venue_1"]).unwrap();
        let Some(Command::Import(ImportCommand::Events(args))) = cli.command else { panic!("an import of events") };
        assert_eq!((args.files.len(), args.dry_run), (2, false));
    }

    #[test]
    fn an_indexer_runs_or_rebuilds() {
        let command = |words: &[&str]| Cli::parse_from(words).command;
        let run = command(&["weir", "search-indexer", "--data", "d"]);
        assert!(matches!(run, Some(Command::SearchIndexer { command: None })));
        let rebuild = command(&["weir", "search-indexer", "rebuild", "--data", "d"]);
        assert!(matches!(rebuild, Some(Command::SearchIndexer { command: Some(SearchIndexerCommand::Rebuild) })));
    }

    #[test]
    fn a_demo_without_visitors_is_refused() {
        assert!(Cli::try_parse_from(["weir", "demo", "--visitors", "0"]).is_err());
        let cli = Cli::parse_from(["weir", "demo"]);
        assert!(matches!(cli.command, Some(Command::Demo(DemoArgs { visitors: 500, once: false, port: None, .. }))));
    }
}
