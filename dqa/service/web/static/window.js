// A long list of which only the part in view is in the document.

const AROUND = 6; // rows kept ready above and below the screen

/**
 * Keeps the rows of `list` that are in view.
 *
 * options.row(index) makes the element of a row (null while it is not loaded yet); options.shown(index) and
 * options.hidden(index) tell when it enters and leaves the screen's neighbourhood. All rows are `height` pixels high.
 */
export class Windowed {
  #rows = new Map(); // index -> element
  #count = 0;
  #due = 0;

  constructor(list, options) {
    this.list = list;
    this.options = options;
    addEventListener("scroll", () => this.#soon(), { passive: true });
    addEventListener("resize", () => this.#soon(), { passive: true });
  }

  /** How many rows there are; forgets those that were made. */
  reset(count) {
    for (const index of [...this.#rows.keys()]) this.#remove(index);
    this.#count = count;
    this.list.style.height = `${count * this.options.height}px`;
    this.draw();
  }

  /** Makes the rows again that could not be made before. */
  draw() {
    this.#due = 0;
    const [first, end] = this.range(AROUND);
    for (const index of [...this.#rows.keys()]) {
      if (index < first || index >= end) this.#remove(index);
    }
    for (let index = first; index < end; index++) {
      if (!this.#rows.has(index)) this.#add(index);
    }
    this.options.drawn?.(first, end);
  }

  /** First and one past the last index in view, and `more` rows around them. */
  range(more = 0) {
    const top = -this.list.getBoundingClientRect().top;
    const first = Math.floor(top / this.options.height) - more;
    const end = Math.ceil((top + innerHeight) / this.options.height) + more;
    const bound = (value) => Math.min(this.#count, Math.max(0, value));
    return [bound(first), bound(end)];
  }

  /** Brings a row into view and gives its element, if it is loaded. */
  reach(index) {
    const { height } = this.options;
    const top = this.list.getBoundingClientRect().top + index * height;
    if (top < 0) scrollBy({ top: top - 8, behavior: "instant" });
    else if (top + height > innerHeight) scrollBy({ top: top + height - innerHeight + 8, behavior: "instant" });
    this.draw();
    return this.#rows.get(index);
  }

  #soon() {
    this.#due ||= requestAnimationFrame(() => this.draw());
  }

  #add(index) {
    const element = this.options.row(index);
    if (!element) return;
    element.style.transform = `translateY(${index * this.options.height}px)`;
    // In the order of the list, for whoever moves through it by keyboard or hears it read.
    const after = [...this.#rows.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
    this.list.insertBefore(element, after === undefined ? null : this.#rows.get(after));
    this.#rows.set(index, element);
  }

  #remove(index) {
    this.options.hidden?.(index);
    this.#rows.get(index)?.remove();
    this.#rows.delete(index);
  }
}
