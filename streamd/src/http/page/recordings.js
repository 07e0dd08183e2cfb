// The recordings of a camera, a day at a time.

import { settings } from "./settings.js";
import { Film, pictures } from "./lapse.js";

/** Each text in English and in German. */
const WORDS = {
  live: ["Live", "Live"],
  title: ["Recordings", "Aufnahmen"],
  camera: ["Camera", "Kamera"],
  day: ["Day", "Tag"],
  dayBefore: ["The day before", "Der Tag davor"],
  dayAfter: ["The day after", "Der Tag danach"],
  time: ["Time of the day; Enter plays from there", "Uhrzeit; die Eingabetaste spielt von dort ab"],
  play: ["Play", "Abspielen"],
  pause: ["Pause", "Anhalten"],
  exportTitle: ["Save a part as one file", "Einen Teil als eine Datei sichern"],
  from: ["from", "von"],
  to: ["to", "bis"],
  save: ["Save", "Sichern"],
  list: ["Recordings of this day", "Aufnahmen dieses Tages"],
  none: ["Nothing was recorded on this day.", "An diesem Tag wurde nichts aufgenommen."],
  noneThen: ["Nothing was recorded at {time}.", "Um {time} wurde nichts aufgenommen."],
  whole: ["{hours} h recorded, {size}", "{hours} h aufgenommen, {size}"],
  download: ["Save", "Sichern"],
  continuous: ["continuous", "durchgehend"],
  event: ["event", "Ereignis"],
  timelapse: ["time lapse", "Zeitraffer"],
  start: ["Record", "Aufnehmen"],
  stop: ["Stop recording", "Aufnahme beenden"],
  off: ["not recorded", "wird nicht aufgenommen"],
  armed: ["waits for an event", "wartet auf ein Ereignis"],
  waiting: ["waits for pictures", "wartet auf Bilder"],
  recording: ["is recorded", "wird aufgenommen"],
  failed: ["is not recorded: {reason}", "wird nicht aufgenommen: {reason}"],
  refused: ["Recordings are for operators: {reason}", "Aufnahmen sind für Bediener: {reason}"],
  unheard: ["The server does not answer.", "Der Server antwortet nicht."],
  unplayable: ["This browser can't play it: save it.", "Dieser Browser kann sie nicht abspielen: sichern Sie sie."],
};

const LANGUAGES = ["en", "de"];
const DAY = 86400;

/** How often what is there is asked for again, ms. */
const AGAIN = 5000;

const wanted = [settings.get("language", ""), ...navigator.languages].map((name) => String(name).slice(0, 2));
const language = wanted.find((name) => LANGUAGES.includes(name)) ?? "en";
document.documentElement.lang = language;

const $ = (id) => document.getElementById(id);

function say(key, values = {}) {
  const text = WORDS[key][LANGUAGES.indexOf(language)];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
for (const element of document.querySelectorAll("[data-name]")) {
  element.setAttribute("aria-label", say(element.dataset.name));
  element.title = say(element.dataset.name);
}
document.title = `${say("title")} · streamd`;

/** What is shown: recordings without time lapses, by time. */
let shown = [];
/** What plays: a recording, and the film of it where the browser can't. */
let playing = null;
let film = null;
let isRecording = false;
/** Counts what was asked for, so that a late answer to something else is left alone. */
let asked = 0;

async function ask(path, options = {}) {
  const response = await fetch(`api/v1/${path}`, { headers: { "X-Requested-With": "fetch" }, ...options });
  if (response.ok) return response.json();
  const text = await response.text();
  let reason = text.trim();
  try {
    reason = JSON.parse(text).error.message;
  } catch {
    // It is a text for people already.
  }
  throw Object.assign(new Error(reason), { status: response.status });
}

function note(text) {
  $("note").textContent = text;
}

function explain(error) {
  if (error.status === 401 || error.status === 403) note(say("refused", { reason: error.message }));
  else note(error.status ? error.message : say("unheard"));
}

const two = (n) => String(n).padStart(2, "0");
const clock = (seconds) => [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((n) => two(Math.floor(n))).join(":");

/** When the day that is chosen begins, seconds since the epoch, by the browser's time zone. */
function midnight(days = 0) {
  const [year, month, day] = $("day").value.split("-").map(Number);
  return new Date(year, month - 1, day + days).getTime() / 1000;
}

/** The second of the day of a moment. Where clocks are changed, days are longer; what is beyond is the end. */
function ofDay(moment) {
  return Math.max(0, Math.min(DAY - 1, moment - midnight()));
}

function size(bytes) {
  const units = ["kB", "MB", "GB", "TB"];
  let n = bytes / 1000;
  while (n >= 1000 && units.length > 1) {
    n /= 1000;
    units.shift();
  }
  return `${n.toLocaleString(language, { maximumFractionDigits: 1 })} ${units[0]}`;
}

const address = (id) => `recordings/${encodeURIComponent($("camera").value)}/${id}.mp4`;

async function load(quietly = false) {
  if (!$("day").value || !$("camera").value) return;
  const mine = (asked += 1);
  const camera = encodeURIComponent($("camera").value);
  try {
    const reply = await ask(`cameras/${camera}/recordings?from=${midnight()}&to=${midnight(1)}`);
    if (mine !== asked) return;
    draw(reply.recordings);
    if (!quietly) note(reply.recordings.length ? "" : say("none"));
  } catch (error) {
    if (!quietly) explain(error);
  }
}

function draw(recordings) {
  shown = recordings.filter((one) => one.kind !== "timelapse");
  const marks = [];
  for (const one of shown) {
    const [from, to] = [ofDay(one.from), ofDay(one.to)];
    const last = marks.at(-1);
    // What follows at once is one mark: there are 1440 files a day.
    if (last && last.kind === one.kind && from - last.to < 3) last.to = to;
    else marks.push({ kind: one.kind, from, to });
  }
  $("marks").replaceChildren(...marks.map(({ kind, from, to }) => {
    const mark = document.createElement("i");
    mark.className = kind;
    mark.style.left = `${(from / DAY) * 100}%`;
    mark.style.width = `${((to - from) / DAY) * 100}%`;
    return mark;
  }));
  const seconds = shown.reduce((sum, one) => sum + one.to - one.from, 0);
  const bytes = recordings.reduce((sum, one) => sum + one.bytes, 0);
  const hours = (seconds / 3600).toLocaleString(language, { maximumFractionDigits: 1 });
  $("whole").textContent = recordings.length ? say("whole", { hours, size: size(bytes) }) : "";
  // The last ones first, and no more than can be looked over.
  $("list").replaceChildren(...recordings.slice(-200).reverse().map(line));
}

function line(one) {
  const row = document.createElement("li");
  const play = document.createElement("button");
  play.type = "button";
  play.textContent = `${clock(ofDay(one.from))} – ${clock(ofDay(one.to))}`;
  play.onclick = () => start(one, 0);
  const kind = document.createElement("span");
  kind.textContent = `${say(one.kind)}, ${size(one.bytes)}`;
  const save = document.createElement("a");
  save.href = `${address(one.id)}?download`;
  save.textContent = say("download");
  row.append(play, kind, save);
  return row;
}

/** Plays what was recorded at a second of the day, or what comes next. */
function playFrom(second) {
  const moment = midnight() + second;
  const one = shown.find((one) => one.to > moment);
  if (!one) return note(say("noneThen", { time: clock(second) }));
  return start(one, Math.max(0, moment - one.from));
}

async function start(one, at) {
  stop();
  playing = one;
  note("");
  const video = $("video");
  video.hidden = false;
  video.src = address(one.id);
  video.onloadedmetadata = () => {
    if (at > 0) video.currentTime = at;
  };
  video.onerror = () => startFilm(one, at);
  video.play().catch(() => {});
  mark();
}

/** Plays a recording of JPEG pictures. */
async function startFilm(one, at) {
  $("video").hidden = true;
  try {
    const response = await fetch(address(one.id));
    if (!response.ok) throw Object.assign(new Error((await response.text()).trim()), { status: response.status });
    const found = pictures(await response.arrayBuffer());
    if (playing !== one) return;
    if (!found.length) return note(say("unplayable"));
    $("canvas").hidden = false;
    film = new Film(found, $("canvas"), (seconds) => {
      if (seconds === null) next();
      else if (one.kind !== "timelapse") at = seconds;
      mark(at);
    });
    film.seek(at);
    film.play();
  } catch (error) {
    explain(error);
  }
}

function stop() {
  film?.pause();
  film = null;
  playing = null;
  const video = $("video");
  video.onerror = null;
  video.removeAttribute("src");
  video.load();
  video.hidden = $("canvas").hidden = true;
}

/** What follows what has played, where it follows at once. */
function next() {
  const following = shown[shown.indexOf(playing) + 1];
  if (playing?.kind !== "timelapse" && following && following.from - playing.to < 60) start(following, 0);
  else mark();
}

/** Shows at which time of the day it is. */
function mark(at = $("video").currentTime) {
  if (playing) $("time").value = ofDay(playing.from + at);
  tell();
}

function tell() {
  const time = clock(Number($("time").value));
  $("clock").textContent = time;
  $("time").setAttribute("aria-valuetext", time);
  const runs = film ? film.isPlaying : playing && !$("video").paused;
  $("play").textContent = say(runs ? "pause" : "play");
}

function toggle() {
  const video = $("video");
  if (film) {
    if (film.isPlaying) film.pause();
    else film.play();
  } else if (playing && !video.hidden) {
    if (video.paused) video.play().catch(() => {});
    else video.pause();
  } else playFrom(Number($("time").value));
  tell();
}

async function look() {
  try {
    const { cameras } = await ask("cameras");
    const known = [...$("camera").options].map((option) => option.value).join();
    if (known !== cameras.map((one) => one.name).join()) {
      const chosen = $("camera").value || new URLSearchParams(location.search).get("camera");
      $("camera").replaceChildren(...cameras.map((one) => new Option(one.name)));
      if (cameras.some((one) => one.name === chosen)) $("camera").value = chosen;
      load();
    }
    const recording = cameras.find((one) => one.name === $("camera").value)?.recording;
    $("record").hidden = !recording;
    $("state").textContent = recording ? say(recording.state, recording) : "";
    $("state").className = recording?.state ?? "";
    isRecording = recording && !["off", "armed"].includes(recording.state);
    $("record").textContent = say(isRecording ? "stop" : "start");
    $("record").setAttribute("aria-pressed", Boolean(isRecording));
  } catch (error) {
    explain(error);
  }
}

async function setRecording() {
  const options = {
    method: "PATCH",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ record: !isRecording }),
  };
  await ask(`cameras/${encodeURIComponent($("camera").value)}/recording`, options).catch(explain);
  look();
}

function moveDay(days) {
  const day = new Date((midnight() + days * DAY + DAY / 2) * 1000);
  setDay(day);
  stop();
  load();
}

function setDay(day) {
  $("day").value = `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

$("camera").onchange = $("day").onchange = () => {
  stop();
  load();
  look();
};
$("before").onclick = () => moveDay(-1);
$("after").onclick = () => moveDay(1);
$("record").onclick = setRecording;
$("play").onclick = toggle;
$("time").oninput = tell;
$("time").onchange = () => playFrom(Number($("time").value));
$("time").onkeydown = (event) => {
  if (event.key === "Enter") playFrom(Number($("time").value));
  // A second is little of a day: arrows go by minutes, with Shift by seconds.
  const steps = { ArrowLeft: -60, ArrowRight: 60, ArrowDown: -60, ArrowUp: 60, PageDown: -3600, PageUp: 3600 };
  const step = steps[event.key];
  if (!step) return;
  event.preventDefault();
  $("time").value = Number($("time").value) + (event.shiftKey ? Math.sign(step) : step);
  tell();
};
$("video").ontimeupdate = () => mark();
$("video").onplay = $("video").onpause = tell;
$("video").onended = next;
$("export").onsubmit = (event) => {
  event.preventDefault();
  const second = (text) => text.split(":").map(Number).reduce((sum, n, at) => sum + n * [3600, 60, 1][at], 0);
  const [from, to] = [second($("from").value), second($("to").value)].map((n) => midnight() + n);
  const link = document.createElement("a");
  link.href = `${address("export")}?from=${from}&to=${to}`;
  link.click();
};

$("hours").replaceChildren(...[0, 3, 6, 9, 12, 15, 18, 21, 24].map((hour) => {
  const mark = document.createElement("span");
  mark.textContent = hour;
  return mark;
}));
setDay(new Date());
tell();
look();
setInterval(() => {
  if (document.hidden) return;
  look();
  load(true);
}, AGAIN);
