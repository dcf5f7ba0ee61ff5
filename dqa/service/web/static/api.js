// Asking the service. Whatever goes wrong becomes one sentence.

/** Whose page this is. */
export const viewer = { user: document.body.dataset.user ?? "", profile: document.body.dataset.profile ?? "" };

/** What went wrong: `message` is one sentence to show; `status` is 0 when the service could not be reached. */
export class Refusal extends Error {
  constructor(message, { status = 0, type = "", retryAfter = 0 } = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** A path with a query; null and undefined are left out. */
export function url(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** GET, as parsed JSON. */
export async function get(path, query = {}, { signal } = {}) {
  return (await ask(url(path, query), { signal })).json();
}

/** POST (or PUT, DELETE) of a JSON body; `key` makes sending it twice harmless. */
export async function send(path, body, { key, method = "POST", signal } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  const answer = await ask(path, { method, headers, body: JSON.stringify(body), signal });
  return answer.status === 204 ? null : answer.json();
}

/** fetch, or a Refusal. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", redirect: "error", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The service can't be reached. Is it running?");
  }
  if (answer.ok) return answer;
  throw await refusal(answer);
}

async function refusal(answer) {
  if (answer.status === 401) {
    return new Refusal("Your session has ended. Load the page again to log in.", { status: 401, type: "unauthorized" });
  }
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // Not a problem document: the status has to do.
  }
  const detail = typeof problem.detail === "string" ? problem.detail : `The service answered ${answer.status}.`;
  return new Refusal(sentence(detail), {
    status: answer.status,
    type: String(problem.type ?? "").split(":").pop(),
    retryAfter: Number(answer.headers.get("Retry-After")) || 0,
  });
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
