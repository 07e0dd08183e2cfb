// The way of a picture in the browser: WebSocket, decode, canvas. Runs in a worker, so that
// nothing the page does delays it; on the main thread where workers can't draw.

import { Connection } from "./connection.js";
import { Clock, Meter, now } from "./meter.js";
import { Picture } from "./picture.js";
import { readSegment } from "./segment.js";

/** Milliseconds between two reports to the page. */
const REPORT = 500;

/** Milliseconds between pings: a few quick ones at first, to know the clock's offset soon. */
const PINGS = [0, 100, 250, 500];
const PING = 2000;

export class Viewer {
  #post;
  #connection;
  #clock = new Clock();
  #views = new Map();
  #cameras = [];
  #limits = {};
  #paused = false;
  #pinger = 0;

  /**
   * @param {string} url of the WebSocket
   * @param {(message: object, transfer?: Transferable[]) => void} post tells the page something
   */
  constructor(url, post) {
    this.#post = post;
    this.#connection = new Connection(url, {
      open: () => this.#opened(),
      message: (data) => (typeof data === "string" ? this.#told(JSON.parse(data)) : this.#came(data)),
      state: (state) => {
        if (state.state !== "connecting") clearTimeout(this.#pinger);
        post({ type: "state", ...state });
      },
    });
    setInterval(() => this.#report(), REPORT);
  }

  /** What the page asks for. */
  do(message) {
    const actions = {
      open: () => this.#connection.open(),
      retry: () => this.#connection.retry(),
      close: () => this.#connection.close(),
      canvas: ({ camera, canvas }) => this.#adopt(camera, canvas),
      cameras: ({ cameras }) => this.#show(cameras),
      limits: ({ limits }) => this.#limit(limits),
      pause: ({ paused }) => this.#pause(paused),
      save: ({ camera }) => this.#save(camera),
    };
    actions[message.type]?.(message);
  }

  #opened() {
    this.#clock.reset();
    for (const view of this.#views.values()) view.meter = new Meter();
    this.#connection.send({ type: "hello", name: "page", ...this.#limits, paused: this.#paused });
    if (this.#cameras.length) this.#subscribe();
    clearTimeout(this.#pinger);
    const ping = (n) => {
      this.#connection.send({ type: "ping", t: Math.round(now() * 1000) });
      const wait = n + 1 < PINGS.length ? PINGS[n + 1] - PINGS[n] : PING;
      this.#pinger = setTimeout(() => ping(n + 1), wait);
    };
    ping(0);
    this.#post({ type: "state", state: "open" });
  }

  #told(message) {
    if (message.type === "pong") {
      this.#clock.answered(message.t / 1000, message.serverTime, now());
      return;
    }
    this.#post({ type: "told", message });
  }

  #came(jpeg) {
    const at = now();
    const segment = readSegment(jpeg);
    const camera = segment?.camera ?? this.#cameras[0];
    const view = this.#views.get(camera);
    if (!view) return;
    if (segment && this.#clock.known) {
      const t = Math.round((at + this.#clock.offset) * 1000);
      this.#connection.send({ type: "receipt", sequence: segment.sequence, t, camera });
    }
    view.meter.arrived(jpeg.byteLength, segment, at, !this.#limits.fps);
    if (!this.#paused) view.picture.show({ jpeg, segment });
  }

  #adopt(camera, canvas) {
    const view = { meter: new Meter(), picture: null, size: "" };
    view.picture = new Picture(canvas, {
      drawn: (frame, drawn) => this.#drawn(camera, view, frame, drawn),
      overtaken: () => (view.meter.overtaken += 1),
      broken: (error) => this.#post({ type: "broken", camera, reason: error.message }),
    });
    this.#views.set(camera, view);
  }

  #drawn(camera, view, { segment }, { width, height, at }) {
    const latency =
      segment && this.#clock.known ? at + this.#clock.offset - segment.captured / 1000 : null;
    view.meter.shown(at, latency);
    const size = `${width}×${height}`;
    if (size !== view.size) {
      view.size = size;
      this.#post({ type: "size", camera, width, height });
    }
  }

  #show(cameras) {
    this.#cameras = cameras;
    for (const camera of [...this.#views.keys()]) {
      if (!cameras.includes(camera)) this.#views.delete(camera);
    }
    this.#subscribe();
  }

  #subscribe() {
    this.#connection.send({ type: "subscribe", cameras: this.#cameras });
  }

  #limit(limits) {
    this.#limits = limits;
    for (const view of this.#views.values()) view.meter.pause();
    this.#connection.send({ type: "want", ...limits });
  }

  #pause(paused) {
    this.#paused = paused;
    for (const view of this.#views.values()) view.meter.pause();
    this.#connection.send({ type: "want", paused });
  }

  #save(camera) {
    const frame = this.#views.get(camera)?.picture.shown;
    this.#post({ type: "saved", camera, jpeg: frame?.jpeg ?? null, captured: frame?.segment?.captured ?? null });
  }

  #report() {
    const at = now();
    const figures = {};
    for (const [camera, view] of this.#views) {
      figures[camera] = { ...view.meter.read(at), size: view.size };
    }
    this.#post({ type: "figures", figures, roundTrip: this.#clock.roundTrip });
  }
}
