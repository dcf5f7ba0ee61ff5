// Choices on their way: kept in the browser until the service has them, so that none is lost, and each counts once.

import { Refusal, send } from "/assets/api.js";

const KEY = "dqa.choices";

/** Choices that the service does not have yet, oldest first. */
export function waiting() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((choice) => choice && typeof choice.test_id === "string") : [];
  } catch {
    return []; // no storage here: a choice then lives as long as the page
  }
}

/** Keeps a choice, then sends it; throws a Refusal when it could not be sent (it stays kept if trying again may help). */
export async function post(choice) {
  keep([...without(choice), choice]);
  try {
    return await deliver(choice);
  } catch (error) {
    if (error instanceof Refusal && !error.passing && error.status !== 401) keep(without(choice));
    throw error;
  }
}

/** Sends what was left behind by an earlier visit; returns how many were sent. Throws as post does. */
export async function flush() {
  let sent = 0;
  for (const choice of waiting()) {
    await post(choice);
    sent += 1;
  }
  return sent;
}

async function deliver(choice) {
  // The same test_id and key each time: a choice that did arrive, though its answer did not, is not counted twice.
  const kept = await send("/v1/selections", choice, { key: `choice-${choice.test_id}` });
  keep(without(choice));
  return kept;
}

function without(choice) {
  return waiting().filter((other) => other.test_id !== choice.test_id || other.user !== choice.user);
}

function keep(choices) {
  try {
    if (choices.length) localStorage.setItem(KEY, JSON.stringify(choices));
    else localStorage.removeItem(KEY);
  } catch {
    // As above.
  }
}
