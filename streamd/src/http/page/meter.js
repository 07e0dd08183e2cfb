// What a viewer measures of one camera, and the server's clock as the viewer sees it.

/** Milliseconds that rates and percentiles look back. */
const SPAN = 2000;

/** Milliseconds since the epoch, with fractions: the clock all times here are on. */
export const now = () => performance.timeOrigin + performance.now();

/** The server's clock against ours, from pings: the quickest of the last ones is the truest. */
export class Clock {
  #samples = [];

  /** A ping sent and answered at these moments of our clock; `server` is its clock in µs. */
  answered(sent, server, received) {
    const roundTrip = received - sent;
    this.#samples.push({ roundTrip, offset: server / 1000 - (sent + roundTrip / 2) });
    if (this.#samples.length > 16) this.#samples.shift();
  }

  reset() {
    this.#samples = [];
  }

  get #best() {
    return this.#samples.reduce((a, b) => (b.roundTrip < a.roundTrip ? b : a), this.#samples[0]);
  }

  /** Whether the offset is known. */
  get known() {
    return this.#samples.length > 0;
  }

  /** Milliseconds to add to our clock for the server's; 0 while it is not known. */
  get offset() {
    return this.#best?.offset ?? 0;
  }

  /** The newest round trip in milliseconds; null while there is none. */
  get roundTrip() {
    return this.#samples.at(-1)?.roundTrip ?? null;
  }
}

/** The figures of one camera. */
export class Meter {
  #arrivals = [];
  #draws = [];
  #sequence = null;
  #started = null;

  constructor() {
    /** Frames of the camera that never came, since the connection began. */
    this.missed = 0;
    /** Frames that came while an older one was still being decoded, and were left out for a newer one. */
    this.overtaken = 0;
    /** Frames drawn in all. */
    this.drawn = 0;
  }

  /** A picture of so many bytes came. Gaps are counted unless fewer frames are wanted. */
  arrived(bytes, segment, at, countGaps) {
    this.#started ??= at;
    this.#arrivals.push({ at, bytes });
    if (!segment) return;
    const step = segment.sequence - (this.#sequence ?? segment.sequence);
    // A jump of ten seconds is a camera that slept, not frames that were lost.
    if (countGaps && step > 1 && step < 300) this.missed += step - 1;
    this.#sequence = segment.sequence;
  }

  /** After a pause, the next gap is not a loss. */
  pause() {
    this.#sequence = null;
  }

  /** A picture is on the screen; `latency` in milliseconds since its capture, or null. */
  shown(at, latency) {
    this.drawn += 1;
    this.#draws.push({ at, latency });
  }

  /** The figures of the last two seconds. */
  read(at) {
    const recent = (list) => {
      while (list.length && list[0].at < at - SPAN) list.shift();
      return list;
    };
    const arrivals = recent(this.#arrivals);
    const draws = recent(this.#draws);
    const seconds = Math.min(SPAN, Math.max(250, at - (this.#started ?? at))) / 1000;
    const latencies = draws.map((d) => d.latency).filter((l) => l !== null).sort((a, b) => a - b);
    const percentile = (p) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * p))] ?? null;
    return {
      fps: draws.length / seconds,
      bitsPerSecond: (arrivals.reduce((sum, a) => sum + a.bytes, 0) * 8) / seconds,
      latency: percentile(0.5),
      latency95: percentile(0.95),
      missed: this.missed,
      overtaken: this.overtaken,
      drawn: this.drawn,
    };
  }
}
