// Elements from data. Text only ever becomes text: nothing here reads markup.

/**
 * Makes an element: h("p", {class: "note", onclick: f, "aria-live": "polite"}, "text", otherElement).
 * Attributes that are null, undefined or false are left out; true is an empty attribute; on* is a listener.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** Children may be lists of lists; what is null, undefined or false is nothing. */
function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** The one element a selector names; an error when the page lacks it. */
export function find(selector, within = document) {
  const element = within.querySelector(selector);
  if (!element) throw new Error(`the page lacks ${selector}`);
  return element;
}

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text of a stranger with every control, invisible or direction-changing character spelled out. */
export function visible(text) {
  return String(text).replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A final score in two decimals, cut and not rounded, so that it never stands above its grade. */
export function finalText(final) {
  if (final < 0.01) return "0.00";
  const [whole, part = ""] = String(final).split(".");
  return `${whole}.${part.slice(0, 2).padEnd(2, "0")}`;
}

/** A share as a whole percentage: 0.714 -> "71 %". */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}
