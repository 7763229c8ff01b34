// A live stream that survives bad networks: it reconnects with growing, scattered pauses, and asks instead while the
// stream doesn't work.

/** The pause before attempt n (from 1): doubling from one second to half a minute, scattered by half. */
export function backoff(attempt, random = Math.random) {
  const full = Math.min(30_000, 1000 * 2 ** Math.min(attempt - 1, 10));
  return Math.round(full / 2 + (random() * full) / 2);
}

/**
 * Opens a stream of server-sent events.
 *
 * - `events`: a function for each event's name, called with its parsed data.
 * - `poll`: asks once and returns the milliseconds until it should be asked again; used while the stream is down.
 * - `onState(connected)`: told when the visitor should know.
 */
export function live(url, { events, poll, onState = () => {} }) {
  let source;
  let attempt = 0;
  let reopening;
  let polling;
  let closed = false;
  let connected;

  function state(now) {
    if (now !== connected) onState((connected = now));
  }

  function open() {
    if (closed) return;
    source = new EventSource(url);
    for (const [name, handle] of Object.entries(events)) {
      source.addEventListener(name, (event) => {
        attempt = 0;
        stopPolling();
        state(true);
        handle(JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      // EventSource would reconnect by itself, but all visitors at the same moment, and never after a refusal.
      source.close();
      attempt += 1;
      clearTimeout(reopening);
      reopening = setTimeout(open, backoff(attempt));
      startPolling();
    };
  }

  function startPolling() {
    if (polling || closed || !poll) {
      if (!poll && attempt > 1) state(false);
      return;
    }
    const ask = async () => {
      let next = 5000;
      try {
        next = await poll();
        state(true);
      } catch (refusal) {
        next = Math.max((refusal.retryAfter ?? 0) * 1000, backoff(Math.min(attempt + 1, 5)));
        if (!refusal.status || refusal.status >= 500) state(false);
      }
      if (polling) polling = setTimeout(ask, Math.max(500, next) * (0.9 + Math.random() / 5));
    };
    // A short pause first: most interruptions are over by then.
    polling = setTimeout(ask, backoff(1));
  }

  function stopPolling() {
    clearTimeout(polling);
    polling = undefined;
  }

  function wake() {
    // Phones cut streams while the screen is off: don't sit out the pause when the visitor looks again.
    if (document.visibilityState !== "visible" || closed || source?.readyState !== EventSource.CLOSED) return;
    clearTimeout(reopening);
    attempt = 0;
    open();
  }

  document.addEventListener("visibilitychange", wake);
  window.addEventListener("online", wake);
  open();

  return {
    close() {
      closed = true;
      clearTimeout(reopening);
      stopPolling();
      source?.close();
      document.removeEventListener("visibilitychange", wake);
      window.removeEventListener("online", wake);
    },
  };
}
