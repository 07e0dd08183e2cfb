// Recordings of JPEG pictures, which no browser plays by itself: they are taken out of the file here.

/** The pictures of a file and for how long each is shown, in seconds; none where it has no JPEG. */
export function pictures(buffer) {
  const view = new DataView(buffer);
  const found = [];
  let samples = [];
  for (const { kind, from, to } of boxes(view, 0, view.byteLength)) {
    if (kind === "moof") samples = run(view, from, to);
    if (kind !== "mdat") continue;
    let at = from;
    for (const { ticks, size } of samples) {
      if (at + size > to || view.getUint16(at) !== 0xffd8) return found;
      found.push({ bytes: new Uint8Array(buffer, at, size), seconds: ticks / 90000 });
      at += size;
    }
  }
  return found;
}

function* boxes(view, from, to) {
  for (let at = from; at + 8 <= to; ) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > to) return;
    const kind = String.fromCharCode(...[4, 5, 6, 7].map((n) => view.getUint8(at + n)));
    yield { kind, from: at + 8, to: at + size };
    at += size;
  }
}

/** Duration and size of each sample of a fragment. */
function run(view, from, to) {
  for (const traf of boxes(view, from, to)) {
    if (traf.kind !== "traf") continue;
    // Track 2 is sound.
    const [track] = [...boxes(view, traf.from, traf.to)].filter(({ kind }) => kind === "tfhd");
    if (!track || view.getUint32(track.from + 4) !== 1) return [];
    for (const trun of boxes(view, traf.from, traf.to)) {
      if (trun.kind !== "trun") continue;
      // Which fields there are: offset, flags of the first one; of each duration, size, flags, composition.
      const has = view.getUint32(trun.from);
      const bytes = (...bits) => bits.reduce((sum, bit) => sum + (has & bit ? 4 : 0), 0);
      const [first, each] = [trun.from + 8 + bytes(0x1, 0x4), bytes(0x100, 0x200, 0x400, 0x800)];
      if ((has & 0x300) !== 0x300) return [];
      const count = Math.min(view.getUint32(trun.from + 4), Math.floor((trun.to - first) / each));
      const at = (n) => first + n * each;
      return Array.from({ length: count }, (_, n) => ({ ticks: view.getUint32(at(n)), size: view.getUint32(at(n) + 4) }));
    }
  }
  return [];
}

/** Shows the pictures of a file on a canvas, one after the other. */
export class Film {
  #pictures;
  #canvas;
  #context;
  #told;
  #timer = 0;
  #next = 0;
  #passed = 0;
  #run = 0;

  /** `told` hears after each picture at how many seconds it is, and at last `null`. */
  constructor(pictures, canvas, told) {
    this.#pictures = pictures;
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#told = told;
  }

  get isPlaying() {
    return this.#timer !== 0;
  }

  seek(seconds) {
    this.#passed = 0;
    this.#next = 0;
    const last = this.#pictures.length - 1;
    while (this.#next < last && this.#passed + this.#pictures[this.#next].seconds <= seconds) {
      this.#passed += this.#pictures[this.#next].seconds;
      this.#next += 1;
    }
  }

  play() {
    this.pause();
    const run = (this.#run += 1);
    const began = performance.now() / 1000 - this.#passed;
    const show = async () => {
      const picture = this.#pictures[this.#next];
      if (!picture) {
        this.#timer = 0;
        this.#told(null);
        return;
      }
      const bitmap = await createImageBitmap(new Blob([picture.bytes], { type: "image/jpeg" })).catch(() => null);
      if (run !== this.#run) return;
      if (bitmap) {
        if (this.#canvas.width !== bitmap.width) this.#canvas.width = bitmap.width;
        if (this.#canvas.height !== bitmap.height) this.#canvas.height = bitmap.height;
        this.#context.drawImage(bitmap, 0, 0);
        bitmap.close();
      }
      this.#told(this.#passed);
      this.#passed += picture.seconds;
      this.#next += 1;
      const wait = began + this.#passed - performance.now() / 1000;
      this.#timer = setTimeout(show, Math.max(0, wait * 1000));
    };
    this.#timer = setTimeout(show);
  }

  pause() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#run += 1;
  }
}
