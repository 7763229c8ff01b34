// The door: scans tickets by camera or hand scanner, and keeps them while there is no connection.

import { $, lang, make, page, setText, show, t } from "./page.js";
import { call, explain, randomId } from "./api.js";
import { moment } from "./format.js";
import { keptScans, MAX_KEPT } from "./door-kept.js";

const KEPT_KEY = "weir-door-key";
const KEPT_GATE = "weir-door-gate";
const RESEND_MS = 5000;
const LOOK_MS = 250;
/** The same code before the camera is one scan for this long. */
const SAME_MS = 4000;
const LATE_SHOWN = 50;
/** How many of the kept scans are sent at once: well within the largest body, whatever was scanned. */
const SENT_AT_ONCE = 200;

const base = `/v1/events/${page.event.eventId}/door`;
const kept = keptScans(localStorage, `weir-door-${page.event.eventId}`);
let key = sessionStorage.getItem(KEPT_KEY) ?? "";
let gate = sessionStorage.getItem(KEPT_GATE) ?? "";
let sending = false;
let stream;

const ask = (method, path, options = {}) =>
  call(method, base + path, { ...options, headers: { Authorization: `Bearer ${key}` } });
const WORDS = {
  in: () => t("door-in"),
  again: () => t("door-again"),
  cancelled: () => t("door-cancelled"),
  revoked: () => t("door-revoked"),
  unknown: () => t("door-unknown"),
  otherEvent: () => t("door-other-event"),
};

function detail(answer) {
  const { section, row, number, firstAt, firstGate, reason } = answer;
  const seat = answer.seat ? t("door-seat", { section, row, number: String(number) }) : "";
  const first = firstAt ? t("door-first", { at: moment(firstAt, lang), gate: firstGate }) : "";
  return [seat, first, reason].filter(Boolean).join(" · ");
}

function result(kind, word, text) {
  $("door-result").dataset.result = kind;
  setText($("door-word"), word);
  setText($("door-detail"), text);
}

function drawKept() {
  const { length } = kept.all();
  show($("door-kept"), length > 0);
  setText($("door-kept"), t("door-kept", { n: length, most: MAX_KEPT }));
}

/** Whether the server could not be asked, rather than refused. */
const isAway = (refusal) => refusal.status === 0 || refusal.status >= 500 || refusal.status === 429;

async function scan(token) {
  const one = { token, gate, scanId: randomId(), at: new Date().toISOString() };
  try {
    const { data } = await ask("POST", "/scans", { body: one });
    result(data.result === "in" ? "in" : "no", WORDS[data.result](), detail(data));
    counts();
  } catch (refusal) {
    if (!isAway(refusal)) result("no", t("door-failed"), explain(refusal, t));
    else if (kept.add(one)) result("kept", t("door-saved"), t("door-saved-detail"));
    else result("no", t("door-full"), t("door-full-detail"));
  }
  drawKept();
}

/** Sends what was kept; tells of whom it should not have let in. */
async function resend() {
  const scans = kept.all().slice(0, SENT_AT_ONCE);
  if (sending || !key || scans.length === 0) return;
  sending = true;
  try {
    const { data } = await ask("POST", "/scans/batch", { body: { scans } });
    const late = data.results.filter((one) => one.result !== "in");
    const lines = late.map((one) => make("li", {}, [WORDS[one.result](), detail(one)].filter(Boolean).join(" · ")));
    $("door-late").prepend(...lines);
    while ($("door-late").children.length > LATE_SHOWN) $("door-late").lastChild.remove();
    kept.sent(scans);
    counts();
  } catch {
    // They stay kept.
  }
  sending = false;
  drawKept();
}

async function counts() {
  const { data } = await ask("GET", "").catch(() => ({}));
  if (data) setText($("door-counts"), t("door-counts", { inside: data.in, sold: data.sold }));
}

async function camera() {
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  const video = $("door-video");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    result("no", t("door-failed"), t("door-no-camera"));
    return;
  }
  video.srcObject = stream;
  show(video, true);
  await video.play();
  let last = { token: "", at: 0 };
  const look = async () => {
    if (!stream) return;
    const [code] = await detector.detect(video).catch(() => []);
    const isNew = code && (code.rawValue !== last.token || Date.now() - last.at > SAME_MS);
    if (isNew) {
      last = { token: code.rawValue, at: Date.now() };
      await scan(code.rawValue);
    }
    setTimeout(look, LOOK_MS);
  };
  look();
}

function draw(isIn) {
  show($("door-begin"), !isIn);
  show($("door"), isIn);
  show($("door-camera"), "BarcodeDetector" in window);
  if (isIn) $("door-code").focus();
}

$("door-begin").addEventListener("submit", async (event) => {
  event.preventDefault();
  key = $("door-key").value.trim();
  gate = $("door-gate").value.trim();
  try {
    await ask("GET", "");
    sessionStorage.setItem(KEPT_KEY, key);
    sessionStorage.setItem(KEPT_GATE, gate);
    show($("door-begin-problem"), false);
    draw(true);
    counts();
  } catch (refusal) {
    const isRefused = refusal.status === 401 || refusal.status === 403;
    setText($("door-begin-problem"), isRefused ? t("door-key-refused") : explain(refusal, t));
    show($("door-begin-problem"), true);
  }
});
$("door-scan").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("door-code").value.trim();
  $("door-code").value = "";
  $("door-code").focus();
  if (token) scan(token);
});
$("door-camera").addEventListener("click", camera);
$("door-stop").addEventListener("click", () => {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  sessionStorage.removeItem(KEPT_KEY);
  location.reload();
});
setInterval(resend, RESEND_MS);
draw(Boolean(key && gate));
drawKept();
if (key && gate) counts();
