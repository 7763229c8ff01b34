// What the waiting room shows for a state of the sale and of the visitor's place. Pure; the same rules stand in
// part-room.html for visitors without JavaScript.

/** Every state of the waiting room; messages room-<state>-title, -lead and -next belong to each. */
export const ROOM_STATES = [
  "nosale",
  "scheduled",
  "join-lobby",
  "join-open",
  "join-paused",
  "sold-out",
  "closed",
  "lobby",
  "drawing",
  "waiting",
  "paused",
  "waiting-soldout",
  "called",
  "called-last",
  "admitted",
  "lapsed",
  "lapsed-over",
  "left",
  "ended",
  "ended-soldout",
];

const WITHOUT_PLACE = {
  scheduled: "scheduled",
  lobby: "join-lobby",
  open: "join-open",
  paused: "join-paused",
  soldOut: "sold-out",
  closed: "closed",
};

/** Which state. */
export function roomKey(place, sale) {
  if (!place) return WITHOUT_PLACE[sale?.phase] ?? "nosale";
  const phase = place.phase ?? sale?.phase;
  switch (place.state) {
    case "waiting":
      if (phase === "soldOut") return "waiting-soldout";
      return phase === "paused" || place.paused ? "paused" : "waiting";
    case "called":
      return place.turn?.last ? "called-last" : "called";
    case "lapsed":
      return place.turn ? "lapsed" : "lapsed-over";
    case "ended":
      return phase === "soldOut" ? "ended-soldout" : "ended";
    default:
      return ROOM_STATES.includes(place.state) ? place.state : "nosale";
  }
}

const INSIDE = new Set(["lobby", "drawing", "waiting", "paused", "waiting-soldout", "called", "called-last", "lapsed"]);

/** Until when a state's countdown runs: {label: a message's id, until: a time}, or null. */
function countdownOf(key, place, sale) {
  switch (key) {
    case "scheduled":
      return sale?.lobbyOpensAt ? { label: "lobby", until: sale.lobbyOpensAt } : null;
    case "join-lobby":
    case "lobby":
      return sale?.opensAt ? { label: "draw", until: sale.opensAt } : null;
    case "called":
    case "called-last":
      return place.turn ? { label: "turn", until: place.turn.closesAt } : null;
    case "lapsed":
      return { label: "again", until: place.turn.opensAt };
    default:
      return null;
  }
}

/**
 * Everything the room shows. `firstAhead` is how many were ahead when the place was first seen, for the bar;
 * numbers that don't belong to the state are null.
 */
export function roomView(place, sale, firstAhead) {
  const key = roomKey(place, sale);
  const inside = INSIDE.has(key);
  const called = key === "called" || key === "called-last";
  const joining = key === "join-lobby" || key === "join-open" || key === "join-paused";
  // Over, but not for good: a new place, at the end of the line.
  const rejoining = Boolean(place?.mayRejoin) && (place.phase ?? sale?.phase) !== "soldOut";
  const ahead = inside && !called ? (place.ahead ?? null) : null;
  return {
    key,
    inside,
    called,
    canJoin: joining || rejoining,
    rejoining,
    position: inside && !called ? (place.position ?? null) : null,
    ahead,
    progress: ahead !== null && firstAhead > 0 ? Math.max(0, Math.min(1, 1 - ahead / firstAhead)) : null,
    showEta: key === "waiting",
    eta: place?.eta ?? null,
    joined: (inside || joining) && !called ? (place?.joined ?? sale?.joined ?? 0) : null,
    pace: key === "waiting" || key === "join-open" ? (place?.ratePerMinute ?? sale?.ratePerMinute ?? null) : null,
    seatsLeft: key === "join-open" || key === "join-paused" ? (sale?.seatsLeft ?? null) : null,
    countdown: countdownOf(key, place, sale),
    canLeave: inside,
  };
}

/** Whether a position is worth saying aloud: always when it is short, else each time a tenth of the way is done. */
export function worthSaying(lastSaid, position) {
  if (position === null || position === lastSaid) return false;
  if (lastSaid === null || lastSaid === undefined) return true;
  if (position <= 10) return true;
  return position <= lastSaid * 0.9;
}
