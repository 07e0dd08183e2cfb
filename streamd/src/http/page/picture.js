// One camera's canvas: decodes the newest JPEG and draws it. A picture that comes while another
// is being decoded waits, and only the newest one waits: what is shown is never late for the sake
// of what was before it.

import { now } from "./meter.js";

export class Picture {
  #context;
  #canvas;
  #waiting = null;
  #decoding = false;
  #onDrawn;
  #onOvertaken;
  #onBroken;

  /**
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   * @param {{drawn: Function, overtaken: Function, broken: Function}} on
   */
  constructor(canvas, on) {
    this.#canvas = canvas;
    // Takes a decoded picture over as it is, without copying its pixels.
    this.#context = canvas.getContext("bitmaprenderer");
    this.#onDrawn = on.drawn;
    this.#onOvertaken = on.overtaken;
    this.#onBroken = on.broken;
    /** The JPEG that is shown, for saving; null before the first. */
    this.shown = null;
  }

  /** Shows this frame as soon as it can be, unless a newer one comes first. */
  show(frame) {
    if (this.#waiting) this.#onOvertaken();
    this.#waiting = frame;
    if (!this.#decoding) this.#decode();
  }

  /** Shows a picture that is decoded already. */
  async put(frame, decoded) {
    try {
      this.#draw(frame, await createImageBitmap(decoded));
    } finally {
      decoded.close();
    }
  }

  /** What is shown, as a JPEG file. */
  async file() {
    if (this.shown?.jpeg) return this.shown.jpeg;
    const blob = this.shown && (await this.#canvas.convertToBlob?.({ type: "image/jpeg", quality: 0.95 }));
    return blob?.arrayBuffer() ?? null;
  }

  async #decode() {
    this.#decoding = true;
    while (this.#waiting) {
      const frame = this.#waiting;
      this.#waiting = null;
      try {
        const bitmap = await createImageBitmap(new Blob([frame.jpeg], { type: "image/jpeg" }));
        this.#draw(frame, bitmap);
      } catch (error) {
        this.#onBroken(error);
      }
    }
    this.#decoding = false;
  }

  #draw(frame, bitmap) {
    const { width, height } = bitmap;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#context.transferFromImageBitmap(bitmap);
    this.shown = frame;
    this.#onDrawn(frame, { width, height, at: now() });
  }
}
