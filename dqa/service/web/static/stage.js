// Where two clips are looked at: side by side, or one over the other with a divider; whole, or pixel by pixel.

import { find } from "/assets/dom.js";

const STEP = 2; // per cent that an arrow key moves the divider
const PAN = 10; // per cent that an arrow key moves an enlarged picture

export class Stage extends EventTarget {
  #at = 50;
  #pan = { x: 50, y: 50 };

  /** `root` holds .pane.left, .pane.right and .divider. Event "change" when the mode or the enlargement has changed. */
  constructor(root) {
    super();
    this.root = root;
    this.panes = [find(".pane.left", root), find(".pane.right", root)];
    this.divider = find(".divider", root);
    this.wiping = false;
    this.enlarged = false;
    this.divider.addEventListener("keydown", (event) => this.#keys(event));
    root.addEventListener("pointerdown", (event) => this.#drag(event));
  }

  /** Shows two tracks, left and right. */
  show(tracks) {
    this.clear();
    tracks.forEach((track, i) => find(".picture", this.panes[i]).append(track.element));
    const shapes = tracks.map((track) => track.side.width / track.side.height);
    this.panes.forEach((pane, i) => pane.style.setProperty("--shape", shapes[i]));
    this.root.style.setProperty("--shape", Math.min(...shapes));
    this.moveDivider(50);
    this.#panTo(50, 50);
  }

  clear() {
    for (const pane of this.panes) find(".picture", pane).replaceChildren();
  }

  setWiping(on) {
    this.wiping = on;
    this.root.classList.toggle("wiping", on);
    this.divider.hidden = !on;
    this.dispatchEvent(new Event("change"));
  }

  setEnlarged(on) {
    this.enlarged = on;
    this.root.classList.toggle("enlarged", on);
    this.#panTo(50, 50);
    this.dispatchEvent(new Event("change"));
  }

  /** Moves what is seen of enlarged pictures, in steps; both alike. */
  pan(dx, dy) {
    this.#panTo(this.#pan.x + dx * PAN, this.#pan.y + dy * PAN);
  }

  /** Puts the divider at that many per cent from the left. */
  moveDivider(percent) {
    this.#at = Math.min(100, Math.max(0, percent));
    const shown = Math.round(this.#at);
    this.root.style.setProperty("--divider", `${this.#at}%`);
    this.divider.setAttribute("aria-valuenow", shown);
    this.divider.setAttribute("aria-valuetext", `A on the left ${shown} per cent, B on the rest`);
  }

  #panTo(x, y) {
    this.#pan = { x: Math.min(100, Math.max(0, x)), y: Math.min(100, Math.max(0, y)) };
    this.root.style.setProperty("--pan", `${this.#pan.x}% ${this.#pan.y}%`);
  }

  #keys(event) {
    const moves = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -5 * STEP, PageUp: 5 * STEP };
    const ends = { Home: 0, End: 100 };
    if (event.key in moves) this.moveDivider(this.#at + moves[event.key]);
    else if (event.key in ends) this.moveDivider(ends[event.key]);
    else return;
    event.preventDefault();
  }

  #drag(event) {
    if (event.button !== 0 || !(this.wiping || this.enlarged)) return;
    const box = this.root.getBoundingClientRect();
    const move = this.enlarged && event.target !== this.divider ? this.#panning(event, box) : this.#wiping(box);
    move(event);
    const stop = new AbortController();
    this.root.setPointerCapture(event.pointerId);
    this.root.addEventListener("pointermove", move, { signal: stop.signal });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.root.addEventListener(end, () => stop.abort(), { signal: stop.signal });
    }
  }

  #wiping(box) {
    return (event) => this.moveDivider((100 * (event.clientX - box.left)) / box.width);
  }

  #panning(start, box) {
    const from = { ...this.#pan };
    return (event) => {
      const dx = (100 * (start.clientX - event.clientX)) / box.width;
      const dy = (100 * (start.clientY - event.clientY)) / box.height;
      this.#panTo(from.x + dx, from.y + dy);
    };
  }
}
