//! The data folder: private to its owner, and to one process at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use booking_core::ports::clock::Entropy;

pub(crate) mod key_ring;
pub(crate) mod operator_keys;

/// The bits of a mode that let others than the owner in.
const OTHERS: u32 = 0o077;
/// The largest key file read, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Why the data folder, or a file in it, can't be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("the data folder {} can't be made: {source}; choose another with --data", path.display())]
    NotMade { path: PathBuf, source: std::io::Error },
    #[error("{} is no folder; choose another with --data", path.display())]
    NoFolder { path: PathBuf },
    #[error("{} can be read by others than its owner (mode {mode:03o}); run: chmod {wanted:03o} {}", path.display(), path.display())]
    TooOpen { path: PathBuf, mode: u32, wanted: u32 },
    #[error("the data folder {} can't be written: {source}; let this user write there, or choose another with --data", path.display())]
    ReadOnly { path: PathBuf, source: std::io::Error },
    #[error("the data folder {} is in use by another weir; stop that one, or choose another with --data", path.display())]
    Locked { path: PathBuf },
    #[error("{} can't be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} can't be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged ({problem}); {remedy}", path.display())]
    Damaged { path: PathBuf, problem: String, remedy: &'static str },
    #[error("{0}")]
    Refused(String),
}

/// A data folder that is fit for use.
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// A data folder that no other process runs on while this lives.
pub(crate) struct LockedFolder {
    folder: DataFolder,
    /// Locked as long as it is open.
    _lock: File,
}

impl DataFolder {
    /// The folder at `path`, made if it is missing. One that is empty is made private; one with files in it must be.
    ///
    /// # Errors
    /// If it is not private, or nothing can be written there.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let path =
            std::path::absolute(path).map_err(|source| DataError::Unreadable { path: path.to_owned(), source })?;
        match std::fs::metadata(&path) {
            Ok(found) if !found.is_dir() => return Err(DataError::NoFolder { path }),
            Ok(found) => {
                let is_empty = std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
                if is_empty && found.permissions().mode() & OTHERS != 0 {
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))
                        .map_err(|source| DataError::ReadOnly { path: path.clone(), source })?;
                }
            }
            Err(_) => std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| DataError::NotMade { path: path.clone(), source })?,
        }
        require_private(&path, 0o700)?;
        Ok(Self { path })
    }

    /// The folder, for this process alone.
    ///
    /// # Errors
    /// As [`DataFolder::open`], and if another process runs on it.
    pub(crate) fn lock(path: &Path) -> Result<LockedFolder, DataError> {
        let folder = Self::open(path)?;
        let read_only = |source| DataError::ReadOnly { path: folder.path.clone(), source };
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.path.join("lock"))
            .map_err(read_only)?;
        match lock.try_lock() {
            Ok(()) => Ok(LockedFolder { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataError::Locked { path: folder.path }),
            Err(TryLockError::Error(source)) => Err(read_only(source)),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl std::ops::Deref for LockedFolder {
    type Target = DataFolder;

    fn deref(&self) -> &DataFolder {
        &self.folder
    }
}

fn require_private(path: &Path, wanted: u32) -> Result<(), DataError> {
    let found = std::fs::metadata(path).map_err(|source| DataError::Unreadable { path: path.to_owned(), source })?;
    let mode = found.permissions().mode() & 0o777;
    if mode & OTHERS == 0 { Ok(()) } else { Err(DataError::TooOpen { path: path.to_owned(), mode, wanted }) }
}

/// What a private file holds; `None` where there is none.
fn read_private(path: &Path) -> Result<Option<Vec<u8>>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    require_private(path, 0o600)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some(bytes))
}

/// Replaces a private file in one step: after a crash it holds what it held, or `bytes`.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let replace = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let draft = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        File::open(folder)?.sync_all()
    };
    replace().map_err(|source| DataError::Unwritable { path: path.to_owned(), source })
}

/// Makes a private file that is not there yet, in one step; false: somebody else made it meanwhile.
fn make_private(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> Result<bool, DataError> {
    let make = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let draft = path.with_extension(hex::encode(entropy.id_bytes()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let linked =
            file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&draft, path));
        std::fs::remove_file(&draft)?;
        match linked {
            Ok(()) => File::open(folder)?.sync_all().map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    };
    make().map_err(|source| DataError::Unwritable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
