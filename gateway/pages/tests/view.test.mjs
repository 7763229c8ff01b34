// What pages show and how the seat map moves: the parts that need no browser. Run: node --test gateway/pages/tests/

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { Refusal, explain, randomId, retrySeconds } from "../static/api.js";
import { describe as auditText } from "../static/audit-text.js";
import { keepSamples, roundUp, spreadLabels } from "../static/chart.js";
import { createClock } from "../static/clock.js";
import { MAX_KEPT, keptScans } from "../static/door-kept.js";
import { clockFace, countdown, duration, money, waitBand } from "../static/format.js";
import { backoff } from "../static/live.js";
import { createTranslator, parsePattern } from "../static/messages.js";
import { ROOM_STATES, roomKey, roomView, worthSaying } from "../static/room-view.js";
import { move, seatAt } from "../static/seat-move.js";
import { categoriesOf, createModel, pitchOf, placed } from "../static/seats-model.js";
import { createParser } from "../static/sse.js";

/** The catalogue's messages as the server hands them out. */
function catalogue() {
  const source = readFileSync(new URL("../locales/en.ftl", import.meta.url), "utf8");
  const patterns = {};
  let id;
  for (const line of source.split("\n")) {
    const head = /^([a-zA-Z][\w-]*) = ?(.*)$/.exec(line);
    if (head) [, id, patterns[id]] = head;
    else if (/^[ }]/.test(line)) patterns[id] += `\n${line.trim()}`;
  }
  return patterns;
}

const patterns = catalogue();
const t = createTranslator(patterns, "en");

test("scripts can read every message of the catalogue", () => {
  assert.ok(Object.keys(patterns).length > 200);
  for (const [id, pattern] of Object.entries(patterns)) assert.doesNotThrow(() => parsePattern(pattern), id);
});

test("plurals, exact numbers, variables and text around choices", () => {
  assert.equal(t("common-minutes", { n: 1 }), "1 minute");
  assert.equal(t("common-minutes", { n: 1500 }), "1,500 minutes");
  assert.equal(t("room-position-said", { position: 3, ahead: 0 }), "Place 3. You're next.");
  assert.equal(t("room-position-said", { position: 3, ahead: 2 }), "Place 3. 2 people are ahead of you.");
  assert.equal(t("seats-said-chosen", { seat: "A", n: 2, total: "9 EUR" }), "A chosen. 2 seats, 9 EUR.");
  assert.equal(t("seats-best-take", { n: 1 }), "Hold 1 seat");
  assert.equal(t("no-such-message"), "no-such-message");
  assert.equal(createTranslator({ a: '{ "{" }{ $x }' }, "en")("a", { x: "<b>" }), "{<b>");
  assert.equal(createTranslator({ a: "{ NUMBER($x) }" }, "en")("a", { x: 1 }), "{ NUMBER($x) }");
});

test("every state of the waiting room has its three messages", () => {
  for (const state of ROOM_STATES) {
    for (const part of ["title", "lead", "next"]) assert.ok(`room-${state}-${part}` in patterns, `${state} ${part}`);
  }
});

test("each state of sale and place is shown as itself", () => {
  const turn = (last) => ({ closesAt: "2030-01-01T00:00:00Z", opensAt: "2030-01-01T00:00:00Z", last });
  const table = [
    [null, null, "nosale"],
    [null, { phase: "lobby" }, "join-lobby"],
    [null, { phase: "soldOut" }, "sold-out"],
    [null, { phase: "closed" }, "closed"],
    [{ state: "lobby" }, { phase: "lobby" }, "lobby"],
    [{ state: "waiting", phase: "open" }, null, "waiting"],
    [{ state: "waiting", phase: "open", paused: true }, null, "paused"],
    [{ state: "waiting", phase: "soldOut", paused: true }, null, "waiting-soldout"],
    [{ state: "called", turn: turn(false) }, null, "called"],
    [{ state: "called", turn: turn(true) }, null, "called-last"],
    [{ state: "lapsed", turn: turn(true) }, null, "lapsed"],
    [{ state: "lapsed", turn: null }, null, "lapsed-over"],
    [{ state: "ended", phase: "soldOut" }, null, "ended-soldout"],
    [{ state: "ended" }, { phase: "closed" }, "ended"],
    [{ state: "something new" }, null, "nosale"],
  ];
  for (const [place, sale, key] of table) assert.equal(roomKey(place, sale), key);
  const keys = new Set(table.map(([, , key]) => key));
  assert.ok([...keys].every((key) => ROOM_STATES.includes(key)));
});

test("a called visitor sees the button and the turn's end, and no position", () => {
  const place = {
    state: "called",
    position: 1,
    ahead: 0,
    joined: 9,
    turn: { closesAt: "2030-01-01T00:02:00Z", last: false },
  };
  const view = roomView(place, { phase: "open" }, 8);
  assert.equal(view.called, true);
  assert.equal(view.position, null);
  assert.deepEqual(view.countdown, { label: "turn", until: "2030-01-01T00:02:00Z" });
});

test("whoever's place is over is offered a new one, while there are seats", () => {
  const over = { state: "lapsed", turn: null, phase: "open", mayRejoin: true };
  assert.equal(roomView(over, { phase: "open" }, 0).canJoin, true);
  assert.equal(roomView({ ...over, phase: "soldOut" }, { phase: "soldOut" }, 0).canJoin, false);
  assert.equal(roomView({ ...over, mayRejoin: false }, { phase: "open" }, 0).canJoin, false);
});

test("the bar runs from where the visitor came in to the front", () => {
  const view = (ahead) => roomView({ state: "waiting", position: ahead + 1, ahead }, null, 200).progress;
  assert.equal(view(200), 0);
  assert.equal(view(50), 0.75);
  assert.equal(view(0), 1);
});

test("positions are said when they matter and not at every step", () => {
  assert.equal(worthSaying(null, 500), true);
  assert.equal(worthSaying(500, 490), false);
  assert.equal(worthSaying(500, 450), true);
  assert.equal(worthSaying(10, 9), true);
  assert.equal(worthSaying(9, 9), false);
  assert.equal(worthSaying(9, null), false);
});

test("the clock follows the server, whatever the device's says, and never runs back", () => {
  let tick = 1000;
  const clock = createClock("2030-01-01T00:00:00.000Z", () => tick);
  tick += 5000;
  assert.equal(clock.now(), Date.parse("2030-01-01T00:00:05.000Z"));
  clock.hear("2030-01-01T00:00:04.000Z");
  assert.equal(clock.now(), Date.parse("2030-01-01T00:00:05.000Z"), "a late answer changes nothing");
  clock.hear("2030-01-01T00:00:05.400Z");
  assert.equal(clock.now(), Date.parse("2030-01-01T00:00:05.400Z"), "a quicker one is more exact");
  clock.hear("nonsense");
  assert.equal(clock.until("2030-01-01T00:00:00.000Z"), 0);
});

test("money in the minor unit of its currency", () => {
  assert.equal(money(4500, "EUR", "en"), "45.00 EUR");
  assert.equal(money(123456, "EUR", "en"), "1,234.56 EUR");
  assert.equal(money(4500, "JPY", "en"), "4,500 JPY");
  assert.equal(money(4500, "KWD", "en"), "4.500 KWD");
  assert.equal(money(4500, "no currency", "en"), "4500 no currency");
});

test("durations", () => {
  assert.equal(clockFace(0), "0:00");
  assert.equal(clockFace(1), "0:01");
  assert.equal(clockFace(65_000), "1:05");
  assert.equal(clockFace(3_725_000), "1:02:05");
  assert.equal(duration(0, t), "0 seconds");
  assert.equal(duration(61_000, t), "1 minute 1 second");
  assert.equal(duration(7_200_000, t), "2 hours");
  assert.equal(countdown(90_000_000, t), "1 day 1 hour");
  assert.equal(countdown(3_600_000, t), "1:00:00");
});

test("the likely wait is a band that promises no more than is known", () => {
  assert.equal(waitBand(null, t), "can't be said yet");
  assert.equal(waitBand({ lowSeconds: 5, highSeconds: 40 }, t), "less than a minute");
  assert.equal(waitBand({ lowSeconds: 10, highSeconds: 61 }, t), "about 2 minutes");
  assert.equal(waitBand({ lowSeconds: 130, highSeconds: 400 }, t), "2 to 7 minutes");
  assert.equal(waitBand({ lowSeconds: 300, highSeconds: 300 }, t), "about 5 minutes");
});

/** Two sections: S1 with rows A (1 to 4) and B (1 to 3, shifted by half), S2 to its right with row A (1, 2). */
const hall = [
  ...[0, 1, 2, 3].map((x) => ({ seatId: `s1a${x}`, section: "S1", row: "A", number: x + 1, x, y: 0 })),
  ...[0.5, 1.5, 2.5].map((x, i) => ({ seatId: `s1b${i}`, section: "S1", row: "B", number: i + 1, x, y: 1 })),
  ...[6, 7].map((x, i) => ({ seatId: `s2a${i}`, section: "S2", row: "A", number: i + 1, x, y: 0 })),
].map((seat) => ({ category: seat.section, price: 100, status: "available", ...seat }));
const at = (from, key) => hall[move(hall, hall.findIndex(({ seatId }) => seatId === from), key, 1)].seatId;

test("arrow keys move along the row, across rows and over the aisle", () => {
  assert.equal(at("s1a0", "ArrowRight"), "s1a1");
  assert.equal(at("s1a1", "ArrowLeft"), "s1a0");
  assert.equal(at("s1a3", "ArrowRight"), "s2a0");
  assert.equal(at("s2a0", "ArrowLeft"), "s1a3");
  assert.equal(at("s1a1", "ArrowDown"), "s1b0");
  assert.equal(at("s1b2", "ArrowUp"), "s1a2");
  assert.equal(at("s1a0", "ArrowLeft"), "s1a0", "the edge holds");
  assert.equal(at("s1a0", "ArrowUp"), "s1a0", "the edge holds");
  assert.equal(move(hall, 0, "x", 1), undefined);
});

test("Home and End go to the row's ends, Page keys to other sections", () => {
  assert.equal(at("s1a1", "End"), "s1a3");
  assert.equal(at("s1a2", "Home"), "s1a0");
  assert.equal(at("s1b1", "PageDown"), "s2a0");
  assert.equal(at("s2a1", "PageUp"), "s1a0");
  assert.equal(at("s2a1", "PageDown"), "s2a1");
});

test("every seat of a large hall can be reached by arrows alone", () => {
  const large = [];
  for (let y = 0; y < 20; y += 1) {
    for (let x = 0; x < 30; x += 1) {
      if (x === 10 || x === 20) continue;
      const bend = (x - 15) ** 2 / 60;
      large.push({ section: `S${x < 10 ? 1 : x < 20 ? 2 : 3}`, row: String(y), x, y: y - bend });
    }
  }
  const reached = new Set([0]);
  const open = [0];
  while (open.length) {
    const from = open.pop();
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
      const next = move(large, from, key, 1);
      if (!reached.has(next)) {
        reached.add(next);
        open.push(next);
      }
    }
  }
  assert.equal(reached.size, large.length);
});

test("a tap finds the nearest seat, and none where there is none", () => {
  assert.equal(hall[seatAt(hall, 1.2, 0.1, 0.75)].seatId, "s1a1");
  assert.equal(seatAt(hall, 4.9, 0, 0.75), undefined);
});

test("choosing keeps to the limit and to what is available", () => {
  const model = createModel(hall, 2);
  assert.equal(model.toggle(0), "chosen");
  assert.equal(model.toggle(1), "chosen");
  assert.equal(model.toggle(2), "full");
  assert.equal(model.total(), 200);
  assert.equal(model.toggle(1), "removed");
  model.delta({ version: 1, changes: [["s1a1", "booked"]] });
  assert.equal(model.toggle(1), "taken");
  assert.deepEqual(model.choice(), [0]);
});

test("a chosen seat that another visitor gets leaves the choice and is told", () => {
  const model = createModel(hall, 4);
  model.toggle(0);
  model.toggle(1);
  assert.deepEqual(model.delta({ version: 5, changes: [["s1a1", "r"], ["nowhere", "r"]] }), { changed: [1], lost: [1] });
  assert.deepEqual(model.refused(["s1a0"]).lost, [0]);
  assert.equal(model.left(), hall.length - 2);
});

test("older changes than the snapshot are dropped", () => {
  const model = createModel(hall, 4);
  model.snapshot({ version: 7, statuses: "abarraaar" });
  assert.equal(model.left(), 5);
  assert.deepEqual(model.delta({ version: 7, changes: [["s1a0", "b"]] }).changed, []);
  assert.deepEqual(model.delta({ version: 8, changes: [["s1a0", "b"]] }).changed, [0]);
});

test("seats without positions get some of their own", () => {
  const seats = placed(hall.map(({ x, y, ...seat }) => seat));
  assert.equal(new Set(seats.map(({ x, y }) => `${x}/${y}`)).size, hall.length);
  assert.equal(pitchOf(hall), 1);
  assert.deepEqual(categoriesOf(hall).map(({ name }) => name), ["S1", "S2"]);
});

test("server-sent events, however they are cut", () => {
  const text = ": hello\r\nevent: sale\r\ndata: {\r\ndata: }\r\n\r\ndata:x\n\nid: 4\n\n";
  for (let cut = 0; cut <= text.length; cut += 1) {
    const feed = createParser();
    const events = [...feed(text.slice(0, cut)), ...feed(text.slice(cut))];
    assert.deepEqual(events, [
      { event: "sale", data: "{\n}" },
      { event: "message", data: "x" },
    ]);
  }
});

test("reconnecting waits longer each time, scattered, and at most half a minute", () => {
  assert.equal(backoff(1, () => 0), 500);
  assert.equal(backoff(1, () => 1), 1000);
  assert.equal(backoff(4, () => 1), 8000);
  assert.equal(backoff(99, () => 1), 30_000);
});

test("refusals are explained in words", () => {
  assert.equal(explain(new Refusal(0), t), patterns["common-problem-network"]);
  assert.equal(explain(new Refusal(429, {}, 1.2), t), "Very many people are here right now. Please try again in 2 seconds.");
  assert.equal(explain(new Refusal(409, { detail: "Taken." }), t), "Taken.");
  assert.equal(explain(new TypeError("x"), t), patterns["common-problem-unknown"]);
  assert.equal(new Refusal(409, { type: "urn:weir:desk-full" }).slug, "desk-full");
  assert.equal(retrySeconds("3"), 3);
  assert.equal(retrySeconds("Thu, 01 Jan 1970 00:00:10 GMT", 4000), 6);
  assert.equal(retrySeconds(null), undefined);
});

test("ids are random also where randomUUID is missing", () => {
  const id = randomId({ getRandomValues: (bytes) => bytes.fill(171) });
  assert.equal(id, "ab".repeat(16));
  assert.notEqual(randomId(), randomId());
});

test("the chart keeps a whole sale and labels that don't cover each other", () => {
  let samples = [];
  for (let at = 0; at < 5000; at += 1) samples = keepSamples(samples, { at }, 100);
  assert.ok(samples.length <= 100);
  assert.equal(samples.at(-1).at, 4999);
  assert.equal(samples[0].at, 0);
  assert.deepEqual([0, 3, 10, 11, 480].map(roundUp), [1, 5, 10, 20, 500]);
  assert.deepEqual(spreadLabels([10, 12, 11], 16), [10, 42, 26]);
});

test("an audit entry's states as pairs", () => {
  assert.equal(auditText({ ratePerMinute: 60, policy: { maxSeats: 4 } }), "ratePerMinute: 60, policy: maxSeats: 4");
  assert.equal(auditText(null), "–");
});

test("a door keeps its scans in order, up to a limit, until they are sent", () => {
  const stored = new Map();
  const storage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
  const kept = keptScans(storage, "door");
  assert.deepEqual(kept.all(), []);
  for (let scan = 0; scan < MAX_KEPT; scan += 1) assert.ok(kept.add({ scanId: `s${scan}` }));
  assert.equal(kept.add({ scanId: "one more" }), false);
  const first = kept.all().slice(0, 2);
  kept.sent(first);
  assert.equal(kept.all().length, MAX_KEPT - 2);
  assert.equal(kept.all()[0].scanId, "s2");
  stored.set("door", "{broken");
  assert.deepEqual(kept.all(), []);
});
