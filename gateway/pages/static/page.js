// What every page's script needs: its data, its texts, and small acts on the document.

import { createTranslator } from "./messages.js";
import { moment } from "./format.js";

function json(id) {
  const block = document.getElementById(id);
  return block ? JSON.parse(block.textContent) : {};
}

/** The page's data, as the server wrote it. */
export const page = json("page");

/** The page's language. */
export const lang = page.lang || document.documentElement.lang || undefined;

/** Formats a message of the catalogue. */
export const t = createTranslator(json("messages"), lang);

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/** A new element; strings become text, never markup. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Sets a text only where it differs, so that screen readers and layout rest. */
export function setText(element, text) {
  if (element && element.textContent !== String(text)) element.textContent = text;
}

/** Shows or hides. */
export function show(element, visible) {
  if (element && element.hidden === visible) element.hidden = !visible;
}

/** Says something to screen readers, politely. */
export function announce(text) {
  const announcer = $("announcer");
  announcer.textContent = "";
  // The same words twice in a row are only said if the element was empty in between.
  setTimeout(() => setText(announcer, text), 50);
}

/** Puts the times that the server wrote in UTC into the visitor's zone. */
export function localTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-when]")) {
    setText(element, moment(element.dataset.when, lang));
  }
}
