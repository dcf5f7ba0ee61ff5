// The list of evaluations: filters as one types, thousands of rows, pictures for those in view.

import { get, url, viewer } from "/assets/api.js";
import { finalText, find, h, visible } from "/assets/dom.js";
import { Thumbs } from "/assets/thumbs.js";
import { Windowed } from "/assets/window.js";

const PAGE = 1000;
const REST_MS = 120; // a list that stands still this long is being looked at
const TYPING_MS = 250;
const TONES = { A: "good", "A-": "good", "B+": "good", B: "good", "B-": "fair", C: "poor", F: "bad" };

const form = find("form.filters");
const list = find("ol.rows");
const count = find(".count");
const thumbs = new Thumbs((id) => `/v1/evaluations/${id}/frames/representative.jpg?max_side=224`);
let items = [];
let next = null;
let total = 0;
let loading = null; // AbortController of the page that is on its way
let resting = 0;
let aim = -1; // the row that the keyboard wants and that is not loaded yet

const height = list.firstElementChild?.getBoundingClientRect().height || 84;
let begun = false; // until then the list is as it came, without script
list.style.height = `${Number(list.dataset.total) * height}px`; // so that who comes back finds the place where they were
const rows = new Windowed(list, { height, row, hidden: (i) => thumbs.drop(items[i]?.id), drawn });

/** What is asked for, as the API calls it and as the page's address does. */
function wanted() {
  const given = Object.fromEntries(new FormData(form));
  const { q, grade, action, of, by } = given;
  return { api: { view: "summary", limit: PAGE, q, grade, action, user: of, profile: by }, page: { ...viewer, q, grade, action, of, by } };
}

async function load({ afresh }) {
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  try {
    const answer = await get("/v1/evaluations", { ...wanted().api, cursor: afresh ? null : next }, { signal });
    items = afresh ? answer.items : items.concat(answer.items);
    ({ next, total } = answer);
    loading = null;
    if (afresh) begin();
    else more();
  } catch (error) {
    if (error.name === "AbortError") return;
    loading = null;
    say(error.message);
    if (!begun) list.style.height = "";
  }
}

function more() {
  say(counted());
  rows.draw();
}

/** Says it once: a screen reader tells each change. */
function say(text) {
  if (count.textContent !== text) count.textContent = text;
}

function filtered() {
  const { q, grade, action, of, by } = wanted().page;
  return Boolean(q || grade || action || of || by);
}

function counted() {
  if (!total && filtered()) return "None matches. Try fewer words, or clear the filters.";
  return `${total.toLocaleString("en")} evaluation${total === 1 ? "" : "s"}, newest first`;
}

function begin() {
  if (total || filtered()) document.querySelector(".empty")?.remove();
  document.body.classList.add("enhanced");
  document.querySelector(".older")?.remove(); // scrolling does what the link did
  thumbs.clear();
  say(counted());
  list.replaceChildren();
  if (begun) scrollTo({ top: Math.min(scrollY, find("main").offsetTop), behavior: "instant" });
  begun = true;
  rows.reset(total);
}

function row(index) {
  const item = items[index];
  if (!item) return null;
  const length = item.kind === "video" ? ` ${item.duration_s.toFixed(1)} s` : "";
  const details = [`${item.final === null ? "–" : finalText(item.final)} ${item.action}`, `${item.kind}${length}`];
  const rest = [visible(item.profile), item.created.slice(0, 16).replace("T", " ")];
  return h(
    "li",
    { class: `row tone-${TONES[item.grade] ?? "none"}`, "aria-setsize": total, "aria-posinset": index + 1, "data-index": index },
    h(
      "a",
      { class: "entry", href: url(`/evaluations/${item.id}`, { ...viewer }) },
      h("span", { class: "thumb" }),
      h("span", { class: "badge" }, item.grade ?? "none"),
      h("span", { class: "what" }, h("bdi", {}, visible(item.prompt))),
      h("span", { class: "meta" }, `${details.join(" · ")} · `, h("bdi", {}, visible(item.user).slice(0, 40)), ` · ${rest.join(" · ")}`),
    ),
  );
}

function drawn(first, end) {
  if (end > items.length && next && !loading) load({ afresh: false });
  if (aim >= 0 && items[aim]) focus(aim);
  clearTimeout(resting);
  resting = setTimeout(look, REST_MS);
}

/** Asks for the pictures of the rows on the screen, and only those. */
function look() {
  const [first, end] = rows.range();
  for (const element of list.children) {
    const index = Number(element.dataset.index);
    if (index < first || index >= end) thumbs.drop(items[index]?.id);
  }
  for (const element of [...list.children].reverse()) {
    const index = Number(element.dataset.index);
    const thumb = find(".thumb", element);
    if (index >= first && index < end && !thumb.hasChildNodes()) thumbs.want(items[index].id, thumb);
  }
}

let typing = 0;
function changed(wait) {
  clearTimeout(typing);
  typing = setTimeout(() => {
    history.replaceState(null, "", url("/evaluations", wanted().page));
    load({ afresh: true });
  }, wait);
}
form.addEventListener("input", (event) => changed(event.target.matches("select") ? 0 : TYPING_MS));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  changed(0);
});

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity, j: 1, k: -1 };
list.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const now = Number(event.target.closest("li")?.dataset.index ?? 0);
  focus(Math.min(total - 1, Math.max(0, now + step)));
});
list.addEventListener("focusin", () => (aim = -1));

function focus(index) {
  aim = -1; // before reaching, which draws
  const reached = rows.reach(index);
  if (reached) find("a", reached).focus({ preventScroll: true });
  else aim = index;
}

load({ afresh: true });
