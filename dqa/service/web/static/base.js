// What every page does: switching user or profile, and telling a screen reader what changed.

import { find } from "/assets/dom.js";

const who = document.querySelector("form.who");
if (who) {
  find("select", who).addEventListener("change", () => who.requestSubmit());
}
