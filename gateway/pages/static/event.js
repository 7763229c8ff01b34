// An event's page: from the waiting room over the seat map and the checkout to the tickets, at one address.

import { $, announce, localTimes, page, setText, show, t } from "./page.js";
import { call, explain, refreshSession } from "./api.js";
import { createClock } from "./clock.js";
import { live } from "./live.js";
import { createRoom } from "./room.js";
import { createSeats } from "./seats.js";
import { createCheckout } from "./checkout.js";
import { drawTickets } from "./tickets.js";

const SESSION_RENEWAL_MS = 10 * 60_000;
const eventId = page.event.eventId;
const base = `/v1/events/${eventId}`;
const kept = `weir-booking-${eventId}`;

const clock = createClock(page.serverTime);
const room = createRoom(clock);

let sale = page.sale;
let place = page.place;
let entry;
let stream;
let claiming = false;
let claimAgain;
let stage = "room";

const admission = () => (entry ? { "Weir-Admission": entry.admissionToken } : {});
const seats = createSeats({ clock, admission, onHeld: held, onOver: over });
const checkout = createCheckout({ clock, admission, onPaid: paid, onLost: lost });

/** Shows one part of the page and moves the focus to its heading, so that nobody is left on what vanished. */
function go(next) {
  const moved = stage !== next;
  stage = next;
  room.show(next === "room");
  for (const name of ["seats", "checkout", "tickets"]) show($(name), name === next);
  if (next !== "seats") seats.close();
  if (next !== "checkout") checkout.close();
  if (moved) {
    $(`${next}-title`).focus({ preventScroll: true });
    $(next).scrollIntoView({ block: "start" });
  }
}

function problem(refusal) {
  setText($("problem-detail"), refusal ? explain(refusal, t) : "");
  if (refusal) setText($("problem-title"), t("common-problem"));
  show($("problem"), Boolean(refusal));
}

function connection(connected) {
  show($("connection"), !connected);
  announce(connected ? t("common-connection-back") : t("common-connection-lost"));
}

/** Whether nothing more can happen to a place. */
const isOver = ({ state, turn }) => state === "left" || state === "ended" || (state === "lapsed" && !turn);

/** Takes in a place view. A position that would rise is older than what is shown. */
function setPlace(next) {
  clock.hear(next.serverTime);
  const sameState = place?.state === next.state;
  if (sameState && place.position !== null && next.position > place.position) return;
  place = { ...place, ...next };
  if (sale && next.phase) sale = { ...sale, phase: next.phase };
  if (stage === "room") {
    room.draw(place, sale);
    // Only when it becomes so: an admission that is over must not be asked for with every event.
    if (place.state === "admitted" && !sameState && !entry) claim();
    if (place.state !== "called") stopClaiming();
  } else if (stage === "seats" && isOver(place)) {
    over();
  }
  if (isOver(place)) stream?.close();
}

async function askPlace() {
  const { data } = await call("GET", `${base}/line/place`);
  setPlace(data);
  return data.pollAfterMs;
}

async function askSale() {
  const { data } = await call("GET", `${base}/line`);
  clock.hear(data.serverTime);
  sale = { ...sale, ...data };
  if (stage === "room") room.draw(place, sale);
}

/** Follows the place, or without one the sale, since its lobby or sale may open at any moment. */
let watching;
function follow() {
  stream?.close();
  clearTimeout(watching);
  if (place) {
    if (isOver(place)) return;
    stream = live(`${base}/line/stream`, { events: { place: setPlace }, poll: askPlace, onState: connection });
    return;
  }
  if (!sale || sale.phase === "closed") return;
  const ask = () => {
    // Scattered, so that a million pages don't ask in the same moment.
    watching = setTimeout(async () => {
      await askSale().catch(() => {});
      if (!place) ask();
    }, 4000 * (0.75 + Math.random() / 2));
  };
  ask();
}

async function join() {
  problem();
  room.busy("join", true);
  try {
    const { data } = await call("POST", `/e/${eventId}/join`, { attempts: 4 });
    setPlace(data);
    follow();
    $("room-title").focus({ preventScroll: true });
  } catch (refusal) {
    problem(refusal);
    await askSale().catch(() => {});
  } finally {
    room.busy("join", false);
  }
}

function stopClaiming() {
  clearTimeout(claimAgain);
  room.notice("");
}

async function claim() {
  if (claiming) return;
  claiming = true;
  problem();
  stopClaiming();
  room.busy("claim", true);
  try {
    entry = (await call("POST", `${base}/line/claim`, { attempts: 3 })).data;
    await choose();
  } catch (refusal) {
    await notAdmitted(refusal);
  } finally {
    claiming = false;
    room.busy("claim", false);
  }
}

async function notAdmitted(refusal) {
  if (refusal.slug === "desk-full") {
    const seconds = Math.max(1, Math.ceil(refusal.retryAfter ?? 2));
    room.notice(t("room-desk-full", { seconds }));
    claimAgain = setTimeout(claim, seconds * 1000 * (1 + Math.random() / 5));
    return;
  }
  problem(refusal);
  await askPlace().catch(() => {});
  // A server that is briefly unwell must not cost anyone a turn.
  const passing = refusal.status === 0 || refusal.status >= 500 || refusal.status === 429;
  if (passing) claimAgain = setTimeout(claim, Math.max(3, refusal.retryAfter ?? 0) * 1000);
}

async function choose(text) {
  go("seats");
  await seats.open(entry);
  if (text) seats.notice(text);
}

function held(booking) {
  sessionStorage.setItem(kept, booking.bookingId);
  checkout.open(booking);
  go("checkout");
}

function paid(booking) {
  entry = undefined;
  stream?.close();
  announce(booking.status === "cancelled" ? t("tickets-cancelled") : t("tickets-title"));
  drawTickets(booking);
  go("tickets");
}

/** The hold is gone: back to the map while the admission lives, else to the room. */
async function lost(text) {
  sessionStorage.removeItem(kept);
  if (entry && clock.until(entry.expiresAt) > 0) {
    await choose(text).catch(problem);
    return;
  }
  await over();
  room.notice(text);
}

async function over() {
  entry = undefined;
  go("room");
  room.draw(place, sale);
  await askPlace().catch(() => {});
}

async function leave() {
  problem();
  try {
    await call("POST", `/e/${eventId}/leave`, { attempts: 3 });
    entry = undefined;
    place = { ...place, state: "left", position: null, ahead: null, turn: null, mayRejoin: sale?.phase !== "closed" };
    stream?.close();
    go("room");
    room.draw(place, sale);
  } catch (refusal) {
    problem(refusal);
  }
}

/** After a reload: finds the booking of this tab again. True if the page has moved on. */
async function resume() {
  const bookingId = sessionStorage.getItem(kept);
  if (!bookingId) return false;
  try {
    const { data } = await call("GET", `/v1/bookings/${bookingId}`, { attempts: 4 });
    if (data.status === "confirmed" || data.status === "cancelled") {
      paid(data);
      return true;
    }
    if (data.status === "reserved" && clock.until(data.expiresAt) > 0) {
      entry = await call("POST", `${base}/line/claim`, { attempts: 3 }).then((answer) => answer.data, () => undefined);
      held(data);
      return true;
    }
    sessionStorage.removeItem(kept);
  } catch (refusal) {
    if (refusal.status === 404) sessionStorage.removeItem(kept);
  }
  return false;
}

const ACTS = { join, claim, leave };
for (const form of document.querySelectorAll("form[data-act]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ACTS[form.dataset.act]();
  });
}
setInterval(() => {
  if (place) refreshSession();
}, SESSION_RENEWAL_MS);

localTimes();
room.draw(place, sale);
if (!(await resume())) {
  if (place?.state === "admitted") claim();
}
if (stage !== "tickets") follow();
