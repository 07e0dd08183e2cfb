// A camera's pictures for programs: no canvas, no page.

import { Connection } from "./engine/connection.js";
import { Clock, now } from "./engine/meter.js";
import { readSegment } from "./engine/segment.js";

/** Milliseconds between pings, and the first ones, to know the clock's offset soon. */
const PING = 2000;
const PINGS = [0, 100, 250, 500];

/** The address of the WebSocket of a daemon at `url`. */
export function address(url, query) {
  const full = new URL("ws", `${url}`.replace(/\/?$/, "/"));
  if (!["http:", "https:", "ws:", "wss:"].includes(full.protocol)) throw new TypeError(`${url}: http:// or https:// is meant`);
  full.protocol = full.protocol.replace("http", "ws");
  for (const [name, value] of Object.entries(query)) if (value) full.searchParams.set(name, value);
  return full.href;
}

/**
 * The newest picture, again and again: what comes while one is being worked on is left out but for the
 * newest. Comes back after a lost connection; throws when the server sends it away.
 */
export async function* frames(url, { name = "", token, fps, quality, maxWidth, standIns = false } = {}) {
  const clock = new Clock();
  let newest = null;
  let over = null;
  let wake = () => {};
  let pinger = 0;
  const at = address(url, { camera: name, token, fps, quality, max_width: maxWidth });
  const connection = new Connection(() => at, {
    open: () => {
      clock.reset();
      connection.send({ type: "hello", name: "streamd-client" });
      ping(0);
    },
    message: (data) => (typeof data === "string" ? told(JSON.parse(data)) : came(data)),
    state: ({ state, reason }) => {
      clearTimeout(pinger);
      if (state !== "ended" && state !== "impossible") return;
      over = new Error(reason || "the server has ended the stream");
      wake();
    },
  });
  const ping = (n) => {
    connection.send({ type: "ping", t: Math.round(now() * 1000) });
    pinger = setTimeout(() => ping(n + 1), n + 1 < PINGS.length ? PINGS[n + 1] - PINGS[n] : PING);
  };
  const told = (message) => {
    if (message.type === "pong") clock.answered(message.t / 1000, message.serverTime, now());
  };
  const came = (data) => {
    const received = now();
    const segment = readSegment(data);
    const latency = segment && clock.known ? received + clock.offset - segment.captured / 1000 : null;
    if (latency !== null) {
      const t = Math.round((received + clock.offset) * 1000);
      connection.send({ type: "receipt", sequence: segment.sequence, t, camera: segment.camera });
    }
    if (segment?.standIn && !standIns) return;
    newest = { jpeg: new Uint8Array(data), received, latency, ...segment };
    wake();
  };
  connection.open();
  try {
    while (true) {
      if (!newest && !over) await new Promise((resolve) => (wake = resolve));
      if (newest) {
        const frame = newest;
        newest = null;
        yield frame;
      } else if (over) throw over;
    }
  } finally {
    clearTimeout(pinger);
    connection.close();
  }
}
