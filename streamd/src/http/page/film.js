// A camera's pictures as a video of the browser's own: to be recorded, and to float over other
// windows. The viewer hands over each JPEG that it draws, so that it goes on in a hidden page.

import { cameraSettings } from "./settings.js";
import { say } from "./words.js";

/** Containers and codecs, the most widely played first. */
const KINDS = ["video/mp4;codecs=avc1.42E01F", "video/mp4", "video/webm;codecs=vp9", "video/webm"];

/** Bits a second of a recording, for each pixel of the picture. */
const BITS_PER_PIXEL = 12;

export class Film {
  #canvas = document.createElement("canvas");
  #pen = this.#canvas.getContext("2d");
  #busy = false;
  #follow;
  #recorder = null;
  #video = null;
  #first = null;

  /** @param {(camera: string, on: boolean) => void} follow has the viewer hand pictures over */
  constructor(follow) {
    this.#follow = follow;
    /** Whose pictures they are; null while there is no need. */
    this.camera = null;
    /** When the recording began, ms since the epoch; 0 while there is none. */
    this.since = 0;
  }

  /** Whether the picture floats over other windows. */
  get floats() {
    return Boolean(this.#video && document.pictureInPictureElement === this.#video);
  }

  static get records() {
    return Boolean(window.MediaRecorder && HTMLCanvasElement.prototype.captureStream);
  }

  static get canFloat() {
    return Boolean(document.pictureInPictureEnabled && HTMLCanvasElement.prototype.captureStream);
  }

  /** Takes a picture. One that comes while another is being decoded is left out. */
  async take(camera, jpeg) {
    if (camera !== this.camera || this.#busy) return;
    this.#busy = true;
    try {
      this.#draw(await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })));
      this.#first?.();
    } finally {
      this.#busy = false;
    }
  }

  /** Draws a picture turned as the viewer has it; what is recorded keeps its size, whatever comes. */
  #draw(bitmap) {
    const { turn = 0, mirror = false } = cameraSettings("turns", this.camera);
    const [width, height] = turn % 180 ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
    if (!this.#recorder && (this.#canvas.width !== width || this.#canvas.height !== height)) {
      Object.assign(this.#canvas, { width, height });
    }
    const { width: across, height: down } = this.#canvas;
    const scale = Math.min(across / width, down / height);
    this.#pen.setTransform(1, 0, 0, 1, across / 2, down / 2);
    this.#pen.clearRect(-across / 2, -down / 2, across, down);
    this.#pen.scale(mirror ? -scale : scale, scale);
    this.#pen.rotate((turn * Math.PI) / 180);
    this.#pen.drawImage(bitmap, -bitmap.width / 2, -bitmap.height / 2);
    bitmap.close();
  }

  /** Says over the last picture why there is no live one. */
  veil(text) {
    const { width, height } = this.#canvas;
    this.#pen.setTransform(1, 0, 0, 1, 0, 0);
    this.#pen.fillStyle = "rgb(10 12 15 / 75%)";
    this.#pen.fillRect(0, 0, width, height);
    this.#pen.fillStyle = "#fff";
    this.#pen.font = `${Math.round(width / 18)}px system-ui, sans-serif`;
    this.#pen.textAlign = "center";
    this.#pen.fillText(text, width / 2, height / 2, width * 0.9);
  }

  /** Follows a camera until its first picture is there. */
  async #begin(camera) {
    if (this.camera && this.camera !== camera) this.#follow(this.camera, false);
    this.camera = camera;
    const first = new Promise((resolve) => (this.#first = resolve));
    this.#follow(camera, true);
    await first;
    this.#first = null;
  }

  /** Lets go of the camera when nothing needs it. */
  #end() {
    if (this.#recorder || this.floats || !this.camera) return;
    this.#follow(this.camera, false);
    this.camera = null;
  }

  /**
   * Begins to record; `done` gets the file, its name's ending, and when it began. The film has the size of the
   * first picture, else these `pixels`.
   */
  async record(camera, done, pixels) {
    const kind = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    if (!kind) throw new Error(say("cantRecord"));
    await this.#begin(camera);
    if (pixels) {
      const turned = cameraSettings("turns", camera).turn % 180;
      const size = turned ? { width: pixels.height, height: pixels.width } : { ...pixels };
      Object.assign(this.#canvas, size);
    }
    const { width, height } = this.#canvas;
    const bitsPerSecond = Math.max(2e6, width * height * BITS_PER_PIXEL);
    const recorder = new MediaRecorder(this.#canvas.captureStream(), { mimeType: kind, videoBitsPerSecond: bitsPerSecond });
    const parts = [];
    const since = Date.now();
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.onstop = () => {
      this.#recorder = null;
      this.since = 0;
      this.#end();
      done(new Blob(parts, { type: recorder.mimeType }), kind.includes("mp4") ? "mp4" : "webm", since);
    };
    recorder.start(1000);
    this.#recorder = recorder;
    this.since = since;
  }

  /** Ends the recording. */
  stop() {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
  }

  /** Has the picture float over other windows, or no more. */
  async float(camera, left) {
    if (this.floats) return document.exitPictureInPicture();
    await this.#begin(camera);
    this.#video ??= document.createElement("video");
    this.#video.muted = true;
    this.#video.srcObject = this.#canvas.captureStream();
    await this.#video.play();
    await this.#video.requestPictureInPicture();
    this.#video.onleavepictureinpicture = () => {
      this.#video.srcObject = null;
      this.#end();
      left();
    };
  }
}
