//! One verb as one transaction, tried again where nothing of it was done, or where nobody knows.

use std::collections::BTreeSet;

use booking_core::{
    id::EventId,
    ports::{PortResult, ledger::Applied},
};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::{PORT, PostgresLedger, load, needs::Needs, store};
use crate::{
    postgres::{error::Failure, tries::Tries},
    sql::books::Books,
};

/// Names what a verb writes, so that a later look can tell whether it was written.
pub(super) type ActId = [u8; 16];

/// How the work of a try ended.
enum Done<'c, T> {
    /// There is something to commit.
    Written(Transaction<'c, Postgres>, Applied<T>),
    /// There is nothing to write, or an earlier try has written it.
    Nothing(Applied<T>),
}

impl PostgresLedger {
    /// Does what `decide` makes of the books for `needs`. Each try reads and decides anew.
    pub(super) async fn write<T: Send>(
        &self,
        needs: Needs,
        decide: impl Fn(&mut Books) -> Applied<T> + Send + Sync,
    ) -> PortResult<Applied<T>> {
        let act: ActId = rand::random();
        let mut tries = Tries::new(&self.database, PORT);
        // The answer of the try before, where its commit had none.
        let mut perhaps = None;
        loop {
            let mut held = tries.connection().await?;
            match attempt(held.connection(), &tries, act, &needs, &decide, &mut perhaps).await {
                Ok(applied) => {
                    held.put_back();
                    return Ok(applied);
                }
                Err(failure) => tries.after(held, &failure).await?,
            }
        }
    }
}

async fn attempt<T: Send>(
    connection: &mut PgConnection,
    tries: &Tries<'_>,
    act: ActId,
    needs: &Needs,
    decide: &(impl Fn(&mut Books) -> Applied<T> + Sync),
    perhaps: &mut Option<Applied<T>>,
) -> Result<Applied<T>, Failure> {
    let (transaction, applied) = match tries.in_time(work(connection, act, needs, decide, perhaps)).await? {
        Done::Written(transaction, applied) => (transaction, applied),
        Done::Nothing(applied) => return Ok(applied),
    };
    match tries.in_time(transaction.commit()).await {
        Ok(()) => Ok(applied),
        Err(failure) => {
            if !failure.is_rollback() {
                tracing::warn!(?failure, "a commit was not answered; the next try looks for it");
                *perhaps = Some(applied);
            }
            Err(failure)
        }
    }
}

/// Everything up to the commit. The rows of the events are locked first: where an earlier try is still at its commit,
/// this waits for it, so that the look for its mark is the last word.
async fn work<'c, T>(
    connection: &'c mut PgConnection,
    act: ActId,
    needs: &Needs,
    decide: &(impl Fn(&mut Books) -> Applied<T> + Sync),
    perhaps: &mut Option<Applied<T>>,
) -> Result<Done<'c, T>, Failure> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let mut books = load::lock(&mut transaction, needs).await?;
    if perhaps.is_some() {
        let is_written = store::is_written(&mut transaction, act).await?;
        // Nothing is awaited once it is taken: what fails then would lose the answer. The transaction is rolled back
        // when its connection returns to the pool.
        if let Some(applied) = perhaps.take().filter(|_| is_written) {
            return Ok(Done::Nothing(applied));
        }
    }
    let locked: BTreeSet<EventId> = books.halls.keys().cloned().collect();
    load::books(&mut transaction, needs, &mut books).await?;
    let applied = decide(&mut books);
    if books.changed.is_empty() && books.marked.is_empty() {
        transaction.rollback().await?;
        return Ok(Done::Nothing(applied));
    }
    // A booking that was made between the lock and the reading, of an event that nobody had named.
    if books.halls.iter().any(|(event, hall)| hall.changed && !locked.contains(event)) {
        return Err(Failure::Moved);
    }
    store::books(&mut transaction, &books, act).await?;
    Ok(Done::Written(transaction, applied))
}
