// Where the viewer runs: in a worker if the browser can draw from one, else on the main thread.

/** Milliseconds for a worker to come up. */
const PATIENCE = 3000;

const VIEWER = new URL("page/viewer.js", document.baseURI);

/**
 * Starts a viewer. What it is asked is passed on at once, so that it connects while it comes up;
 * only canvases, which can't be taken back, wait until it says that it can draw on them.
 * @param {string} url of the WebSocket
 * @returns {{do: (message: object) => void, hear: (tell: (message: object) => void) => void}}
 *   `hear` is given what the viewer says from then on, and has said before
 */
export function startEngine(url) {
  const asked = [];
  const told = [];
  let tell = (message) => told.push(message);
  const hear = (by) => {
    tell = by;
    told.forEach(by);
  };
  const here = async () => {
    engine.do = (message) => asked.push(message);
    const { Viewer } = await import(VIEWER.href);
    const viewer = new Viewer(url, (message) => tell(message));
    engine.do = (message) => viewer.do(message);
    asked.forEach(engine.do);
    document.documentElement.dataset.drawsIn = "page";
  };
  const engine = { do: (message) => asked.push(message), hear };
  if (!window.Worker || !window.OffscreenCanvas || !HTMLCanvasElement.prototype.transferControlToOffscreen) {
    here();
    return engine;
  }
  const worker = new Worker(VIEWER, { type: "module" });
  engine.do = (message) => {
    asked.push(message);
    if (!message.canvas) post(worker, url, message);
  };
  let decided = false;
  const decide = (draws) => {
    if (decided) return;
    decided = true;
    clearTimeout(timer);
    if (!draws) {
      worker.terminate();
      here();
      return;
    }
    document.documentElement.dataset.drawsIn = "worker";
    engine.do = (message) => post(worker, url, message);
    asked.filter((message) => message.canvas).forEach(engine.do);
  };
  const timer = setTimeout(() => decide(false), PATIENCE);
  worker.onerror = () => decide(false);
  worker.onmessage = ({ data }) => (data.type === "ready" ? decide(data.draws) : tell(data));
  return engine;
}

function post(worker, url, message) {
  if (!message.canvas) return worker.postMessage({ url, ...message });
  const canvas = message.canvas.transferControlToOffscreen();
  worker.postMessage({ url, ...message, canvas }, [canvas]);
}
