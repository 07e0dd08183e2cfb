// The page: which cameras are shown, and what is said of each. Pictures never pass through here.

import { BY_SCRIPT, ALL, addressOf, embedded, here, wanted } from "./address.js";
import { engine } from "./ahead.js";
import { Announcer } from "./announce.js";
import { download, drawRecording, drawZoom, isUnseen, limits, notify, openPanel } from "./commands.js";
import { ask } from "./control.js";
import { Film } from "./film.js";
import { History } from "./history.js";
import { arrange } from "./layout.js";
import { Plain } from "./plain.js";
import { settings } from "./settings.js";
import { drawSound } from "./sound.js";
import { Tile, element, setText } from "./tile.js";
import { Ways } from "./ways.js";
import { canWebrtc } from "./webrtc.js";
import { say } from "./words.js";
import { Zoom } from "./zoom.js";

export const $ = (id) => document.getElementById(id);

/** Milliseconds for the server to say what it has. */
const ASKING = 3000;

export const page = {
  /** By name, in the order in which they are shown. */
  tiles: new Map(),
  /** Names of all cameras: by the server's word once `sure`, else as they were the last time. */
  known: settings.get("known", []),
  sure: false,
  /** Names of those shown. */
  shown: [],
  /** Names that were asked for and are not there. */
  unknown: [],
  connection: { state: "connecting" },
  /** What the viewer last reported of each camera. */
  views: {},
  renditions: {},
  roundTrip: null,
  /** The details, once they have been opened. */
  sheet: null,
  /** What may be changed, once it has been opened. */
  panel: null,
  plain: null,
  paused: false,
  /** Whether the server has WebRTC, which cameras have sound, and how many pictures a second each has. */
  webrtc: false,
  sounds: [],
  fps: {},
  /** The camera that is heard; "" for none. */
  sound: "",
};

export const announcer = new Announcer($("announce"));
export const past = new History();
export const film = new Film((camera, on) => {
  engine.do({ type: "follow", camera, on });
  ways.decide();
});
export const zoom = new Zoom(drawZoom);

export const ways = new Ways({
  facts: () => ({
    cameras: page.shown,
    mayPlay: page.connection.state === "open" && !page.paused && !isUnseen(),
    filming: Boolean(film.camera),
    offered: page.webrtc,
    chosen: $("codec").value,
    sound: page.shown.includes(page.sound) ? page.sound : "",
    limits: limits(),
    fps: page.fps,
  }),
  rest: (on) => engine.do({ type: "rest", on }),
  lay: (camera, video) => page.tiles.get(camera)?.lay(video),
  cover: (camera, picture, pixels) => {
    page.tiles.get(camera)?.cover(picture, pixels);
    fit();
  },
  tell: (key, { why, words }) => notify(say(key, { why: say(why, { words }) })),
});

// ---- which cameras ------------------------------------------------------------------------

/** Shows what the address asks for, as far as it is there. */
export function showAsked() {
  const names = wanted(page.known);
  page.unknown = page.sure ? names.filter((name) => !page.known.includes(name)) : [];
  show(names.filter((name) => !page.unknown.includes(name)));
}

export function show(names) {
  const changed = names.join() !== page.shown.join();
  page.shown = names;
  for (const [name, tile] of page.tiles) {
    if (names.includes(name)) continue;
    tile.root.remove();
    tile.line.remove();
    page.tiles.delete(name);
    if (film.camera === name) film.stop();
  }
  const tiles = names.map((name) => page.tiles.get(name) ?? addTile(name));
  page.tiles = new Map(tiles.map((tile) => [tile.camera, tile]));
  const single = tiles.length === 1;
  for (const { root, line } of tiles) {
    $("stage").append(root);
    (single && !embedded ? $("line") : root).append(line);
  }
  document.body.dataset.view = single ? "one" : "grid";
  zoom.attach(single ? tiles[0] : null);
  if (changed && names.length) engine.do({ type: "cameras", cameras: names });
  // Where none is there, nothing is asked for until another one is chosen.
  if (page.sure && changed) engine.do({ type: names.length ? "open" : "close" });
  document.title = names.length ? `${names.length > 3 ? say("allCameras") : names.join(", ")} – streamd` : "streamd";
  fit();
  drawUnknown();
  drawChoice();
  ways.decide();
  draw();
}

function addTile(name) {
  const tile = new Tile(name, { open: (camera) => choose([camera]), retry });
  page.tiles.set(name, tile);
  if (page.plain) page.plain.fill(tile);
  engine.do({ type: "canvas", camera: name, canvas: tile.canvas });
  return tile;
}

export function fit() {
  arrange($("stage"), [...page.tiles.values()]);
}

/** Goes to a view, as a step that the browser's Back undoes. */
export function choose(names) {
  const focused = document.activeElement?.closest?.(".tile")?.dataset.camera ?? page.shown[0];
  history.pushState(null, "", addressOf(names, page.known));
  showAsked();
  announcer.tell(say("showing", { names: names.join(", ") }));
  if (names.length > 1) page.tiles.get(focused)?.opener.focus({ preventScroll: true });
}

/** The camera so many places further on. */
export function next(step) {
  if (page.shown.length !== 1 || page.known.length < 2) return;
  const at = page.known.indexOf(page.shown[0]) + step + page.known.length;
  choose([page.known[at % page.known.length]]);
}

/** The camera that Details and the buttons are about. */
export function current() {
  const focused = document.activeElement?.closest?.(".tile")?.dataset.camera;
  if (focused) page.current = focused;
  return page.shown.includes(page.current) ? page.current : page.shown[0];
}

function setKnown(names) {
  const same = page.sure && names.join() === page.known.join();
  page.known = names;
  page.sure = true;
  settings.set("known", names);
  if (!same) showAsked();
}

function drawChoice() {
  const choice = $("choice");
  choice.parentElement.hidden = page.known.length < 2 && !page.unknown.length;
  const options = [...page.known.map((name) => [name, name])];
  if (page.known.length > 1) options.unshift([ALL, say("allCameras")]);
  choice.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  choice.value = page.shown.length === 1 ? page.shown[0] : ALL;
  $("back").hidden = page.shown.length !== 1 || page.known.length < 2;
  for (const sheet of ["sheet", "panel"]) {
    const of = $(`${sheet}-of`);
    of.hidden = page.shown.length < 2;
    $(`${sheet}-title`).classList.toggle("unseen", page.shown.length > 1);
    $(`${sheet}-open`).disabled = !page.shown.length;
    $(sheet).hidden ||= !page.shown.length;
    of.replaceChildren(...page.shown.map((name) => new Option(name, name)));
  }
}

function drawUnknown() {
  $("unknown").hidden = !page.unknown.length || page.shown.length > 0;
  setText($("unknown-text"), page.unknown.length ? say("unknown", { name: page.unknown[0] }) : "");
  const button = (name) => {
    const made = element("button", "", name);
    made.type = "button";
    made.onclick = () => choose([name]);
    return made;
  };
  $("unknown-choice").replaceChildren(...page.known.map(button));
}

// ---- what is said of each -----------------------------------------------------------------

/** What a camera's picture is now: by what arrives while there is a connection, else by that. */
function standingOf(name) {
  const { state, full, until, reason } = page.connection;
  const tile = page.tiles.get(name);
  if (page.plain && state !== "open") {
    if (page.paused) return { state: "paused" };
    return tile?.broken ? { state: "offline" } : { state: "plain" };
  }
  if (state === "open") return page.views[name] ?? { state: "waiting" };
  if (state === "connecting" && !until) return { state };
  // What is common to all is said on the first alone.
  const mayRetry = name === page.shown[0];
  const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1000));
  if (state === "ended") return { state, reason: reason ? say("becauseOf", { reason }) : say("sentAway"), mayRetry };
  if (full) return { state: "refused", reason, seconds, mayRetry };
  return { state: "offline", reason, seconds, mayRetry };
}

export function draw() {
  const states = new Map();
  for (const [name, tile] of page.tiles) {
    const standing = standingOf(name);
    states.set(name, standing.state);
    tile.show(standing, page.views[name], renditionOf(name), name === page.sound ? ways.session(name)?.level : null);
    if (film.camera === name && !["live", "waiting"].includes(standing.state)) film.veil(say(standing.state));
  }
  announcer.states(states);
  drawSheet();
  drawRecording();
  drawSound();
}

const renditionOf = (name) => ways.rendition(name, page.views[name]) ?? page.renditions[name];

function drawSheet() {
  const name = current();
  page.panel?.follow($("panel").hidden ? "" : name);
  setText($("panel-title"), name ?? "");
  $("panel-of").value = name;
  if ($("sheet").hidden || !name) return;
  setText($("sheet-title"), name);
  $("sheet-of").value = name;
  const standing = standingOf(name);
  const open = page.connection.state === "open";
  page.sheet.show({
    standing,
    figures: open ? page.views[name] : null,
    rendition: renditionOf(name),
    roundTrip: open ? page.roundTrip : null,
    way: open && !page.paused ? ways.of(name) : null,
    sound: soundOf(name),
  });
}

/** What is said of a camera's sound; null where it has none. */
function soundOf(name) {
  if (!page.sounds.includes(name)) return null;
  if (page.sound !== name) return { key: canWebrtc() && page.webrtc ? "soundIsOff" : "soundNeeds" };
  return { key: "soundIsOn", level: ways.session(name)?.level ?? null };
}

/** Once a second: the graphs go on, whether they are seen or not. */
export function tick() {
  for (const name of page.shown) {
    const live = standingOf(name).state === "live";
    past.add(name, live ? page.views[name] : null);
  }
  if (!$("sheet").hidden && current()) page.sheet.draw(past.of(current()));
  if (page.connection.state !== "open") draw();
}

// ---- connection ---------------------------------------------------------------------------

function setConnection(news) {
  const { state, attempt, opened, full, wait } = news;
  if (state === "impossible") return askServer(true);
  const until = wait ? performance.now() + wait : undefined;
  // While it tries again, what was wrong stays.
  if (state === "connecting" && page.connection.until) page.connection = { ...page.connection, until: 1 };
  else page.connection = { ...news, until };
  if (state === "open") {
    leavePlain();
    ways.begin();
    askSession();
  }
  if (state === "waiting" || state === "ended") {
    page.views = {};
    page.renditions = {};
    page.connection.reason ||= full || state === "ended" ? "" : say(opened ? "cut" : "unheard");
    if (state === "ended") askServer(false);
    if (state === "waiting" && (!opened || !page.sure)) askServer(!opened && !full && attempt >= 3);
  }
  ways.decide();
  draw();
}

/**
 * Where no WebSocket opens: the server may not have that camera, or something on the way may let
 * none through. The plain stream is shown then, until one comes through after all. Who may not
 * watch gets the login form in place of the page, at the same address.
 */
async function askServer(mayBePlain) {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), ASKING);
  try {
    const answer = await fetch(here("state"), { cache: "no-store", headers: BY_SCRIPT, signal: giveUp.signal });
    if (answer.status === 401) {
      location.reload();
      return;
    }
    const { cameras } = (await answer.json()).result;
    setKnown(cameras);
    if (mayBePlain && page.shown.length && page.connection.state !== "open") goPlain();
  } catch {
    // The server is away: the attempts go on.
  } finally {
    clearTimeout(timer);
  }
}

/** What there is for whom: only who may change something is offered to. */
async function askSession() {
  const { mayChange, webrtc } = await ask("session").catch(() => ({}));
  page.webrtc = Boolean(webrtc);
  const { cameras = [] } = await ask("cameras").catch(() => ({}));
  page.sounds = cameras.filter(({ sound }) => sound).map(({ name }) => name);
  page.fps = Object.fromEntries(cameras.map(({ name, desiredFps }) => [name, desiredFps]));
  if (embedded) return;
  $("panel-open").hidden = $("panel-key").hidden = !mayChange;
  if (!mayChange) openPanel(false);
}

function goPlain() {
  if (page.plain) return;
  askSession();
  page.plain = new Plain(here, limits);
  for (const tile of page.tiles.values()) page.plain.fill(tile);
  draw();
}

function leavePlain() {
  page.plain = null;
  for (const tile of page.tiles.values()) tile.stream(null);
}

export function retry() {
  engine.do({ type: "retry" });
}

/** What the server says about pictures and cameras. */
function told(message) {
  if (message.type === "welcome") setKnown(message.cameras);
  if (message.type === "rendition") page.renditions[message.camera] = message;
}

const said = {
  state: setConnection,
  told: ({ message }) => told(message),
  size: ({ camera, width, height }) => {
    if (ways.covers(camera)) return;
    page.tiles.get(camera)?.size(width, height);
    fit();
  },
  saved: ({ camera, jpeg, captured }) => download(camera, jpeg && new Blob([jpeg], { type: "image/jpeg" }), "jpg", captured),
  frame: ({ camera, jpeg }) => film.take(camera, jpeg),
  report: ({ views, roundTrip, offset }) => {
    if (page.connection.state !== "open") return;
    ways.look(views, page.renditions, offset);
    page.views = ways.views();
    page.roundTrip = roundTrip;
    draw();
  },
};

/** From now on the page follows what the viewer says. */
export function follow() {
  engine.hear((message) => said[message.type]?.(message));
}
