// The tickets of a confirmed booking.

import { $, lang, make, page, setText, show, t } from "./page.js";
import { money } from "./format.js";
import { createCancel } from "./cancel.js";
import { seatName } from "./seats.js";

const cancel = createCancel({ onChanged: drawTickets });

/** Shows them. */
export function drawTickets(booking) {
  const tickets = booking.tickets ?? [];
  const bySeat = new Map((booking.seatDetails ?? []).map((seat) => [seat.seatId, seat]));
  const isCancelled = booking.status === "cancelled";
  setText($("tickets-title"), isCancelled ? t("tickets-cancelled") : t("tickets-title"));
  show($("tickets-lead"), !isCancelled);
  show($("tickets-body"), !isCancelled);
  cancel.draw(booking);
  $("tickets-print").href = `/e/${page.event.eventId}/tickets/${booking.bookingId}`;
  $("tickets-calendar").href = `/v1/bookings/${booking.bookingId}/calendar.ics`;
  setText($("tickets-heading"), t("tickets-heading", { n: tickets.length }));
  setText($("tickets-booking"), t("tickets-booking", { id: booking.bookingId }));
  $("tickets-list").replaceChildren(
    ...tickets.map((ticket) => {
      const seat = { ...bySeat.get(ticket.seatId), ...ticket };
      const number = make("span", { class: "quiet" }, t("tickets-number", { id: ticket.ticketId }));
      const alt = t("tickets-qr", { seat: seatName(seat) });
      const qr = make("img", { class: "qr", src: ticket.qrCode, alt, width: "240", height: "240" });
      return make("li", {}, make("strong", {}, seatName(seat)), qr, number);
    }),
  );
  const paid = booking.totalAmount !== undefined;
  show($("tickets-paid"), paid);
  if (paid) {
    const amount = money(booking.totalAmount, booking.currency ?? page.event.currency, lang);
    setText($("tickets-paid"), t("tickets-paid", { amount }));
  }
}
