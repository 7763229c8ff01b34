// The console's list of payments and refunds that a person has to see to.

import { $, announce, lang, make, setText, show, t } from "./page.js";
import { explain } from "./api.js";
import { moment, money } from "./format.js";

const PATH = "/v1/operator/payments";
const EVERY_MS = 30_000;
const MAX_HOW_CHARS = 500;

/** Binds it. `ask` calls with the operator's key. */
export function bindStuck({ ask }) {
  let timer;

  const facts = (payment) => [
    payment.refund ? t("operator-stuck-refund", { n: payment.refund }) : t("operator-stuck-payment"),
    payment.bookingId,
    payment.transactionId,
    payment.eventId ?? "–",
    payment.status ?? "–",
  ];

  /** Sees to a payment; `resolved` says how it was done outside. */
  async function seeTo(payment, resolved, said) {
    const body = { transactionId: payment.transactionId, refund: payment.refund, ...(resolved && { resolved }) };
    setText(said, t("operator-setting"));
    try {
      await ask("POST", `${PATH}/${encodeURIComponent(payment.bookingId)}`, { body });
      announce(t("operator-stuck-done"));
      await load();
      $("stuck-title").focus();
    } catch (refusal) {
      setText(said, explain(refusal, t));
    }
  }

  function actions(payment) {
    const said = make("p", { class: "said", role: "status" });
    const again = make("button", { type: "button", class: "button button-small" }, t("operator-stuck-again"));
    again.addEventListener("click", () => seeTo(payment, undefined, said));
    const how = make("input", { type: "text", required: "", maxlength: MAX_HOW_CHARS, autocomplete: "off" });
    const note = make("button", { class: "button button-small" }, t("operator-stuck-resolve"));
    const form = make("form", {}, make("label", { class: "field" }, make("span", {}, t("operator-stuck-how")), how), note);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (how.value.trim()) seeTo(payment, how.value.trim(), said);
    });
    return make("td", {}, again, form, said);
  }

  function row(payment) {
    return make(
      "tr",
      {},
      make("td", {}, moment(payment.since, lang)),
      make("td", {}, ...facts(payment).map((fact) => make("div", {}, fact))),
      make("td", {}, money(payment.amount, payment.currency, lang)),
      make("td", {}, payment.reason),
      actions(payment),
    );
  }

  async function load() {
    const { data } = await ask("GET", `${PATH}/stuck`);
    const payments = data.payments ?? [];
    $("stuck-rows").replaceChildren(...payments.map(row));
    show($("stuck"), payments.length > 0);
    show($("stuck-empty"), payments.length === 0);
  }

  /** Whether somebody is at it: then the list stays as it is. */
  const isBusy = () => $("stuck-rows").contains(document.activeElement);

  async function again() {
    if (!isBusy()) await load().catch(() => {});
    timer = setTimeout(again, EVERY_MS);
  }

  return {
    start: () => {
      clearTimeout(timer);
      again();
    },
    stop: () => clearTimeout(timer),
  };
}
