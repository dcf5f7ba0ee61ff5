// One clip of a pair, as something that can be put to a time and shown at it: a video, a picture, or frames from the
// frame server. Putting it to a time shows nothing yet: the player shows both clips of a pair at once.

import { h } from "/assets/dom.js";
import { framePath } from "/assets/media.js";
import { Shots } from "/assets/shots.js";

const HAVE_FUTURE_DATA = 3;
const LONGEST_LOAD_MS = 10_000; // without a sign of life: some browsers load no video before it is played
const LONGEST_SEEK_MS = 8000;
const LONGEST_PAINT_MS = 250; // after a seek, until what the video shows is taken as it is

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

  /** Where it is by its own clock; what is shown may be behind. */
  get time() {
    return 0;
  }

  get ready() {
    return true;
  }

  get ended() {
    return true;
  }

  /** Moments at which something new can be shown, in seconds. */
  get moments() {
    return [];
  }

  /** Whether it can show that moment now. */
  has() {
    return true;
  }

  /** Shows that moment, if it has it. */
  show() {}

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

/** A clip that the browser plays. What is seen is a canvas; the video itself stays hidden beneath it. */
export class VideoTrack extends Track {
  #shots;
  #presented = () => {};

  constructor(side, media) {
    const video = h("video", { muted: true, playsinline: true, preload: "auto", disablepictureinpicture: true, tabindex: "-1", "aria-hidden": "true" });
    const canvas = h("canvas", {});
    super(side, h("div", { class: "moving" }, video, canvas));
    video.muted = true;
    video.defaultMuted = true;
    this.video = video;
    this.canvas = canvas;
    this.media = media;
    this.#shots = new Shots(this.fps, this.frames);
    video.addEventListener("ended", () => this.#takeLast());
    this.#watch();
  }

  /** Resolves once the first frame is shown; rejects when the browser can't play it. */
  async load() {
    const video = this.video;
    const first = firstFrame(video);
    video.src = this.media.url;
    await first;
    this.canvas.width = video.videoWidth;
    this.canvas.height = video.videoHeight;
    this.#take(0);
    this.show(0);
  }

  get time() {
    return this.video.currentTime;
  }

  get ready() {
    return this.video.readyState >= HAVE_FUTURE_DATA || this.video.ended || this.time >= this.last;
  }

  get ended() {
    return this.video.ended;
  }

  get moments() {
    // A browser that does not tell when it presents a frame is looked at instead.
    if (!this.video.requestVideoFrameCallback && !this.video.seeking) this.#take(this.#start(this.time));
    return this.#shots.times;
  }

  has(moment) {
    return this.#shots.at(moment) !== null;
  }

  show(moment) {
    const picture = this.#shots.at(moment);
    if (picture) this.canvas.getContext("2d", { alpha: false }).drawImage(picture, 0, 0);
  }

  /** Puts it to a time and resolves when it has that frame. The newest of several calls wins. */
  async seek(time) {
    const video = this.video;
    const target = Math.min(Math.max(0, time), this.last);
    this.#shots.clear();
    if (video.seeking || Math.abs(video.currentTime - target) >= 1e-4) {
      const painted = this.#painted(target);
      video.currentTime = target;
      await happened(video, "seeked", LONGEST_SEEK_MS);
      await Promise.race([painted, new Promise((resolve) => setTimeout(resolve, LONGEST_PAINT_MS))]);
    }
    if (!this.has(target) && Math.abs(video.currentTime - target) < this.#shots.length_s) this.#take(this.#start(target));
    if (target >= this.last) this.#shots.end(true);
  }

  /** Resolves to whether the browser lets it play; a pause that comes before the start is no refusal. */
  async play() {
    this.paused = false;
    try {
      await this.video.play();
    } catch (error) {
      return error.name !== "NotAllowedError";
    }
    return true;
  }

  pause() {
    this.paused = true;
    this.video.pause();
  }

  setRate(rate) {
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  release() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.#shots.clear();
    this.media.release();
    super.release();
  }

  /** When the frame of that moment begins. */
  #start(moment) {
    return Math.min(Math.floor(moment * this.fps + 1e-6), this.frames - 1) / this.fps;
  }

  /** Keeps what the video shows now, which should be the frame that begins at `time`. */
  #take(time) {
    const video = this.video;
    if (!video.videoWidth) return;
    const frame = exact(video);
    this.#shots.take(frame ?? video, frame ? frame.timestamp / 1e6 : time, video.videoWidth, video.videoHeight);
    frame?.close();
  }

  /** The last frame stays on, even where the browser did not tell that it presented it. */
  #takeLast() {
    this.#take((this.frames - 1) / this.fps);
    this.#shots.end();
  }

  /** Resolves when the frame of that moment is presented. */
  #painted(moment) {
    return new Promise((resolve) => {
      this.#presented = () => this.has(moment) && resolve();
    });
  }

  #watch() {
    const video = this.video;
    if (!video.requestVideoFrameCallback) return;
    const note = (_now, frame) => {
      this.#take(frame.mediaTime);
      this.#presented();
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
  #next = null;

  constructor(side) {
    super(side, h("img", { alt: "", draggable: "false" }));
    this.playable = false;
  }

  get time() {
    return (this.#frame + 0.5) / this.fps;
  }

  async load() {
    await this.#fetch(0);
    this.show();
  }

  async seek(time) {
    const frame = Math.min(Math.floor(Math.max(0, time) * this.fps + 1e-6), this.frames - 1);
    if (frame !== this.#frame) await this.#fetch(frame);
  }

  show() {
    if (!this.#next) return;
    this.element.replaceWith(this.#next);
    this.element = this.#next;
    this.#next = null;
  }

  async #fetch(frame) {
    this.#frame = frame;
    const picture = h("img", { alt: "", draggable: "false" });
    picture.src = framePath(this.side.id, frame);
    try {
      await picture.decode();
    } catch (error) {
      if (this.#frame === frame) throw error; // else a newer one was asked for meanwhile
    }
    if (this.#frame === frame) this.#next = picture;
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

/** The frame that a video shows, which knows its own time: a callback may come late, after the next one. Null where a browser has none. */
function exact(video) {
  try {
    return new VideoFrame(video);
  } catch {
    return null; // not on a plain http page of another machine, nor in every browser
  }
}

/** Resolves when a video has its first frame; rejects when it can't be played, or shows no sign of loading for a while. */
function firstFrame(video) {
  const listening = new AbortController();
  const { signal } = listening;
  let timer;
  return new Promise((resolve, reject) => {
    const refuse = () => reject(new Error("unplayable"));
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(refuse, LONGEST_LOAD_MS);
    };
    video.addEventListener("progress", wait, { signal });
    video.addEventListener("loadeddata", resolve, { signal });
    video.addEventListener("error", refuse, { signal });
    wait();
  }).finally(() => {
    clearTimeout(timer);
    listening.abort();
  });
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
