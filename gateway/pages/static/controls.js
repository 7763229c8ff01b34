// The console's controls: rate, cap, pause. Each says what happened, or why it didn't.

import { $, setText, t } from "./page.js";
import { explain } from "./api.js";

const DONE = {
  ratePerMinute: (value) => t("operator-rate-done", { n: value }),
  maxActive: (value) => t("operator-cap-done", { n: value }),
  paused: (value) => (value ? t("operator-paused-done") : t("operator-resumed-done")),
};

/**
 * Binds them. `ask(method, path, options)` calls with the operator's key; `path()` is the sale's address;
 * `onChanged(sale)` gets the sale as it is after a change.
 */
export function bindControls({ ask, path, onChanged }) {
  let etag;
  let sale = {};
  // What the operator is typing must not be overwritten by the live numbers.
  const touched = new Set();
  const forms = [...document.querySelectorAll("form[data-control]")];

  async function fetchSale() {
    const answer = await ask("GET", path());
    etag = answer.etag;
    return answer.data;
  }

  function draw(now) {
    sale = { ...sale, ...now };
    for (const form of forms) {
      const input = form.querySelector("input");
      const value = sale[form.dataset.control];
      if (input && !touched.has(form) && value !== undefined) input.value = value;
    }
    setText($("pause"), sale.paused ? t("operator-resume") : t("operator-pause"));
  }

  async function change(form, name, value) {
    const said = form.querySelector(".said");
    const button = form.querySelector("button");
    const say = (text, failed) => {
      setText(said, text);
      said.classList.toggle("said-failed", failed);
    };
    button.disabled = true;
    say(t("operator-setting"), false);
    try {
      const headers = etag ? { "If-Match": etag } : {};
      const answer = await ask("PATCH", path(), { body: { [name]: value }, headers });
      etag = answer.etag ?? etag;
      touched.delete(form);
      say(DONE[name](value), false);
      onChanged(answer.data ?? { [name]: value });
    } catch (refusal) {
      if (refusal.status === 412) {
        touched.delete(form);
        say(t("operator-changed-meanwhile"), true);
      } else {
        say(explain(refusal, t), true);
      }
    } finally {
      // The tag is only good for the state that was last seen, whoever changed it.
      const now = await fetchSale().catch(() => undefined);
      if (now) onChanged(now);
      button.disabled = false;
    }
  }

  for (const form of forms) {
    const name = form.dataset.control;
    const input = form.querySelector("input");
    input?.addEventListener("input", () => touched.add(form));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!input) {
        change(form, name, !sale.paused);
        return;
      }
      const value = Number(input.value);
      if (Number.isInteger(value) && value >= 1) {
        change(form, name, value);
      } else {
        setText(form.querySelector(".said"), t("operator-not-a-number"));
        form.querySelector(".said").classList.add("said-failed");
        input.focus();
      }
    });
  }

  return {
    draw,
    /** Another event: forgets what belonged to the one before, and asks for its sale. */
    async open() {
      etag = undefined;
      sale = {};
      touched.clear();
      for (const form of forms) setText(form.querySelector(".said"), "");
      return fetchSale();
    },
  };
}
