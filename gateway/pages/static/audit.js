// The console's list of who changed what, newest first.

import { $, lang, make, show } from "./page.js";
import { describe } from "./audit-text.js";
import { moment } from "./format.js";

/** Binds it. `ask` calls with the operator's key; `path()` is the trail's address. */
export function bindAudit({ ask, path }) {
  let next;

  function row(entry) {
    return make(
      "tr",
      {},
      make("td", {}, moment(entry.at, lang)),
      make("td", {}, entry.actor ?? "–"),
      make("td", {}, entry.action ?? "–"),
      make("td", {}, describe(entry.before)),
      make("td", {}, describe(entry.after)),
    );
  }

  async function load(from) {
    const query = from === undefined ? "" : `?before=${encodeURIComponent(from)}`;
    const { data } = await ask("GET", path() + query);
    const rows = (data.entries ?? []).map(row);
    if (from === undefined) $("audit-rows").replaceChildren(...rows);
    else $("audit-rows").append(...rows);
    next = data.next ?? undefined;
    const any = $("audit-rows").children.length > 0;
    show($("audit"), any);
    show($("audit-empty"), !any);
    show($("audit-more"), next !== undefined);
  }

  $("audit-more").addEventListener("click", () => load(next).catch(() => {}));
  // A viewer's key may not be allowed to read it: then the list stays empty.
  return { refresh: () => load().catch(() => show($("audit"), false)) };
}
