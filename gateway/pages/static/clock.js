// The server's time, kept without the device's clock: that one may be wrong or change.

/**
 * A clock that follows the server's. `tick` gives milliseconds that only ever rise (performance.now).
 * Each answer arrives later than it was stamped, so of all differences seen the largest is the most exact.
 */
export function createClock(serverTime, tick = () => performance.now()) {
  let offset = -Infinity;
  const clock = {
    /** Learns from a time the server just sent. */
    hear(time) {
      const stamp = Date.parse(time);
      if (Number.isFinite(stamp)) offset = Math.max(offset, stamp - tick());
    },
    /** Milliseconds since 1970, as the server sees it. */
    now: () => tick() + offset,
    /** Milliseconds until a time; never below 0. */
    until: (time) => Math.max(0, Date.parse(time) - clock.now()),
  };
  clock.hear(serverTime);
  if (offset === -Infinity) offset = Date.now() - tick();
  return clock;
}
