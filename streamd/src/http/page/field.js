// One value that can be changed, for everybody: its label, its input, and what was said against a change.

import { element, setText } from "./tile.js";
import { say } from "./words.js";

/** A range with more steps than this has a number alone: no slider is that fine. */
const STEPS = 100000;

let made = 0;

export class Field {
  #what;
  #set;
  #tell;
  /** One, or a slider and a number. */
  #inputs = [];
  #known = "";
  #off = false;
  /** Between the first movement and the value that is meant. */
  #moving = false;
  #sending = false;
  #next = null;

  /**
   * @param {object} what a control as the server describes it
   * @param {(value: string) => Promise} set gives the value that it has then
   * @param {(text: string) => void} tell says a refusal, for ears
   */
  constructor(what, set, tell) {
    this.#what = what;
    this.#set = set;
    this.#tell = tell;
    this.root = element("div", "field");
    this.root.dataset.field = what.name;
    this.label = element("label", "", what.kind === "button" ? "" : what.label);
    this.note = element("span", "hint");
    this.error = element("p", "error");
    this.error.id = `error-${++made}`;
    this.reset = this.#button("reset", () => {
      this.#inputs[0].focus();
      this.#send(this.#what.default);
    });
    this.#make();
    this.#inputs[0].id = `field-${made}`;
    this.label.htmlFor = this.#inputs[0].id;
    for (const input of this.#inputs) input.setAttribute("aria-describedby", this.error.id);
    const row = element("div", "inputs");
    row.append(...this.#inputs, this.reset);
    this.label.append(this.note);
    this.root.append(this.label, row, this.error);
    this.root.addEventListener("focusout", () => this.#left());
  }

  #button(key, act) {
    const button = element("button", "", say(key));
    button.type = "button";
    button.onclick = act;
    return button;
  }

  #make() {
    const { kind, label, minimum, maximum, step, menu } = this.#what;
    if (kind === "button") {
      const button = this.#button("", () => this.#send("true"));
      button.textContent = label;
      this.#inputs.push(button);
    } else if (menu?.length) {
      const select = element("select");
      select.append(...menu.map(({ number, text }) => new Option(text, number)));
      this.#add(select);
    } else if (kind === "integer") {
      if ((maximum - minimum) / (step || 1) <= STEPS) this.#add(element("input"), "range", minimum, maximum, step || 1);
      this.#add(element("input"), "number", minimum, maximum, step || 1);
    } else if (kind === "number") {
      this.#add(element("input"), "number", minimum, maximum, "any");
    } else if (kind === "boolean") {
      this.#add(element("input"), "checkbox").setAttribute("role", "switch");
    } else {
      this.#add(element("input"), "text");
    }
  }

  #add(input, type, min, max, step) {
    if (type) Object.assign(input, { type, min, max, step });
    input.setAttribute("aria-label", this.#what.label);
    input.oninput = () => {
      this.#moving = true;
      for (const other of this.#inputs) if (other !== input) other.value = input.value;
    };
    input.onchange = () => this.#send(type === "checkbox" ? String(input.checked) : input.value);
    this.#inputs.push(input);
    return input;
  }

  /** One request at a time; of the values that are chosen meanwhile, only the last one is sent. */
  async #send(value) {
    this.#moving = false;
    // Only a text may be empty.
    if (value === "" && this.#what.kind !== "text") return this.#draw();
    this.#next = value;
    if (this.#sending) return;
    this.#sending = true;
    let refusal = "";
    while (this.#next !== null) {
      const asked = this.#next;
      this.#next = null;
      try {
        this.#known = (await this.#set(asked)) ?? asked;
        refusal = "";
      } catch ({ message }) {
        refusal = message;
      }
    }
    this.#sending = false;
    this.#refused(refusal);
    // What was typed and refused stays to be corrected, as long as somebody is at it.
    const typed = ["number", "text"].includes(document.activeElement?.type) && this.#held();
    if (!this.#moving && !(refusal && typed)) this.#draw();
  }

  #refused(text) {
    setText(this.error, text);
    for (const input of this.#inputs) input.setAttribute("aria-invalid", String(Boolean(text)));
    if (text) this.#tell(text);
  }

  #held() {
    return this.#moving || this.#sending || this.root.contains(document.activeElement);
  }

  #left() {
    // The focus is still here while it goes, and may only go from the slider to its number.
    setTimeout(() => {
      // A slider that was moved and brought back tells of no change.
      if (!this.root.contains(document.activeElement)) this.#moving = false;
      if (!this.#held()) this.#draw();
    });
  }

  /** Shows the control as it is now, but for a value that somebody is about to change. */
  show(control) {
    this.#known = control.value;
    const why = ["readOnly", "inactive", "busy"].find((state) => control[state]);
    this.#off = Boolean(why);
    setText(this.note, why ? say(why) : "");
    if (!this.#held() || this.#off) this.#draw();
  }

  #draw() {
    const { kind, menu = [] } = this.#what;
    const entry = (value) => menu.find(({ number, text }) => text === value || String(number) === value)?.number ?? value;
    for (const input of this.#inputs) {
      input.disabled = this.#off;
      if (kind === "boolean") input.checked = this.#known === "true";
      else if (kind !== "button") input.value = entry(this.#known);
    }
    const first = this.#what.default ?? "";
    this.reset.hidden = this.#off || first === "" || kind === "button" || entry(first) === entry(this.#known);
    this.reset.setAttribute("aria-label", say("resetTo", { name: this.#what.label, value: first }));
  }
}
