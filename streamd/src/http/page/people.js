// Who watches a camera, what each is limited to, and how somebody is disconnected: by a second
// press, so that no slip does it.

import { ask } from "./control.js";
import { Field } from "./field.js";
import { element, setText } from "./tile.js";
import { coding, duration, frames, say } from "./words.js";

/** Milliseconds in which the second press counts. */
const SURE = 5000;

const TRANSPORTS = { tcp: "TCP", websocket: "WebSocket", mjpeg: "MJPEG", h264: "H.264", rtsp: "RTSP", webrtc: "WebRTC", nats: "NATS" };

/** What may be limited, how it is said, and the values to choose from here; 0 is no limit. */
const LIMITS = {
  fps: { text: frames, label: "limitFps", values: [0, 30, 15, 10, 5, 2, 1] },
  quality: { text: (quality) => say("quality", { quality }), label: "limitQuality", values: [0, 80, 60, 40, 20] },
  width: { text: (width) => `${width} px`, values: [] },
};

const limitsOf = (limits) => Object.keys(LIMITS).filter((key) => limits[key]).map((key) => LIMITS[key].text(limits[key])).join(", ");

export class People {
  #rows = new Map();
  #tell;

  constructor(root, tell) {
    this.root = root;
    this.#tell = tell;
  }

  clear() {
    this.#rows.clear();
    this.root.replaceChildren();
  }

  /** Shows those of the clients that watch this camera. */
  show(clients, camera) {
    const there = clients.filter(({ feeds }) => feeds.some((feed) => feed.camera === camera));
    for (const [id, row] of this.#rows) {
      if (there.some((client) => client.id === id)) continue;
      const next = row.root.contains(document.activeElement) && (row.root.nextSibling ?? row.root.previousSibling);
      if (next) next.querySelector("button").focus();
      row.root.remove();
      this.#rows.delete(id);
    }
    for (const client of there) {
      if (!this.#rows.has(client.id)) this.#rows.set(client.id, this.#row(client));
      const feed = client.feeds.find((feed) => feed.camera === camera);
      const { fps, width, height, latency } = feed;
      const parts = [TRANSPORTS[client.transport] ?? client.transport, frames(fps), `${width}×${height}`, coding(feed), duration(latency.p50Ms || null)];
      const own = limitsOf(client.own);
      if (own) parts.push(say("wants", { limits: own }));
      const row = this.#rows.get(client.id);
      setText(row.figures, parts.join(" · "));
      this.#showLimits(row, client);
    }
  }

  /** What is set for a client. */
  #showLimits({ summary, fields, who }, { id, set }) {
    const limits = limitsOf(set);
    setText(summary, limits ? say("limitedTo", { limits }) : say("limitOne"));
    summary.setAttribute("aria-label", `${summary.textContent}: ${who.textContent}`);
    for (const [key, { label, values }] of Object.entries(LIMITS)) {
      if (!values.length) continue;
      const value = String(set[key]);
      // Another one that was set elsewhere is there to be seen, too.
      if (!fields[key]?.has(value)) {
        const menu = [...new Set([...values, Number(value)])].map((number) => ({ number, text: number || say("noLimit") }));
        const change = (number) => ask(`clients/${id}`, "PATCH", { [key]: Number(number) }).then(() => number);
        const field = new Field({ name: `client-${key}`, label: say(label), menu }, change, this.#tell);
        if (fields[key]) fields[key].field.root.replaceWith(field.root);
        else summary.parentElement.append(field.root);
        fields[key] = { field, has: (value) => menu.some(({ number }) => String(number) === value) };
      }
      fields[key].field.show({ value });
    }
  }

  #row({ id, name, peer }) {
    const root = element("li");
    root.dataset.client = id;
    const who = element("span", "who", name ? `${name}, ${peer}` : peer);
    const figures = element("span", "hint");
    const error = element("p", "error");
    const button = element("button");
    button.type = "button";
    let timer = 0;
    const relax = () => {
      clearTimeout(timer);
      delete button.dataset.sure;
      button.textContent = say("disconnect");
      button.setAttribute("aria-label", `${say("disconnect")}: ${who.textContent}`);
    };
    button.onblur = relax;
    button.onclick = async () => {
      if (!button.dataset.sure) {
        button.dataset.sure = "1";
        button.textContent = say("surely");
        button.setAttribute("aria-label", `${say("surely")}: ${who.textContent}`);
        this.#tell(say("surely"));
        timer = setTimeout(relax, SURE);
        return;
      }
      relax();
      try {
        await ask(`clients/${id}`, "DELETE");
        this.#tell(say("gone", { name: who.textContent }));
      } catch ({ message }) {
        setText(error, message);
        this.#tell(message);
      }
    };
    relax();
    const limits = element("details");
    const summary = element("summary");
    limits.append(summary);
    root.append(who, button, figures, limits, error);
    this.root.append(root);
    return { root, who, figures, summary, fields: {} };
  }
}
