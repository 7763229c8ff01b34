import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { buyAndCancel, hold, openSale, startBrowser, startWeir } from "./kit.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let weir, browser;

before(async () => {
  weir = await startWeir();
  browser = await startBrowser();
});

after(async () => {
  await browser?.stop();
  await weir?.stop();
});

/** What a screen reader's user would stumble over on the page as it is now. */
async function barriers(page) {
  // The page's own policy forbids scripts from elsewhere, so the checker goes in through the debugger.
  await page.evaluate(await (await import("node:fs/promises")).readFile(axe, "utf8"));
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes[0].html}`);
}

test("a visitor joins, waits, picks two seats, pays, sees tickets and gives them back", async () => {
  const event = await openSale(weir, { opensInMs: 6000 });
  const page = await browser.page();
  await page.goto(`${weir.base}/`);
  await page.getByRole("link", { name: "The Sluices, live" }).first().click();
  await page.getByRole("button", { name: "Join the waiting room" }).click();
  await page.getByText("You're in the waiting room").waitFor();
  assert.deepEqual(await barriers(page), []);

  await page.locator("#room-claim:visible, #map:visible").first().waitFor({ timeout: 60_000 });
  if (await page.locator("#room-claim").isVisible()) await page.locator("#room-claim").click();
  await page.locator("#map").waitFor();
  await page.getByRole("option", { name: /row C, seat 5/ }).first().waitFor();
  assert.deepEqual(await barriers(page), []);

  // With the keyboard alone: a seat, and the one beside it.
  await page.getByRole("option", { name: /row C, seat 5/ }).focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Space");
  await page.locator("#hold").click();

  await page.locator("#checkout-title").waitFor();
  await page.locator("#checkout-total", { hasText: "90.00" }).waitFor();
  assert.deepEqual(await barriers(page), []);
  await page.locator("#checkout-pay").click();
  await page.locator("#tickets-title").waitFor({ timeout: 30_000 });
  assert.equal(await page.locator("#tickets-list > li").count(), 2);
  // Each resolves once its picture is there, and fails where there is none.
  const codes = () => Promise.all([...document.querySelectorAll("#tickets-list img")].map((code) => code.decode()));
  assert.equal((await page.evaluate(codes)).length, 2);
  assert.deepEqual(await barriers(page), []);

  // The same on paper, one a sheet.
  const sheets = await page.context().newPage();
  await sheets.goto(new URL(await page.locator("#tickets-print").getAttribute("href"), weir.base).href);
  await sheets.getByText("row C, seat 5").waitFor();
  assert.equal(await sheets.locator(".sheet").count(), 2);
  assert.deepEqual(await barriers(sheets), []);
  await sheets.emulateMedia({ media: "print" });
  assert.equal(await sheets.locator("#sheets-print").isVisible(), false);
  await sheets.goto(`${weir.base}/e/${event}/door`);
  await sheets.locator("#door-key").waitFor();
  assert.deepEqual(await barriers(sheets), []);
  await sheets.close();

  // One ticket goes back, with the money shown before and after; then the other.
  await page.getByText("Cancel tickets").click();
  assert.equal(await page.locator("#cancel-confirm").isDisabled(), true);
  await page.locator("#cancel-seats input").first().check();
  await page.getByRole("button", { name: /Cancel this ticket and get .*45\.00 EUR back/ }).waitFor();
  assert.deepEqual(await barriers(page), []);
  await page.locator("#cancel-confirm").click();
  await page.getByText(/45\.00 EUR were given back/).waitFor({ timeout: 30_000 });
  assert.equal(await page.locator("#tickets-list > li").count(), 1);
  await page.getByText("Cancel tickets").click();
  await page.locator("#cancel-seats input").first().check();
  await page.locator("#cancel-confirm").click();
  await page.getByRole("heading", { name: "Your booking is cancelled" }).waitFor();
  await page.getByText(/90\.00 EUR were given back/).waitFor({ timeout: 30_000 });
  await page.reload();
  await page.getByRole("heading", { name: "Your booking is cancelled" }).waitFor();
  assert.equal(await page.locator("#tickets-list").isVisible(), false);
  assert.deepEqual(await barriers(page), []);

  // The browser itself recomputes the place from the public record.
  await page.goto(`${weir.base}/e/${event}/draw`);
  await page.getByRole("button", { name: "Check now" }).click();
  await page.getByRole("heading", { name: "Everything agrees" }).waitFor({ timeout: 30_000 });
  assert.deepEqual(await barriers(page), []);
  assert.deepEqual(browser.errors, []);
});

test("a visitor who needs more time gets it once", async () => {
  const extendSeconds = 200;
  const event = await openSale(weir, { opensInMs: 1000, holdSeconds: 110, extendSeconds });
  const page = await browser.page();
  await page.goto(`${weir.base}/e/${event}`);
  await page.getByRole("button", { name: /^Join/ }).click();
  await page.locator("#room-claim:visible, #map:visible").first().waitFor({ timeout: 60_000 });
  if (await page.locator("#room-claim").isVisible()) await page.locator("#room-claim").click();
  await page.getByRole("option", { name: /row C, seat 5/ }).first().click();
  await page.locator("#hold").click();
  await page.locator("#checkout-title").waitFor();

  const timer = page.locator("#checkout-timer");
  const secondsLeft = async () => {
    const [, minutes, seconds] = (await timer.textContent()).match(/^Held for (\d+):(\d\d)$/);
    return 60 * Number(minutes) + Number(seconds);
  };
  const more = page.getByRole("button", { name: /Keep my seats for 3 minutes.* more/ });
  await more.waitFor();
  assert.deepEqual(await barriers(page), []);
  const before = await secondsLeft();
  const extension = page.waitForResponse(/\/v1\/bookings\/[^/]+\/extend$/);
  await more.focus();
  await page.keyboard.press("Enter");
  const extended = await (await extension).json();
  await more.waitFor({ state: "hidden" });
  const grown = (await secondsLeft()) - before;
  assert.ok(grown > extendSeconds - 20 && grown <= extendSeconds, `${grown} s more`);
  assert.equal(await page.evaluate(() => document.activeElement.id), "checkout-title", "a keyboard's user goes on from there");
  assert.deepEqual(await barriers(page), []);

  // Nor is it offered by a page that is loaded anew, or had by whoever asks all the same.
  await page.reload();
  await timer.filter({ hasText: /Held for [45]:/ }).waitFor();
  assert.equal(await page.locator("#checkout-more").isVisible(), false);
  const again = await page.evaluate(async (id) => {
    const answer = await fetch(`/v1/bookings/${id}/extend`, { method: "POST", headers: { "Weir-Page": "1" } });
    return answer.json();
  }, extended.bookingId);
  assert.equal(again.expiresAt, extended.expiresAt);
  await page.locator("#checkout-pay").click();
  await page.locator("#tickets-title").waitFor({ timeout: 30_000 });
  assert.deepEqual(browser.errors, []);
});

test("the waiting room works without JavaScript", async () => {
  const event = await openSale(weir, { opensInMs: 60_000 });
  const page = await browser.page({ javaScriptEnabled: false });
  await page.goto(`${weir.base}/e/${event}`);
  await page.getByRole("button", { name: "Join the waiting room" }).click();
  await page.getByText("You're in the waiting room").waitFor();
  await page.reload();
  await page.getByText("You're in the waiting room").waitFor();
  await page.getByText("Leave the line").click();
  await page.getByRole("button", { name: "Give up my place" }).click();
  await page.getByRole("button", { name: "Join the waiting room" }).waitFor();
});

test("whoever left may join anew, at the end", async () => {
  const event = await openSale(weir, { opensInMs: 60_000 });
  const page = await browser.page();
  await page.goto(`${weir.base}/e/${event}`);
  await page.getByRole("button", { name: "Join the waiting room" }).click();
  await page.getByText("Leave the line").click();
  await page.getByRole("button", { name: "Give up my place" }).click();
  await page.getByRole("button", { name: "Join", exact: false }).click();
  await page.getByText("You're in the waiting room").waitFor();
  assert.deepEqual(browser.errors, []);
});

test("the operator sees the sale and pauses it", async () => {
  await openSale(weir, { opensInMs: 1000 });
  const page = await browser.page({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${weir.base}/operator`);
  await page.getByLabel("Operator key").fill(weir.key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Pause the sale" }).click();
  await page.getByText("The sale is paused.", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Resume the sale" }).click();
  await page.getByText("The sale goes on.", { exact: true }).waitFor();
  assert.deepEqual(await barriers(page), []);
});

test("the operator sees to a refund that the provider refuses", async () => {
  const event = await openSale(weir, { opensInMs: 1000 });
  const booking = await buyAndCancel(weir, event, { seat: "C-5", outcome: "refuseRefund" });
  const page = await browser.page({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${weir.base}/operator`);
  await page.getByLabel("Operator key").fill(weir.key);
  await page.getByRole("button", { name: "Sign in" }).click();
  const row = page.getByRole("row").filter({ hasText: booking });
  await row.getByText("45.00 EUR").waitFor();
  assert.deepEqual(await barriers(page), []);
  await row.getByRole("button", { name: "Try again" }).click();
  await row.getByText(/still stuck/i).waitFor();
  await row.getByLabel("Done outside, how").fill("paid back by bank transfer");
  await row.getByRole("button", { name: "Note as resolved" }).click();
  await page.getByText("Nothing is stuck.", { exact: true }).waitFor();
});

test("a visitor finds an event as they type, by an address that can be shared", async () => {
  await openSale(weir, { opensInMs: 600_000 });
  const page = await browser.page();
  await page.goto(`${weir.base}/`);
  assert.deepEqual(await barriers(page), []);
  await page.getByLabel("Search", { exact: true }).fill("sliuces");
  await page.locator("#count", { hasText: /^\d+ events? found/ }).waitFor();
  await page.getByRole("link", { name: "The Sluices, live" }).first().waitFor();
  assert.match(page.url(), /\/\?term=sliuces$/);
  await page.getByLabel("City").fill("nowhere");
  await page.getByText("Nothing was found").waitFor();
  await page.goto(`${weir.base}/?term=sluice&location=Millbrook`);
  assert.equal(await page.getByLabel("City").inputValue(), "Millbrook");
  await page.locator("mark", { hasText: "Sluices" }).first().waitFor();
  assert.deepEqual(await barriers(page), []);
});

test("a visitor types, filters, opens an event and sees seats change as another holds some", async () => {
  const event = await openSale(weir, { opensInMs: 1000, title: "The Floodgates" });
  const page = await browser.page();
  await page.goto(`${weir.base}/`);
  await page.getByLabel("Search", { exact: true }).fill("floodgate");
  await page.getByRole("link", { name: "The Floodgates" }).waitFor();
  await page.getByLabel("Only with seats left").check();
  await page.waitForURL(/available=true/);
  await page.getByRole("link", { name: "The Floodgates" }).click();
  await page.waitForURL(new RegExp(event));
  await page.getByRole("button", { name: /^Join/ }).click();
  await page.locator("#room-claim:visible, #map:visible").first().waitFor({ timeout: 60_000 });
  if (await page.locator("#room-claim").isVisible()) await page.locator("#room-claim").click();
  await page.getByRole("option", { name: /row C, seat 5.*available/i }).waitFor();
  const { held, headers } = await hold(weir, event, ["C-5", "C-6"]);
  await page.getByRole("option", { name: /row C, seat 5.*held/i }).waitFor();
  await page.getByRole("option", { name: /row C, seat 6.*held/i }).waitFor();
  await page.getByText("70 seats available").waitFor();
  // What is given back can be had again.
  await fetch(`${weir.base}/v1/bookings/${held.bookingId}`, { method: "DELETE", headers });
  await page.getByRole("option", { name: /row C, seat 5.*available/i }).waitFor();
});
