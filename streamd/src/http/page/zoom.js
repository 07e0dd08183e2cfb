// Zoom and pan of the one picture that is shown: wheel, pinch, drag, double tap, keys.

const MOST = 12;
const STEP = 1.35;
/** Milliseconds and pixels between the taps of a double tap. */
const DOUBLE = { time: 350, distance: 30 };

export class Zoom {
  #scale = 1;
  #x = 0;
  #y = 0;
  #pointers = new Map();
  #tile = null;
  #changed;
  #tap = { at: 0, x: 0, y: 0 };

  /** @param {(scale: number) => void} changed is told the scale */
  constructor(changed) {
    this.#changed = changed;
  }

  get scale() {
    return this.#scale;
  }

  /** Zooms this tile from now on; none for null. */
  attach(tile) {
    if (tile === this.#tile) return;
    this.reset();
    this.#tile = tile;
    if (!tile || tile.zooms) return;
    tile.zooms = true;
    const { root } = tile;
    const on = (type, act) => root.addEventListener(type, (event) => tile === this.#tile && act(event), { passive: false });
    on("wheel", (event) => {
      event.preventDefault();
      this.by(2 ** (-event.deltaY / (event.ctrlKey ? 100 : 400)), event.clientX, event.clientY);
    });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) on(type, (event) => this.#up(event));
  }

  /** Once more or less large, about a point of the window; about the middle where there is none. */
  by(factor, clientX, clientY) {
    if (!this.#tile) return;
    const box = this.#tile.frame.getBoundingClientRect();
    const [middleX, middleY] = [box.left + box.width / 2, box.top + box.height / 2];
    const [x, y] = [(clientX ?? middleX) - middleX, (clientY ?? middleY) - middleY];
    const scale = Math.min(MOST, Math.max(1, this.#scale * factor));
    const grown = scale / this.#scale;
    this.#place(scale, x - (x - this.#x) * grown, y - (y - this.#y) * grown);
  }

  /** A step in or out. */
  step(inwards) {
    this.by(inwards ? STEP : 1 / STEP);
  }

  /** Moves a zoomed picture by a part of its size; false where it is not zoomed. */
  pan(right, down) {
    if (this.#scale === 1) return false;
    const box = this.#tile.frame.getBoundingClientRect();
    this.#place(this.#scale, this.#x - right * box.width, this.#y - down * box.height);
    return true;
  }

  reset() {
    this.#pointers.clear();
    this.#place(1, 0, 0);
  }

  /** No edge of the picture comes into its frame. */
  #place(scale, x, y) {
    if (!this.#tile) return;
    const box = this.#tile.frame.getBoundingClientRect();
    const limit = (value, size) => Math.min(size, Math.max(-size, value)) || 0;
    this.#scale = scale < 1.01 ? 1 : scale;
    this.#x = limit(x, (box.width * (this.#scale - 1)) / 2);
    this.#y = limit(y, (box.height * (this.#scale - 1)) / 2);
    const still = this.#scale === 1;
    this.#tile.film.style.transform = still ? "" : `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    this.#tile.root.classList.toggle("zoomed", !still);
    this.#changed(this.#scale);
  }

  #down(event) {
    if (event.button || event.target.closest("button")) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#tile.root.setPointerCapture(event.pointerId);
    const { at, x, y } = this.#tap;
    const near = Math.hypot(event.clientX - x, event.clientY - y) < DOUBLE.distance;
    const twice = near && event.timeStamp - at < DOUBLE.time && this.#pointers.size === 1;
    this.#tap = { at: twice ? 0 : event.timeStamp, x: event.clientX, y: event.clientY };
    if (!twice) return;
    if (this.#scale > 1) this.reset();
    else this.by(2.5, event.clientX, event.clientY);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    const after = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, after);
    if (other) {
      const apart = (a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
      this.by(apart(after) / apart(before), (after.x + other.x) / 2, (after.y + other.y) / 2);
    } else if (this.#scale > 1) {
      this.#place(this.#scale, this.#x + after.x - before.x, this.#y + after.y - before.y);
    }
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
  }
}
