// Where an arrow key leads on the seat map. Pure geometry, so it works for curved rows and odd halls too.

/** The unit vector of each direction; y grows downwards. */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const sameRow = (one, two) => one.section === two.section && one.row === two.row;

/** The nearest seat in a direction, by `cost`, among those that `fits`; -1 if none. */
function nearest(seats, from, fits, cost) {
  let best = -1;
  let lowest = Infinity;
  for (let index = 0; index < seats.length; index += 1) {
    if (index === from || !fits(seats[index])) continue;
    const price = cost(seats[index]);
    if (price < lowest) {
      lowest = price;
      best = index;
    }
  }
  return best;
}

/** The seat an arrow key leads to, or `from` itself at the edge. */
function step(seats, from, [dx, dy], pitch) {
  const here = seats[from];
  const along = (seat) => (seat.x - here.x) * dx + (seat.y - here.y) * dy;
  const aside = (seat) => Math.abs((seat.x - here.x) * dy) + Math.abs((seat.y - here.y) * dx);
  if (dx !== 0) {
    const inRow = nearest(seats, from, (seat) => sameRow(seat, here) && along(seat) > 0, along);
    if (inRow !== -1) return inRow;
  }
  // Sideways distance counts double: straight ahead is what an arrow means.
  const ahead = nearest(
    seats,
    from,
    (seat) => along(seat) > pitch * 0.4 && (dx === 0 ? !sameRow(seat, here) : true) && aside(seat) <= along(seat) * 3,
    (seat) => along(seat) + aside(seat) * 2,
  );
  return ahead === -1 ? from : ahead;
}

/** The first or last seat of the row. */
function rowEnd(seats, from, sign) {
  const row = seats.map((seat, index) => ({ seat, index })).filter(({ seat }) => sameRow(seat, seats[from]));
  return row.reduce((best, one) => ((one.seat.x - best.seat.x) * sign > 0 ? one : best)).index;
}

/** The first seat of the next or previous section, in the map's order. */
function otherSection(seats, from, sign) {
  const sections = [...new Set(seats.map((seat) => seat.section))];
  const wanted = sections[sections.indexOf(seats[from].section) + sign];
  return wanted === undefined ? from : seats.findIndex((seat) => seat.section === wanted);
}

/** The seat that a key leads to from a seat; undefined if the key doesn't move. */
export function move(seats, from, key, pitch = 1) {
  if (key in DIRECTIONS) return step(seats, from, DIRECTIONS[key], pitch);
  if (key === "Home") return rowEnd(seats, from, -1);
  if (key === "End") return rowEnd(seats, from, 1);
  if (key === "PageUp") return otherSection(seats, from, -1);
  if (key === "PageDown") return otherSection(seats, from, 1);
  return undefined;
}

/** The seat nearest to a point, if it lies within `reach`; undefined if none does. */
export function seatAt(seats, x, y, reach) {
  let best;
  let shortest = reach;
  for (let index = 0; index < seats.length; index += 1) {
    const distance = Math.hypot(seats[index].x - x, seats[index].y - y);
    if (distance < shortest) {
      shortest = distance;
      best = index;
    }
  }
  return best;
}
