// A camera's pictures, and its sound, by WebRTC: one session of WHEP, in a <video> of its own.

import { BY_SCRIPT, here } from "./address.js";
import { Meter, now } from "./meter.js";
import { blankView, standing } from "./standing.js";
import { element } from "./tile.js";

/** Milliseconds within which the first picture is to come. */
const PLAYS_WITHIN = 8000;

/** Milliseconds without a byte, beside two intervals of the camera, after which nothing more will come. */
const DEAD = 3000;

/** Milliseconds between two looks at what the browser counts. */
const LOOK = 250;

/** RTP's time stamps: so many a millisecond, and after so many they begin again. */
const PER_MS = 90;
const ROUND = 2 ** 32;

/** Whether this browser can show pictures by WebRTC and say what it shows. */
export const canWebrtc = () =>
  Boolean(window.RTCPeerConnection && HTMLVideoElement.prototype.requestVideoFrameCallback);

export class Session {
  #on;
  #meter = new Meter();
  #view = blankView(now());
  #offset = () => null;
  #interval;
  #counts;
  #pc = null;
  #looks = 0;
  #address = null;
  #epoch = null;
  #bytes = { all: 0, at: now() };
  #last = null;
  #gone = 0;
  #dropped = 0;
  #heard = { energy: 0, seconds: 0 };

  /**
   * Begins at once.
   * @param {string} camera
   * @param {{fps: number, maxWidth: number, sound: boolean}} wants
   * @param {{interval: number, offset: () => number | null}} of milliseconds between pictures; those to
   *   add to our clock for the server's, null while that is not known
   * @param {{plays: Function, ended: (why: string, words?: string) => void}} on `ended` once, unless it was closed
   */
  constructor(camera, wants, { interval, offset }, on) {
    this.#on = on;
    this.#offset = offset;
    this.#interval = interval;
    this.#counts = !wants.fps;
    this.plays = false;
    this.closed = false;
    this.size = "";
    /** Mean level of the sound in dB below the loudest; null while none comes. */
    this.level = null;
    this.video = element("video", "picture");
    this.video.muted = !wants.sound;
    this.video.playsInline = true;
    this.video.autoplay = true;
    // The canvas below it has the label.
    this.video.setAttribute("aria-hidden", "true");
    this.#begin(camera, wants).catch((error) => this.#end("refused", error.message));
  }

  async #begin(camera, { fps, maxWidth, sound }) {
    setTimeout(() => this.plays || this.#end("silent"), PLAYS_WITHIN);
    this.#pc = new RTCPeerConnection();
    this.#pc.addTransceiver("video", { direction: "recvonly" });
    if (sound) this.#pc.addTransceiver("audio", { direction: "recvonly" });
    const stream = new MediaStream();
    this.#pc.ontrack = ({ track }) => stream.addTrack(track);
    this.#pc.onconnectionstatechange = () => this.#pc.connectionState === "failed" && this.#end(this.plays ? "lost" : "silent");
    await this.#pc.setLocalDescription();
    const address = here(`whep/${encodeURIComponent(camera)}`);
    if (fps) address.searchParams.set("fps", fps);
    if (maxWidth) address.searchParams.set("max_width", maxWidth);
    const answer = await fetch(address, {
      method: "POST",
      headers: { ...BY_SCRIPT, "Content-Type": "application/sdp" },
      body: this.#pc.localDescription.sdp,
      signal: AbortSignal.timeout(PLAYS_WITHIN),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text.trim().slice(0, 300) || `HTTP ${answer.status}`);
    // Where the page is found below a path of another server, the server does not know of that.
    const id = answer.headers.get("Location").split("/").pop();
    this.#address = here(`whep/${encodeURIComponent(camera)}/${id}`);
    this.#epoch = Number(answer.headers.get("X-RTP-Epoch")) / 1000 || null;
    if (this.closed) return this.#leave();
    await this.#pc.setRemoteDescription({ type: "answer", sdp: text });
    this.video.srcObject = stream;
    this.video.requestVideoFrameCallback((_, shown) => this.#shown(shown));
    this.#looks = setInterval(() => this.#look(), LOOK);
    // A browser may want a press of a button before anything is heard.
    await this.video.play().catch(() => {
      this.video.muted = true;
      return this.video.play().catch(() => {});
    });
  }

  #shown({ presentationTime, rtpTimestamp, presentedFrames, width, height }) {
    if (this.closed) return;
    this.video.requestVideoFrameCallback((_, shown) => this.#shown(shown));
    const at = performance.timeOrigin + presentationTime;
    const captured = this.#capturedAt(rtpTimestamp, at);
    if (!this.plays) this.#meter.arrived(0, null, at);
    this.#meter.shown(at, captured === null ? null : at - captured);
    this.#view.drawn = { at, captured };
    this.#missed(rtpTimestamp, presentedFrames);
    this.size = `${width}×${height}`;
    this.pixels = { width, height };
    if (this.plays) return;
    this.plays = true;
    this.#on.plays();
  }

  /** When a picture was captured by our clock, ms since the epoch; null where that is not known. */
  #capturedAt(stamp, at) {
    const offset = this.#offset();
    if (stamp === undefined || offset === null || this.#epoch === null) return null;
    const begun = this.#epoch + stamp / PER_MS;
    const round = ROUND / PER_MS;
    return begun + Math.round((at + offset - begun) / round) * round - offset;
  }

  /** Pictures of the camera that are not among those that were shown. */
  #missed(stamp, presented) {
    const before = this.#last;
    this.#last = { stamp, presented };
    if (!before || stamp === undefined || !this.#counts) return;
    const gap = ((stamp - before.stamp + ROUND) % ROUND) / PER_MS;
    const missed = Math.round(gap / this.#interval) - (presented - before.presented);
    if (missed > 0 && gap < 10000) this.#gone += missed;
  }

  async #look() {
    const report = await this.#pc.getStats();
    if (this.closed) return;
    const at = now();
    for (const part of report.values()) {
      if (part.type !== "inbound-rtp") continue;
      if (part.kind === "video") this.#counted(part, at);
      else this.#listened(part);
    }
    if (this.plays && at - this.#bytes.at > DEAD + 2 * this.#interval) this.#end("lost");
  }

  #counted({ bytesReceived, headerBytesReceived = 0, framesDropped = 0 }, at) {
    const all = bytesReceived + headerBytesReceived;
    if (all > this.#bytes.all) {
      this.#meter.arrived(all - this.#bytes.all, null, at);
      this.#bytes = { all, at };
    }
    this.#dropped = framesDropped;
  }

  #listened({ totalAudioEnergy: energy = 0, totalSamplesDuration: seconds = 0 }) {
    const before = this.#heard;
    if (seconds <= before.seconds) return;
    this.#heard = { energy, seconds };
    const mean = (energy - before.energy) / (seconds - before.seconds);
    this.level = Math.max(-100, 10 * Math.log10(Math.max(mean, 1e-10)));
  }

  /** What it shows at this moment, as the viewer reports it of a camera. */
  read() {
    const at = now();
    this.#meter.overtaken = this.#dropped;
    this.#meter.missed = Math.max(0, this.#gone - this.#dropped);
    const interval = this.#interval;
    return { ...this.#meter.read(at), ...standing({ ...this.#view, interval }, { now: at, paused: false }), size: this.size };
  }

  /** The picture that is shown, as a canvas; null where there is none. */
  still() {
    if (!this.plays) return null;
    const canvas = element("canvas", "picture");
    Object.assign(canvas, this.pixels);
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    return canvas;
  }

  /** When the picture that is shown was captured, µs since the epoch by the server's clock; null where that is not known. */
  get captured() {
    const { captured } = this.#view.drawn ?? {};
    return captured ? (captured + this.#offset()) * 1000 : null;
  }

  #end(why, words) {
    if (this.closed) return;
    this.close();
    this.#on.ended(why, words);
  }

  /** Ends it; the <video> keeps its last picture. */
  close() {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.#looks);
    this.video.pause();
    this.#leave();
  }

  /** Has the server end it, also where the page is being left; the server would not know it any more once it is closed. */
  async #leave() {
    const address = this.#address;
    this.#address = null;
    if (address) await fetch(address, { method: "DELETE", headers: BY_SCRIPT, keepalive: true }).catch(() => {});
    this.#pc?.close();
  }
}
