// What a screen reader is told: each change once, and not what comes and goes within a moment.

import { say } from "./words.js";

/** Milliseconds that a state must last to be told. */
const LASTS = 900;

/** States of the connection, which all pictures share. */
const COMMON = ["connecting", "offline", "ended", "paused", "plain"];

/** What an ear need not know. */
const SILENT = ["waiting"];

export class Announcer {
  #root;
  #told = new Map();
  #timer = 0;
  #now = new Map();

  /** @param {HTMLElement} root a live region */
  constructor(root) {
    this.#root = root;
  }

  /** Tells something at once. */
  tell(text) {
    this.#root.textContent = text;
  }

  /** The state of each camera now; `texts` has what is said of it. */
  states(states) {
    const same = states.size === this.#now.size && [...states].every(([name, state]) => this.#now.get(name) === state);
    if (same) return;
    this.#now = states;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tellChanges(), LASTS);
  }

  #tellChanges() {
    const changed = [...this.#now].filter(([name, state]) => this.#told.get(name) !== state && !SILENT.includes(state));
    this.#told = new Map([...this.#told, ...changed]);
    const common = COMMON.find((state) => changed.some(([, is]) => is === state));
    if (common) return this.tell(say(common));
    const texts = changed.map(([name, state]) => say("nowState", { name, state: say(state) }));
    if (texts.length) this.tell(texts.join(". "));
  }
}
