// The tickets of a confirmed booking.

import { $, lang, make, page, setText, show, t } from "./page.js";
import { moment, money } from "./format.js";
import { createCancel } from "./cancel.js";
import { seatName } from "./seats.js";

const cancel = createCancel({ onChanged: drawTickets });

/** From when to when the event was moved since it was booked, and until when that gives the whole price back. */
function tellMoved({ moved, cancellation }) {
  show($("tickets-moved"), Boolean(moved));
  if (!moved) return;
  const { from, to, giveBackUntil: until, reason } = moved;
  const said = t("tickets-moved", { from: moment(from, lang), to: moment(to, lang), reason });
  const back = cancellation?.percent === 100 ? t("tickets-moved-back", { until: moment(until, lang) }) : "";
  setText($("tickets-moved"), `${said} ${back}`.trim());
}

/** Shows them. */
export function drawTickets(booking) {
  const tickets = booking.tickets ?? [];
  const bySeat = new Map((booking.seatDetails ?? []).map((seat) => [seat.seatId, seat]));
  const isCancelled = booking.status === "cancelled";
  setText($("tickets-title"), isCancelled ? t("tickets-cancelled") : t("tickets-title"));
  show($("tickets-lead"), !isCancelled);
  show($("tickets-body"), !isCancelled);
  tellMoved(booking);
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
