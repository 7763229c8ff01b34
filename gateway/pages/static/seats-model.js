// The seats of an event, their live statuses and the visitor's choice. Pure: nothing here knows a page.

export const AVAILABLE = "a";
export const RESERVED = "r";
export const BOOKED = "b";

/** The one-letter status of `available`, `reserved`, `booked` or of a letter itself. */
export const letter = (status) => String(status ?? "").charAt(0);

/**
 * Fills in where seats stand if their map doesn't say: rows below each other, sections below each other.
 * Seats without any position would otherwise lie on one point.
 */
export function placed(seats) {
  if (seats.every((seat) => Number.isFinite(seat.x) && Number.isFinite(seat.y))) return seats;
  const rows = new Map();
  let y = 0;
  let section;
  return seats.map((seat) => {
    const key = JSON.stringify([seat.section, seat.row]);
    if (!rows.has(key)) {
      y += seat.section === section ? 1 : 3;
      section = seat.section;
      rows.set(key, { y, x: 0 });
    }
    const row = rows.get(key);
    row.x += 1;
    return { ...seat, x: row.x, y: row.y };
  });
}

/** The categories in the order of the map: {name, price, index}. */
export function categoriesOf(seats) {
  const found = new Map();
  for (const { category, price } of seats) {
    if (!found.has(category)) found.set(category, { name: category, price, index: found.size });
  }
  return [...found.values()];
}

/** The distance between neighbours: the median gap to the next seat of the same row. */
export function pitchOf(seats) {
  const gaps = [];
  for (let i = 1; i < seats.length; i += 1) {
    const [one, two] = [seats[i - 1], seats[i]];
    if (one.section !== two.section || one.row !== two.row) continue;
    const gap = Math.hypot(two.x - one.x, two.y - one.y);
    if (gap > 0) gaps.push(gap);
  }
  gaps.sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)] ?? 1;
}

/** Statuses and choice over a list of seats. `maxSeats` is how many may be chosen. */
export function createModel(list, maxSeats) {
  const seats = placed(list);
  const indexOf = new Map(seats.map((seat, index) => [seat.seatId, index]));
  const statuses = seats.map((seat) => letter(seat.status));
  const chosen = new Set();
  let version = -1;
  let left = statuses.filter((status) => status === AVAILABLE).length;

  /** Sets one status; a chosen seat that is gone leaves the choice. True if something changed. */
  function set(index, status) {
    const before = statuses[index];
    if (before === undefined || before === status) return false;
    statuses[index] = status;
    left += (status === AVAILABLE) - (before === AVAILABLE);
    return true;
  }

  /** Applies [index, status] pairs; returns what changed and which chosen seats were lost. */
  function apply(pairs) {
    const changed = [];
    const lost = [];
    for (const [index, status] of pairs) {
      if (!set(index, status)) continue;
      changed.push(index);
      if (status !== AVAILABLE && chosen.delete(index)) lost.push(index);
    }
    return { changed, lost };
  }

  return {
    seats,
    chosen,
    categories: categoriesOf(seats),
    pitch: pitchOf(seats),
    maxSeats,
    status: (index) => statuses[index],
    left: () => left,
    indexOf: (seatId) => indexOf.get(seatId),
    /** The whole map, one letter a seat. */
    snapshot({ version: at, statuses: letters }) {
      version = at ?? version;
      return apply(Array.from(letters, (status, index) => [index, status]));
    },
    /** Changes since; those older than what is shown are dropped. */
    delta({ version: at, changes }) {
      if (at !== undefined && at <= version) return { changed: [], lost: [] };
      version = at ?? version;
      return apply(changes.map(([seatId, status]) => [indexOf.get(seatId), letter(status)]));
    },
    /** Seats that the server just refused. */
    refused: (seatIds) => apply(seatIds.map((seatId) => [indexOf.get(seatId), RESERVED])),
    /** Chooses or lets go: "chosen", "removed", "taken" or "full". */
    toggle(index) {
      if (chosen.delete(index)) return "removed";
      if (statuses[index] !== AVAILABLE) return "taken";
      if (chosen.size >= maxSeats) return "full";
      chosen.add(index);
      return "chosen";
    },
    total: () => [...chosen].reduce((sum, index) => sum + seats[index].price, 0),
    /** The chosen seats in the map's order. */
    choice: () => [...chosen].sort((a, b) => a - b),
  };
}
