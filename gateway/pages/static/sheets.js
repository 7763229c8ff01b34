// The tickets of a booking, one a sheet.

import { $, localTimes, page, setText, show, t } from "./page.js";
import { call, explain } from "./api.js";

function sheet(ticket) {
  const copy = $("sheet").content.cloneNode(true);
  const { section, row, number } = ticket;
  const seat = t("sheets-seat", { section, row, number: String(number) });
  setText(copy.querySelector(".sheet-seat"), seat);
  const code = copy.querySelector(".sheet-code");
  code.src = ticket.qrCode;
  code.alt = t("sheets-code", { seat });
  setText(copy.querySelector(".sheet-numbers"), t("sheets-numbers", { ticket: ticket.ticketId, booking: page.bookingId }));
  return copy;
}

async function begin() {
  try {
    const { data } = await call("GET", `/v1/bookings/${page.bookingId}`, { attempts: 4 });
    const tickets = data.eventId === page.event.eventId ? (data.tickets ?? []) : [];
    $("sheets").replaceChildren(...tickets.map(sheet));
    localTimes($("sheets"));
    show($("sheets-print"), tickets.length > 0);
    if (tickets.length === 0) throw new Error("none");
  } catch (problem) {
    setText($("sheets-problem"), problem.message === "none" ? t("sheets-none") : explain(problem, t));
    show($("sheets-problem"), true);
  }
}

$("sheets-print").addEventListener("click", () => window.print());
begin();
