// Choosing seats: the map and the list over one model, the summary, best available, and the hold.

import { $, announce, lang, make, page, setText, show, t } from "./page.js";
import { call, explain, randomId, Refusal } from "./api.js";
import { clockFace, money } from "./format.js";
import { live } from "./live.js";
import { createModel } from "./seats-model.js";
import { createSeatMap, markIcon } from "./seat-map.js";
import { createSeatList } from "./seat-list.js";

const BEST_COUNTS = 6;

const STATUS_WORDS = {
  a: () => t("seats-status-available"),
  r: () => t("seats-status-reserved"),
  b: () => t("seats-status-booked"),
  chosen: () => t("seats-status-chosen"),
};

/** A seat's name, short. */
export const seatName = ({ section, row, number }) => t("seats-name", { section, row, number: String(number) });

/** Waits for a hold that the server answered with 202. */
async function settled(location, headers) {
  for (let waited = 0; ; waited += 1) {
    await new Promise((done) => setTimeout(done, Math.min(2000, 300 + 200 * waited)));
    const { data } = await call("GET", location, { headers, attempts: 4 });
    if (data.status !== "pending") return data;
  }
}

/**
 * The seats view. `admission()` gives the admission token's headers; `onHeld(booking)` is called with a hold;
 * `onOver()` when the time to choose is over.
 */
export function createSeats({ clock, admission, onHeld, onOver }) {
  const eventId = page.event.eventId;
  let model;
  let map;
  let list;
  let hall;
  let stream;
  let expiresAt;
  let warned = false;
  let busy = false;
  // One key for one choice: repeated after a lost answer, it finds the same hold.
  let attempt = { body: "", key: "" };

  const price = (amount) => money(amount, page.event.currency, lang);
  const fullName = (index) => {
    const seat = model.seats[index];
    const status = STATUS_WORDS[model.chosen.has(index) ? "chosen" : model.status(index)] ?? STATUS_WORDS.b;
    const { section, row, category } = seat;
    return t("seats-name-full", {
      section,
      row,
      number: String(seat.number),
      category,
      price: price(seat.price),
      status: status(),
    });
  };

  function notice(text) {
    setText($("seats-notice"), text);
    show($("seats-notice"), Boolean(text));
  }

  function summary() {
    const indexes = model.choice();
    $("summary").classList.toggle("empty", indexes.length === 0);
    show($("summary-none"), indexes.length === 0);
    setText($("summary-none"), t("seats-chosen-none", { max: model.maxSeats }));
    $("summary-list").replaceChildren(
      ...indexes.map((index) => {
        const seat = model.seats[index];
        const label = t("seats-remove", { seat: seatName(seat) });
        const remove = make("button", { type: "button", class: "button button-icon", "aria-label": label }, "×");
        remove.addEventListener("click", () => {
          toggle(index);
          $("summary-title").focus();
        });
        return make("li", {}, make("span", {}, seatName(seat)), make("span", {}, price(seat.price)), remove);
      }),
    );
    setText($("summary-total"), price(model.total()));
    $("hold").disabled = busy || indexes.length === 0;
    setText($("seats-left"), t("seats-left", { n: model.left() }));
  }

  function repaint({ changed, lost = [] }) {
    map?.paint(changed);
    list?.paint(changed);
    if (lost.length) {
      const seats = lost.map((index) => seatName(model.seats[index])).join("; ");
      notice(lost.length === 1 ? t("seats-just-taken", { seats }) : t("seats-just-taken-many", { seats }));
    }
    summary();
  }

  function toggle(index) {
    const outcome = model.toggle(index);
    const seat = seatName(model.seats[index]);
    if (outcome === "full") notice(t("seats-too-many", { max: model.maxSeats }));
    else notice("");
    if (outcome === "taken") announce(t("seats-said-taken", { seat }));
    if (outcome === "removed") announce(t("seats-said-removed", { seat }));
    if (outcome === "chosen") {
      announce(t("seats-said-chosen", { seat, n: model.chosen.size, total: price(model.total()) }));
    }
    repaint({ changed: [index] });
  }

  function working(now) {
    busy = now;
    setText($("hold"), now ? t("seats-holding") : t("seats-hold"));
    for (const button of $("best-buttons").querySelectorAll("button")) button.disabled = now;
    summary();
  }

  async function hold(wish) {
    if (busy) return;
    const body = { eventId, ...wish };
    const text = JSON.stringify(body);
    if (attempt.body !== text) attempt = { body: text, key: randomId() };
    working(true);
    notice("");
    try {
      const headers = { ...admission(), "Idempotency-Key": attempt.key };
      const answer = await call("POST", "/v1/bookings/reserve", { body, headers, attempts: 4 });
      const where = answer.location ?? `/v1/bookings/${answer.data.bookingId}`;
      const booking = answer.status === 202 ? await settled(where, admission()) : answer.data;
      attempt = { body: "", key: "" };
      if (booking.status !== "reserved") throw new Refusal(409, booking.problem ?? { title: t("common-problem") });
      model.chosen.clear();
      list?.draw();
      onHeld(booking);
    } catch (refusal) {
      // A refusal is final for its key; only a lost answer may be asked for again.
      if (refusal.status && refusal.status < 500) attempt = { body: "", key: "" };
      const lost = model.refused(refusal.problem?.unavailable ?? []);
      if (lost.lost.length) repaint(lost);
      else notice(explain(refusal, t));
    } finally {
      working(false);
    }
  }

  function legend() {
    const only = { current: undefined };
    const items = model.categories.map((category) => {
      const name = `${category.name} · ${price(category.price)}`;
      const button = make("button", { type: "button", class: "legend-button", "aria-pressed": "false" });
      button.append(markIcon("a", `cat-${category.index % 8}`), name);
      button.addEventListener("click", () => {
        only.current = only.current === category.name ? undefined : category.name;
        map.highlight(only.current);
        for (const other of $("legend").querySelectorAll("button")) {
          other.setAttribute("aria-pressed", other === button && only.current !== undefined);
        }
      });
      return make("li", {}, button);
    });
    $("legend").replaceChildren(...items);
    for (const item of $("legend-marks").children) {
      if (!item.querySelector("svg")) item.prepend(markIcon(item.dataset.mark, "cat-0"));
    }
    const options = model.categories.map(({ name }) => make("option", { value: name }, name));
    $("best-category").replaceChildren($("best-category").options[0], ...options);
    const most = Math.min(model.maxSeats, BEST_COUNTS);
    $("best-buttons").replaceChildren(
      ...Array.from({ length: most }, (_, index) => {
        const button = make("button", { type: "button", class: "button" }, t("seats-best-take", { n: index + 1 }));
        button.addEventListener("click", () => {
          const category = $("best-category").value;
          hold({ bestAvailable: { count: index + 1, ...(category && { category }) } });
        });
        return button;
      }),
    );
  }

  const needsZoom = () => matchMedia("(pointer: coarse)").matches && map.smallSeats();

  /** The whole map; that of another hall than is shown is read anew. */
  function whole(data) {
    if (hall && data.venueId && data.venueId !== hall) location.reload();
    else repaint(model.snapshot(data));
  }

  function follow() {
    stream?.close();
    stream = live(`/v1/events/${eventId}/seats/stream`, {
      events: {
        snapshot: whole,
        delta: (data) => repaint(model.delta(data)),
      },
      poll: async () => {
        const { data } = await call("GET", `/v1/events/${eventId}/seats`);
        whole(data);
        return 3000;
      },
      onState: (connected) => show($("connection"), !connected),
    });
  }

  function tick() {
    if (!expiresAt) return;
    const left = clock.until(expiresAt);
    setText($("seats-timer"), t("seats-timer", { duration: clockFace(left) }));
    $("seats-timer").classList.toggle("urgent", left < 60_000);
    if (left < 60_000 && left > 0 && !warned) {
      warned = true;
      announce(t("seats-timer-last"));
    }
    if (left === 0) {
      expiresAt = undefined;
      announce(t("seats-timer-over"));
      onOver();
    }
  }

  $("summary-title").setAttribute("tabindex", "-1");
  $("hold").addEventListener("click", () => {
    hold({ seats: model.choice().map((index) => model.seats[index].seatId) });
  });
  $("seats-zoom").addEventListener("click", (event) => {
    const act = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (act) map.zoom[act]();
  });
  for (const radio of document.querySelectorAll('input[name="seats-view"]')) {
    radio.addEventListener("change", () => {
      const asList = radio.value === "list";
      show($("map-frame"), !asList);
      show($("seats-zoom"), !asList);
      show($("seats-help"), !asList && !needsZoom());
      show($("seats-help-zoom"), !asList && needsZoom());
      show($("seat-list"), asList);
      if (asList) list.draw();
    });
  }
  setInterval(tick, 250);

  return {
    /** Opens the map for an admission; the section must be visible, since the map is measured. */
    async open({ maxSeats, expiresAt: until }) {
      expiresAt = until;
      warned = false;
      tick();
      if (!model) {
        const { data } = await call("GET", `/v1/events/${eventId}`, { attempts: 5 });
        page.event.currency ??= data.eventDetails?.currency;
        hall = data.venue?.venueId;
        model = createModel(data.seats, maxSeats ?? 8);
        map = createSeatMap({ svg: $("map"), frame: $("map-frame"), model, name: fullName, onToggle: toggle });
        list = createSeatList({
          select: $("seat-list-section"),
          rows: $("seat-list-rows"),
          model,
          name: fullName,
          onToggle: toggle,
        });
        legend();
        show($("seats-help"), !needsZoom());
        show($("seats-help-zoom"), needsZoom());
      }
      summary();
      follow();
    },
    /** Stops following the live map. */
    close() {
      expiresAt = undefined;
      stream?.close();
      stream = undefined;
      notice("");
    },
    notice,
  };
}
