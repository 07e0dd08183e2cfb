// A WebSocket that comes back: with growing pauses, and saying what it does.

/** Milliseconds before each further attempt; the last one is kept. */
const PAUSES = [500, 1000, 2000, 4000, 8000, 15000];

/** Milliseconds before a full server is asked for a place again. */
const PLACE = 4000;

/** Without a word for so long (pongs included), the connection is dead. */
const SILENCE = 10000;

/** Milliseconds for a connection to open. */
const OPENING = 10000;

/** The close code after which it makes no sense to come back by itself: we were sent away. */
const SENT_AWAY = 1008;

/** The close code of a server that has no place for us now. */
const FULL = 1013;

export class Connection {
  #url;
  #on;
  #socket = null;
  #failures = 0;
  #timer = 0;
  #watchdog = 0;
  #wanted = false;

  /**
   * @param {() => string} url asked anew for each attempt
   * @param {{open: Function, message: Function, state: Function}} on `state` gets
   *   `{state, attempt, opened, full, wait, reason}`; `wait` in milliseconds.
   */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  get isOpen() {
    return this.#socket?.readyState === 1;
  }

  open() {
    clearTimeout(this.#timer);
    this.#wanted = true;
    if (this.#socket) return;
    this.#on.state({ state: "connecting", attempt: this.#failures });
    let socket;
    try {
      socket = new WebSocket(this.#url());
    } catch (error) {
      this.#on.state({ state: "impossible", reason: error.message });
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    let opened = false;
    this.#expect(socket, OPENING, () => opened);
    socket.onopen = () => {
      opened = true;
      this.#expect(socket, SILENCE, () => true);
      this.#on.open();
    };
    socket.onmessage = (event) => {
      this.#failures = 0;
      this.#expect(socket, SILENCE, () => true);
      this.#on.message(event.data);
    };
    socket.onclose = (event) => this.#closed(socket, opened, event);
  }

  /** Comes back at once, whatever the pause. */
  retry() {
    this.#failures = 0;
    this.open();
  }

  /** Ends it for good. */
  close() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#socket?.close(1000);
    this.#socket = null;
  }

  send(message) {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
  }

  /** Leaves a server that shows none of what we want, and comes back later. */
  leave(reason) {
    const socket = this.#socket;
    if (!socket) return;
    this.#closed(socket, true, { code: FULL, reason });
    socket.close(1000);
  }

  /** A peer that vanished does not answer a close either: it is given up here and now. */
  #expect(socket, within, opened) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      if (socket !== this.#socket) return;
      this.#closed(socket, opened(), { code: 1006, reason: "" });
      socket.close();
    }, within);
  }

  #closed(socket, opened, { code, reason }) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    clearTimeout(this.#watchdog);
    if (!this.#wanted) return;
    if (code === SENT_AWAY) {
      this.#on.state({ state: "ended", reason });
      return;
    }
    const full = code === FULL;
    const pause = full ? PLACE : PAUSES[Math.min(this.#failures, PAUSES.length - 1)];
    // Many viewers of one server must not all come back in the same moment.
    const wait = pause * (0.8 + 0.4 * Math.random());
    this.#failures += 1;
    this.#on.state({ state: "waiting", attempt: this.#failures, opened, full, wait, reason });
    this.#timer = setTimeout(() => this.open(), wait);
  }
}
