// The seat map: an SVG from the seats' positions, for mouse, touch and keyboard.

import { move, seatAt } from "./seat-move.js";
import { createZoom } from "./seat-zoom.js";

const SVG = "http://www.w3.org/2000/svg";
/** Below this many pixels a seat, a finger can't choose safely: the first tap moves closer. */
const LEAST_PIXELS_TO_TAP = 20;

/** Shapes within a circle of radius 1 around 0,0: status never by colour alone. */
const DISC = "M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0z";
const SHAPES = {
  a: DISC,
  // A ring: the inner circle runs the other way, which leaves a hole.
  r: `${DISC}M-.62,0a.62,.62 0 1,1 1.24,0a.62,.62 0 1,1 -1.24,0z`,
  // A cross.
  b: "M-.62,-.38L-.38,-.62L0,-.24L.38,-.62L.62,-.38L.24,0L.62,.38L.38,.62L0,.24L-.38,.62L-.62,.38L-.24,0z",
  // A tick inside a square.
  chosen:
    "M-1.05,-.75a.3,.3 0 0,1 .3,-.3h1.5a.3,.3 0 0,1 .3,.3v1.5a.3,.3 0 0,1 -.3,.3h-1.5a.3,.3 0 0,1 -.3,-.3z" +
    "M-.62,.02L-.2,.5L.64,-.42L.42,-.62L-.2,.06L-.4,-.18z",
};

/** A drawing of one mark, for legends. */
export function markIcon(mark, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-1.2 -1.2 2.4 2.4");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[mark]);
  path.setAttribute("fill-rule", "evenodd");
  path.setAttribute("class", `seat is-${mark} ${className}`);
  svg.append(path);
  return svg;
}

/**
 * Draws the map of a model. `name(index)` is a seat's accessible name; `onToggle(index)` is called when a visitor
 * chooses or lets go; `onPoint(index)` when a seat is pointed at or focused.
 */
export function createSeatMap({ svg, frame, model, name, onToggle, onPoint }) {
  const { seats, pitch } = model;
  const nodes = [];
  const category = new Map(model.categories.map(({ name: key, index }) => [key, index % 8]));
  let focused = 0;

  const xs = seats.map((seat) => seat.x);
  const ys = seats.map((seat) => seat.y);
  const [left, right] = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))];
  const [top, bottom] = [ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))];
  const margin = pitch * 2.4;
  const box = [left - margin, top - margin, right - left + 2 * margin, bottom - top + 2 * margin];
  svg.setAttribute("viewBox", box.join(" "));

  function label(text, x, y, size, className) {
    const node = document.createElementNS(SVG, "text");
    node.setAttribute("x", x);
    node.setAttribute("y", y);
    node.setAttribute("font-size", size);
    node.setAttribute("class", className);
    node.setAttribute("aria-hidden", "true");
    node.textContent = text;
    return node;
  }

  const markOf = (index) => (model.chosen.has(index) ? "chosen" : model.status(index) || "b");

  function paint(index) {
    const node = nodes[index];
    const mark = markOf(index);
    node.setAttribute("d", SHAPES[mark] ?? SHAPES.b);
    node.setAttribute("class", `seat is-${mark} cat-${category.get(seats[index].category)}`);
    node.setAttribute("aria-selected", mark === "chosen");
    node.setAttribute("aria-disabled", mark !== "a" && mark !== "chosen");
    node.setAttribute("aria-label", name(index));
  }

  function build() {
    const groups = new Map();
    const radius = pitch * 0.4;
    const content = document.createDocumentFragment();
    const ends = new Map();
    seats.forEach((seat, index) => {
      if (!groups.has(seat.section)) {
        const group = document.createElementNS(SVG, "g");
        group.setAttribute("role", "group");
        group.setAttribute("aria-label", seat.section);
        groups.set(seat.section, { group, seats: [] });
        content.append(group);
      }
      const section = groups.get(seat.section);
      section.seats.push(seat);
      const node = document.createElementNS(SVG, "path");
      node.setAttribute("transform", `translate(${seat.x} ${seat.y}) scale(${radius})`);
      node.setAttribute("fill-rule", "evenodd");
      node.setAttribute("role", "option");
      node.setAttribute("tabindex", index === 0 ? "0" : "-1");
      node.setAttribute("data-i", index);
      nodes.push(node);
      paint(index);
      section.group.append(node);
      const key = JSON.stringify([seat.section, seat.row]);
      const end = ends.get(key);
      if (!end || seat.x < end.x) ends.set(key, seat);
    });
    for (const [section, { seats: own }] of groups) {
      const middle = own.reduce((sum, seat) => sum + seat.x, 0) / own.length;
      const above = own.reduce((least, seat) => Math.min(least, seat.y), Infinity) - pitch * 1.1;
      content.append(label(section, middle, above, pitch * 0.95, "section-label"));
    }
    for (const seat of ends.values()) {
      content.append(label(seat.row, seat.x - pitch * 0.95, seat.y + pitch * 0.2, pitch * 0.55, "row-label"));
    }
    svg.replaceChildren(content);
  }

  function focus(index, really = true) {
    nodes[focused].setAttribute("tabindex", "-1");
    focused = index;
    nodes[index].setAttribute("tabindex", "0");
    if (really) {
      nodes[index].focus({ preventScroll: true });
      nodes[index].scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    onPoint?.(index);
  }

  build();
  const zoom = createZoom(svg, frame, { width: box[2], height: box[3], pitch });
  zoom.fit();

  function under(event, reach) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return seatAt(seats, point.x, point.y, reach);
  }

  svg.addEventListener("click", (event) => {
    if (zoom.pinching()) return;
    const touch = event.pointerType === "touch";
    if (touch && zoom.pixelsASeat() < LEAST_PIXELS_TO_TAP) {
      const area = frame.getBoundingClientRect();
      zoom.closeIn([event.clientX - area.left, event.clientY - area.top]);
      return;
    }
    const index = under(event, pitch * 0.75);
    if (index === undefined) return;
    focus(index);
    onToggle(index);
  });
  svg.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    const node = event.target.closest?.("[data-i]");
    if (node) onPoint?.(Number(node.dataset.i));
  });
  svg.addEventListener("focusin", (event) => {
    const node = event.target.closest?.("[data-i]");
    if (node && Number(node.dataset.i) !== focused) focus(Number(node.dataset.i), false);
  });
  svg.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onToggle(focused);
      return;
    }
    const next = move(seats, focused, event.key, pitch);
    if (next === undefined) return;
    event.preventDefault();
    focus(next);
  });

  return {
    paint: (indexes) => indexes.forEach(paint),
    /** Fades all categories but one; undefined shows all. */
    highlight(wanted) {
      const number = category.get(wanted);
      if (number === undefined) svg.removeAttribute("data-only");
      else svg.setAttribute("data-only", number);
    },
    zoom,
    smallSeats: () => zoom.pixelsASeat() < LEAST_PIXELS_TO_TAP,
  };
}
