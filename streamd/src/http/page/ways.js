// By which way pictures come: over the WebSocket, or by WebRTC where that is chosen, heard, or better.
// The WebSocket stays open beside WebRTC, with a small picture a second: it says what the camera is,
// and pictures come over it at once when WebRTC ends. A picture goes only when the next one is there.

import { canWebrtc, Session } from "./webrtc.js";

/** Milliseconds that a link must be slow before WebRTC is tried. */
const SLOW = 5000;

/** A picture is old beyond this, in milliseconds, where 95 of 100 count. */
const OLD = 500;

/** Milliseconds before WebRTC is tried again by itself; where a person wants it, at first and at most. */
const AGAIN = 300000;
const WANTED_AGAIN = [15000, 120000];

/** Milliseconds that a session must have played for the next failure to count as the first. */
const PROVEN = 60000;

export class Ways {
  #host;
  /** By camera: `now` is shown, `next` is to take its place; `left` counts the pictures drawn when WebRTC was left. */
  #slots = new Map();
  #slowSince = 0;
  #isSlow = false;
  #blocked = null;
  #pause = 0;
  #rests = false;
  #views = {};
  #offset = null;

  /**
   * @param {{facts: () => object, rest: (on: boolean) => void, lay: (camera: string, video: HTMLElement) => void,
   *   cover: (camera: string, picture: HTMLElement | null, pixels?: object) => void,
   *   tell: (key: string, values?: object) => void}} host `facts` gives `{cameras, mayPlay, filming, offered, chosen, sound,
   *   limits, fps}`; `lay` puts a video below a camera's own picture,
   *   `cover` a picture over it; `tell` says a text that passes
   */
  constructor(host) {
    this.#host = host;
    addEventListener("pagehide", () => this.stop());
  }

  /** A connection has begun: what was found of the one before says nothing of it. */
  begin() {
    this.#isSlow = false;
    this.#slowSince = 0;
    this.retry();
    this.#rests = false;
    this.#views = {};
  }

  /** A person wants it now, whatever has failed. */
  retry() {
    this.#blocked = null;
    this.#pause = 0;
  }

  /** What holds now is looked at, and acted upon. `views` and `renditions` are of the WebSocket, `offset` its clock's. */
  look(views, renditions, offset) {
    this.#views = views;
    this.#offset = offset;
    const facts = this.#host.facts();
    this.#judge(facts, views, renditions);
    this.decide();
  }

  /** Whether the link has been slow for some time, by what arrives. */
  #judge({ cameras, mayPlay }, views, renditions) {
    const slow = (name) => {
      const { state, latency95 } = views[name] ?? {};
      const narrow = renditions[name]?.reason.startsWith("link");
      return state === "late" || (state === "live" && (narrow || latency95 > OLD));
    };
    const at = performance.now();
    if (this.#rests || !mayPlay) return;
    if (!cameras.some(slow)) this.#slowSince = 0;
    else this.#slowSince ||= at;
    if (this.#slowSince && at - this.#slowSince > SLOW) this.#isSlow = true;
  }

  /** Why WebRTC is wanted: by whom or what; "" where it is not. */
  #wanted({ chosen, sound }) {
    if (sound) return "sound";
    if (chosen === "webrtc") return "chosen";
    return chosen === "" && this.#isSlow ? "slow" : "";
  }

  /** Why it can't be, though it is wanted; "" where it can. */
  #hindered({ offered, filming }) {
    if (!canWebrtc()) return "unable";
    if (!offered) return "unoffered";
    if (filming) return "films";
    return this.#blocked && performance.now() < this.#blocked.until ? this.#blocked.why : "";
  }

  /** Begins, replaces and ends what the facts ask for. */
  decide() {
    const facts = this.#host.facts();
    const wanted = facts.mayPlay && this.#wanted(facts) && !this.#hindered(facts);
    for (const [camera, slot] of this.#slots) {
      if (!facts.cameras.includes(camera)) this.#drop(camera, slot);
      else if (!facts.mayPlay) this.#freeze(camera, slot);
      else if (!wanted || slot.now?.closed) this.#giveBack(camera, slot, wanted);
    }
    if (wanted) for (const camera of facts.cameras) this.#play(camera, facts);
    const rests = Boolean(wanted) && facts.cameras.every((camera) => this.session(camera));
    if (rests !== this.#rests) this.#host.rest(rests);
    this.#rests = rests;
  }

  #slot(camera) {
    if (!this.#slots.has(camera)) this.#slots.set(camera, { now: null, next: null, left: null });
    return this.#slots.get(camera);
  }

  /** Sees to it that a camera plays as it is wanted. */
  #play(camera, { limits: { fps, maxWidth }, sound, fps: rates }) {
    const slot = this.#slot(camera);
    if (!slot.now?.closed) slot.left = null;
    const wants = { fps, maxWidth, sound: sound === camera };
    const key = JSON.stringify(wants);
    const newest = slot.next ?? slot.now;
    if (newest?.key === key && !newest.closed) return;
    this.#giveUp(slot);
    const of = { interval: 1000 / (fps || rates[camera] || 1), offset: () => this.#offset };
    const session = new Session(camera, wants, of, {
      plays: () => this.#plays(camera, slot, session),
      ended: (why, words) => this.#ended(slot, session, why, words),
    });
    session.key = key;
    slot.next = session;
    this.#host.lay(camera, session.video);
  }

  #plays(camera, slot, session) {
    if (slot.next !== session) return;
    const first = !slot.now;
    slot.now?.close();
    Object.assign(slot, { now: session, next: null, left: null });
    session.since = performance.now();
    this.#host.cover(camera, session.video, session.pixels);
    const why = this.#wanted(this.#host.facts());
    if (first && why) this.#host.tell("nowWebrtc", { why: `by-${why}` });
    this.decide();
  }

  #ended(slot, session, why, words) {
    if (slot.next === session) this.#giveUp(slot);
    else if (slot.now !== session) return;
    const byItself = this.#wanted(this.#host.facts()) === "slow";
    if (performance.now() - session.since > PROVEN) this.#pause = 0;
    this.#pause = this.#pause ? Math.min(this.#pause * 2, WANTED_AGAIN[1]) : WANTED_AGAIN[0];
    this.#blocked = { why, words, until: performance.now() + (byItself ? AGAIN : this.#pause) };
    this.#host.tell("noWebrtc", { why: `not-${why}`, words });
    this.decide();
  }

  /** Ends what was to take the place. */
  #giveUp(slot) {
    slot.next?.close();
    slot.next?.video.remove();
    slot.next = null;
  }

  /** The WebSocket's pictures take the place when they are there again. */
  #giveBack(camera, slot, wanted) {
    if (!wanted) this.#giveUp(slot);
    const { drawn = 0, small } = this.#views[camera] ?? {};
    slot.left ??= drawn;
    // One that is on its way may be a small one.
    if (slot.now && !small && drawn >= slot.left + 2) {
      slot.now.close();
      this.#host.cover(camera, null);
      slot.now = slot.left = null;
    }
    if (!slot.now && !slot.next) this.#slots.delete(camera);
  }

  /** Nothing comes just now: what is shown stays, as a still. */
  #freeze(camera, slot) {
    if (slot.now && !slot.now.closed) {
      this.#host.cover(camera, slot.now.still(), slot.now.pixels);
      slot.now.close();
    }
    this.#giveUp(slot);
    slot.left = null;
  }

  #drop(camera, slot) {
    slot.now?.close();
    this.#giveUp(slot);
    if (slot.now) this.#host.cover(camera, null);
    this.#slots.delete(camera);
  }

  /** The page is being left. */
  stop() {
    for (const { now, next } of this.#slots.values()) {
      now?.close();
      next?.close();
    }
    this.#slots.clear();
  }

  /** What shows a camera by WebRTC; null where the WebSocket does. */
  session(camera) {
    const slot = this.#slots.get(camera);
    return slot?.now && !slot.now.closed && slot.left === null ? slot.now : null;
  }

  /** Whether something lies over a camera's own picture. */
  covers(camera) {
    return Boolean(this.#slots.get(camera)?.now);
  }

  /** What is shown of each camera, whichever way: what only the WebSocket says stays. */
  views() {
    const mixed = { ...this.#views };
    for (const [camera, view] of Object.entries(mixed)) {
      const session = this.session(camera);
      if (!session) continue;
      const own = session.read();
      const said = ["lost", "refused", "paused"].includes(view.state) ? { ...view, size: own.size } : {};
      mixed[camera] = { ...own, ...(said.state && { state: said.state, reason: view.reason, since: view.since }) };
    }
    return mixed;
  }

  /** What comes by WebRTC, as `rendition` has it; null where pictures come over the WebSocket. */
  rendition(camera, view) {
    return this.session(camera) && view ? { codec: "h264", bitRate: view.bitsPerSecond, reason: "webrtc" } : null;
  }

  /** The way of a camera, and why it is that: keys of texts, `seconds` until WebRTC is tried again. */
  of(camera) {
    const facts = this.#host.facts();
    const wanted = this.#wanted(facts);
    if (this.session(camera)) return { way: "webrtc", why: `by-${wanted || "ends"}` };
    if (!wanted && facts.chosen === "h264" && typeof VideoDecoder === "undefined") return { way: "socket", why: "not-secure" };
    if (!wanted) return { way: "socket", why: facts.chosen ? "by-chosen" : "by-itself" };
    const hindered = this.#hindered(facts);
    if (!hindered) return { way: "socket", why: "by-trial" };
    const { words, until = 0 } = this.#blocked ?? {};
    const seconds = Math.ceil((until - performance.now()) / 1000);
    return { way: "socket", why: `not-${hindered}`, words, seconds: hindered === this.#blocked?.why ? seconds : 0 };
  }
}
