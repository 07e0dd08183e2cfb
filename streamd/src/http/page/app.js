// The page: what is shown and what the buttons do. Pictures never pass through here.

import { startEngine } from "./engine.js";
import { Plain } from "./plain.js";
import { Tile } from "./tile.js";

const $ = (id) => document.getElementById(id);
const tiles = new Map();
const page = {
  engine: null,
  plain: null,
  /** Names of all cameras, by the server's word. */
  known: [],
  /** Names of those shown. */
  shown: [],
  connection: "connecting",
  paused: false,
  hidden: false,
  /** The moment of the next attempt to connect. */
  next: 0,
};

const here = (path) => new URL(path, location.href.split("#")[0]);

function socketAddress() {
  const address = here("ws");
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

// ---- what is remembered -------------------------------------------------------------------

const memory = {
  get(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // A private window keeps nothing; the page works without.
    }
  },
};

// ---- cameras ------------------------------------------------------------------------------

/** The cameras that the address asks for: `#front` or `#front,side`. */
function fromAddress() {
  const asked = decodeURIComponent(location.hash.slice(1)).split(",");
  const there = page.known.filter((name) => asked.includes(name));
  return there.length ? there : page.known.slice(0, 1);
}

function show(names) {
  page.shown = names;
  for (const [name, tile] of tiles) {
    if (names.includes(name)) continue;
    tile.root.remove();
    tiles.delete(name);
  }
  for (const name of names) {
    if (!tiles.has(name)) addTile(name);
    $("stage").append(tiles.get(name).root);
  }
  $("stage").dataset.count = names.length;
  $("stage").style.setProperty("--columns", Math.ceil(Math.sqrt(names.length)));
  page.engine?.do({ type: "cameras", cameras: names });
  document.title = `${names.join(", ")} – streamd`;
  drawChoice();
}

function addTile(name) {
  const tile = new Tile(name);
  tiles.set(name, tile);
  if (page.plain) {
    page.plain.fill(tile);
  } else {
    page.engine.do({ type: "canvas", camera: name, canvas: tile.canvas });
  }
  tile.root.addEventListener("click", () => {
    if (page.shown.length > 1) choose([name]);
  });
}

function choose(names) {
  history.replaceState(null, "", `#${names.map(encodeURIComponent).join(",")}`);
  show(names);
  announce(`Showing ${names.join(", ")}`);
}

function drawChoice() {
  const group = $("cameras");
  group.hidden = page.known.length < 2;
  const button = (text, names, key) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-pressed", String(names.join() === page.shown.join()));
    if (key) made.setAttribute("aria-keyshortcuts", key);
    made.onclick = () => choose(names);
    return made;
  };
  const each = page.known.map((name, n) => button(name, [name], n < 9 ? String(n + 1) : ""));
  group.replaceChildren(...each, button("All", page.known, "0"));
}

function setKnown(names) {
  const same = names.join() === page.known.join();
  page.known = names;
  if (!same) show(fromAddress());
}

// ---- connection ---------------------------------------------------------------------------

function announce(text) {
  $("announce").textContent = text;
}

/** Says how things stand: in the bar, over the picture where it matters, and to screen readers. */
function drawState() {
  const seconds = Math.max(1, Math.ceil((page.next - performance.now()) / 1000));
  const [state, text, message] = {
    connecting: ["connecting", "Connecting", ""],
    open: page.paused ? ["paused", "Paused", ""] : ["live", "Live", ""],
    plain: ["live", "Live, plain MJPEG", ""],
    waiting: ["waiting", `Back in ${seconds} s`, page.why],
    ended: ["ended", "Disconnected", page.why],
  }[page.connection];
  $("state").dataset.state = state;
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
  document.body.classList.toggle("stale", Boolean(message));
  $("message").hidden = !message;
  $("message-text").textContent = message;
}

function setConnection({ state, attempt, opened, seconds, reason }) {
  const before = page.connection;
  if (state === "impossible") return goPlain();
  if (state === "connecting" && attempt) return;
  page.connection = state;
  const because = reason ? `: ${reason}` : "";
  if (state === "waiting") {
    page.next = performance.now() + seconds * 1000;
    page.why = opened ? `The connection has ended${because}. Connecting again by itself.`
      : `The server does not answer${because}. Trying again by itself, attempt ${attempt}.`;
    if (!opened && attempt >= 3) offerPlain();
  }
  if (state === "ended") page.why = `The server ended the connection${because}.`;
  if (before !== state) announce(state === "open" ? "Connected" : page.why ?? "Connecting");
  drawState();
}

/** Where the server answers but no WebSocket comes through, something on the way does not let it. */
async function offerPlain() {
  try {
    const answer = await fetch(here("state"), { cache: "no-store" });
    if (answer.ok && page.connection === "waiting") goPlain();
  } catch {
    // The server is away: the attempts go on.
  }
}

async function goPlain() {
  page.engine?.do({ type: "close" });
  page.plain = new Plain(here, (names) => setKnown(names), limits);
  page.connection = "plain";
  for (const tile of tiles.values()) page.plain.fill(tile);
  await page.plain.start();
  announce("Showing the plain stream: no WebSocket is to be had");
  drawState();
}

/** What the server says about pictures and cameras. */
function told(message) {
  const tile = tiles.get(message.camera ?? page.shown[0]);
  if (message.type === "welcome") {
    setKnown(message.cameras);
    tiles.get(message.camera)?.size(message.width, message.height);
    tiles.get(message.camera)?.rendition({ ...message, reason: "top" });
  } else if (message.type === "rendition") {
    tile?.rendition(message);
  } else if (message.type === "notice") {
    notice(tile, message);
  }
}

function notice(tile, { event, message }) {
  if (event === "cameraLost") tile?.note(`No signal: ${message}`);
  if (event === "cameraBack") tile?.note("");
  announce(message);
}

// ---- what the buttons do ------------------------------------------------------------------

const pressed = (button, on) => $(button).setAttribute("aria-pressed", String(on));

function setPaused(paused) {
  page.paused = paused;
  pressed("pause", paused);
  $("pause").querySelector("use").setAttribute("href", paused ? "#i-play" : "#i-pause");
  $("pause").querySelector("span").textContent = paused ? "Go on" : "Pause";
  page.engine?.do({ type: "pause", paused: paused || page.hidden });
  page.plain?.pause(paused, tiles.values());
  announce(paused ? "Paused" : "Going on");
  drawState();
}

function setStatistics(on) {
  document.body.classList.toggle("with-statistics", on);
  pressed("stats", on);
  memory.set("statistics", on);
}

function limits() {
  const value = (id) => Number($(id).value);
  return { fps: value("limit-fps"), quality: value("limit-quality"), maxWidth: value("limit-width") };
}

function setLimits() {
  memory.set("limits", limits());
  page.engine?.do({ type: "limits", limits: limits() });
  if (page.plain) for (const tile of tiles.values()) page.plain.fill(tile);
  $("limits-open").classList.toggle("active", Object.values(limits()).some(Boolean));
}

function openLimits(open) {
  $("limits").hidden = !open;
  $("limits-open").setAttribute("aria-expanded", String(open));
  if (open) $("limit-fps").focus();
}

function save() {
  for (const camera of page.shown) {
    if (page.plain) page.plain.save(camera).then((jpeg) => download(camera, jpeg, null));
    else page.engine.do({ type: "save", camera });
  }
}

function download(camera, jpeg, captured) {
  if (!jpeg) return announce("There is no picture to save yet");
  const time = new Date(captured === null ? Date.now() : captured / 1000);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([jpeg], { type: "image/jpeg" }));
  link.download = `${camera}-${time.toISOString().replaceAll(":", "-")}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  announce(`Saved ${link.download}`);
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.();
}

const keys = {
  " ": () => setPaused(!page.paused),
  w: save,
  s: () => setStatistics(!document.body.classList.contains("with-statistics")),
  l: () => openLimits($("limits").hidden),
  f: toggleFull,
  "?": () => $("keys").showModal(),
  escape: () => openLimits(false),
  0: () => page.known.length > 1 && choose(page.known),
};

function onKey(event) {
  const typing = event.target.closest?.("select, input, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
  if (event.key === " " && event.target.closest?.("button")) return;
  const camera = page.known[Number(event.key) - 1];
  const action = keys[event.key.toLowerCase()] ?? (camera && (() => choose([camera])));
  if (!action) return;
  event.preventDefault();
  action();
}

/** In full screen the bar goes when nothing moves. */
function watchIdle() {
  let timer = 0;
  const wake = () => {
    document.body.classList.remove("resting");
    clearTimeout(timer);
    timer = setTimeout(() => document.body.classList.add("resting"), 2500);
  };
  for (const event of ["pointermove", "pointerdown", "keydown"]) addEventListener(event, wake);
  wake();
}

function wire() {
  $("pause").onclick = keys[" "];
  $("save").onclick = save;
  $("stats").onclick = keys.s;
  $("limits-open").onclick = keys.l;
  $("limits").onchange = setLimits;
  $("limits").onsubmit = (event) => event.preventDefault();
  $("full").onclick = toggleFull;
  $("keys-open").onclick = keys["?"];
  $("retry").onclick = () => page.engine?.do({ type: "retry" });
  addEventListener("keydown", onKey);
  addEventListener("hashchange", () => page.known.length && show(fromAddress()));
  addEventListener("online", () => page.engine?.do({ type: "retry" }));
  document.addEventListener("fullscreenchange", () => pressed("full", Boolean(document.fullscreenElement)));
  // A page that nobody sees needs no pictures, and its camera may sleep.
  document.addEventListener("visibilitychange", () => {
    page.hidden = document.hidden;
    page.engine?.do({ type: "pause", paused: page.paused || page.hidden });
  });
  watchIdle();
}

const said = {
  state: setConnection,
  told: ({ message }) => told(message),
  size: ({ camera, width, height }) => tiles.get(camera)?.size(width, height),
  saved: ({ camera, jpeg, captured }) => download(camera, jpeg, captured),
  broken: ({ camera, reason }) => tiles.get(camera)?.note(`A picture could not be shown: ${reason}`),
  figures: ({ figures, roundTrip }) => {
    for (const [camera, each] of Object.entries(figures)) tiles.get(camera)?.figures(each, roundTrip);
  },
};

async function start() {
  const kept = memory.get("limits", {});
  $("limit-fps").value = kept.fps ?? 0;
  $("limit-quality").value = kept.quality ?? 0;
  $("limit-width").value = kept.maxWidth ?? 0;
  wire();
  setStatistics(memory.get("statistics", false));
  page.engine = await startEngine(socketAddress(), (message) => said[message.type]?.(message));
  document.documentElement.dataset.drawsIn = page.engine.inWorker ? "worker" : "page";
  setLimits();
  page.engine.do({ type: "open" });
  setInterval(() => page.connection === "waiting" && drawState(), 250);
}

start();
