// Keys of a page, where no control wants them for itself.

const OWN_TEXT = "input:not([type=checkbox]):not([type=range]):not([type=button]), textarea, select, [contenteditable]";
const OWN_ARROWS = "input[type=range], [role=slider], select, [role=region][tabindex]";
const PRESSED_BY = "button, a[href], input[type=checkbox], summary, select";
let clicked = null; // the control that was last pressed by pointer; the keyboard is not using it

const ARROWS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

/**
 * Calls handlers[key] for keys pressed anywhere on the page, single letters in lower case; "Shift+ArrowLeft" and the like
 * for arrows with Shift. A control that is being used by keyboard keeps the keys it needs.
 */
export function listen(handlers) {
  document.addEventListener("pointerdown", ({ target }) => (clicked = target instanceof Element ? target.closest(PRESSED_BY) : null), true);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Tab") clicked = null;
    const name = nameOf(event);
    const handler = handlers[name];
    if (!handler || wanted(event)) return;
    if (event.repeat && !ARROWS.has(event.key)) return;
    event.preventDefault();
    handler(event);
  });
  // A button that was clicked by mouse keeps the focus; the space bar must not press it again on release.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && handlers[" "] && !wanted(event)) event.preventDefault();
  });
}

function nameOf(event) {
  if (ARROWS.has(event.key) && event.shiftKey) return `Shift+${event.key}`;
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

function wanted(event) {
  const target = event.target;
  if (!(target instanceof Element)) return false;
  if (target.closest(OWN_TEXT)) return true;
  if (ARROWS.has(event.key)) return Boolean(target.closest(OWN_ARROWS));
  const control = target.closest(PRESSED_BY);
  return (event.key === " " || event.key === "Enter") && control !== null && control !== clicked;
}
