// The viewer in a worker: messages in, messages out. On the main thread, only the class.

import { Viewer } from "./viewer.js";

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  let viewer = null;
  self.onmessage = ({ data }) => {
    viewer ??= new Viewer(data.url, (message) => self.postMessage(message));
    viewer.do(data);
  };
  // Asks for the very canvas that will be drawn on: where there is none, the page draws by itself.
  const draws = Boolean(new OffscreenCanvas(1, 1).getContext("bitmaprenderer"));
  self.postMessage({ type: "ready", draws });
}

export { Viewer };
