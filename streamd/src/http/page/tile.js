// One camera on the page: its picture, its name, and its statistics.

/** Latencies that the graph shows: a minute's. */
const GRAPH = 120;

const ROWS = [
  ["latency", "Latency"],
  ["fps", "Frame rate"],
  ["rate", "Data rate"],
  ["missed", "Missed"],
  ["picture", "Picture"],
  ["reason", "Reason"],
  ["roundTrip", "Round trip"],
];

const element = (name, className, text = "") => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
};

const ms = (value) => (value === null ? "–" : value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);

/** Bits a second for people. */
function rate(bits) {
  if (bits >= 1e6) return `${(bits / 1e6).toFixed(1)} Mb/s`;
  return `${Math.round(bits / 1e3)} kb/s`;
}

export class Tile {
  #values = {};
  #graph = [];
  #line;
  #note;
  #rendition = null;

  /** @param {string} camera its name */
  constructor(camera) {
    this.camera = camera;
    this.root = element("figure", "tile");
    this.root.dataset.camera = camera;
    this.canvas = element("canvas", "picture");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Live picture of camera ${camera}`);
    this.caption = element("figcaption", "name", camera);
    this.#note = element("p", "note");
    this.#note.hidden = true;
    // As large as the tile allows at the picture's own proportions, so that what lies over the
    // picture keeps to its corners.
    const frame = element("div", "frame");
    frame.append(this.canvas, this.#statistics(), this.caption, this.#note);
    this.root.append(frame);
  }

  /** The picture's size in pixels. */
  size(width, height) {
    this.root.style.setProperty("--ratio", width / height);
  }

  #statistics() {
    const panel = element("section", "statistics");
    panel.setAttribute("aria-label", `Statistics of camera ${this.camera}`);
    const list = element("dl");
    for (const [key, label] of ROWS) {
      const value = element("dd", "", "–");
      value.dataset.figure = key;
      this.#values[key] = value;
      list.append(element("dt", "", label), value);
    }
    const space = "http://www.w3.org/2000/svg";
    const graph = document.createElementNS(space, "svg");
    graph.setAttribute("viewBox", `0 0 ${GRAPH} 32`);
    graph.setAttribute("preserveAspectRatio", "none");
    graph.setAttribute("aria-hidden", "true");
    this.#line = document.createElementNS(space, "polyline");
    graph.append(this.#line);
    panel.append(list, graph);
    return panel;
  }

  /** Shows the plain MJPEG stream instead of the canvas. */
  showStream(address) {
    const picture = element("img", "picture");
    picture.alt = `Live picture of camera ${this.camera}`;
    picture.addEventListener("load", () => this.size(picture.naturalWidth, picture.naturalHeight));
    picture.src = address;
    this.root.classList.add("plain");
    this.root.querySelector(".picture").replaceWith(picture);
    return picture;
  }

  /** A line over the picture, for instance that the camera is lost; empty for none. */
  note(text) {
    this.#note.textContent = text;
    this.#note.hidden = !text;
  }

  /** The quality and size that the server sends from now on, and why. */
  rendition(rendition) {
    const reason = rendition.reason === "top" ? "full quality" : rendition.reason;
    this.#rendition = { quality: rendition.quality, reason };
  }

  /** The figures of the last two seconds. */
  figures(figures, roundTrip) {
    const missed = [];
    if (figures.missed) missed.push(`${figures.missed} on the way`);
    if (figures.overtaken) missed.push(`${figures.overtaken} here`);
    const quality = this.#rendition ? `, quality ${this.#rendition.quality}` : "";
    const texts = {
      latency: figures.latency === null ? "–" : `${ms(figures.latency)}, 95 % under ${ms(figures.latency95)}`,
      fps: `${figures.fps.toFixed(1)} fps`,
      rate: rate(figures.bitsPerSecond),
      missed: missed.join(", ") || "none",
      picture: figures.size ? `${figures.size}${quality}` : "–",
      reason: this.#rendition?.reason || "–",
      roundTrip: ms(roundTrip),
    };
    for (const [key, text] of Object.entries(texts)) this.#values[key].textContent = text;
    this.root.dataset.drawn = figures.drawn;
    this.#draw(figures.latency);
  }

  #draw(latency) {
    if (latency === null) return;
    this.#graph.push(latency);
    if (this.#graph.length > GRAPH) this.#graph.shift();
    const top = Math.max(50, ...this.#graph);
    const start = GRAPH - this.#graph.length;
    const point = (value, n) => `${start + n},${(31 - (30 * value) / top).toFixed(1)}`;
    this.#line.setAttribute("points", this.#graph.map(point).join(" "));
  }
}
