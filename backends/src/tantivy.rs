//! The index in a folder, by tantivy: for one process alone.
//!
//! It is a copy of the catalog. A folder that an older version of Weir wrote is made anew, empty, and whoever keeps the
//! index begins from the beginning. Searches and writes block, so they are done on Tokio's threads for that; a few
//! searches at a time, and one write.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use booking_core::{
    ports::{
        PortResult,
        search::{Search, SearchIndex},
    },
    search::{Change, Found, Query, SeatsLeft, Suggestion, Term},
    time::Timestamp,
};
use tantivy::{Index, IndexReader, ReloadPolicy, TantivyError, directory::MmapDirectory};
use tokio::sync::Semaphore;

use error::port_error;
use schema::Fields;
use write::Writer;

mod collect;
mod error;
mod read;
mod schema;
mod write;

/// The file in the folder that says which index this is.
const ID_FILE: &str = "weir-id";
/// Searches that are worked on at once.
const SEARCHES_AT_ONCE: usize = 4;
/// Searches that wait for their turn, at most; one more is answered as unavailable.
const MAX_WAITING: u64 = 512;

/// The index. A clone is the same index.
#[derive(Clone)]
pub struct TantivySearch(Arc<Shared>);

struct Shared {
    path: PathBuf,
    id: String,
    fields: Fields,
    reader: IndexReader,
    writer: Mutex<Writer>,
    state: AtomicU64,
    turns: Semaphore,
    waiting: AtomicU64,
}

impl TantivySearch {
    /// Opens the index in the folder at `path`, made where it is missing; the folder above must exist.
    ///
    /// # Errors
    /// `Unavailable`: the folder can't be written, or another process has it. `Damaged`: what is in it can't be read.
    pub async fn open(path: &Path) -> PortResult<Self> {
        let path = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let opened = open(&path).and_then(|index| Shared::of(path.clone(), index));
            opened.map_err(|error| port_error(&path, &error))
        });
        opened
            .await
            .unwrap_or_else(|_| Err(error::unavailable("opening it failed")))
            .map(|shared| Self(Arc::new(shared)))
    }

    /// Ends: what was answered is on the disk already.
    pub async fn close(&self) {
        let shared = Arc::clone(&self.0);
        let closed = tokio::task::spawn_blocking(move || shared.writer().close());
        // A panic of it is on the standard error stream already.
        let _ = closed.await;
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, TantivyError> + Send + 'static,
    ) -> PortResult<T> {
        let waiting = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        let waits = Waits(&self.0.waiting);
        if waiting >= MAX_WAITING {
            return Err(error::unavailable("too many searches are waiting"));
        }
        let turn = self.0.turns.acquire().await.expect("it is never closed");
        drop(waits);
        let shared = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&shared).map_err(|error| port_error(&shared.path, &error)));
        let answer = done.await.unwrap_or_else(|_| Err(error::unavailable("a search failed")));
        drop(turn);
        answer
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &mut Writer) -> Result<T, TantivyError> + Send + 'static,
    ) -> PortResult<T> {
        let shared = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            let mut writer = shared.writer();
            let done = work(&shared, &mut writer);
            if done.is_err() {
                // What it holds of an act that failed must not be written with the next.
                writer.close();
            }
            done.map_err(|error| port_error(&shared.path, &error))
        });
        done.await.unwrap_or_else(|_| Err(error::unavailable("a write failed")))
    }
}

/// Counts one fewer that waits, however the waiting ends.
struct Waits<'a>(&'a AtomicU64);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn of(path: PathBuf, index: Index) -> Result<Self, TantivyError> {
        let fields = Fields::of(&index.schema())?;
        // Reloaded after each write, so that what was answered is found at once.
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let state = AtomicU64::new(index.load_metas()?.opstamp);
        let writer = Mutex::new(Writer::new(index, fields.clone()));
        let (turns, waiting) = (Semaphore::new(SEARCHES_AT_ONCE), AtomicU64::new(0));
        let id = id(&path)?;
        Ok(Self { path, id, fields, reader, writer, state, turns, waiting })
    }

    fn writer(&self) -> std::sync::MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.state.fetch_add(1, Ordering::AcqRel);
    }
}

/// The id of the index in the folder at `path`, made up where there is none.
fn id(path: &Path) -> Result<String, TantivyError> {
    let file = path.join(ID_FILE);
    match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = hex::encode(rand::random::<[u8; 16]>());
            let draft = path.join(format!("{ID_FILE}.new"));
            std::fs::write(&draft, &id)?;
            std::fs::File::open(&draft)?.sync_all()?;
            std::fs::rename(&draft, &file)?;
            std::fs::File::open(path)?.sync_all()?;
            Ok(id)
        }
        read => Ok(read?),
    }
}

/// Opens the index of this version's schema. One of another is removed first: it is a copy.
fn open(path: &Path) -> Result<Index, TantivyError> {
    let make = || {
        std::fs::create_dir_all(path)?;
        Index::open_or_create(MmapDirectory::open(path)?, schema::schema())
    };
    match make() {
        Err(TantivyError::SchemaError(_) | TantivyError::IncompatibleIndex(_)) => {
            tracing::warn!(path = %path.display(), "the index is of another version, and is made anew");
            std::fs::remove_dir_all(path)?;
            make()
        }
        made => made,
    }
}

#[async_trait]
impl Search for TantivySearch {
    async fn search(&self, query: &Query) -> PortResult<Found> {
        let query = query.clone();
        self.read(move |shared| read::search(&shared.reader.searcher(), &shared.fields, &query)).await
    }

    async fn suggest(&self, term: &Term, from: Timestamp) -> PortResult<Vec<Suggestion>> {
        let term = term.clone();
        self.read(move |shared| read::suggest(&shared.reader.searcher(), &shared.fields, &term, from)).await
    }

    async fn state(&self) -> PortResult<u64> {
        Ok(self.0.state.load(Ordering::Acquire))
    }
}

#[async_trait]
impl SearchIndex for TantivySearch {
    async fn apply(&self, changes: &[Change]) -> PortResult<usize> {
        let changes = changes.to_vec();
        self.write(move |shared, writer| {
            let news = writer.apply(&shared.reader, &changes)?;
            if news > 0 {
                shared.changed();
            }
            Ok(news)
        })
        .await
    }

    async fn note_seats(&self, left: &[SeatsLeft]) -> PortResult<()> {
        let left = left.to_vec();
        self.write(move |shared, writer| {
            if writer.note_seats(&shared.reader, &left)? {
                shared.changed();
            }
            Ok(())
        })
        .await
    }

    async fn id(&self) -> PortResult<String> {
        Ok(self.0.id.clone())
    }
}

impl std::fmt::Debug for TantivySearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TantivySearch").field(&self.0.path).finish()
    }
}

#[cfg(test)]
mod tests;
