// The way of pictures in the browser: WebSocket, decode, canvas. Runs in a worker, so that nothing
// the page does delays it; on the main thread where workers can't draw.

import { Connection } from "./connection.js";
import { Clock, Meter, now } from "./meter.js";
import { Picture } from "./picture.js";
import { isUnit, readSegment } from "./segment.js";
import { blankView, standing } from "./standing.js";
import { Stream, decodes } from "./stream.js";

/** Milliseconds between two reports to the page. */
const REPORT = 250;

/** Milliseconds between two questions for a place that was refused. */
const ASK_AGAIN = 5000;

/** Milliseconds between pings: a few quick ones at first, to know the clock's offset soon. */
const PINGS = [0, 100, 250, 500];
const PING = 2000;

/** What is asked for while pictures come another way, and while nothing limits them. */
const RESTING = { fps: 1, quality: 30, maxWidth: 160 };
/** Pictures of that kind that may come after it. */
const SMALL = 4;
const NO_LIMITS = { fps: 0, quality: 0, maxWidth: 0 };

export class Viewer {
  #post;
  #connection;
  #clock = new Clock();
  #views = new Map();
  /** The names that are asked for; `["*"]` while only the server knows them. */
  #cameras = ["*"];
  #limits = {};
  /** As it was chosen: "", "jpeg" or "h264"; and as it is asked for. */
  #chosen = "";
  #codec = "jpeg";
  /** The server has H.264, the link has been too narrow for JPEG at its best, the decoder too slow. */
  #offered = false;
  #narrow = false;
  #slow = false;
  #paused = false;
  /** Pictures come another way: here only what says what the camera is. */
  #rests = false;
  #reporter = 0;
  #pinger = 0;
  #asker = 0;
  #fps = 30;
  /** The newest picture of each camera that has no canvas yet. */
  #early = new Map();

  /**
   * @param {string} url of the WebSocket
   * @param {(message: object, transfer?: Transferable[]) => void} post tells the page something
   */
  constructor(url, post) {
    this.#post = post;
    const address = () => {
      const full = new URL(url);
      full.searchParams.set("camera", this.#cameras.join());
      const { fps, quality, maxWidth } = this.#least();
      for (const [name, value] of Object.entries({ fps, quality, max_width: maxWidth })) {
        if (value) full.searchParams.set(name, value);
      }
      return full.href;
    };
    this.#connection = new Connection(address, {
      open: () => this.#opened(),
      message: (data) => (typeof data === "string" ? this.#told(JSON.parse(data)) : this.#came(data)),
      state: (state) => {
        if (state.state !== "connecting") this.#reset();
        post({ type: "state", ...state });
      },
    });
    this.#reporter = setInterval(() => this.#report(), REPORT);
  }

  /** What the page asks for. */
  do(message) {
    const actions = {
      open: () => this.#connection.open(),
      retry: () => this.#connection.retry(),
      close: () => this.#connection.close(),
      end: () => this.#end(),
      canvas: ({ camera, canvas }) => this.#adopt(camera, canvas),
      cameras: ({ cameras }) => this.#show(cameras),
      limits: ({ limits }) => this.#limit(limits),
      codec: ({ codec }) => this.#choose(codec),
      rest: ({ on }) => this.#rest(on),
      pause: ({ paused }) => this.#pause(paused),
      save: ({ camera }) => this.#save(camera),
      follow: ({ camera, on }) => {
        this.#view(camera).followed = on;
        this.#decideCodec();
      },
    };
    actions[message.type]?.(message);
  }

  #view(camera) {
    if (!this.#views.has(camera)) this.#views.set(camera, { ...blankView(now()), meter: new Meter(), picture: null });
    return this.#views.get(camera);
  }

  /** Nothing more will be asked for, and nothing is left running. */
  #end() {
    clearInterval(this.#reporter);
    this.#connection.close();
    this.#reset();
  }

  /** What came over the last connection says nothing of the next one. */
  #reset() {
    clearTimeout(this.#pinger);
    clearTimeout(this.#asker);
    this.#early.clear();
    for (const view of this.#views.values()) Object.assign(view, blankView(now()), { meter: new Meter() });
  }

  #opened() {
    this.#clock.reset();
    this.#reset();
    this.#codec = "jpeg";
    this.#narrow = false;
    this.#rests = false;
    this.#connection.send({ type: "hello", name: "page", ...this.#limits, paused: this.#paused });
    this.#subscribe();
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
    const view = message.camera && this.#views.get(message.camera);
    if (message.type === "welcome") {
      this.#fps = message.fps;
      this.#offered = Boolean(message.codecs?.includes("h264"));
      this.#decideCodec();
    }
    if (message.type === "rendition" && view) {
      view.interval = 1000 / message.fps;
      if (message.width > RESTING.maxWidth || message.fps > RESTING.fps) view.small = 0;
      if (!this.#rests && message.codec === "jpeg" && message.reason.startsWith("link")) this.#narrow = true;
      this.#decideCodec();
    }
    if (message.type === "notice" && view) this.#noticed(message, view);
    this.#post({ type: "told", message });
  }

  #noticed({ event, camera, message, since }, view) {
    if (event === "cameraLost") {
      const reason = message.replace(`camera ${camera}: `, "");
      view.lost = { reason, since: since ? since / 1000 - this.#clock.offset : null };
    }
    if (event === "cameraRefused") {
      view.refused = message;
      if (this.#cameras.every((name) => this.#views.get(name)?.refused)) {
        this.#connection.leave(message);
        return;
      }
      clearTimeout(this.#asker);
      this.#asker = setTimeout(() => this.#subscribe(), ASK_AGAIN);
    }
  }

  #came(jpeg) {
    const at = now();
    const segment = readSegment(jpeg);
    const camera = segment?.camera ?? this.#cameras[0];
    if (segment && this.#clock.known) {
      const t = Math.round((at + this.#clock.offset) * 1000);
      this.#connection.send({ type: "receipt", sequence: segment.sequence, t, camera });
    }
    const view = this.#views.get(camera);
    if (!view?.picture) {
      this.#early.set(camera, jpeg);
      return;
    }
    view.refused = "";
    if (view.small) view.small -= 1;
    view.meter.arrived(jpeg.byteLength, segment, at, !this.#least().fps);
    this.#take(view, jpeg, segment, at);
  }

  /** A stand-in is no picture of the camera: the page says in words what it has to say. */
  #take(view, jpeg, segment, at) {
    if (segment?.standIn) {
      view.standIn = at;
      view.meter.pause();
    } else if (!this.#paused && !isUnit(jpeg)) {
      view.picture.show({ jpeg, segment, small: view.small > 0 });
    }
    if (isUnit(jpeg) && segment && view.stream) view.stream.take({ data: jpeg, segment });
  }

  #choose(codec) {
    this.#chosen = codec;
    this.#slow = false;
    this.#decideCodec();
  }

  /**
   * JPEG while the link carries it at its best, since each picture stands alone and is shown soonest;
   * H.264 where it does not. Films are made of JPEG.
   */
  #decideCodec() {
    const can = this.#offered && decodes() && !this.#slow && !this.#rests && [...this.#views.values()].every((view) => view.picture && !view.followed);
    const wanted = this.#chosen ? this.#chosen === "h264" : this.#narrow;
    const codec = can && wanted ? "h264" : "jpeg";
    if (codec === this.#codec) return;
    this.#codec = codec;
    this.#ask();
  }

  #ask() {
    this.#connection.send({ type: "want", codec: this.#codec });
  }

  #adopt(camera, canvas) {
    const view = this.#view(camera);
    view.picture = new Picture(canvas, {
      drawn: (frame, drawn) => this.#drawn(camera, view, frame, drawn),
      overtaken: () => (view.meter.overtaken += 1),
      broken: () => (view.broken = now()),
    });
    view.stream = new Stream({
      decoded: (frame, picture) => {
        if (frame.segment.standIn || this.#paused) picture.close();
        else view.picture.put(frame, picture);
      },
      lost: (slow) => {
        view.broken = now();
        this.#slow ||= slow;
        this.#decideCodec();
        if (this.#codec === "h264") this.#ask();
      },
    });
    this.#decideCodec();
    const early = this.#early.get(camera);
    this.#early.delete(camera);
    if (early) this.#take(view, early, readSegment(early), now());
  }

  #drawn(camera, view, { jpeg, segment, small }, { width, height, at }) {
    const known = segment && this.#clock.known;
    const captured = known ? segment.captured / 1000 - this.#clock.offset : null;
    view.meter.shown(at, known ? at - captured : null);
    const first = !view.drawn || view.drawn.at < view.from;
    view.drawn = { at, captured };
    const size = `${width}×${height}`;
    if (size !== view.size) {
      view.size = size;
      this.#post({ type: "size", camera, width, height });
    }
    if (view.followed && jpeg && !small) this.#post({ type: "frame", camera, jpeg });
    // The page need not wait for the next report to say that there is a picture.
    if (first) this.#report();
  }

  #show(cameras) {
    const same = cameras.join() === this.#cameras.join();
    this.#cameras = cameras;
    for (const kept of [this.#views, this.#early]) {
      for (const camera of [...kept.keys()]) if (!cameras.includes(camera)) kept.delete(camera);
    }
    if (!same) this.#subscribe();
  }

  #subscribe() {
    clearTimeout(this.#asker);
    if (this.#cameras[0] === "*") return;
    for (const camera of this.#cameras) this.#view(camera).refused = "";
    this.#connection.send({ type: "subscribe", cameras: this.#cameras });
  }

  #limit(limits) {
    this.#limits = limits;
    for (const view of this.#views.values()) view.meter.pause();
    this.#connection.send({ type: "want", ...this.#least() });
  }

  /** The limits that hold: the person's, or those of one who looks another way. */
  #least() {
    if (!this.#rests) return this.#limits;
    return { ...RESTING, fps: Math.min(this.#limits.fps || RESTING.fps, RESTING.fps) };
  }

  #rest(on) {
    this.#rests = on;
    for (const view of this.#views.values()) {
      view.meter.pause();
      // Small ones may be on their way yet.
      view.small = on ? 0 : SMALL;
    }
    this.#connection.send({ type: "want", ...NO_LIMITS, ...this.#least() });
    this.#decideCodec();
  }

  #pause(paused) {
    this.#paused = paused;
    for (const view of this.#views.values()) {
      view.from = now();
      view.meter.pause();
    }
    this.#connection.send({ type: "want", paused });
    this.#report();
  }

  async #save(camera) {
    const view = this.#views.get(camera);
    const picture = view?.standIn > (view?.drawn?.at ?? 0) ? null : view?.picture;
    const captured = picture?.shown?.segment?.captured ?? null;
    this.#post({ type: "saved", camera, jpeg: (await picture?.file()) ?? null, captured });
  }

  #report() {
    const at = now();
    const views = {};
    for (const [camera, view] of this.#views) {
      const interval = Math.max(view.interval, 1000 / (this.#least().fps || Infinity));
      const stands = standing({ ...view, interval }, { now: at, paused: this.#paused });
      views[camera] = { ...view.meter.read(at), ...stands, size: view.size ?? "", small: view.small > 0 };
    }
    const roundTrip = this.#connection.isOpen ? this.#clock.roundTrip : null;
    const offset = this.#clock.known ? this.#clock.offset : null;
    this.#post({ type: "report", views, roundTrip, offset });
  }
}
