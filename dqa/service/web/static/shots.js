// The newest few frames that a video has presented, kept as pictures, each for the moments it is on the screen.
//
// A browser presents the frames of two videos when each is decoded, not when both are. So what is shown is not the
// videos but these pictures, and of each clip the one that belongs to the moment both have.

const BYTES = 96e6; // most that the pictures of one clip may take
const MANY = 8;
const SLACK_S = 2e-3; // containers round times, Matroska to the millisecond

export class Shots {
  #kept = []; // {time, picture}, oldest first
  #staying; // a newest frame from that time on stays on for good

  /** `fps` frames a second, `frames` in all. */
  constructor(fps, frames) {
    this.length_s = 1 / fps;
    this.last = (frames - 1) / fps;
    this.#staying = this.last;
  }

  /** Keeps what `source` shows now as the frame that begins at `time`; `width` x `height` pixels. */
  take(source, time, width, height) {
    const most = Math.min(MANY, Math.max(2, Math.floor(BYTES / (4 * width * height))));
    const picture = this.#kept.length < most ? document.createElement("canvas") : this.#kept.shift().picture;
    if (picture.width !== width || picture.height !== height) Object.assign(picture, { width, height });
    picture.getContext("2d", { alpha: false }).drawImage(source, 0, 0, width, height);
    this.#kept.push({ time, picture });
  }

  /** The clip has ended: the newest frame stays on, if it is at most one before the last; `surely` whichever it is. */
  end(surely = false) {
    this.#staying = surely ? -Infinity : this.last - this.length_s;
  }

  clear() {
    this.#kept.length = 0;
    this.#staying = this.last;
  }

  /** When the kept frames begin, in seconds. */
  get times() {
    return this.#kept.map((shot) => shot.time);
  }

  /** The picture that is on at that moment; null when it is not among the kept ones. */
  at(moment) {
    for (let i = this.#kept.length - 1; i >= 0; i--) {
      const { time, picture } = this.#kept[i];
      const stays = i === this.#kept.length - 1 && time >= this.#staying - SLACK_S;
      if (moment >= time - SLACK_S && (stays || moment < time + this.length_s - SLACK_S)) return picture;
    }
    return null;
  }
}
