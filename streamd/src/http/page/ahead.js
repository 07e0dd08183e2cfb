// What goes ahead of the page: the viewer comes up and connects while the page is still being read.

import { socketAddress, wanted } from "./address.js";
import { startEngine } from "./engine.js";
import { settings } from "./settings.js";

export const engine = startEngine(socketAddress());

const cameras = wanted(settings.get("known", []));
if (cameras.length) engine.do({ type: "cameras", cameras });
engine.do({ type: "limits", limits: settings.get("limits", {}) });
engine.do({ type: "open" });
