// A camera of streamd on a canvas: the engine of streamd's own page, for pages of your own.

import { Viewer } from "./engine/viewer.js";
import { address } from "./frames.js";

export { frames } from "./frames.js";

/** A camera's picture on a canvas, live. See README.md and index.d.ts. */
export class Camera extends EventTarget {
  #viewer;
  #canvas;
  #saves = [];
  /** The camera's name; "" until the server has said which one is the first. */
  name = "";
  /** The figures of the last two seconds; null before the first. */
  figures = null;
  /** What the connection does: connecting, open, waiting, ended, impossible, closed. */
  connection = "connecting";

  constructor(url, { canvas, name = "", codec = "", paused = false, token, ...limits }) {
    super();
    if (!(canvas instanceof HTMLCanvasElement)) throw new TypeError("canvas is to be an HTMLCanvasElement");
    this.#canvas = canvas;
    this.#viewer = new Viewer(address(url, { token }), (message) => this.#hear(message));
    this.#viewer.do({ type: "limits", limits: checked(limits) });
    if (codec) this.prefer(codec);
    if (paused) this.pause();
    if (name) this.#adopt(name);
    this.#viewer.do({ type: "open" });
  }

  /** Changes the limits: at most so many pictures a second, JPEG quality, pixels across; 0: no limit. */
  want(limits) {
    this.#viewer.do({ type: "limits", limits: checked(limits) });
  }

  /** How the pictures are coded: jpeg, h264, or "" for what suits the link. */
  prefer(codec) {
    if (!["", "jpeg", "h264"].includes(codec)) throw new RangeError(`codec is "${codec}": jpeg, h264 or ""`);
    this.#viewer.do({ type: "codec", codec });
  }

  pause() {
    this.#viewer.do({ type: "pause", paused: true });
  }

  resume() {
    this.#viewer.do({ type: "pause", paused: false });
  }

  /** Connects now, whatever the pause before the next attempt. */
  retry() {
    this.#viewer.do({ type: "retry" });
  }

  /** The picture that is shown, as a JPEG file; null where there is none. */
  save() {
    return new Promise((resolve) => {
      this.#saves.push(resolve);
      this.#viewer.do({ type: "save", camera: this.name });
    });
  }

  /** Ends it. The canvas keeps its last picture. */
  close() {
    this.#viewer.do({ type: "end" });
    this.connection = "closed";
    this.#saves.splice(0).forEach((resolve) => resolve(null));
  }

  #adopt(name) {
    this.name = name;
    this.#viewer.do({ type: "canvas", camera: name, canvas: this.#canvas });
    this.#viewer.do({ type: "cameras", cameras: [name] });
  }

  #hear(message) {
    if (this.connection === "closed") return;
    if (message.type === "told" && message.message.type === "welcome" && !this.name) this.#adopt(message.message.camera);
    if (message.type === "report") {
      const { views, roundTrip } = message;
      if (!views[this.name]) return;
      this.figures = { ...views[this.name], roundTrip };
      this.#tell("figures", this.figures);
    } else if (message.type === "state") {
      const { type, ...state } = message;
      this.connection = state.state;
      this.#tell("connection", state);
    } else if (message.type === "told") this.#tell("message", message.message);
    else if (message.type === "size") this.#tell("size", { width: message.width, height: message.height });
    else if (message.type === "saved") this.#saved(message.jpeg);
  }

  #saved(jpeg) {
    const blob = jpeg && new Blob([jpeg], { type: "image/jpeg" });
    this.#saves.shift()?.(blob);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The least and the most of each limit. */
const LIMITS = { fps: [0.1, 1000], quality: [1, 100], maxWidth: [16, 16384] };

function checked(limits) {
  for (const [name, value] of Object.entries(limits)) {
    if (!(name in LIMITS)) throw new TypeError(`"${name}" can't be asked for: ${Object.keys(LIMITS).join(", ")}`);
    const [least, most] = LIMITS[name];
    const fits = typeof value === "number" && (value === 0 || (value >= least && value <= most));
    const whole = name === "fps" || Number.isInteger(value);
    if (!fits || !whole) throw new RangeError(`${name} is ${value}: ${least} to ${most}, or 0 for no limit`);
  }
  return limits;
}
