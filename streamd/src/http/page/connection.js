// A WebSocket that comes back: with growing pauses, and saying what it does.

/** Milliseconds before each further attempt; the last one is kept. */
const PAUSES = [500, 1000, 2000, 4000, 8000, 15000];

/** Without a word for so long (pongs included), the connection is dead. */
const SILENCE = 10000;

/** Close codes after which it makes no sense to come back by itself: we were sent away. */
const SENT_AWAY = [1008];

export class Connection {
  #url;
  #on;
  #socket = null;
  #failures = 0;
  #timer = 0;
  #watchdog = 0;
  #wanted = false;

  /**
   * @param {string} url
   * @param {{open: Function, message: Function, state: Function}} on `state` gets
   *   `{state, attempt, seconds, reason}`.
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
      socket = new WebSocket(this.#url);
    } catch (error) {
      this.#on.state({ state: "impossible", reason: error.message });
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#heard();
      this.#on.open();
    };
    socket.onmessage = (event) => {
      this.#failures = 0;
      this.#heard();
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

  #heard() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      // A peer that vanished does not answer a close either: it is given up here and now.
      const socket = this.#socket;
      if (!socket) return;
      socket.onclose = null;
      socket.close();
      this.#closed(socket, true, { code: 1006, reason: "nothing was heard for 10 s" });
    }, SILENCE);
  }

  #closed(socket, opened, { code, reason }) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    clearTimeout(this.#watchdog);
    if (!this.#wanted) return;
    if (SENT_AWAY.includes(code)) {
      this.#on.state({ state: "ended", reason });
      return;
    }
    const pause = PAUSES[Math.min(this.#failures, PAUSES.length - 1)];
    // Many viewers of one server must not all come back in the same moment.
    const wait = pause * (0.8 + 0.4 * Math.random());
    this.#failures += 1;
    const attempt = this.#failures;
    this.#on.state({ state: "waiting", attempt, opened, seconds: Math.ceil(wait / 1000), reason });
    this.#timer = setTimeout(() => this.open(), wait);
  }
}
