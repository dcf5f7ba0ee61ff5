// One clip of a pair, as something that can be put to a time: a video, a picture, or frames from the frame server.

import { h } from "/assets/dom.js";
import { framePath } from "/assets/media.js";

const HAVE_FUTURE_DATA = 3;
const LONGEST_SEEK_MS = 8000;

/** Facts that all tracks share. Times are seconds; frame n lies on the screen from n / fps to (n + 1) / fps. */
class Track {
  constructor(side, element) {
    this.side = side;
    this.element = element;
    this.fps = side.fps > 0 ? side.fps : 1;
    this.frames = Math.max(1, side.frames);
    this.playable = true; // may take part in playing, even if only by standing still
    this.paused = true;
  }

  get duration() {
    return this.frames / this.fps;
  }

  /** The last moment that may be asked for: the middle of the last frame. */
  get last() {
    return (this.frames - 0.5) / this.fps;
  }

  get time() {
    return 0;
  }

  get ready() {
    return true;
  }

  get ended() {
    return true;
  }

  async load() {}
  async seek() {}
  async play() {
    return true;
  }
  pause() {}
  setRate() {}
  release() {
    this.element.remove();
  }
}

/** A clip that the browser plays. */
export class VideoTrack extends Track {
  constructor(side, media) {
    const video = h("video", { muted: true, playsinline: true, preload: "auto", disablepictureinpicture: true, tabindex: "-1" });
    super(side, video);
    video.muted = true;
    video.defaultMuted = true;
    this.media = media;
    /** Media time of the frame on the screen. */
    this.shown = 0;
    this.#watch();
  }

  /** Resolves once the first frame is there; rejects when the browser can't play it. */
  load() {
    const video = this.element;
    return new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", () => resolve(), { once: true });
      video.addEventListener("error", () => reject(new Error("unplayable")), { once: true });
      video.src = this.media.url;
    });
  }

  get time() {
    return this.element.currentTime;
  }

  get ready() {
    return this.element.readyState >= HAVE_FUTURE_DATA || this.element.ended || this.time >= this.last;
  }

  get ended() {
    return this.element.ended;
  }

  /** Puts it to a time and resolves when that frame is there. The newest of several calls wins. */
  async seek(time) {
    const video = this.element;
    const target = Math.min(Math.max(0, time), this.last);
    if (!video.seeking && Math.abs(video.currentTime - target) < 1e-4) return;
    video.currentTime = target;
    await happened(video, "seeked", LONGEST_SEEK_MS);
  }

  /** Resolves to whether the browser lets it play; a pause that comes before the start is no refusal. */
  async play() {
    this.paused = false;
    try {
      await this.element.play();
    } catch (error) {
      return error.name !== "NotAllowedError";
    }
    return true;
  }

  pause() {
    this.paused = true;
    this.element.pause();
  }

  setRate(rate) {
    if (this.element.playbackRate !== rate) this.element.playbackRate = rate;
  }

  release() {
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
    this.media.release();
    super.release();
  }

  #watch() {
    const video = this.element;
    if (!video.requestVideoFrameCallback) return;
    const note = (_now, frame) => {
      this.shown = frame.mediaTime;
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  }
}

/** A still picture: it has no time. */
export class PictureTrack extends Track {
  constructor(side, media) {
    super({ ...side, fps: 0, frames: 1 }, h("img", { alt: "", draggable: "false" }));
    this.media = media;
  }

  get duration() {
    return 0;
  }

  async load() {
    this.element.src = this.media.url;
    await this.element.decode();
  }

  release() {
    this.media.release();
    super.release();
  }
}

/** A clip that the browser can't play, a frame at a time from the frame server. */
export class FrameTrack extends Track {
  #frame = 0;

  constructor(side) {
    super(side, h("img", { alt: "", draggable: "false" }));
    this.playable = false;
  }

  get time() {
    return (this.#frame + 0.5) / this.fps;
  }

  load() {
    return this.#show(0);
  }

  async seek(time) {
    const frame = Math.min(Math.floor(Math.max(0, time) * this.fps + 1e-6), this.frames - 1);
    if (frame !== this.#frame) await this.#show(frame);
  }

  async #show(frame) {
    this.#frame = frame;
    this.element.src = framePath(this.side.id, frame);
    try {
      await this.element.decode();
    } catch (error) {
      if (this.#frame === frame) throw error; // else a newer one was asked for meanwhile
    }
  }
}

/** The track that fits a clip and this browser, loaded. Throws when not even single frames can be had. */
export async function openTrack(side, media) {
  if (side.kind === "image") return loaded(new PictureTrack(side, media));
  if (media.type.startsWith("video/")) {
    const video = new VideoTrack(side, media);
    try {
      return await loaded(video);
    } catch {
      video.release();
    }
  }
  media.release();
  return loaded(new FrameTrack(side));
}

async function loaded(track) {
  await track.load();
  return track;
}

/** Resolves at an event, or after a while without it. */
function happened(target, event, most_ms) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      target.removeEventListener(event, done);
      resolve();
    };
    const timer = setTimeout(done, most_ms);
    target.addEventListener(event, done);
  });
}
