// The last minutes of each camera, a value a second, for the graphs.

/** Minutes that are kept, a value a second. */
const MINUTES = 5;
const LENGTH = MINUTES * 60;

/** What is kept, in the order of the graphs. */
export const KEPT = ["latency", "fps", "bitsPerSecond", "leftOut"];

export class History {
  #cameras = new Map();
  #before = new Map();

  /** A camera's series by name, the newest value last; null where there was no live picture. */
  of(camera) {
    if (!this.#cameras.has(camera)) {
      this.#cameras.set(camera, Object.fromEntries(KEPT.map((key) => [key, []])));
    }
    return this.#cameras.get(camera);
  }

  /** A second's figures; null where there is no live picture. */
  add(camera, figures) {
    const series = this.of(camera);
    const total = figures ? figures.missed + figures.overtaken : null;
    const before = this.#before.get(camera);
    this.#before.set(camera, total);
    const leftOut = total === null ? null : Math.max(0, total - (before ?? total));
    const values = { ...figures, leftOut };
    for (const key of KEPT) {
      series[key].push(values[key] ?? null);
      if (series[key].length > LENGTH) series[key].shift();
    }
  }
}

/** Minutes that the graph of a series shows: one while there is no more than that. */
export const minutesOf = (series) => (series.length > 60 ? MINUTES : 1);

/** A round value at or above `most`: 1, 2, 3 or 5 times a power of ten. */
export function roundUp(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-9)));
  return power * ([1, 2, 3, 5, 10].find((step) => step * power >= most) ?? 10);
}

/** The path of a series in a box of `width` to `height`, with gaps where there is no value. */
export function pathOf(series, top, width, height) {
  let path = "";
  let pen = "M";
  const length = minutesOf(series) * 60;
  series.forEach((value, n) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const x = ((length - series.length + n + 1) / length) * width;
    const y = height - (Math.min(value, top) / top) * height;
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    // A value that stands alone is seen as a dot.
    if (pen === "M") path += "h.1";
    pen = "L";
  });
  return path;
}
