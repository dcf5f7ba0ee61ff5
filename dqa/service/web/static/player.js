// Two clips on one clock.
//
// The longer clip leads; the other follows by a slightly changed rate, and when it is further off than a frame both
// stop, are put to one time, and go on together. A shorter clip waits on its last frame, and both begin again together.
//
// What is seen is the newest moment that both clips have a decoded frame of. So it belongs together however late the
// browser decodes: a clip that stalls stops the other one too, and neither looks worse for the machine's haste.

const NUDGE = 0.1; // most that the follower's rate is changed by
const PULL_S = 0.25; // an offset is pulled in over about this time
const DEAD_FRAMES = 0.1; // offsets below this share of a frame are left alone
const FAR_FRAMES = 0.75; // beyond this share of a frame the clips are put together anew
const LATE_TICKS = 3; // ... if it was so in so many ticks
const REST_MS = 250; // and no sooner than this after the last time
const STALL_MS = 500; // ... or if for so long, and for so many frames, there was no moment that both had
const STALL_FRAMES = 4;
const AHEAD_FRAMES = 2; // a frame is presented at most so much before its time; what is further ahead is left over

export class Player extends EventTarget {
  #run = 0; // counts starts, so that an older one that still waits gives up
  #moving = false;
  #late = 0;
  #started = 0;
  #target = 0;
  #shown = 0; // the moment on the screen, while moving
  #changed_at = 0; // when that last changed
  #settling = 0; // counts puttings to a time, so that an older one shows nothing
  #tick = null;
  #released = new AbortController();

  /** Tracks as in tracks.js. Events: "change" when what the controls show has changed, "time" while it plays. */
  constructor(tracks) {
    super();
    this.tracks = tracks;
    this.rate = 1;
    this.loop = true;
    this.playing = false; // what the user wants; while a clip stalls it is true all the same
    this.lead = tracks.reduce((a, b) => (b.duration > a.duration ? b : a));
    this.others = tracks.filter((track) => track !== this.lead);
    /** Frames a second of the finer clip: the step of a frame step. */
    this.fps = Math.max(...tracks.filter((track) => track.duration > 0).map((track) => track.fps), 1);
    this.coarsest = Math.min(...tracks.filter((track) => track.duration > 0).map((track) => track.fps), this.fps);
    this.duration = this.lead.duration;
    this.frames = Math.max(1, Math.round(this.duration * this.fps));
    /** Whether there is a time at all, and whether it can run. */
    this.timed = this.duration > 0 && this.frames > 1;
    this.canPlay = this.timed && tracks.every((track) => track.playable);
    // Browsers stop silent videos of a page that is not seen.
    document.addEventListener("visibilitychange", () => this.#seen(), { signal: this.#released.signal });
  }

  /** The moment that both clips show, in seconds. */
  get time() {
    return this.#moving ? this.#shown : this.#target;
  }

  /** The frame both clips show, counted in frames of the finer one. */
  get frame() {
    return Math.min(Math.floor(this.time * this.fps + 1e-6), this.frames - 1);
  }

  play() {
    if (!this.canPlay || this.playing) return;
    this.playing = true;
    if (this.frame >= this.frames - 1) this.#target = 0;
    this.#start();
    this.#changed();
  }

  /** Stops both on one frame. */
  async pause() {
    if (!this.playing) return;
    const frame = this.frame;
    this.playing = false;
    this.#stop();
    this.#changed();
    await this.#settle(this.#middle(frame));
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** Puts both to a time; goes on playing if it was. */
  async seek(time) {
    const playing = this.playing;
    this.#stop();
    await this.#settle(this.#middle(Math.floor(time * this.fps + 1e-6)));
    if (playing && this.playing) this.#start();
  }

  /** Moves both by whole frames, and stops. */
  async step(by) {
    if (!this.timed) return;
    const frame = this.frame + by;
    this.playing = false;
    this.#stop();
    this.#changed();
    await this.#settle(this.#middle(frame));
  }

  setRate(rate) {
    this.rate = rate;
    for (const track of this.tracks) track.setRate(rate);
    this.#changed();
  }

  setLoop(loop) {
    this.loop = loop;
    this.#changed();
  }

  release() {
    this.playing = false;
    this.#released.abort();
    this.#stop();
    for (const track of this.tracks) track.release();
  }

  #middle(frame) {
    return (Math.min(Math.max(0, frame), this.frames - 1) + 0.5) / this.fps;
  }

  /** Both show the frame at that time; the newest of several calls wins. */
  async #settle(time) {
    const settling = ++this.#settling;
    this.#target = time;
    this.dispatchEvent(new Event("time"));
    await Promise.all(this.tracks.map((track) => track.seek(time)));
    if (settling !== this.#settling) return;
    for (const track of this.tracks) track.show(time);
  }

  /** From the target time on: nothing moves before everything can. */
  async #start() {
    const run = ++this.#run;
    const current = () => run === this.#run && this.playing;
    await this.#settle(this.#target);
    while (current() && !this.tracks.every((track) => track.ready)) await tick();
    if (!current()) return;
    for (const track of this.tracks) {
      track.setRate(this.rate);
      if (this.#target < track.last) track.play().then((allowed) => allowed || this.pause());
    }
    this.#moving = true;
    this.#late = 0;
    this.#shown = this.#target;
    this.#started = this.#changed_at = performance.now();
    this.#watch();
  }

  #stop() {
    this.#run += 1;
    if (this.#moving) this.#target = Math.min(this.lead.time, this.lead.last);
    this.#moving = false;
    if (this.#tick !== null) cancelAnimationFrame(this.#tick);
    this.#tick = null;
    for (const track of this.tracks) track.pause();
  }

  #watch() {
    this.#tick = requestAnimationFrame(() => {
      if (!this.#moving) return;
      this.#show();
      this.#keep();
      if (!this.#moving) return;
      this.dispatchEvent(new Event("time"));
      this.#watch();
    });
  }

  /** Shows the newest moment that all have. */
  #show() {
    const newest = this.lead.time + AHEAD_FRAMES / this.fps;
    const moments = this.tracks.flatMap((track) => track.moments).filter((at) => at > this.#shown && at <= newest);
    const moment = moments.sort((a, b) => b - a).find((at) => this.tracks.every((track) => track.has(at)));
    if (moment === undefined) return;
    for (const track of this.tracks) track.show(moment);
    this.#shown = moment;
    this.#changed_at = performance.now();
  }

  get #stalled() {
    return performance.now() - this.#changed_at > Math.max(STALL_MS, (1000 * STALL_FRAMES) / (this.rate * this.coarsest));
  }

  #keep() {
    if (this.lead.ended || this.lead.time >= this.duration) {
      this.#end();
    } else if (this.#stalled || this.tracks.some((track) => !track.paused && !track.ready)) {
      this.#together();
    } else {
      for (const track of this.others) this.#follow(track);
    }
  }

  #follow(track) {
    if (track.paused || track.ended) return;
    const off = track.time - this.lead.time;
    const frames = Math.abs(off) * Math.max(track.fps, this.lead.fps);
    this.#late = frames > FAR_FRAMES ? this.#late + 1 : 0;
    if (this.#late >= LATE_TICKS && performance.now() - this.#started > REST_MS) {
      this.#together();
      return;
    }
    const pull = frames > DEAD_FRAMES ? Math.min(Math.max(-off / PULL_S, -NUDGE), NUDGE) : 0;
    track.setRate(this.rate * (1 + pull));
  }

  /** Both stop, are put to the leader's time, and start when both can. */
  #together() {
    this.#stop();
    this.#start();
  }

  #end() {
    this.#stop();
    if (this.loop) {
      this.#target = 0;
      this.#start();
      return;
    }
    this.playing = false;
    this.#settle(this.#middle(this.frames - 1));
    this.#changed();
  }

  #seen() {
    if (this.playing && document.visibilityState === "visible") this.#together();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function tick() {
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}
