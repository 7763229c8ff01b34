//! Waiting for one thing while others go on.

use std::{future::poll_fn, pin::pin, task::Poll};

use futures_util::{Stream, StreamExt as _};

/// Awaits `work` while what `others` yields is collected in `done`. What nobody polls may hold, or be next in line for,
/// the very connection that `work` waits for.
pub(crate) async fn alongside<S: Stream + Unpin, T>(
    others: &mut S,
    done: &mut Vec<S::Item>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        while let Poll::Ready(Some(ready)) = others.poll_next_unpin(context) {
            done.push(ready);
        }
        work.as_mut().poll(context)
    })
    .await
}
