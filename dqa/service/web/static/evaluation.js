// Curves one can walk along: the moment under the pointer, its values, and the frame that was shown then.

import { get, url } from "/assets/api.js";
import { fill, find, h } from "/assets/dom.js";

const section = document.querySelector(".over-time");
if (section) walk(section).catch(() => section.classList.add("still")); // the curves stay readable without

async function walk(within) {
  const { evaluation, fps, frames } = within.dataset;
  const record = await get(`/v1/evaluations/${encodeURIComponent(evaluation)}`);
  const raw = record.channels.benchmark.raw.curves;
  const times = raw.time_s;
  const series = raw.series ?? raw;
  const picture = h("img", { alt: "", width: record.media.width, height: record.media.height });
  const words = h("figcaption", { role: "status" });
  const under = h("figure", { class: "under", hidden: true }, "unseen" in within.dataset ? null : picture, words);
  within.append(under);
  const plots = [...within.querySelectorAll(".canvas")].map((canvas) => plot(canvas, series[canvas.dataset.key] ?? []));
  let wanted = 0;

  function plot(canvas, values) {
    const cursor = h("span", { class: "cursor", hidden: true });
    canvas.append(cursor);
    const name = find("svg", canvas).getAttribute("aria-label");
    for (const [attribute, value] of Object.entries({
      tabindex: 0, role: "slider", "aria-label": `${name}. Arrow keys move along it.`,
      "aria-valuemin": 0, "aria-valuemax": times.length - 1, "aria-valuenow": 0, "aria-valuetext": "start",
    })) canvas.setAttribute(attribute, String(value));
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      move(canvas, nearest(((event.clientX - box.left) / box.width)));
    });
    canvas.addEventListener("pointerleave", leave);
    canvas.addEventListener("blur", leave);
    canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && move(canvas, Number(canvas.getAttribute("aria-valuenow"))));
    canvas.addEventListener("keydown", (event) => {
      const now = Number(canvas.getAttribute("aria-valuenow"));
      const to = { ArrowRight: now + 1, ArrowLeft: now - 1, PageDown: now + 10, PageUp: now - 10, Home: 0, End: times.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      move(canvas, Math.min(times.length - 1, Math.max(0, to)));
    });
    return { canvas, cursor, values };
  }

  function nearest(share) {
    const time = times[0] + share * (times.at(-1) - times[0]);
    let best = 0;
    for (let i = 1; i < times.length; i++) if (Math.abs(times[i] - time) < Math.abs(times[best] - time)) best = i;
    return best;
  }

  function move(at, index) {
    const time = times[index];
    const frame = Math.min(Number(frames) - 1, Math.max(0, Math.round(time * Number(fps))));
    for (const { canvas, cursor, values } of plots) {
      cursor.hidden = false;
      cursor.style.left = `${(100 * (time - times[0])) / (times.at(-1) - times[0])}%`;
      const value = values[index];
      canvas.setAttribute("aria-valuenow", String(index));
      canvas.setAttribute("aria-valuetext", `${time.toFixed(2)} s: ${typeof value === "number" ? value.toPrecision(3) : "not measured"}`);
      if (canvas === at) fill(words, h("b", {}, `${time.toFixed(2)} s`), ` · frame ${frame}`, h("br"), typeof value === "number" ? value.toPrecision(3) : "not measured here");
    }
    under.hidden = false;
    clearTimeout(wanted);
    wanted = setTimeout(() => {
      picture.src = url(`/v1/evaluations/${encodeURIComponent(evaluation)}/frames/${frame}.jpg`, { max_side: 320 });
      picture.alt = `Frame ${frame}`;
    }, 80);
  }

  function leave() {
    clearTimeout(wanted);
    under.hidden = true;
    for (const { cursor } of plots) cursor.hidden = true;
  }
}
