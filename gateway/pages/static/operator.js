// The operator's console: signs in, chooses an event, follows its sale.

import { $, announce, lang, make, setText, show, t } from "./page.js";
import { call, explain } from "./api.js";
import { count, duration } from "./format.js";
import { backoff } from "./live.js";
import { readEvents } from "./sse.js";
import { drawChart, keepSamples, SERIES } from "./chart.js";
import { bindControls } from "./controls.js";
import { bindAudit } from "./audit.js";
import { bindStuck } from "./stuck.js";

const KEPT_KEY = "weir-operator-key";
const KEPT_EVENT = "weir-operator-event";
const TABLE_ROWS = 12;

const PHASES = {
  scheduled: () => t("operator-phase-scheduled"),
  lobby: () => t("operator-phase-lobby"),
  open: () => t("operator-phase-open"),
  paused: () => t("operator-phase-paused"),
  soldOut: () => t("operator-phase-soldOut"),
  closed: () => t("operator-phase-closed"),
};
const LABELS = {
  waiting: () => t("operator-waiting"),
  admitted: () => t("operator-admitted"),
  booked: () => t("operator-booked"),
};

let key = sessionStorage.getItem(KEPT_KEY) ?? "";
let eventId;
let samples = [];
let following = new AbortController();

const bearer = () => ({ Authorization: `Bearer ${key}` });
const ask = (method, path, options = {}) =>
  call(method, path, { ...options, headers: { ...bearer(), ...options.headers } });
const salePath = () => `/v1/operator/events/${eventId}/sale`;

const audit = bindAudit({ ask, path: () => `/v1/operator/events/${eventId}/audit` });
const stuck = bindStuck({ ask });
const controls = bindControls({
  ask,
  path: salePath,
  onChanged: (sale) => {
    draw(sale);
    audit.refresh();
  },
});

const clockTime = (at) => new Intl.DateTimeFormat(lang, { timeStyle: "medium" }).format(at);
const percent = (share) => new Intl.NumberFormat(lang, { style: "percent" }).format(share);

/** A number's text on the page; a dash where the server doesn't say. */
function numberText(name, sale) {
  const value = sale[name];
  if (value === undefined || value === null) return "–";
  if (name === "phase") return PHASES[value]?.() ?? value;
  if (name === "showShare") return percent(value);
  return typeof value === "number" ? count(Math.round(value), lang) : String(value);
}

const labelOf = (title, phase) => (PHASES[phase] ? `${title} · ${PHASES[phase]()}` : title);

function draw(sale) {
  const chosen = $("event").selectedOptions[0];
  if (chosen) setText(chosen, labelOf(chosen.dataset.title, sale.phase));
  const drawn = sale.drawn ?? sale.joined ?? 0;
  const all = { ...sale, waiting: sale.waiting ?? Math.max(0, (sale.joined ?? drawn) - (sale.served ?? 0)) };
  for (const cell of document.querySelectorAll("[data-number]")) {
    if (cell.dataset.number in all) setText(cell, numberText(cell.dataset.number, all));
  }
  controls.draw(sale);
  return all;
}

function chart(sale) {
  const sample = { at: Date.now(), ...Object.fromEntries(SERIES.map((name) => [name, sale[name] ?? 0])) };
  samples = keepSamples(samples, sample);
  const labels = Object.fromEntries(SERIES.map((name) => [name, LABELS[name]()]));
  const number = (value) => count(value, lang);
  drawChart($("chart"), samples, { labels, number, time: clockTime });
  const [first, last] = [samples[0], samples.at(-1)];
  setText(
    $("chart-summary"),
    t("operator-chart-summary", {
      duration: duration(last.at - first.at, t),
      waitingFrom: first.waiting,
      waitingTo: last.waiting,
      admittedFrom: first.admitted,
      admittedTo: last.admitted,
      bookedFrom: first.booked,
      bookedTo: last.booked,
    }),
  );
  const step = Math.max(1, Math.floor(samples.length / TABLE_ROWS));
  const some = samples.filter((_, index) => (samples.length - 1 - index) % step === 0).slice(-TABLE_ROWS).reverse();
  $("chart-rows").replaceChildren(
    ...some.map((one) =>
      make("tr", {}, make("td", {}, clockTime(one.at)), ...SERIES.map((name) => make("td", {}, number(one[name])))),
    ),
  );
}

function connected(now) {
  const text = now ? t("operator-connected") : t("operator-disconnected");
  if ($("live").textContent === text) return;
  setText($("live"), text);
  $("live").classList.toggle("live-lost", !now);
}

/** Follows the sale until another is chosen. EventSource can't send the key, so the stream is fetched. */
async function follow(signal) {
  const pause = (time) => new Promise((done) => setTimeout(done, time));
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      const headers = { ...bearer(), Accept: "text/event-stream" };
      const answer = await fetch(`${salePath()}/stream`, { headers, signal });
      if (answer.status === 401 || answer.status === 403) {
        signOut(t("operator-key-refused"));
        return;
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      await readEvents(answer, ({ data }) => {
        attempt = 0;
        connected(true);
        chart(draw(JSON.parse(data)));
      });
    } catch {
      // Reconnects below, like after an ordinary end.
    }
    if (signal.aborted) return;
    if (attempt > 1) connected(false);
    await pause(backoff(attempt || 1));
  }
}

async function choose(id) {
  following.abort();
  following = new AbortController();
  eventId = id;
  sessionStorage.setItem(KEPT_EVENT, id);
  samples = [];
  $("chart").replaceChildren();
  $("chart-rows").replaceChildren();
  setText($("chart-summary"), t("operator-chart-empty"));
  for (const cell of document.querySelectorAll("[data-number]")) setText(cell, "–");
  show($("sale"), true);
  const { signal } = following;
  try {
    const sale = await controls.open();
    if (!signal.aborted) draw(sale);
  } catch (refusal) {
    setText($("live"), explain(refusal, t));
  }
  audit.refresh();
  follow(signal);
}

function signOut(reason) {
  following.abort();
  stuck.stop();
  key = "";
  sessionStorage.removeItem(KEPT_KEY);
  show($("console"), false);
  show($("sign-out"), false);
  show($("sign-in"), true);
  setText($("sign-in-problem"), reason ?? "");
  show($("sign-in-problem"), Boolean(reason));
  $("key").value = "";
  $("key").focus();
}

async function signIn() {
  try {
    const { data } = await ask("GET", "/v1/operator/events");
    sessionStorage.setItem(KEPT_KEY, key);
    show($("sign-in"), false);
    show($("console"), true);
    show($("sign-out"), true);
    stuck.start();
    const options = data.events.map((event) => {
      const option = make("option", { value: event.eventId }, labelOf(event.title, event.phase));
      option.dataset.title = event.title;
      return option;
    });
    $("event").replaceChildren(...options);
    show($("no-events"), !options.length);
    show($("sale"), options.length > 0);
    if (!options.length) return;
    const before = sessionStorage.getItem(KEPT_EVENT);
    if (data.events.some((event) => event.eventId === before)) $("event").value = before;
    await choose($("event").value);
  } catch (refusal) {
    const wrong = refusal.status === 401 || refusal.status === 403;
    signOut(wrong ? t("operator-key-refused") : explain(refusal, t));
    announce($("sign-in-problem").textContent);
  }
}

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("key").value.trim();
  if (key) signIn();
});
$("sign-out").addEventListener("click", () => signOut());
$("event").addEventListener("change", () => choose($("event").value));

if (key) signIn();
else show($("sign-in"), true);
