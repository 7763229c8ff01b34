//! Work that is done to its end even if whoever waits for it gives up, as a visitor who hangs up does.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

/// `work`, which goes on in a task of its own if this future is dropped before it is ready. Spawning it at once would
/// do as well, but costs a hand-over to another thread and back where nearly nobody gives up.
pub(crate) fn to_the_end<F>(work: F) -> ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    ToTheEnd(Some(Box::pin(work)))
}

/// See [`to_the_end`].
pub(crate) struct ToTheEnd<F>(Option<Pin<Box<F>>>)
where
    F: Future<Output: Send> + Send + 'static;

impl<F> Future for ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let work = self.0.as_mut().expect("a future is not polled after it is ready");
        let output = std::task::ready!(work.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(output)
    }
}

impl<F> Drop for ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        // Without a runtime the process is ending, which can cut any work short.
        if let Some(work) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_is_waited_for_gives_its_result() {
        assert_eq!(to_the_end(async { 7 }).await, 7);
    }

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_any_more() {
        let ((go, gone), (done, finished)) = (oneshot::channel(), oneshot::channel());
        let work = to_the_end(async move {
            gone.await.unwrap();
            done.send(()).unwrap();
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
        go.send(()).unwrap();
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn work_that_was_not_begun_is_done_too() {
        let (done, finished) = oneshot::channel();
        drop(to_the_end(async move { done.send(()).unwrap() }));
        finished.await.unwrap();
    }
}
