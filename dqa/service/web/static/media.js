// The bytes of a judged clip: fetched ahead and whole when small, so that nothing stalls and a refusal says why.

import { ask } from "/assets/api.js";

const WHOLE_BYTES = 64 * 1024 * 1024;

/** Where a clip's file is served. */
export function mediaPath(id) {
  return `/v1/evaluations/${encodeURIComponent(id)}/media`;
}

/** Where frame n of a clip is served as a picture. */
export function framePath(id, n, maxSide = 1280) {
  return `/v1/evaluations/${encodeURIComponent(id)}/frames/${n}.jpg?max_side=${maxSide}`;
}

/**
 * Fetches a clip. `url` is for a player; `type` is what it is by its bytes; `release` frees it.
 * Throws a Refusal when it can't be had.
 */
export async function fetchMedia(id) {
  const leave = new AbortController();
  const answer = await ask(mediaPath(id), { signal: leave.signal });
  const type = answer.headers.get("Content-Type") ?? "";
  if (Number(answer.headers.get("Content-Length")) > WHOLE_BYTES) {
    leave.abort(); // a long one is streamed instead, range by range
    return { url: mediaPath(id), type, release: () => {} };
  }
  const url = URL.createObjectURL(await answer.blob());
  return { url, type, release: () => URL.revokeObjectURL(url) };
}
