// What the buttons and keys do.

import { addressOf } from "./address.js";
import { engine } from "./ahead.js";
import { $, announcer, choose, current, draw, film, fit, next, page, past, show, ways, zoom } from "./app.js";
import { Film } from "./film.js";
import { Panel } from "./panel.js";
import { screen } from "./screen.js";
import { settings } from "./settings.js";
import { Sheet } from "./sheet.js";
import { toggleSound } from "./sound.js";
import { element, setText } from "./tile.js";
import { say, sayAll, setLanguage } from "./words.js";

export const pressed = (id, on) => $(id).setAttribute("aria-pressed", String(on));

export function setPaused(paused) {
  page.paused = paused;
  pressed("pause", paused);
  $("pause").querySelector("use").setAttribute("href", paused ? "#i-play" : "#i-pause");
  label("pause", paused ? "play" : "pause");
  sendPause();
  page.plain?.pause(paused, page.tiles.values());
  keepAwake();
  draw();
}

/** A page that nobody sees needs no pictures, and its camera may sleep; one that floats, records or is heard does. */
export const isUnseen = () => document.hidden && !film.floats && !film.since && !page.sound;

export function sendPause() {
  engine.do({ type: "pause", paused: page.paused || isUnseen() });
  ways.decide();
}

export function label(id, key) {
  const text = $(id).querySelector("span");
  text.dataset.say = key;
  text.textContent = say(key);
}

export function limits() {
  const value = (id) => Number($(id).value);
  return { fps: value("limit-fps"), quality: value("limit-quality"), maxWidth: value("limit-width") };
}

export function setLimits() {
  settings.set("limits", limits());
  engine.do({ type: "limits", limits: limits() });
  const chosen = $("codec").value;
  if (chosen !== settings.get("codec", "")) ways.retry();
  settings.set("codec", chosen);
  engine.do({ type: "codec", codec: chosen === "webrtc" ? "" : chosen });
  ways.decide();
  if (page.plain) for (const tile of page.tiles.values()) page.plain.fill(tile);
  $("sheet-open").classList.toggle("active", Object.values(limits()).some(Boolean));
}

export function openSheet(open) {
  if (open) openPanel(false);
  if (open) page.sheet ??= new Sheet($("sheet-figures"));
  if ($("sheet").hidden === !open || $("sheet-open").disabled) return;
  $("sheet").hidden = !open;
  $("sheet-open").setAttribute("aria-expanded", String(open));
  settings.set("sheet", open);
  fit();
  zoom.reset();
  draw();
  if (open && current()) page.sheet.draw(past.of(current()));
}

export function openPanel(open) {
  if ($("panel").hidden === !open || (open && ($("panel-open").disabled || $("panel-open").hidden))) return;
  if (open) openSheet(false);
  if (open) page.panel ??= new Panel((part) => $(`panel-${part}`), (text) => announcer.tell(text));
  $("panel").hidden = !open;
  $("panel-open").setAttribute("aria-expanded", String(open));
  fit();
  zoom.reset();
  draw();
  if (open) $("panel-title").focus({ preventScroll: true });
}

export function closePanel() {
  openPanel(false);
  $("panel-open").focus({ preventScroll: true });
}

export function closeSheet() {
  openSheet(false);
  $("sheet-open").focus({ preventScroll: true });
}

export function save() {
  for (const camera of page.shown) {
    if (page.plain) page.plain.save(camera).then((jpeg) => download(camera, jpeg && new Blob([jpeg]), "jpg", null));
    else if (ways.session(camera)) saveVideo(camera);
    else engine.do({ type: "save", camera });
  }
}

function saveVideo(camera) {
  const session = ways.session(camera);
  if (page.views[camera].state === "lost") return notify(say("nothingToSave"));
  const { captured } = session;
  session.still().toBlob((blob) => download(camera, blob, "jpg", captured), "image/jpeg", 0.95);
}

/** Gives the browser a file, named by camera and time; `captured` in µs since the epoch. */
export function download(camera, blob, ending, captured) {
  if (!blob) return notify(say("nothingToSave"));
  const time = new Date(captured === null ? Date.now() : captured / 1000);
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${camera}-${time.toISOString().replaceAll(":", "-")}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  notify(say("saved", { file: link.download }));
}

/** Says something that passes, to eyes and ears. */
export function notify(text) {
  announcer.tell(text);
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => ($("toast").hidden = true), 4000);
}

export async function record() {
  if (film.since) return film.stop();
  const camera = current();
  if (!Film.records || page.plain || !camera) return notify(say("cantRecord"));
  try {
    await film.record(camera, (blob, ending, since) => {
      download(camera, blob, ending, since * 1000);
      drawRecording();
    }, ways.session(camera)?.pixels);
    announcer.tell(say("recording", { name: camera }));
  } catch (error) {
    notify(error.message);
  }
  drawRecording();
}

export function drawRecording() {
  const on = film.since > 0;
  pressed("record", on);
  const seconds = Math.floor((Date.now() - film.since) / 1000);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  setText($("record").querySelector("span"), on ? `${say("stop")} ${time}` : say("record"));
}

export async function float() {
  if (!Film.canFloat || page.plain || !current()) return notify(say("cantFloat"));
  try {
    await film.float(current(), sendPause);
  } catch (error) {
    notify(error.message || say("cantFloat"));
  }
}

function turn(by, mirror) {
  const tile = page.tiles.get(current());
  if (!tile) return;
  zoom.reset();
  tile.turn(by, mirror);
  fit();
}

export function drawZoom(scale) {
  $("zoom").hidden = scale === 1;
  setText($("zoom"), say("resetZoom", { zoom: scale.toFixed(1) }));
}

export async function copyLink() {
  const link = new URL(addressOf(page.shown, page.known), location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    notify(say("copied"));
  } catch {
    // Only pages from https and localhost may.
    notify(say("cantCopy", { link }));
  }
}

export function keepAwake() {
  screen.stayOn(!page.paused && (screen.full || $("awake").checked));
}

export function chooseLanguage(chosen) {
  settings.set("language", chosen);
  setLanguage(chosen);
  sayAll(document);
  for (const tile of page.tiles.values()) tile.speak();
  page.sheet?.speak();
  page.panel?.speak();
  if (page.shown.length || page.unknown.length) show(page.shown);
  drawZoom(zoom.scale);
}

/** Out of whatever is open, one step at a time. */
function back() {
  if (!$("sheet").hidden && $("sheet").contains(document.activeElement)) return closeSheet();
  if ($("panel").contains(document.activeElement)) return closePanel();
  if (zoom.scale > 1) return zoom.reset();
  if (screen.full) return screen.toggle();
  if (page.shown.length === 1 && page.known.length > 1) choose(page.known);
}

export const keys = {
  " ": () => setPaused(!page.paused),
  w: save,
  c: record,
  d: () => openSheet($("sheet").hidden),
  a: () => openPanel($("panel").hidden),
  f: () => screen.toggle(),
  p: float,
  s: toggleSound,
  r: () => turn(90),
  m: () => turn(0, true),
  "+": () => zoom.step(true),
  "=": () => zoom.step(true),
  "-": () => zoom.step(false),
  arrowleft: () => zoom.pan(-0.1, 0) || next(-1),
  arrowright: () => zoom.pan(0.1, 0) || next(1),
  arrowup: () => zoom.pan(0, -0.1),
  arrowdown: () => zoom.pan(0, 0.1),
  "?": () => $("keys").showModal(),
  escape: back,
  0: () => page.known.length > 1 && choose(page.known),
};

export function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const key = event.key.toLowerCase();
  const control = event.target.closest?.("select, input");
  if (control && key !== "escape") return;
  const onButton = event.target.closest?.("button, summary");
  if (onButton && key === " ") return;
  const camera = page.known[Number(key) - 1];
  const action = keys[key] ?? (camera && (() => choose([camera])));
  if (!action) return;
  event.preventDefault();
  action();
}
