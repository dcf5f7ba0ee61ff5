// Thumbnails for whatever is in view: a few at a time, and none for what was scrolled past.

import { ask } from "/assets/api.js";

const AT_ONCE = 2; // as many frames as the service decodes at a time
const KEPT = 300; // pictures kept in memory, about 10 kB each

/** Loads pictures on demand; `want` and `drop` may be called in any order and as often as one likes. */
export class Thumbs {
  #waiting = new Map(); // id -> element
  #running = new Map(); // id -> {element, stop}
  #known = new Map(); // id -> object URL, or a text that says why there is none; least recently used first

  constructor(address) {
    this.address = address;
  }

  /** Shows the picture of `id` in `element` as soon as there is one. */
  want(id, element) {
    const known = this.#known.get(id);
    const running = this.#running.get(id);
    if (running && !running.stop.signal.aborted) {
      running.element = element;
    } else if (known !== undefined) {
      this.#remember(id, known);
      show(element, known);
    } else {
      this.#waiting.delete(id);
      this.#waiting.set(id, element);
      this.#start();
    }
  }

  /** Nobody looks at `id` any more: it is not asked for, or the request is given up. */
  drop(id) {
    this.#waiting.delete(id);
    this.#running.get(id)?.stop.abort();
  }

  /** Nobody looks at any of them any more. */
  clear() {
    this.#waiting.clear();
    for (const { stop } of this.#running.values()) stop.abort();
  }

  #start() {
    // The latest first: that is where the reader is now.
    while (this.#running.size < AT_ONCE && this.#waiting.size > 0) {
      const [id, element] = [...this.#waiting].pop();
      this.#waiting.delete(id);
      this.#load(id, { element, stop: new AbortController() });
    }
  }

  async #load(id, run) {
    this.#running.set(id, run);
    try {
      const answer = await ask(this.address(id), { signal: run.stop.signal });
      const picture = URL.createObjectURL(await answer.blob());
      this.#remember(id, picture);
      show(run.element, picture);
    } catch (error) {
      if (error.name !== "AbortError") {
        // A clip that is gone stays gone; a service that is busy may be asked again.
        if (!error.passing) this.#remember(id, "no picture");
        show(run.element, "no picture");
      }
    } finally {
      if (this.#running.get(id) === run) this.#running.delete(id);
      this.#start();
    }
  }

  #remember(id, what) {
    this.#known.delete(id);
    this.#known.set(id, what);
    if (this.#known.size > KEPT) {
      const [oldest, gone] = this.#known.entries().next().value;
      this.#known.delete(oldest);
      if (gone.startsWith("blob:")) URL.revokeObjectURL(gone);
    }
  }
}

function show(element, what) {
  if (!what.startsWith("blob:")) {
    element.textContent = what;
    return;
  }
  const picture = new Image();
  picture.alt = "";
  picture.src = what;
  element.replaceChildren(picture);
}
