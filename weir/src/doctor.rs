//! `weir doctor`: looks at everything that the configuration names, and says what is wrong and what to do.

use std::time::Duration;

use crate::{
    config::Config,
    data::{DataError, DataFolder},
    failure::Failure,
    output::say,
    stores::{self, Role},
};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at what `role` needs, and prints a line for each thing looked at.
///
/// # Errors
/// [`Failure::Check`] if something is wrong.
pub(crate) async fn run(config: &Config, role: Role) -> Result<(), Failure> {
    let (locked, shared);
    let folder: &DataFolder = match DataFolder::lock(&config.data.folder) {
        // A gateway beside this uses its keys alone; the stores are servers.
        Err(DataError::Locked { .. }) if config.stores.log.scheme() != "sqlite" => {
            shared = DataFolder::open(&config.data.folder)?;
            &shared
        }
        lock => {
            locked = lock?;
            &locked
        }
    };
    let examining = tokio::time::timeout(PATIENCE, stores::examine(config, role, folder.path()));
    let Ok(examined) = examining.await else {
        let seconds = PATIENCE.as_secs();
        return Err(anyhow::anyhow!("the stores did not all answer within {seconds} s").into());
    };
    let mut is_well = true;
    for (what, found) in examined {
        match found {
            Ok(()) => say(format_args!("ok     {what}")),
            Err(failure) => {
                is_well = false;
                say(format_args!("WRONG  {what}: {}", failure.line()));
            }
        }
    }
    if is_well { Ok(()) } else { Err(Failure::Check) }
}
