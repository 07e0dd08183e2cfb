// Pictures that build on one another: H.264 by the browser's own decoder, in its order.

/** Pictures that wait for the decoder at most: with more it is too slow for this stream. */
const WAITING = 12;

const START = [0, 0, 0, 1];
const SPS = 7;
const KEY = 5;

/** Whether this browser decodes H.264 here. Only pages from https and localhost may. */
export function decodes() {
  return typeof VideoDecoder !== "undefined";
}

export class Stream {
  #decoder = null;
  #frames = new Map();
  #on;

  /** @param {{decoded: (frame: object, picture: VideoFrame) => void, lost: (slow: boolean) => void}} on */
  constructor(on) {
    this.#on = on;
  }

  /** Takes the next picture; those before a key are of no use. */
  take(frame) {
    const data = new Uint8Array(frame.data);
    const units = [...unitsOf(data)];
    const key = units.some((at) => (data[at] & 31) === KEY);
    const sps = units.find((at) => (data[at] & 31) === SPS);
    if (key && sps) this.#begin(data, sps);
    if (!this.#decoder) return;
    if (this.#decoder.decodeQueueSize > WAITING) return this.#lose(true);
    const timestamp = frame.segment.captured;
    this.#frames.set(timestamp, frame);
    try {
      this.#decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp, data }));
    } catch {
      this.#lose(false);
    }
  }

  /** The profile, what it is restricted to and the level stand at the beginning of the parameter set. */
  #begin(data, at) {
    const hex = (n) => n.toString(16).padStart(2, "0");
    const codec = `avc1.${hex(data[at + 1])}${hex(data[at + 2])}${hex(data[at + 3])}`;
    if (this.codec === codec && this.#decoder) return;
    this.close();
    this.codec = codec;
    this.#decoder = new VideoDecoder({
      output: (picture) => {
        const frame = this.#frames.get(picture.timestamp);
        for (const earlier of this.#frames.keys()) if (earlier <= picture.timestamp) this.#frames.delete(earlier);
        if (frame) this.#on.decoded(frame, picture);
        else picture.close();
      },
      error: () => this.#lose(false),
    });
    this.#decoder.configure({ codec, optimizeForLatency: true });
  }

  #lose(slow) {
    this.close();
    this.#on.lost(slow);
  }

  close() {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#frames.clear();
  }
}

/** Where NAL units begin, behind their start codes. */
function* unitsOf(data) {
  for (let at = 0; at + 4 < data.length; at++) {
    if (START.every((byte, n) => data[at + n] === byte)) yield at + 4;
  }
}
