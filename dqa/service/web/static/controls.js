// The playback controls: buttons, bar and keys of a player and a stage.

import { find } from "/assets/dom.js";

/** Binds the controls within `root`. `attach(player)` hands them a player, `detach()` takes it away; `keys` are handlers. */
export function controls(root, stage) {
  const play = find(".play", root);
  const scrub = find(".scrub", root);
  const where = find(".where", root);
  let player = null;

  function changed() {
    const on = Boolean(player?.playing);
    play.classList.toggle("on", on);
    play.setAttribute("aria-label", on ? "Pause" : "Play");
    press(".loop", player?.loop ?? true);
    for (const button of root.querySelectorAll(".rate")) button.setAttribute("aria-pressed", String(Number(button.dataset.rate) === (player?.rate ?? 1)));
  }

  function moved() {
    if (!player) return;
    scrub.value = String(player.frame);
    const text = `Frame ${player.frame + 1} of ${player.frames}`;
    scrub.setAttribute("aria-valuetext", text);
    where.textContent = `${text}, ${player.time.toFixed(2)} s`;
  }

  function press(selector, on) {
    find(selector, root).setAttribute("aria-pressed", String(on));
  }

  const act = {
    play: () => player?.canPlay && player.toggle(),
    step: (by) => player?.step(by),
    rate: (rate) => player?.canPlay && player.setRate(rate),
    loop: () => player && player.setLoop(!player.loop),
    wipe: () => stage.setWiping(!stage.wiping),
    enlarge: () => stage.setEnlarged(!stage.enlarged),
    pan: (x, y) => stage.enlarged && stage.pan(x, y),
  };

  play.addEventListener("click", act.play);
  find(".back", root).addEventListener("click", () => act.step(-1));
  find(".forth", root).addEventListener("click", () => act.step(1));
  find(".loop", root).addEventListener("click", act.loop);
  find(".wipe", root).addEventListener("click", act.wipe);
  find(".enlarge", root).addEventListener("click", act.enlarge);
  scrub.addEventListener("input", () => player?.seek((Number(scrub.value) + 0.5) / player.fps));
  for (const button of root.querySelectorAll(".rate")) button.addEventListener("click", () => act.rate(Number(button.dataset.rate)));
  stage.addEventListener("change", () => {
    press(".wipe", stage.wiping);
    press(".enlarge", stage.enlarged);
  });

  const keys = {
    " ": act.play,
    ArrowLeft: () => act.step(-1),
    ArrowRight: () => act.step(1),
    Home: () => player?.seek(0),
    End: () => player?.seek(player.duration),
    "Shift+ArrowLeft": () => act.pan(-1, 0),
    "Shift+ArrowRight": () => act.pan(1, 0),
    "Shift+ArrowUp": () => act.pan(0, -1),
    "Shift+ArrowDown": () => act.pan(0, 1),
    1: () => act.rate(1),
    2: () => act.rate(0.5),
    4: () => act.rate(0.25),
    l: act.loop,
    w: act.wipe,
    z: act.enlarge,
  };

  return {
    keys,
    attach(next) {
      const before = player ?? { rate: Number(find(".rate[aria-pressed=true]", root).dataset.rate), loop: find(".loop", root).ariaPressed === "true" };
      player = next;
      player.rate = before.rate;
      player.loop = before.loop;
      root.classList.toggle("still", !player.timed);
      root.classList.toggle("steps", player.timed && !player.canPlay);
      find(".stepping", root).hidden = !player.timed || player.canPlay;
      scrub.max = String(player.frames - 1);
      player.addEventListener("change", changed);
      player.addEventListener("time", moved);
      changed();
      moved();
    },
    detach() {
      player = null;
      play.classList.remove("on");
    },
  };
}
