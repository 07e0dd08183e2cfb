// The details of a camera beside its picture: figures, graphs with units, and what this viewer wants.

import { KEPT, minutesOf, pathOf, roundUp } from "./history.js";
import { element, setText } from "./tile.js";
import { because, bits, clock, coding, decibels, duration, frames, say, wayText } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 300, height: 56 };

/** For each series of the history: its title, its unit, and the least top of its axis. */
const GRAPHS = {
  latency: { title: "graphAge", text: duration, least: 50 },
  fps: { title: "graphFps", text: frames, least: 5 },
  bitsPerSecond: { title: "graphRate", text: bits, least: 1e6 },
  leftOut: { title: "graphLeftOut", text: (value) => `${Math.round(value)} ${say("perSecond")}`, least: 5 },
};

const ROWS = ["state", "age", "fps", "rate", "picture", "why", "leftOut", "roundTrip", "way", "sound"];

/** What comes: pixels and coding, as far as they are known. */
function pictureOf(size, rendition) {
  if (!size || !rendition) return size || "–";
  const { codec, quality } = rendition;
  return codec === "h264" ? `${size} px, ${coding(rendition)}` : say("pictureText", { size, quality });
}

export class Sheet {
  #values = {};
  #graphs = {};
  #figures;
  #pictures;

  /** @param {HTMLElement} root the empty place for figures and graphs */
  constructor(root) {
    this.#figures = element("dl", "figures");
    this.#pictures = element("div", "graphs");
    root.append(this.#figures, this.#pictures);
    this.speak();
  }

  /** Its texts in the language that holds now. */
  speak() {
    this.#figures.replaceChildren();
    for (const row of ROWS) {
      this.#values[row] = element("dd", "", "–");
      this.#values[row].dataset.figure = row;
      this.#figures.append(element("dt", "", say(row)), this.#values[row]);
    }
    this.#pictures.replaceChildren(...KEPT.map((key) => this.#graph(key)));
  }

  #graph(key) {
    const figure = element("figure", "graph");
    const caption = element("figcaption", "", say(GRAPHS[key].title));
    const now = element("output");
    caption.append(now);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 -1 ${BOX.width} ${BOX.height + 2}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    const grid = document.createElementNS(SVG, "path");
    grid.setAttribute("class", "grid");
    grid.setAttribute("d", `M0 0H${BOX.width}M0 ${BOX.height / 2}H${BOX.width}M0 ${BOX.height}H${BOX.width}`);
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", "series");
    svg.append(grid, path);
    const top = element("span", "top");
    const axis = element("p", "axis");
    const from = element("span");
    axis.append(from, element("span", "", say("graphNow")));
    const zero = element("span", "zero", "0");
    figure.append(caption, svg, top, zero, axis);
    this.#graphs[key] = { now, svg, path, top, from };
    return figure;
  }

  /**
   * Shows a camera's figures. `way` is how its pictures come; `sound` what is said of its sound, null where it has none.
   */
  show({ standing, figures, rendition, roundTrip, way, sound }) {
    const counts = standing.state === "live" && figures;
    const size = counts && figures.size;
    const age = counts && figures.latency !== null;
    const since = standing.since ? `, ${clock(standing.since)}` : "";
    const texts = {
      state: say(standing.state) + since,
      age: age ? say("ageText", { median: duration(figures.latency), most: duration(figures.latency95) }) : "–",
      fps: counts ? frames(figures.fps) : "–",
      rate: counts ? bits(figures.bitsPerSecond) : "–",
      picture: pictureOf(size, rendition),
      why: counts && rendition ? because(rendition.reason, true) : standing.reason || "–",
      leftOut: counts ? leftOut(figures) : "–",
      roundTrip: duration(roundTrip),
      way: way ? wayText(way) : "–",
      sound: sound ? say(sound.key, { level: decibels(sound.level) }) : "",
    };
    for (const [row, text] of Object.entries(texts)) setText(this.#values[row], text);
    this.#values.sound.hidden = this.#values.sound.previousSibling.hidden = !sound;
  }

  /** Draws the graphs of a camera's last minutes. */
  draw(series) {
    for (const key of KEPT) {
      const { now, svg, path, top, from } = this.#graphs[key];
      const { title, text, least } = GRAPHS[key];
      const most = roundUp(Math.max(least, ...series[key].filter((value) => value !== null)));
      const last = series[key].at(-1) ?? null;
      path.setAttribute("d", pathOf(series[key], most, BOX.width, BOX.height));
      setText(now, last === null ? "–" : text(last));
      setText(top, text(most));
      setText(from, say("graphAgo", { minutes: minutesOf(series[key]) }));
      svg.setAttribute("aria-label", say("graphSays", { title: say(title), now: now.textContent, most: text(most) }));
    }
  }
}

function leftOut({ missed, overtaken }) {
  const parts = [];
  if (missed) parts.push(say("onTheWay", { count: missed }));
  if (overtaken) parts.push(say("here", { count: overtaken }));
  return parts.join(", ") || say("leftOutNone");
}
