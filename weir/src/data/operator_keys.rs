//! Operators' keys. The file keeps only their SHA-256: a key is 32 random bytes, so nothing slower is needed.

use std::{
    fs::OpenOptions,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

use booking_core::{digest::Digest, ports::clock::Entropy, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::{DataError, DataFolder, read_private, write_private};

/// The most operator keys, the revoked ones among them.
const MAX_KEYS: usize = 1_000;
/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// What every operator key begins with, so that one is recognised where it should not be.
pub(crate) const PREFIX: &str = "weir_op_";
const REMEDY: &str = "restore it from a backup, or remove it and add the operators' keys anew";

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Role {
    /// Scans tickets at a door, and nothing else.
    Door,
    /// Sees everything.
    Viewer,
    /// Steers sales, too.
    Operator,
    /// Adds venues, events and sales, too.
    Admin,
}

impl From<Role> for gateway::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Door => Self::Door,
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Admin => Self::Admin,
        }
    }
}

/// One key, as the file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OperatorKey {
    /// Whose; in the audit trail.
    pub(crate) name: String,
    /// What it allows.
    pub(crate) role: Role,
    /// SHA-256 of the key.
    pub(crate) sha256: Digest,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked_at: Option<Timestamp>,
}

/// The file of a data folder.
pub(crate) struct OperatorKeys {
    path: PathBuf,
}

impl OperatorKeys {
    /// The keys of `folder`.
    pub(crate) fn of(folder: &DataFolder) -> Self {
        Self { path: folder.path().join("operator-keys.json") }
    }

    /// Every key, the revoked ones among them, oldest first.
    ///
    /// # Errors
    /// If the file is readable by others, or damaged.
    pub(crate) fn list(&self) -> Result<Vec<OperatorKey>, DataError> {
        let Some(bytes) = read_private(&self.path)? else {
            return Ok(Vec::new());
        };
        serde_json::from_slice(&bytes).map_err(|error| DataError::Damaged {
            path: self.path.clone(),
            problem: error.to_string(),
            remedy: REMEDY,
        })
    }

    /// The keys that are not revoked, as the gateway knows them.
    ///
    /// # Errors
    /// As [`OperatorKeys::list`].
    pub(crate) fn live(&self) -> Result<Vec<gateway::OperatorKey>, DataError> {
        let live = self.list()?.into_iter().filter(|key| key.revoked_at.is_none());
        Ok(live.map(|key| gateway::OperatorKey { name: key.name, role: key.role.into(), sha256: key.sha256 }).collect())
    }

    /// Differs once the file has changed.
    pub(crate) fn version(&self) -> Option<(u64, i64, i64)> {
        // Each change is a new file.
        std::fs::metadata(&self.path).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec()))
    }

    /// Makes a key for `name` and answers it; nothing else keeps it.
    ///
    /// # Errors
    /// If the name is taken or unfit, or the file can't be used.
    pub(crate) fn add(
        &self,
        name: &str,
        role: Role,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<String, DataError> {
        let fits = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
        if !fits {
            return Err(DataError::Refused(format!("a name is 1 to {MAX_NAME_BYTES} bytes of text")));
        }
        let mut secret = [0; 32];
        entropy.fill(&mut secret);
        let key = format!("{PREFIX}{}", hex::encode(secret));
        self.change(|keys| {
            if keys.iter().any(|known| known.name == name && known.revoked_at.is_none()) {
                return Err(format!("there is a key of the name '{name}'; revoke that one, or choose another name"));
            }
            if keys.len() >= MAX_KEYS {
                return Err(format!("there are {MAX_KEYS} operator keys already"));
            }
            let sha256 = Digest::of(&[key.as_bytes()]);
            keys.push(OperatorKey { name: name.to_owned(), role, sha256, created_at: now, revoked_at: None });
            Ok(())
        })?;
        Ok(key)
    }

    /// Revokes the key of `name`.
    ///
    /// # Errors
    /// If there is none, or the file can't be used.
    pub(crate) fn revoke(&self, name: &str, now: Timestamp) -> Result<(), DataError> {
        self.change(|keys| {
            let live = keys.iter_mut().find(|key| key.name == name && key.revoked_at.is_none());
            live.ok_or_else(|| format!("there is no live key of the name '{name}'"))?.revoked_at = Some(now);
            Ok(())
        })
    }

    /// Changes the list, one process at a time.
    fn change(&self, change: impl FnOnce(&mut Vec<OperatorKey>) -> Result<(), String>) -> Result<(), DataError> {
        let unwritable = |source| DataError::Unwritable { path: self.path.clone(), source };
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.with_extension("lock"))
            .map_err(unwritable)?;
        lock.lock().map_err(unwritable)?;
        let mut keys = self.list()?;
        change(&mut keys).map_err(DataError::Refused)?;
        write_private(&self.path, &serde_json::to_vec_pretty(&keys).expect("keys are plain data"))
    }
}
