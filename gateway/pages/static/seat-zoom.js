// Zooming the map: the drawing grows inside a frame that scrolls, so panning is the browser's own.

const MOST_PIXELS_A_SEAT = 56;

/**
 * Zooms `svg` inside `frame`. `width`, `height` and `pitch` are in the map's units.
 * Returns acts and the current size of a seat in pixels.
 */
export function createZoom(svg, frame, { width, height, pitch }) {
  let scale = 1;
  const fingers = new Map();
  let pinch;

  /** Pixels a unit at which the whole map just fits. */
  const fit = () => Math.min(frame.clientWidth / width, frame.clientHeight / height) || 1;
  const most = () => Math.max(MOST_PIXELS_A_SEAT / pitch, fit());

  /** Sets the scale and keeps the point (in the frame's pixels) where it is. */
  function set(wanted, point = [frame.clientWidth / 2, frame.clientHeight / 2]) {
    const next = Math.min(most(), Math.max(fit(), wanted));
    const [px, py] = point;
    // Where the map is smaller than the frame it is centred; the map's own left and top edge is then not 0.
    const left = (frame.scrollLeft + px - Math.max(0, (frame.clientWidth - width * scale) / 2)) / scale;
    const top = (frame.scrollTop + py - Math.max(0, (frame.clientHeight - height * scale) / 2)) / scale;
    scale = next;
    svg.setAttribute("width", Math.floor(width * scale));
    svg.setAttribute("height", Math.floor(height * scale));
    frame.scrollLeft = left * scale + Math.max(0, (frame.clientWidth - width * scale) / 2) - px;
    frame.scrollTop = top * scale + Math.max(0, (frame.clientHeight - height * scale) / 2) - py;
  }

  function spread() {
    const [one, two] = [...fingers.values()];
    const box = frame.getBoundingClientRect();
    return {
      distance: Math.hypot(one.x - two.x, one.y - two.y),
      middle: [(one.x + two.x) / 2 - box.left, (one.y + two.y) / 2 - box.top],
    };
  }

  frame.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.size === 2) pinch = { from: spread().distance, scale };
  });
  frame.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (!pinch || fingers.size !== 2) return;
    const { distance, middle } = spread();
    set((pinch.scale * distance) / Math.max(1, pinch.from), middle);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    frame.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      if (fingers.size < 2) pinch = undefined;
    });
  }
  frame.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const box = frame.getBoundingClientRect();
      set(scale * Math.exp(-event.deltaY / 300), [event.clientX - box.left, event.clientY - box.top]);
    },
    { passive: false },
  );
  new ResizeObserver(() => set(Math.max(scale, fit()))).observe(frame);

  return {
    in: () => set(scale * 1.5),
    out: () => set(scale / 1.5),
    fit: () => set(fit()),
    /** Moves close enough to tap, around a point in the frame's pixels. */
    closeIn: (point) => set(Math.max(scale, 34 / pitch), point),
    pixelsASeat: () => pitch * scale,
    pinching: () => Boolean(pinch),
  };
}
