// Pairs to choose between, the next one fetched while the last one is still on the screen.

import { Refusal, get, viewer } from "/assets/api.js";
import { fetchMedia } from "/assets/media.js";

const REMEMBERED = 50;

let coming = null; // a promise of the next pair
const skipped = []; // pairs that were passed over on this visit, newest last

const address = new URLSearchParams(location.search);
let named = { a: address.get("a"), b: address.get("b"), test_id: address.get("test_id") }; // the pair that this page was opened for comes first

/**
 * A pair ready to be shown: {test_id, left, sides: [left, right], media: [left, right], why}. `sides` are as on the
 * screen; `left` is "a" or "b", whichever of the service's two is there. Throws a Refusal; type "no-pair" when there is none.
 */
export async function nextPair() {
  const promise = coming ?? fetchPair();
  coming = null;
  return promise;
}

/** Begins to fetch the pair after this one; what goes wrong is told by nextPair. */
export function prefetch() {
  coming ??= fetchPair();
  coming.catch(() => {});
}

/** Notes that a pair was passed over, so that it is not asked at once again. */
export function passOver(pair) {
  skipped.push(pair.sides.map((side) => side.id).join("~"));
  if (skipped.length > REMEMBERED) skipped.shift();
  coming = null;
}

async function fetchPair() {
  const query = { user: viewer.user, profile: viewer.profile, skip: skipped.join(","), ...named };
  named = {};
  const asked = await get("/v1/pairs/next", query);
  const sides = asked.left === "b" ? [asked.b, asked.a] : [asked.a, asked.b];
  const fetched = await Promise.allSettled(sides.map((side) => fetchMedia(side.id)));
  const failed = fetched.findIndex((one) => one.status === "rejected");
  if (failed < 0) return { ...asked, sides, media: fetched.map((one) => one.value) };
  for (const one of fetched) one.value?.release();
  throw lost(fetched[failed].reason, { ...asked, sides }, "AB"[failed]);
}

/** A clip that can't be had: the pair can be passed over. */
function lost(reason, pair, letter) {
  if (!(reason instanceof Refusal) || reason.passing || reason.status === 401) return reason;
  const refusal = new Refusal(`Clip ${letter} can't be shown: ${reason.message}`, { status: reason.status, type: "lost" });
  return Object.assign(refusal, { pair });
}
