// Paying for a hold: payment first, then confirmation, each safe to repeat.

import { $, announce, lang, make, page, setText, show, t } from "./page.js";
import { call, explain } from "./api.js";
import { clockFace, duration, money } from "./format.js";
import { seatName } from "./seats.js";

/** More time is offered from here on. */
const LITTLE_TIME_MS = 120_000;

/**
 * The checkout. `admission()` gives the admission's headers; `onPaid(booking)` is called with a confirmed booking,
 * `onLost(text)` when the hold is over, with what to tell the visitor.
 */
export function createCheckout({ clock, admission, onPaid, onLost }) {
  let booking;
  let working = false;
  let warned = false;
  let offered = false;
  // A payment that was made and not yet refused: asked about again rather than made twice.
  let transaction;

  const price = (amount) => money(amount, booking.currency ?? page.event.currency, lang);

  function notice(text) {
    setText($("checkout-notice"), text);
    show($("checkout-notice"), Boolean(text));
  }

  function busy(now, isPaying = false) {
    working = now;
    const pay = $("checkout-pay");
    if (pay) {
      pay.disabled = now;
      setText(pay, isPaying ? t("checkout-paying") : t("checkout-pay", { amount: price(booking.totalAmount) }));
    }
    $("checkout-release").disabled = now;
    $("checkout-extend").disabled = now;
  }

  function over(text) {
    booking = undefined;
    transaction = undefined;
    onLost(text);
  }

  async function transactionFor(outcome) {
    if (transaction) return transaction;
    const body = { amount: booking.totalAmount, currency: booking.currency, outcome };
    const { data } = await call("POST", "/v1/sandbox/payments", { body, headers: admission() });
    transaction = data.transactionId;
    return transaction;
  }

  async function pay(outcome) {
    if (working) return;
    busy(true, true);
    notice("");
    const amount = booking.totalAmount;
    try {
      const transactionId = await transactionFor(outcome);
      const body = {
        bookingId: booking.bookingId,
        paymentDetails: { paymentMethod: "sandbox", transactionId, amount },
      };
      const email = $("checkout-email")?.value.trim();
      if (email) body.contact = { email };
      const { data } = await call("POST", "/v1/bookings/confirm", { body, headers: admission(), attempts: 3 });
      const paid = { totalAmount: amount, currency: booking.currency, seatDetails: booking.seatDetails, ...data };
      booking = undefined;
      transaction = undefined;
      onPaid(paid);
    } catch (refusal) {
      refused(refusal);
    }
  }

  function refused(refusal) {
    busy(false);
    if (refusal.slug === "hold-expired") {
      over(t("checkout-expired"));
    } else if (refusal.slug === "event-over") {
      over(t("checkout-begun"));
    } else if (refusal.status === 402) {
      transaction = undefined;
      notice(t("checkout-declined"));
    } else if (refusal.status === 0 || refusal.status >= 500) {
      notice(refusal.status === 0 ? explain(refusal, t) : t("checkout-again"));
    } else {
      if (refusal.status === 422) transaction = undefined;
      notice(explain(refusal, t));
    }
  }

  async function release() {
    if (working) return;
    busy(true);
    notice(t("checkout-releasing"));
    try {
      await call("DELETE", `/v1/bookings/${booking.bookingId}`, { headers: admission(), attempts: 3 });
      over(t("checkout-released"));
    } catch (refusal) {
      busy(false);
      notice(explain(refusal, t));
    }
  }

  async function extend() {
    if (working) return;
    busy(true);
    setText($("checkout-extend"), t("checkout-more-asking"));
    const had = booking;
    try {
      const { data } = await call("POST", `/v1/bookings/${had.bookingId}/extend`, { attempts: 3 });
      booking = { ...had, expiresAt: data.expiresAt, extendableBySeconds: undefined };
      warned = false;
      notice("");
      announce(t("checkout-more-done", { duration: duration(clock.until(booking.expiresAt), t) }));
      // The button that was pressed goes away: its reader goes on where the time is told.
      $("checkout-title").focus();
    } catch (refusal) {
      if (refusal.slug === "hold-expired") return over(t("checkout-expired"));
      // The hold lives on to its deadline, and no longer.
      if (refusal.slug === "event-over") booking = { ...had, extendableBySeconds: undefined };
      notice(explain(refusal, t));
    }
    busy(false);
    tick();
  }

  /** Offers more time when little is left, and says so once. */
  function offer(left) {
    const seconds = booking.extendableBySeconds;
    const isOffered = Boolean(seconds) && left > 0 && left < LITTLE_TIME_MS;
    show($("checkout-more"), isOffered);
    if (!isOffered || working) return;
    const more = t("checkout-more", { duration: duration(seconds * 1000, t) });
    setText($("checkout-extend"), more);
    setText($("checkout-more-offer"), t("checkout-more-offer"));
    if (!offered) announce(`${t("checkout-more-offer")} ${more}`);
    offered = true;
  }

  function tick() {
    if (!booking) return;
    const left = clock.until(booking.expiresAt);
    offer(left);
    setText($("checkout-timer"), t("checkout-timer", { duration: clockFace(left) }));
    $("checkout-timer").classList.toggle("urgent", left < 60_000);
    if (left > 0 && left < 60_000 && !warned) {
      warned = true;
      announce(t("checkout-timer-last"));
    }
    // While a payment runs, the server alone says whether it came in time.
    if (left === 0 && !working) over(t("checkout-expired"));
  }

  $("checkout-form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    pay(new FormData(event.target).get("outcome"));
  });
  // Another outcome is another payment.
  $("checkout-form")?.addEventListener("change", () => (transaction = undefined));
  $("checkout-release").addEventListener("click", release);
  $("checkout-extend").addEventListener("click", extend);
  setInterval(tick, 250);

  return {
    /** Shows a hold. */
    open(held) {
      booking = held;
      transaction = undefined;
      warned = false;
      offered = false;
      notice("");
      $("checkout-seats").replaceChildren(
        ...held.seatDetails.map((seat) =>
          make(
            "tr",
            {},
            make("td", {}, seatName(seat)),
            make("td", {}, seat.category ?? ""),
            make("td", { class: "amount" }, price(seat.price)),
          ),
        ),
      );
      setText($("checkout-total"), price(held.totalAmount));
      busy(false);
      tick();
    },
    close() {
      booking = undefined;
    },
  };
}
