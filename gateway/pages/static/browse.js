// The list of events: its times in the visitor's zone, and the search as one types. Without it the form does the same.

import { $, announce, localTimes, make } from "./page.js";

/** How long after the last key it is searched, in milliseconds. */
const REST_MS = 150;

const form = $("search");
let pending;
let timer;

/** What the form asks for, as an address. */
function address() {
  const asked = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...asked]) if (!value.trim()) asked.delete(name);
  return asked.size ? `/?${asked}` : "/";
}

async function text(path, accept) {
  const answer = await fetch(path, { headers: { accept }, signal: pending.signal });
  return answer.ok || answer.status === 400 ? answer.text() : null;
}

/** Shows what `path` finds in the place of what is shown, and puts it into the address. */
async function find(path) {
  const shown = await text(path, "text/html");
  if (shown === null) return;
  const results = new DOMParser().parseFromString(shown, "text/html").getElementById("results");
  localTimes(results);
  $("results").replaceChildren(...results.childNodes);
  history.replaceState(null, "", path);
  announce($("count")?.firstChild.textContent.trim() ?? $("results").querySelector(".empty")?.textContent.trim() ?? "");
}

async function suggest(term) {
  const offered = term.trim() ? await text(`/v1/events/suggestions?${new URLSearchParams({ term })}`, "application/json") : null;
  const { suggestions } = offered ? JSON.parse(offered) : { suggestions: [] };
  $("suggestions").replaceChildren(...(suggestions ?? []).map((found) => make("option", { value: found.text })));
}

function search() {
  clearTimeout(timer);
  pending?.abort();
  timer = setTimeout(() => {
    pending = new AbortController();
    // What is aborted is over, and what can't be reached is tried again with the next key.
    Promise.all([find(address()), suggest($("term").value)]).catch(() => {});
  }, REST_MS);
}

form.addEventListener("input", search);
localTimes();
