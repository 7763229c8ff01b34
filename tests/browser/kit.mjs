// A real Weir with a sale, and a real browser, for the tests beside this file.

import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const binary = process.env.BROWSER_TEST_BINARY ?? "../../target/debug/weir";
const browserPath = process.env.BROWSER_TEST_CHROMIUM ?? "/usr/bin/chromium";

/** Starts Weir on free ports; `stop` ends it and removes its data. */
export async function startWeir() {
  const folder = mkdtempSync(join(tmpdir(), "weir-browser-"));
  const data = join(folder, "data");
  const key = execFileSync(binary, ["operator-key", "add", "--name", "browser-test", "--role", "admin", "--data", data], { encoding: "utf8" }).trim().split(/\s+/).at(-1);
  const child = spawn(binary, ["--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  const base = await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`weir ended with ${code} before it was ready`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const address = line.match(/http:\/\/[\d.:]+/);
      if (address && line.startsWith("visitors")) resolve(address[0]);
    });
  });
  return {
    base,
    key,
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Opens a sale of a small hall whose lobby is open and which is drawn in `opensInMs`. */
export async function openSale({ base, key }, { opensInMs, title = "The Sluices, live", holdSeconds = 300, extendSeconds = 0 }) {
  const operate = async (method, path, body) => {
    const answer = await fetch(base + path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const rows = ["A", "B", "C", "D", "E", "F"].map((name, y) => ({
    name,
    seats: Array.from({ length: 12 }, (_, x) => ({ seatId: `${name}-${x + 1}`, number: String(x + 1), category: y < 2 ? "Front" : "Back", x: x * 30, y: y * 30 })),
  }));
  const venue = await operate("POST", "/v1/operator/venues", {
    name: "The Mill", address: "1 Weir Lane", location: "Millbrook",
    categories: [{ name: "Front", color: "#8a3b12" }, { name: "Back", color: "#1f5f8b" }],
    sections: [{ name: "Hall", rows }],
  });
  const inMs = (ms) => new Date(Date.now() + ms).toISOString();
  const event = await operate("POST", "/v1/operator/events", {
    title, description: "One night only.", venueId: venue.venueId,
    startsAt: inMs(30 * 86_400_000), currency: "EUR", prices: { Front: 6500, Back: 4500 },
  });
  await operate("PUT", `/v1/operator/events/${event.eventId}/sale`, {
    lobbyOpensAt: inMs(-1000), opensAt: inMs(opensInMs), closesAt: inMs(6 * 3_600_000),
    ratePerMinute: 6000, maxActive: 100, turnSeconds: 60, sessionSeconds: 600, holdSeconds, extendSeconds, maxSeats: 4, batchMs: 1000,
  });
  // The list of events is what a search finds, a moment after an event was added; the gateway hears of its sale then, too.
  for (let found = []; !found.includes(event.eventId); ) {
    const answer = await (await fetch(`${base}/v1/events/search`)).json();
    found = answer.events.filter((listed) => listed.phase).map((listed) => listed.eventId);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return event.eventId;
}

/** Starts the browser; every error on a page ends up in `errors`. */
export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const errors = [];
  return {
    errors,
    async page(options = {}) {
      const context = await browser.newContext({ viewport: { width: 390, height: 844 }, ...options });
      const page = await context.newPage();
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      return page;
    },
    stop: () => browser.close(),
  };
}

async function call(base, method, path, { headers = {}, body } = {}) {
  const init = { method, headers: { ...headers, ...(body && { "content-type": "application/json" }) } };
  const answer = await fetch(base + path, { ...init, ...(body && { body: JSON.stringify(body) }) });
  const data = await answer.json().catch(() => undefined);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(data)}`);
  return data;
}

/** A new visitor comes in over the API and holds the seats. Answers the hold, and the headers that speak for them. */
export async function hold({ base }, eventId, seats) {
  const { accessToken } = await call(base, "POST", "/v1/users/guest");
  const user = { authorization: `Bearer ${accessToken}` };
  const line = `/v1/events/${eventId}/line`;
  const { placeToken } = await call(base, "POST", line, { headers: user });
  let token = placeToken;
  for (;;) {
    const place = await call(base, "GET", `${line}/place`, { headers: { "weir-place": token } });
    token = place.placeToken ?? token;
    if (place.state === "called") break;
    await new Promise((done) => setTimeout(done, place.pollAfterMs ?? 500));
  }
  const { admissionToken } = await call(base, "POST", `${line}/claim`, { headers: { ...user, "weir-place": token } });
  const headers = { ...user, "weir-admission": admissionToken };
  const reserve = { headers: { ...headers, "idempotency-key": "one" }, body: { eventId, seats } };
  return { held: await call(base, "POST", "/v1/bookings/reserve", reserve), headers };
}

/** Buys the seat over the API with a payment that goes as `outcome` says, and cancels it. Answers the booking's id. */
export async function buyAndCancel({ base }, eventId, { seat, outcome }) {
  const { held, headers } = await hold({ base }, eventId, [seat]);
  const { totalAmount: amount, currency, bookingId } = held;
  const { transactionId } = await call(base, "POST", "/v1/sandbox/payments", { body: { amount, currency, outcome } });
  const paymentDetails = { paymentMethod: "card", transactionId, amount };
  await call(base, "POST", "/v1/bookings/confirm", { headers, body: { bookingId, paymentDetails } });
  await call(base, "POST", `/v1/bookings/${bookingId}/cancel`, { headers });
  return bookingId;
}
