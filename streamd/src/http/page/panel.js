// What may be changed of a camera, for everybody, beside its picture.

import { ask } from "./control.js";
import { Field } from "./field.js";
import { People } from "./people.js";
import { setText } from "./tile.js";
import { say } from "./words.js";

/** Seconds from one look at what others have changed to the next. */
const CAMERA_EVERY = 2;
const CONTROLS_EVERY = 5;

/** What streamd itself sets of a camera, in the form of controls. */
const settingsOf = (stats) => [
  { name: "quality", label: say("limitQuality"), kind: "integer", minimum: 1, maximum: 100, value: stats.quality },
  { name: "fps", label: say("limitFps"), kind: "number", minimum: 0.1, maximum: 1000, value: stats.desiredFps },
  { name: "rotate", label: say("rotate"), menu: [0, 90, 180, 270].map((number) => ({ number, text: `${number}°` })), value: stats.rotate },
  {
    name: "flip", label: say("mirror"), value: stats.flip,
    menu: ["none", "horizontal", "vertical", "both"].map((number) => ({ number, text: say(`flip-${number}`) })),
  },
].map((control) => ({ ...control, value: String(control.value) }));

export class Panel {
  #at;
  #tell;
  #people;
  /** For each part: its fields by name, and what they were made of. */
  #parts = {};
  #camera = "";
  #timer = 0;
  #second = 0;
  /** The last request for each part. */
  #reads = {};

  /**
   * @param {(part: string) => HTMLElement} at the places for its parts
   * @param {(text: string) => void} tell for ears
   */
  constructor(at, tell) {
    this.#at = at;
    this.#tell = tell;
    this.#people = new People(at("clients"), tell);
  }

  /** Begins to look at a camera, or goes on; at none, it asks for nothing. */
  follow(camera) {
    if (camera === this.#camera) return;
    this.#camera = camera;
    clearInterval(this.#timer);
    if (!camera) return;
    this.speak();
    this.#timer = setInterval(() => {
      if (document.hidden) return;
      this.#second++;
      if (this.#second % CAMERA_EVERY === 0) this.#read("camera");
      if (this.#second % CAMERA_EVERY === 0) this.#read("clients");
      if (this.#second % CONTROLS_EVERY === 0) this.#read("controls");
    }, 1000);
  }

  /** All of it anew, in the language that holds now. */
  speak() {
    for (const part of ["camera", "controls"]) {
      this.#parts[part] = { made: "", fields: new Map() };
      this.#at(part).replaceChildren();
    }
    this.#people.clear();
    if (this.#camera) for (const part of ["camera", "controls", "clients"]) this.#read(part);
  }

  #path(part) {
    const camera = `cameras/${encodeURIComponent(this.#camera)}`;
    return { camera, controls: `${camera}/controls`, clients: "clients" }[part];
  }

  /** Reads a part; an answer about a camera that was left meanwhile, or an older one, is none. */
  async #read(part) {
    const camera = this.#camera;
    const reading = (this.#reads[part] = {});
    let found;
    let refusal = "";
    try {
      found = await ask(this.#path(part));
    } catch ({ message }) {
      refusal = message;
    }
    if (camera !== this.#camera || this.#reads[part] !== reading) return;
    setText(this.#at(`${part}-none`), refusal);
    if (refusal) return;
    if (part === "clients") this.#people.show(found.clients, camera);
    else this.#show(part, part === "camera" ? settingsOf(found) : found.controls);
  }

  #show(part, controls) {
    const form = JSON.stringify(controls.map(({ name, label, kind, minimum, maximum, step, menu }) =>
      [name, label, kind, minimum, maximum, step, menu]));
    const of = this.#parts[part];
    const root = this.#at(part);
    if (of.made !== form) {
      of.made = form;
      of.fields = new Map(controls.map((control) => [control.name, this.#field(part, control)]));
      root.replaceChildren(...[...of.fields.values()].map((field) => field.root));
    }
    for (const control of controls) of.fields.get(control.name).show(control);
  }

  #field(part, control) {
    const { name } = control;
    const set = async (value) => {
      if (part === "controls") {
        const { controls } = await ask(this.#path(part), "PATCH", { controls: [{ name, value }] });
        // One may have made others inactive.
        this.#read(part);
        return controls.find((one) => one.name === name)?.value;
      }
      const number = Number(value);
      await ask(this.#path(part), "PATCH", { [name]: name === "flip" || Number.isNaN(number) ? value : number });
      this.#read(part);
    };
    return new Field(control, set, this.#tell);
  }
}
