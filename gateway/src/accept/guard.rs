//! A connection that gives up on a peer that sends its headers too slowly, is idle too long, or does not read.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep},
};

/// What a connection's service has been doing.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Requests that have begun.
    begun: AtomicU32,
    /// Requests whose answer, body and all, is on its way.
    done: AtomicU32,
}

/// A request that is being answered; done when dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Activity {
    /// Notes that a request has begun.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Notes a request that was answered on the spot.
    pub(crate) fn at_once(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> (u32, u32) {
        (self.begun.load(Ordering::Relaxed), self.done.load(Ordering::Relaxed))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For the headers of a request, from their first byte.
    pub(super) header: Duration,
    /// Between requests; and to read what it was sent.
    pub(super) idle: Duration,
}

/// The headers of the next request. For HTTP/2, where they can't be told from other frames, never begun: there a
/// connection without a request is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// None of it has come.
    NotBegun,
    /// Some of it has come, just now.
    Begun,
    /// Some of it had come at that moment, and it was not complete.
    Since(Instant),
}

/// A connection held to its timeouts.
///
/// One timer a connection: it is not set anew for each request but looks, when it fires, at what has happened since.
pub(super) struct Guard {
    io: TokioIo<TcpStream>,
    activity: Arc<Activity>,
    timeouts: Timeouts,
    timer: Pin<Box<Sleep>>,
    /// Whom the timer wakes; `None` until it has been told.
    waker: Option<Waker>,
    /// What the service had done when it was last looked at.
    seen: (u32, u32),
    /// Since when nothing has happened that `seen` does not show; `None`: to be noted by the next look of the timer. No
    /// clock is read while requests come and go.
    quiet_since: Option<Instant>,
    head: Head,
    /// Since when the peer does not read.
    stalled_since: Option<Instant>,
    is_h2: bool,
}

impl Guard {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, timeouts: Timeouts, is_h2: bool) -> Self {
        let now = Instant::now();
        // The first request begins when the connection does. Each firing finds the moment of the next one.
        let timer = Box::pin(tokio::time::sleep_until(now + timeouts.header.min(timeouts.idle)));
        Self {
            io: TokioIo::new(stream),
            activity,
            timeouts,
            timer,
            waker: None,
            seen: (0, 0),
            quiet_since: Some(now),
            head: if is_h2 { Head::NotBegun } else { Head::Since(now) },
            stalled_since: None,
            is_h2,
        }
    }

    /// Looks at what the service did since the last look.
    fn look(&mut self) {
        let counts = self.activity.counts();
        if counts != self.seen {
            self.seen = counts;
            self.quiet_since = None;
            self.head = Head::NotBegun;
        }
    }

    fn is_busy(&self) -> bool {
        self.seen.0 != self.seen.1
    }

    /// Fails once the peer has taken too long; else sets the timer to the next moment that this may be so.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        // Telling the timer again whom to wake would cost each request more than looking.
        if !self.timer.is_elapsed() && self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Ok(());
        }
        self.waker = Some(cx.waker().clone());
        while self.timer.as_mut().poll(cx).is_ready() {
            self.look();
            let now = Instant::now();
            let deadline = if let Some(since) = self.stalled_since {
                since + self.timeouts.idle
            } else if self.is_busy() {
                now + self.timeouts.idle
            } else if let Head::Since(since) = self.head {
                since + self.timeouts.header
            } else {
                *self.quiet_since.get_or_insert(now) + self.timeouts.idle
            };
            if deadline <= now {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(deadline);
        }
        Ok(())
    }

    /// Notes whether a write could be done.
    fn wrote<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled_since = None;
            return wrote;
        }
        self.stalled_since.get_or_insert_with(Instant::now);
        match self.poll_timer(cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Read for Guard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.look();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(read) => {
                if !this.is_h2 && this.head == Head::NotBegun && !this.is_busy() {
                    this.head = Head::Begun;
                }
                Poll::Ready(read)
            }
            Poll::Pending => {
                if this.head == Head::Begun && !this.is_busy() {
                    let now = Instant::now();
                    this.head = Head::Since(now);
                    if now + this.timeouts.header < this.timer.deadline() {
                        this.timer.as_mut().reset(now + this.timeouts.header);
                        // It may have fired just before, and then it wakes nobody until it is told again.
                        this.waker = None;
                    }
                }
                match this.poll_timer(cx) {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            }
        }
    }
}

impl Write for Guard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(cx, wrote)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = Pin::new(&mut self.io).poll_flush(cx);
        self.wrote(cx, wrote)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
        Poll::Ready(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(cx, wrote)
    }
}
