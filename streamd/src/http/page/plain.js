// Without WebSocket: each camera as a plain MJPEG stream in an <img>.

/** Milliseconds before a stream that broke off is asked for again. */
const RETRY = 2000;

export class Plain {
  #here;
  #known;
  #limits;

  /**
   * @param {(path: string) => URL} here makes addresses
   * @param {(names: string[]) => void} known is told the cameras
   * @param {() => {fps: number, quality: number, maxWidth: number}} limits of this viewer
   */
  constructor(here, known, limits) {
    this.#here = here;
    this.#known = known;
    this.#limits = limits;
  }

  /** Asks which cameras there are. */
  async start() {
    const answer = await fetch(this.#here("state"), { cache: "no-store" });
    this.#known((await answer.json()).result.cameras);
  }

  /** Shows a camera's stream in its tile. */
  fill(tile) {
    const { fps, quality, maxWidth } = this.#limits();
    const address = this.#here(`stream/${encodeURIComponent(tile.camera)}`);
    if (fps) address.searchParams.set("fps", fps);
    if (quality) address.searchParams.set("quality", quality);
    if (maxWidth) address.searchParams.set("max_width", maxWidth);
    // Browsers would show the old stream's last picture for the same address.
    address.searchParams.set("t", Date.now());
    const picture = tile.showStream(address.href);
    picture.onload = () => tile.note("");
    picture.onerror = () => {
      tile.note("The stream broke off. Connecting again by itself.");
      setTimeout(() => picture.isConnected && this.fill(tile), RETRY);
    };
  }

  /** Holds the streams, or goes on with them. */
  pause(paused, tiles) {
    for (const tile of tiles) {
      if (paused) this.#freeze(tile);
      else this.fill(tile);
    }
  }

  /** An empty address ends a stream; the picture stays as a copy. */
  #freeze(tile) {
    const picture = tile.root.querySelector("img.picture");
    const copy = document.createElement("canvas");
    copy.className = "picture";
    copy.width = picture.naturalWidth;
    copy.height = picture.naturalHeight;
    copy.getContext("2d").drawImage(picture, 0, 0);
    picture.onerror = null;
    picture.src = "";
    picture.replaceWith(copy);
  }

  /** A fresh picture of a camera. */
  async save(camera) {
    const answer = await fetch(this.#here(`snapshot/${encodeURIComponent(camera)}`), { cache: "no-store" });
    return answer.ok ? answer.arrayBuffer() : null;
  }
}
