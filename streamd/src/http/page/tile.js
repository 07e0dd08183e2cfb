// One camera on the page: its picture, its line, and what is said where there is no live picture.

import { cameraSettings } from "./settings.js";
import { because, bits, clock, coding, decibels, duration, frames, say, span } from "./words.js";

/** States in which the picture is the camera's present one. */
const FRESH = ["live", "plain"];

export const element = (name, className = "", text = "") => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
};

/** Sets a text only where it differs: what is not touched is not announced, laid out or painted. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export class Tile {
  #ratio = 4 / 3;
  #parts = {};

  /**
   * @param {string} camera its name
   * @param {{open: Function, retry: Function}} on what its buttons do
   */
  constructor(camera, on) {
    this.camera = camera;
    this.root = element("figure", "tile");
    this.root.dataset.camera = camera;
    this.root.dataset.state = "connecting";
    this.frame = element("div", "frame");
    this.film = element("div", "film");
    this.canvas = element("canvas", "picture");
    this.canvas.setAttribute("role", "img");
    this.film.append(this.canvas);
    this.opener = element("button", "opener");
    this.opener.type = "button";
    this.opener.onclick = () => on.open(camera);
    this.frame.append(this.film, this.#notice(on.retry), this.opener);
    this.line = this.#line();
    this.root.append(this.frame, this.line);
    this.turn(0);
    this.speak();
  }

  /** Its texts in the language that holds now. */
  speak() {
    this.canvas.setAttribute("aria-label", say("pictureOf", { name: this.camera }));
    this.opener.setAttribute("aria-label", say("openCamera", { name: this.camera }));
    this.#parts.retry.textContent = say("retry");
  }

  #notice(retry) {
    const notice = element("div", "notice");
    for (const part of ["title", "detail", "reason"]) {
      this.#parts[part] = element("p", part);
      notice.append(this.#parts[part]);
    }
    const button = element("button", "main");
    button.type = "button";
    button.onclick = retry;
    this.#parts.retry = button;
    notice.append(button);
    return notice;
  }

  #line() {
    const line = element("figcaption", "line");
    const dot = element("span", "dot");
    dot.setAttribute("aria-hidden", "true");
    line.append(dot, element("b", "name", this.camera));
    for (const figure of ["state", "age", "fps", "rate", "sound", "quality"]) {
      this.#parts[figure] = element("span", figure);
      this.#parts[figure].dataset.figure = figure;
      line.append(this.#parts[figure]);
    }
    return line;
  }

  /** The picture's size in pixels. */
  size(width, height) {
    this.#ratio = width / height;
    this.turn(0);
  }

  /** Width against height of what is seen, turned as it is. */
  get ratio() {
    return cameraSettings("turns", this.camera).turn % 180 ? 1 / this.#ratio : this.#ratio;
  }

  /** Turns the picture by so many degrees more, or mirrors it, for this browser. */
  turn(by, mirror = false) {
    const kept = cameraSettings("turns", this.camera);
    const turn = ((kept.turn ?? 0) + by) % 360;
    const mirrored = Boolean(kept.mirror) !== mirror;
    if (by || mirror) cameraSettings("turns", this.camera, { turn, mirror: mirrored });
    this.film.dataset.turn = turn;
    this.film.classList.toggle("mirrored", mirrored);
    this.root.style.setProperty("--ratio", this.ratio);
  }

  /**
   * Says what the picture is now.
   * @param {object} standing as `standing()` gives it, or of the connection
   * @param {object} figures of the last two seconds; null where there are none
   * @param {{quality: number, reason: string} | undefined} rendition
   * @param {number | null} level of its sound in dB, where it is heard
   */
  show(standing, figures, rendition, level) {
    const { state } = standing;
    const parts = this.#parts;
    this.root.dataset.state = state;
    this.line.dataset.state = state;
    const late = state === "late";
    setText(parts.state, late ? `${say("late")}: ${duration(standing.age)}` : say(state));
    const counts = state === "live" && figures;
    setText(parts.age, counts && figures.latency !== null ? duration(figures.latency) : "");
    setText(parts.fps, counts ? frames(figures.fps) : "");
    setText(parts.rate, counts ? bits(figures.bitsPerSecond) : "");
    setText(parts.sound, typeof level === "number" ? `${say("sound")} ${decibels(level)}` : "");
    const quality = rendition && `${coding(rendition)}, ${because(rendition.reason)}`;
    setText(parts.quality, (counts && quality) || "");
    if (figures) this.root.dataset.drawn = figures.drawn;
    this.#say(standing);
  }

  /** In the middle of the picture, where it is not a live one. */
  #say(standing) {
    const { state, reason, since } = standing;
    const parts = this.#parts;
    const fresh = FRESH.includes(state);
    setText(parts.title, fresh ? "" : say(state));
    setText(parts.reason, fresh ? "" : reason ?? "");
    setText(parts.detail, fresh ? "" : this.#detail(standing, since));
    parts.retry.hidden = !["offline", "ended", "refused"].includes(state) || !standing.mayRetry;
  }

  #detail(standing, since) {
    const { state, age, seconds } = standing;
    if (state === "late") return say("lateFor", { age: duration(age) });
    if (state === "lost") return since ? say("since", { time: clock(since), span: span(Date.now() - since) }) : "";
    if (seconds !== undefined) return seconds > 0 ? say("again", { seconds }) : say("attempting");
    return "";
  }

  /** Puts a video below the picture, where it can begin to play. */
  lay(video) {
    this.film.prepend(video);
  }

  /** Shows another picture, of so many pixels, in the canvas's place; without one, the canvas again. */
  cover(picture, pixels) {
    if (picture !== this.over) this.over?.remove();
    this.over = picture;
    if (!picture) return;
    if (!picture.isConnected) this.film.append(picture);
    picture.classList.add("over");
    this.size(pixels.width, pixels.height);
  }

  /** Shows a stream of plain MJPEG over the canvas; without an address, the canvas again. */
  stream(address) {
    this.plain?.remove();
    this.plain = null;
    if (!address) return null;
    this.plain = element("img", "picture");
    this.plain.alt = say("pictureOf", { name: this.camera });
    this.plain.onload = () => this.size(this.plain.naturalWidth, this.plain.naturalHeight);
    this.plain.src = address;
    this.film.append(this.plain);
    return this.plain;
  }
}
