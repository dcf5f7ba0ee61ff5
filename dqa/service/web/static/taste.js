// Going back to a version, beginning anew, learning now: asked twice, done once.

import { send, viewer } from "/assets/api.js";
import { find } from "/assets/dom.js";

const trouble = find("#trouble");
const WAYS = {
  step: { path: "/v1/tuner/steps", body: () => ({ user: viewer.user }) },
  rollback: {
    path: "/v1/tuner/rollback",
    body: (button) => ({ ...viewer, version: Number(button.dataset.version) }),
    question: (button) => `Version ${button.dataset.version} will serve, and choices made after it are set aside. A rollback to a later version brings them back.`,
  },
  reset: {
    path: "/v1/tuner/reset",
    body: () => ({ ...viewer }),
    question: () => "No version will serve, and all choices so far are set aside. A rollback to a version undoes it.",
  },
};

for (const button of document.querySelectorAll("[data-act]")) {
  button.hidden = false;
  button.addEventListener("click", () => act(button, WAYS[button.dataset.act]));
}

async function act(button, way) {
  if (way.question && !(await sure(way.question(button)))) return;
  button.disabled = true;
  trouble.hidden = true;
  try {
    await send(way.path, way.body(button), { key: crypto.randomUUID?.() });
    location.reload();
  } catch (error) {
    find("h2", button.closest("section")).after(trouble); // where the eyes are: the page is long
    trouble.textContent = error.message;
    trouble.hidden = false;
    trouble.scrollIntoView({ block: "nearest" });
    button.disabled = false;
    button.focus({ preventScroll: true });
  }
}

/** Asks; true for yes. Escape is a no. */
function sure(question) {
  const dialog = find("#sure");
  find("#sure-text", dialog).textContent = question;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}
