// Without WebSocket: each camera as a plain MJPEG stream in an <img>, until a WebSocket comes through.

/** Milliseconds before a stream that broke off is asked for again. */
const RETRY = 2000;

export class Plain {
  #here;
  #limits;

  /**
   * @param {(path: string) => URL} here makes addresses
   * @param {() => {fps: number, quality: number, maxWidth: number}} limits of this viewer
   */
  constructor(here, limits) {
    this.#here = here;
    this.#limits = limits;
  }

  /** Shows a camera's stream in its tile. */
  fill(tile) {
    const address = this.#here(`stream/${encodeURIComponent(tile.camera)}`);
    const { fps, quality, maxWidth } = this.#limits();
    for (const [name, value] of Object.entries({ fps, quality, max_width: maxWidth })) {
      if (value) address.searchParams.set(name, value);
    }
    // Browsers would show the old stream's last picture for the same address.
    address.searchParams.set("t", Date.now());
    const picture = tile.stream(address.href);
    tile.broken = false;
    picture.onerror = () => {
      tile.broken = true;
      setTimeout(() => tile.plain === picture && this.fill(tile), RETRY);
    };
  }

  /** Holds the streams, or goes on with them. */
  pause(paused, tiles) {
    for (const tile of tiles) {
      if (paused) freeze(tile);
      else this.fill(tile);
    }
  }

  /** A fresh picture of a camera. */
  async save(camera) {
    const answer = await fetch(this.#here(`snapshot/${encodeURIComponent(camera)}`), { cache: "no-store" });
    return answer.ok ? answer.arrayBuffer() : null;
  }
}

/** An empty address ends a stream; the picture stays as a copy. */
function freeze(tile) {
  const picture = tile.plain;
  if (!picture) return;
  const copy = document.createElement("canvas");
  copy.className = "picture";
  copy.width = picture.naturalWidth;
  copy.height = picture.naturalHeight;
  if (copy.width) copy.getContext("2d").drawImage(picture, 0, 0);
  picture.onerror = null;
  picture.src = "";
  picture.replaceWith(copy);
  tile.plain = copy;
}
