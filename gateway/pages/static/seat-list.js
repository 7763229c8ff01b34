// The seats as a list, section by section: for who finds a map hard to use.

import { make, setText, t } from "./page.js";
import { AVAILABLE } from "./seats-model.js";

/** A list over a model; `name(index)` is a seat's accessible name. */
export function createSeatList({ select, rows, model, name, onToggle }) {
  const bySection = new Map();
  model.seats.forEach((seat, index) => {
    if (!bySection.has(seat.section)) bySection.set(seat.section, new Map());
    const section = bySection.get(seat.section);
    if (!section.has(seat.row)) section.set(seat.row, []);
    section.get(seat.row).push(index);
  });
  for (const section of bySection.keys()) select.append(make("option", { value: section }, section));

  const buttons = new Map();

  function paint(index) {
    const button = buttons.get(index);
    if (!button) return;
    const chosen = model.chosen.has(index);
    button.setAttribute("aria-pressed", chosen);
    button.setAttribute("aria-label", name(index));
    button.disabled = !chosen && model.status(index) !== AVAILABLE;
  }

  function draw() {
    buttons.clear();
    const content = [...(bySection.get(select.value) ?? new Map())].map(([row, indexes]) => {
      const heading = make("h3", {}, t("seats-row", { row }));
      const list = make("ul", { class: "seat-row" });
      for (const index of indexes) {
        const button = make("button", { type: "button", class: "seat-button" }, String(model.seats[index].number));
        button.addEventListener("click", () => onToggle(index));
        buttons.set(index, button);
        list.append(make("li", {}, button));
        paint(index);
      }
      const none = make("p", { class: "quiet" });
      setText(none, indexes.some((index) => model.status(index) === AVAILABLE) ? "" : t("seats-row-none"));
      return make("div", {}, heading, list, none);
    });
    rows.replaceChildren(...content);
  }

  select.addEventListener("change", draw);
  return { draw, paint: (indexes) => indexes.forEach(paint) };
}
