// Follows an evaluation that is under way, and shows the verdict when it is there.

import { find } from "/assets/dom.js";

const status = document.querySelector("[data-evaluation]");
if (status) {
  const events = new EventSource(`/v1/evaluations/${encodeURIComponent(find("[data-evaluation]").dataset.evaluation)}/events`);
  events.addEventListener("progress", (event) => {
    const { stage, fraction } = JSON.parse(event.data);
    status.textContent = `Judging: ${String(stage)}, ${Math.round(100 * Number(fraction))} %.`;
  });
  for (const end of ["done", "failed", "cancelled"]) {
    events.addEventListener(end, () => {
      events.close();
      location.reload();
    });
  }
}
