// What the taste had expected, in words and as a picture.

import { fill, h, percent, visible } from "/assets/dom.js";

/**
 * Fills `element` with a prediction on the clip on the left against the one on the right:
 * {p_a, interval, abstained, version, because}, where "a" is the left one (A on the screen).
 */
export function showExpected(element, prediction, choice) {
  fill(element, prediction.abstained ? learning() : guess(prediction, choice), reasons(prediction));
}

function learning() {
  return h("p", {}, "It is still learning your taste, and does not guess about a pair like this yet.");
}

/** How far it has come, in words: from so many choices, given its prediction before the last of them (null: not known). */
export function progress(choices, prediction) {
  const count = `${choices} choice${choices === 1 ? "" : "s"} learned from so far`;
  const more = (prediction?.more_choices ?? 0) - 1; // it was told before this choice
  return more > 0 ? `${count}; learning: about ${more} more until it guesses.` : `${count}.`;
}

function guess({ p_a: p, interval }, choice) {
  const [low, high] = interval ?? [p, p];
  const even = Math.round(100 * p) === 50;
  const letter = p >= 0.5 ? "A" : "B";
  const sure = p >= 0.5 ? p : 1 - p;
  const [from, to] = p >= 0.5 ? [low, high] : [1 - high, 1 - low];
  const range = `90 % interval ${percent(from)} to ${percent(to)}`;
  const words = even
    ? `It expected neither: 50 % each (${range}).`
    : `It expected ${letter} with ${percent(sure)} (${range}).`;
  return [h("p", { class: outcome(even, letter, choice) }, words), meter(p, low, high)];
}

function outcome(even, letter, choice) {
  if (even || choice === "tie") return "";
  return letter === choice ? "good" : "fair";
}

function meter(p, low, high) {
  const between = h("span", { class: "between" });
  between.style.setProperty("left", `${100 * (1 - high)}%`);
  between.style.setProperty("right", `${100 * low}%`);
  const at = h("span", { class: "at" });
  at.style.setProperty("left", `${100 * (1 - p)}%`);
  return [
    h("div", { class: "meter", "aria-hidden": "true" }, between, at),
    h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, "A"), h("span", {}, "even"), h("span", {}, "B")),
  ];
}

function reasons({ because }) {
  if (!Array.isArray(because) || !because.length) return null;
  return h("ul", {}, because.map((line) => h("li", { class: "stranger", dir: "auto" }, visible(line))));
}
