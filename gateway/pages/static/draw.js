// The draw's check on the page: fetches the public record, has verify.js calculate, says each result.

import { $, announce, make, page, setText, show, t } from "./page.js";
import { call, explain, Refusal } from "./api.js";
import {
  brokenCommitment,
  brokenSeed,
  brokenSequence,
  canVerify,
  createRecordCheck,
  ownRank,
} from "./verify.js";

const line = `/v1/events/${page.event.eventId}/line`;
let read = 0;

function progress(more) {
  read += more;
  setText($("draw-status"), `${t("draw-running")} ${t("draw-progress", { n: read })}`);
}

/** All pages of a list; `next` names where the next page begins, null after the last. */
async function all(path, field, each) {
  let from = 0;
  for (;;) {
    const { data } = await call("GET", `${path}?from=${from}`, { attempts: 5 });
    const items = data[field];
    for (const item of items) if ((await each(item, data)) === false) return;
    progress(items.length);
    const next = data.next === undefined && items.length ? (items.at(-1).index ?? NaN) + 1 : data.next;
    if (!items.length || !Number.isFinite(next) || next <= from) return;
    from = next;
  }
}

/** One line of the results. Returns whether it passed. */
function result(passed, text) {
  const mark = make("span", { class: passed ? "tick" : "cross", role: "img" }, passed ? "✓" : "✗");
  mark.setAttribute("aria-label", passed ? t("draw-passed") : t("draw-failed"));
  $("draw-checks").append(make("li", { class: passed ? "passed" : "failed" }, mark, make("span", {}, text)));
  return passed;
}

async function checkDraws() {
  const batches = [];
  let commitment;
  await all(`${line}/draw`, "batches", (batch, data) => {
    commitment = data.commitment;
    batches.push(batch);
  });
  const n = batches.length;
  let at = await brokenCommitment(commitment, batches);
  const sealed = result(
    at === -1,
    at === -1 ? t("draw-check-commitment", { n }) : t("draw-check-commitment-bad", { at }),
  );
  at = brokenSequence(batches);
  const sizes = result(at === -1, at === -1 ? t("draw-check-sizes") : t("draw-check-sizes-bad", { at }));
  at = await brokenSeed(batches);
  const lots = result(at === -1, at === -1 ? t("draw-check-seeds", { n }) : t("draw-check-seeds-bad", { at }));
  return { commitment, batches, sound: sealed && sizes && lots };
}

/** The record, read after the draws, so that it holds all of them. */
async function checkRecords({ commitment, batches }) {
  const check = createRecordCheck();
  let sound = true;
  await all(`${line}/records`, "records", async (record) => (sound = await check.feed(record)));
  const n = check.count();
  const whole = result(sound, sound ? t("draw-check-records", { n }) : t("draw-check-records-bad", { at: n }));
  if (!whole) return false;
  const at = check.unrecorded(commitment, batches);
  return result(at === -1, at === -1 ? t("draw-check-recorded") : t("draw-check-recorded-bad", { at }));
}

async function checkOwn(place, batch) {
  const entries = [];
  await all(`${line}/draw/${batch.index}/entries`, "entries", (entry) => {
    entries.push(entry);
  });
  const own = await ownRank({ batch, entries, entry: place.entry, onProgress: progress });
  const n = entries.length;
  const rootFine = own.root === batch.root && n === batch.size;
  const root = result(rootFine, rootFine ? t("draw-check-root", { n }) : t("draw-check-root-bad"));
  const there = own.index !== -1 && (place.index === null || own.index === place.index);
  const entry = result(
    there,
    there ? t("draw-check-entry", { index: own.index + 1, n }) : t("draw-check-entry-bad"),
  );
  const places = { computed: own.rank === null ? "–" : own.rank + 1, shown: place.rank + 1 };
  const agrees = own.rank === place.rank;
  const rank = result(agrees, agrees ? t("draw-check-rank", places) : t("draw-check-rank-bad", places));
  const details = { ...batch, entry: place.entry };
  for (const cell of document.querySelectorAll("[data-detail]")) setText(cell, details[cell.dataset.detail] ?? "");
  show($("draw-details"), true);
  return root && entry && rank;
}

function verdict(kind, title, lead) {
  const box = $("draw-verdict");
  box.className = `verdict ${kind}`;
  setText($("draw-verdict-title"), title);
  setText($("draw-verdict-lead"), lead);
  show(box, true);
  setText($("draw-status"), "");
  announce(`${title}. ${lead}`);
}

async function run() {
  const start = $("draw-start");
  start.disabled = true;
  read = 0;
  $("draw-checks").replaceChildren();
  show($("draw-verdict"), false);
  setText($("draw-status"), t("draw-running"));
  try {
    let place = page.place;
    if (place) place = await call("GET", `${line}/place`).then((answer) => answer.data, () => page.place);
    const draws = await checkDraws();
    const recorded = await checkRecords(draws);
    const { batches, sound } = draws;
    const drawn = place && Number.isInteger(place.rank);
    const batch = drawn ? batches.find(({ index }) => index === place.batch) : undefined;
    // A place said to be drawn in a draw that nobody published is a failure, not a check to leave out.
    if (drawn && !batch) result(false, t("draw-check-entry-bad"));
    const own = batch ? await checkOwn(place, batch) : !drawn;
    if (!(recorded && sound && own)) verdict("failed", t("draw-wrong"), t("draw-wrong-lead"));
    else verdict("passed", t("draw-fine"), drawn ? t("draw-fine-lead") : t("draw-fine-record"));
  } catch (problem) {
    // What isn't a refusal is data that can't even be read as a draw.
    const odd = !(problem instanceof Refusal);
    verdict("failed", odd ? t("draw-wrong") : t("draw-unfinished"), odd ? t("draw-wrong-lead") : explain(problem, t));
  } finally {
    start.disabled = false;
  }
}

if (canVerify()) {
  $("draw-start").addEventListener("click", run);
} else {
  $("draw-start").disabled = true;
  show($("draw-crypto"), true);
}
