// Who watches a camera, and how somebody is disconnected: by a second press, so that no slip does it.

import { ask } from "./control.js";
import { element, setText } from "./tile.js";
import { duration, frames, say } from "./words.js";

/** Milliseconds in which the second press counts. */
const SURE = 5000;

const TRANSPORTS = { tcp: "TCP", websocket: "WebSocket", mjpeg: "MJPEG" };

/** What it is limited to: the smaller of what it asked for and what was set for it. */
function limitsOf({ own, set }) {
  const texts = { fps: frames, quality: (quality) => say("quality", { quality }), width: (width) => `${width} px` };
  const limits = [];
  for (const [key, text] of Object.entries(texts)) {
    if (own[key] || set[key]) limits.push(text(Math.min(own[key] || Infinity, set[key] || Infinity)));
  }
  return limits.length ? [say("atMost", { limits: limits.join(", ") })] : [];
}

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
      const { fps, quality, width, height, latency } = feed;
      const parts = [TRANSPORTS[client.transport] ?? client.transport, frames(fps), `${width}×${height}`, say("quality", { quality }), duration(latency.p50Ms || null), ...limitsOf(client)];
      setText(this.#rows.get(client.id).figures, parts.join(" · "));
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
    root.append(who, button, figures, error);
    this.root.append(root);
    return { root, figures };
  }
}
