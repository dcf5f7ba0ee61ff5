// The page where choices are made: shows a pair, takes the choice, tells what had been expected, learns, goes on.

import { Refusal, get, send, viewer } from "/assets/api.js";
import { fill, find, h, visible } from "/assets/dom.js";
import { controls } from "/assets/controls.js";
import { progress, showExpected } from "/assets/expected.js";
import { listen } from "/assets/keys.js";
import { flush, post } from "/assets/outbox.js";
import { nextPair, passOver, prefetch } from "/assets/pairs.js";
import { Player } from "/assets/player.js";
import { Stage } from "/assets/stage.js";
import { openTrack } from "/assets/tracks.js";

const root = find(".choose");
const stage = new Stage(find(".stage", root));
const bar = controls(root, stage);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let pair = null;
let player = null;

/** What the page is doing: loading, asking, sending, chosen, trouble, none. */
function enter(state) {
  root.dataset.state = state;
  root.setAttribute("aria-busy", String(state === "loading" || state === "sending"));
  for (const button of root.querySelectorAll(".verdicts button")) button.disabled = state !== "asking";
  find(".skip", root).disabled = state !== "asking";
  find(".result", root).hidden = state !== "chosen";
  find(".none", root).hidden = state !== "none";
  find(".trouble", root).hidden = state !== "trouble";
}

function say(text) {
  find(".say", root).textContent = text;
}

/** One sentence on what went wrong, and the way on; `skippable` where the pair may be passed over instead. */
function trouble(error, retry, { skippable = false } = {}) {
  if (!(error instanceof Refusal)) console.error(error);
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  find(".trouble-text", root).textContent = (error instanceof Refusal ? error.message : "This page failed.") + wait;
  const again = find(".retry", root);
  again.onclick = retry;
  enter("trouble");
  find(".skip", root).disabled = !skippable;
  // The button that was pressed can't be pressed now and loses the focus; and on a phone the words may be off the screen.
  if (document.activeElement === document.body || document.activeElement?.matches(":disabled")) again.focus();
}

async function show() {
  keepFocus();
  enter("loading");
  clear();
  let tracks;
  try {
    await flush();
    pair = await nextPair();
    tracks = await openAll(pair);
  } catch (error) {
    unavailable(error);
    return;
  }
  player = new Player(tracks);
  stage.show(tracks);
  showPrompts(pair.sides);
  bar.attach(player);
  enter("asking");
  say(`Two ${pair.sides[0].kind === "image" ? "pictures" : "clips"} to choose between.`);
  if (!calm.matches) player.play();
}

/**
 * Who goes on by keyboard stays with the pair: what had the focus is about to be hidden or disabled. Not on a verdict,
 * since Enter pressed twice would be a choice.
 */
function keepFocus() {
  if (document.activeElement?.closest(".result, .none, .trouble, .verdicts")) find(".asked", root).focus({ preventScroll: true });
}

function clear() {
  player?.release();
  player = pair = null;
  bar.detach();
  stage.clear();
  find(".decide", root).reset();
  fill(find(".asked", root));
}

async function openAll(next) {
  const opened = await Promise.allSettled(next.sides.map((side, i) => openTrack(side, next.media[i])));
  const failed = opened.findIndex((one) => one.status === "rejected");
  if (failed < 0) return opened.map((one) => one.value);
  for (const one of opened) one.value?.release();
  throw Object.assign(new Refusal(`Clip ${"AB"[failed]} can't be shown by this browser. Skip this pair.`), { type: "lost", pair: next });
}

function unavailable(error) {
  if (error.type === "no-pair") {
    find(".none-text", root).textContent = error.message;
    enter("none");
    say("There is nothing to choose between.");
    return;
  }
  pair = error.pair ?? null;
  trouble(error, show, { skippable: Boolean(pair) });
}

function showPrompts(sides) {
  const same = sides[0].prompt === sides[1].prompt;
  const one = (text, whose) => {
    const about = whose ? `What ${whose} was asked to show` : "What both were asked to show";
    const words = h("p", { class: "stranger", dir: "auto" }, whose ? h("span", { class: "whose" }, `${whose}:`) : null, visible(text));
    return h("div", { class: "prompt", role: "region", tabindex: "0", "aria-label": about }, words);
  };
  fill(find(".asked", root), same ? one(sides[0].prompt) : sides.map((side, i) => one(side.prompt, "AB"[i])));
  for (const box of root.querySelectorAll(".prompt")) {
    // Only what scrolls needs to be reached by the keyboard.
    if (box.scrollHeight <= box.clientHeight) box.removeAttribute("tabindex");
  }
}

/** Takes a choice: "left", "right" or "tie", as on the screen. */
async function decide(choice) {
  if (root.dataset.state !== "asking") return;
  const other = pair.left === "a" ? "b" : "a";
  const chosen = { left: pair.left, right: other, tie: "tie" }[choice];
  const why = [...root.querySelectorAll("[name=why]:checked")].map((box) => box.value);
  const { test_id, a, b, left } = pair;
  await deliver({ test_id, a: a.id, b: b.id, chosen, left, why, user: viewer.user }, choice);
}

async function deliver(choice, asShown) {
  enter("sending");
  try {
    await post(choice);
  } catch (error) {
    const again = error.passing || error.status === 401;
    // A choice that is kept will be sent and counts: its pair can no longer be passed over.
    trouble(error, again ? () => deliver(choice, asShown) : show, { skippable: !again });
    return;
  }
  // Asked before anything is learned from this choice; only then is it learned from.
  const letter = { left: "A", right: "B", tie: "tie" }[asShown];
  const [left, right] = pair.sides;
  const expected = get("/v1/tuner/predictions", { a: left.id, b: right.id, user: viewer.user }).catch(() => null);
  const prediction = await expected;
  tell(letter, prediction);
  await learn(prediction);
}

function tell(letter, prediction) {
  find(".chose", root).textContent = letter === "tie" ? "A tie, you say." : `You chose ${letter}.`;
  const expected = find(".expected", root);
  if (prediction) showExpected(expected, prediction, letter);
  else fill(expected, h("p", { class: "soft" }, "What it had expected can't be told just now."));
  find(".count", root).textContent = "";
  find(".asked-because", root).textContent = pair.why ? `Why you were asked: ${visible(pair.why)}.` : "";
  enter("chosen");
  say(`${find(".chose", root).textContent} ${expected.querySelector("p")?.textContent ?? ""}`);
  find(".next", root).focus();
}

/** In the background: a failure is no reason to stop choosing, since the choice itself is kept. */
async function learn(prediction) {
  const about = pair;
  const words = await send("/v1/tuner/steps", { user: viewer.user }).then(
    (step) => progress(step.choices_seen, prediction),
    (error) => `Your choice is kept. It will be learned from later: ${error.message}`,
  );
  // Who has gone on already has the next pair: fetched now, that very pair would come a second time.
  if (pair !== about || root.dataset.state !== "chosen") return;
  find(".count", root).textContent = words;
  prefetch();
}

function skip() {
  if (find(".skip", root).disabled || !pair) return;
  passOver(pair);
  say("Skipped.");
  show();
}

function goOn() {
  if (root.dataset.state === "chosen") show();
}

const help = find("dialog.keys", root);
for (const button of root.querySelectorAll("[data-choice]")) button.addEventListener("click", () => decide(button.dataset.choice));
find(".skip", root).addEventListener("click", skip);
find(".next", root).addEventListener("click", goOn);
find(".again", root).addEventListener("click", show);
find(".help", root).addEventListener("click", () => help.showModal());
find(".decide", root).addEventListener("submit", (event) => event.preventDefault());

listen({
  a: () => decide("left"),
  b: () => decide("right"),
  t: () => decide("tie"),
  s: skip,
  n: goOn,
  Enter: goOn,
  "?": () => help.showModal(),
  ...bar.keys,
});

show();
