// Giving bought tickets back: which ones, what for, and what became of the money.

import { $, announce, lang, make, page, setText, show, t } from "./page.js";
import { call, explain } from "./api.js";
import { money } from "./format.js";
import { seatName } from "./seats.js";

/** How often, and how many times, a refund that is on its way is asked for. */
const LOOK_MS = 2000;
const LOOKS = 10;

/** What cancelling these seats would give back by the booking as it was shown, in minor units. */
export function refundOf(booking, seatIds) {
  const chosen = (booking.seatDetails ?? []).filter((seat) => seatIds.includes(seat.seatId));
  return chosen.reduce((sum, seat) => sum + (seat.refund ?? 0), 0);
}

/** The cancellation below the tickets. `onChanged(booking)` is called with the booking as it is afterwards. */
export function createCancel({ onChanged }) {
  let booking;
  let working = false;
  let looking;

  const price = (amount) => money(amount, booking.currency ?? page.event.currency, lang);
  const boxes = () => [...$("cancel-seats").querySelectorAll("input")];
  const chosen = () => boxes().flatMap((box) => (box.checked ? [box.value] : []));

  function problem(text) {
    setText($("cancel-problem"), text ?? "");
    show($("cancel-problem"), Boolean(text));
  }

  /** The button says what it does, before it does it. */
  function review() {
    const n = chosen().length;
    const amount = refundOf(booking, chosen());
    $("cancel-confirm").disabled = working || n === 0;
    const label = amount > 0 ? t("cancel-confirm", { n, amount: price(amount) }) : t("cancel-confirm-nothing", { n });
    setText($("cancel-confirm"), n === 0 ? t("cancel-choose") : label);
  }

  /** Says what is given back and how far that got, and looks again while it is on its way. */
  function tellRefund(left) {
    clearTimeout(looking);
    const { refundAmount, refundStatus } = booking;
    show($("cancel-refund"), refundAmount !== undefined);
    if (refundAmount === undefined) return;
    setText($("cancel-refund"), t(`cancel-refund-${refundStatus ?? "nothing"}`, { amount: price(refundAmount) }));
    if (refundStatus !== "pending" || left === 0) return;
    const { bookingId } = booking;
    looking = setTimeout(async () => {
      const found = await call("GET", `/v1/bookings/${bookingId}`).catch(() => undefined);
      if (booking.bookingId !== bookingId) return;
      if (found) booking = { ...booking, refundStatus: found.data.refundStatus };
      tellRefund(left - 1);
    }, LOOK_MS);
  }

  function draw(next) {
    booking = next;
    const seats = booking.cancellation ? booking.seatDetails ?? [] : [];
    show($("cancel"), seats.length > 0);
    $("cancel-seats").replaceChildren(
      ...seats.map((seat) => {
        const box = make("input", { type: "checkbox", value: seat.seatId });
        const back = seat.refund > 0 ? t("cancel-seat-back", { amount: price(seat.refund) }) : t("cancel-seat-nothing");
        return make("label", { class: "cancel-seat" }, box, `${seatName(seat)}: ${back}`);
      }),
    );
    problem();
    review();
    tellRefund(LOOKS);
  }

  async function cancel() {
    if (working || chosen().length === 0) return;
    working = true;
    problem();
    review();
    const seats = chosen();
    const body = { seats, refundAmount: refundOf(booking, seats) };
    try {
      const { data } = await call("POST", `/v1/bookings/${booking.bookingId}/cancel`, { body, attempts: 4 });
      $("cancel").open = false;
      announce(t("cancel-done", { n: seats.length }));
      onChanged(data);
    } catch (refusal) {
      // Less is given back by now than was shown: the new amounts are shown first.
      const found = await call("GET", `/v1/bookings/${booking.bookingId}`).catch(() => undefined);
      if (found) onChanged(found.data);
      problem(refusal.slug === "refund-changed" ? t("cancel-changed") : explain(refusal, t));
    } finally {
      working = false;
      review();
    }
  }

  $("cancel-seats").addEventListener("change", review);
  $("cancel-form").addEventListener("submit", (event) => {
    event.preventDefault();
    cancel();
  });
  return { draw };
}
