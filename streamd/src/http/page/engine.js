// Where the viewer runs: in a worker if the browser can draw from one, else on the main thread.

import { Viewer } from "./viewer.js";

/** Milliseconds for a worker to come up. */
const PATIENCE = 3000;

/**
 * Starts a viewer.
 * @param {string} url of the WebSocket
 * @param {(message: object) => void} tell gets what the viewer says
 * @returns {Promise<{inWorker: boolean, do: (message: object) => void}>}
 */
export async function startEngine(url, tell) {
  return (await startWorker(url, tell)) ?? startHere(url, tell);
}

function startHere(url, tell) {
  const viewer = new Viewer(url, tell);
  return { inWorker: false, do: (message) => viewer.do(message) };
}

function startWorker(url, tell) {
  const can = window.Worker && window.OffscreenCanvas
    && HTMLCanvasElement.prototype.transferControlToOffscreen;
  if (!can) return null;
  return new Promise((resolve) => {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    const give = (engine) => {
      clearTimeout(timer);
      if (!engine) worker.terminate();
      resolve(engine);
    };
    const timer = setTimeout(() => give(null), PATIENCE);
    worker.onerror = () => give(null);
    worker.onmessage = ({ data }) => {
      if (data.type !== "ready") return tell(data);
      give(data.draws ? { inWorker: true, do: (message) => post(worker, url, message) } : null);
    };
  });
}

function post(worker, url, message) {
  if (!message.canvas) return worker.postMessage({ url, ...message });
  const canvas = message.canvas.transferControlToOffscreen();
  worker.postMessage({ url, ...message, canvas }, [canvas]);
}
