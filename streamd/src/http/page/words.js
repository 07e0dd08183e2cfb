// All that the page says, in each language. A text may have {names} that are filled in.

/** Each text in English and in German. */
const WORDS = {
  // What a picture is.
  live: ["Live", "Live"],
  late: ["Late", "Verspätet"],
  lost: ["No signal", "Kein Signal"],
  refused: ["Refused", "Abgewiesen"],
  broken: ["Unreadable picture", "Unlesbares Bild"],
  waiting: ["Waiting for the first picture", "Warte auf das erste Bild"],
  paused: ["Paused", "Angehalten"],
  connecting: ["Connecting", "Verbinde"],
  offline: ["No connection", "Keine Verbindung"],
  ended: ["Disconnected", "Getrennt"],
  plain: ["Plain stream", "Einfacher Stream"],
  lateFor: ["This picture is {age} old.", "Dieses Bild ist {age} alt."],
  since: ["Since {time}, for {span}.", "Seit {time}, also {span}."],
  again: ["Next attempt in {seconds} s.", "Nächster Versuch in {seconds} s."],
  attempting: ["Connecting again.", "Verbinde erneut."],
  unheard: ["The server does not answer.", "Der Server antwortet nicht."],
  cut: ["The connection has ended.", "Die Verbindung ist abgebrochen."],
  sentAway: ["The server ended the connection.", "Der Server hat die Verbindung beendet."],
  becauseOf: ["Reason: {reason}", "Grund: {reason}"],
  retry: ["Connect now", "Jetzt verbinden"],
  unknown: ["There is no camera “{name}” here.", "Hier gibt es keine Kamera „{name}“."],
  choose: ["Show another one:", "Eine andere zeigen:"],
  // Figures.
  state: ["State", "Zustand"],
  age: ["Age", "Alter"],
  ageText: ["{median}, 95 % under {most}", "{median}, 95 % unter {most}"],
  fps: ["Frame rate", "Bildrate"],
  rate: ["Data rate", "Datenrate"],
  picture: ["Picture", "Bild"],
  pictureText: ["{size} px, JPEG quality {quality}", "{size} px, JPEG-Qualität {quality}"],
  codec: ["Way", "Weg"],
  codecAuto: ["automatic", "automatisch"],
  codecHint: [
    "Automatic: JPEG while the connection carries it at its best, else H.264, and WebRTC where it stays slow.",
    "Automatisch: JPEG, solange die Verbindung es am besten trägt, sonst H.264, und WebRTC, wo sie langsam bleibt.",
  ],
  // By which way pictures come, and why.
  way: ["Way", "Weg"],
  webrtc: ["WebRTC", "WebRTC"],
  socket: ["WebSocket", "WebSocket"],
  "by-itself": ["the connection is good enough for it", "die Verbindung ist gut genug dafür"],
  "by-chosen": ["as chosen", "wie gewählt"],
  "by-slow": ["the link is slow or loses packets", "die Leitung ist langsam oder verliert Pakete"],
  "by-sound": ["for the sound", "für den Ton"],
  "by-trial": ["WebRTC is being tried", "WebRTC wird versucht"],
  "by-ends": ["until the WebSocket has pictures", "bis der WebSocket Bilder hat"],
  "not-unable": ["this browser has no WebRTC", "dieser Browser hat kein WebRTC"],
  "not-unoffered": ["this server offers no WebRTC", "dieser Server bietet kein WebRTC an"],
  "not-secure": ["in JPEG, for H.264 needs https or WebRTC", "in JPEG, denn H.264 braucht https oder WebRTC"],
  "not-films": ["a film or a floating picture is made of it", "eine Aufnahme oder das Minifenster braucht ihn"],
  "not-silent": ["WebRTC does not come through (is UDP blocked?)", "WebRTC kommt nicht durch (ist UDP gesperrt?)"],
  "not-lost": ["WebRTC has lost its connection", "WebRTC hat die Verbindung verloren"],
  "not-refused": ["WebRTC was refused: {words}", "WebRTC wurde abgelehnt: {words}"],
  triedAgain: ["next attempt in {span}", "nächster Versuch in {span}"],
  nowWebrtc: ["Pictures come by WebRTC now: {why}.", "Die Bilder kommen jetzt über WebRTC: {why}."],
  noWebrtc: ["Pictures come by WebSocket: {why}.", "Die Bilder kommen über WebSocket: {why}."],
  byReports: ["what WebRTC carries", "was WebRTC trägt"],
  // Sound.
  sound: ["Sound", "Ton"],
  soundOn: ["The sound of {name} is on.", "Der Ton von {name} ist an."],
  soundOff: ["The sound is off.", "Der Ton ist aus."],
  noSound: ["This camera has no sound here.", "Diese Kamera hat hier keinen Ton."],
  soundIsOff: ["off", "aus"],
  soundIsOn: ["on, {level}", "an, {level}"],
  soundNeeds: ["needs WebRTC", "braucht WebRTC"],
  why: ["Why", "Warum"],
  top: ["the best there is", "das Beste, was es gibt"],
  limit: ["your limit, or one set for you", "Ihre Grenze, oder eine für Sie gesetzte"],
  link: ["the link carries {rate}", "die Leitung trägt {rate}"],
  leftOut: ["Left out", "Ausgelassen"],
  leftOutNone: ["nothing", "nichts"],
  onTheWay: ["{count} on the way", "{count} unterwegs"],
  here: ["{count} in the browser", "{count} im Browser"],
  roundTrip: ["Round trip", "Hin und zurück"],
  quality: ["quality {quality}", "Qualität {quality}"],
  reasonTop: ["best", "beste"],
  reasonLimit: ["by limit", "begrenzt"],
  reasonLink: ["link {rate}", "Leitung {rate}"],
  graphAge: ["Age of the picture", "Alter des Bildes"],
  graphFps: ["Frame rate", "Bildrate"],
  graphRate: ["Data rate", "Datenrate"],
  graphLeftOut: ["Frames left out", "Ausgelassene Bilder"],
  graphNow: ["now", "jetzt"],
  graphAgo: ["{minutes} min ago", "vor {minutes} min"],
  graphSays: ["{title}: now {now}, at most {most}", "{title}: jetzt {now}, höchstens {most}"],
  perSecond: ["per second", "je Sekunde"],
  // Buttons and their groups.
  camera: ["Camera", "Kamera"],
  allCameras: ["All cameras", "Alle Kameras"],
  openCamera: ["Open camera {name}", "Kamera {name} öffnen"],
  pause: ["Pause", "Anhalten"],
  play: ["Resume", "Weiter"],
  save: ["Save", "Sichern"],
  record: ["Record", "Aufnehmen"],
  stop: ["Stop", "Stopp"],
  details: ["Details", "Details"],
  full: ["Full screen", "Vollbild"],
  small: ["Leave full screen", "Vollbild verlassen"],
  float: ["Pop out", "Minifenster"],
  rotate: ["Rotate", "Drehen"],
  mirror: ["Mirror", "Spiegeln"],
  keys: ["Keyboard", "Tastatur"],
  close: ["Close", "Schließen"],
  copyLink: ["Copy link", "Link kopieren"],
  view: ["View", "Ansicht"],
  awake: ["Keep the screen on", "Bildschirm anlassen"],
  resetZoom: ["{zoom}×, reset", "{zoom}×, zurück"],
  limits: ["Limits of this viewer", "Grenzen dieses Zuschauers"],
  limitFps: ["Frames a second", "Bilder je Sekunde"],
  limitQuality: ["Quality", "Qualität"],
  limitWidth: ["Width", "Breite"],
  noLimit: ["No limit", "Keine Grenze"],
  limitsHint: ["At most this much is sent to you. Other viewers are not affected.", "Höchstens so viel wird Ihnen gesendet. Andere Zuschauer betrifft das nicht."],
  page: ["Page", "Seite"],
  language: ["Language", "Sprache"],
  byBrowser: ["As the browser", "Wie der Browser"],
  viewer: ["Viewer", "Ansicht"],
  pictures: ["Live pictures", "Livebilder"],
  pictureOf: ["Live picture of camera {name}", "Livebild der Kamera {name}"],
  // Changing things.
  adjust: ["Adjust", "Einstellen"],
  recordings: ["Recordings", "Aufnahmen"],
  forAll: ["For everybody", "Für alle"],
  forAllHint: ["What is changed here changes for all who watch. Only for you: Details, View.", "Was hier geändert wird, ändert sich für alle, die zusehen. Nur für Sie: Details, Ansicht."],
  controls: ["The camera's own controls", "Eigene Einstellungen der Kamera"],
  clients: ["Who watches", "Wer zusieht"],
  reset: ["Reset", "Standard"],
  resetTo: ["Reset {name} to {value}", "{name}: Standard, {value}"],
  readOnly: ["read-only", "nur lesbar"],
  inactive: ["set automatically", "automatisch"],
  busy: ["not just now", "gerade nicht"],
  "flip-none": ["not", "nicht"],
  "flip-horizontal": ["left and right", "links und rechts"],
  "flip-vertical": ["top and bottom", "oben und unten"],
  "flip-both": ["both", "beides"],
  disconnect: ["Disconnect", "Trennen"],
  surely: ["Press again to disconnect", "Zum Trennen nochmals drücken"],
  gone: ["{name} is disconnected", "{name} ist getrennt"],
  wants: ["wants at most {limits}", "will höchstens {limits}"],
  limitOne: ["Limit", "Begrenzen"],
  limitedTo: ["Limited to {limits}", "Begrenzt auf {limits}"],
  // What happens.
  showing: ["Showing {names}", "Zu sehen: {names}"],
  saved: ["Saved {file}", "{file} gesichert"],
  nothingToSave: ["There is no live picture to save.", "Es gibt kein Livebild zu sichern."],
  recording: ["Recording {name}", "Aufnahme von {name} läuft"],
  cantRecord: ["This browser can't record.", "Dieser Browser kann nicht aufnehmen."],
  cantFloat: ["This browser has no picture in picture.", "Dieser Browser kann kein Bild im Bild."],
  copied: ["The link is copied.", "Der Link ist kopiert."],
  cantCopy: ["Copy it here: {link}", "Hier kopieren: {link}"],
  nowState: ["Camera {name}: {state}", "Kamera {name}: {state}"],
  // Keyboard.
  keyPause: ["Pause and resume", "Anhalten und weiter"],
  keySave: ["Save this picture", "Dieses Bild sichern"],
  keyRecord: ["Record a clip, and stop", "Aufnehmen und stoppen"],
  keyDetails: ["Details", "Details"],
  keyAdjust: ["Adjust, for everybody", "Einstellen, für alle"],
  keyFull: ["Full screen", "Vollbild"],
  keySound: ["Sound on and off", "Ton an und aus"],
  keyFloat: ["Picture in picture", "Bild im Bild"],
  keyRotate: ["Rotate by a quarter", "Um ein Viertel drehen"],
  keyMirror: ["Mirror", "Spiegeln"],
  keyZoom: ["Zoom in, out, and back", "Heran, weg und zurück"],
  keyMove: ["Another camera; in a zoomed picture, move", "Andere Kamera; im vergrößerten Bild bewegen"],
  keyOne: ["One camera", "Eine Kamera"],
  keyAll: ["All cameras", "Alle Kameras"],
  keyBack: ["Back", "Zurück"],
};

/** The languages there are, by their own names, in the order of the texts. */
export const LANGUAGES = { en: "English", de: "Deutsch" };
const SPOKEN = Object.keys(LANGUAGES);

let language = "en";
let locale = "en";

/** Takes the language that is chosen, else the first of the browser's that there is. */
export function setLanguage(chosen) {
  const wanted = [chosen, ...navigator.languages].map((name) => String(name).slice(0, 2));
  language = wanted.find((name) => name in LANGUAGES) ?? "en";
  locale = navigator.languages.find((name) => name.startsWith(language)) ?? language;
  document.documentElement.lang = language;
}

/** A text, with its names filled in. */
export function say(key, values = {}) {
  const text = WORDS[key]?.[SPOKEN.indexOf(language)] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Puts the texts into the document: `data-say` is an element's text, `data-name` its label. */
export function sayAll(root) {
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-name]")) {
    element.setAttribute("aria-label", say(element.dataset.name));
  }
  for (const element of root.querySelectorAll("[data-tip]")) element.title = say(element.dataset.tip);
}

// ---- figures in words ---------------------------------------------------------------------

const fixed = (value, digits) => value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** Milliseconds: `8.3 ms`, `140 ms`, `3.2 s`; a dash where there is no value. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 0) ms = 0;
  if (ms < 10) return `${fixed(ms, 1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${fixed(ms / 1000, 1)} s`;
}

/** A long time: `12 s`, `3 min`, `5 h 3 min`. */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${seconds} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bits a second: `8.2 Mb/s`, `640 kb/s`. */
export function bits(rate) {
  return rate >= 1e6 ? `${fixed(rate / 1e6, 1)} Mb/s` : `${Math.round(rate / 1e3)} kb/s`;
}

/** Frames a second. */
/** In which coding and quality pictures come, by a `rendition`. */
export function coding({ codec, quality, bitRate }) {
  return codec === "h264" ? `H.264 ${bits(bitRate)}` : say("quality", { quality });
}

export function frames(fps) {
  return `${fixed(fps, fps < 9.95 ? 1 : 0)} fps`;
}

/** A level of sound: `−23 dB`; a dash where none comes. */
export function decibels(level) {
  return typeof level === "number" ? `${fixed(Math.round(level), 0).replace("-", "−")} dB` : "–";
}

/** By which way pictures come, and why. */
export function wayText({ way, why, words, seconds }) {
  const text = `${say(way)}: ${say(why, { words })}`;
  return seconds > 0 ? `${text}, ${say("triedAgain", { span: span(seconds * 1000) })}` : text;
}

/** A time of day; with the date where it is not today's. */
export function clock(ms) {
  const time = new Date(ms);
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString(locale, { timeStyle: "short", ...(today ? {} : { dateStyle: "medium" }) });
}

/** Why a picture is sent as it is, by the server's word; `full` for the details. */
export function because(reason, full) {
  if (!reason) return "–";
  if (reason === "top") return say(full ? "top" : "reasonTop");
  if (reason === "webrtc") return say(full ? "byReports" : "webrtc");
  if (reason === "limit") return say(full ? "limit" : "reasonLimit");
  const link = /^link (.*)$/.exec(reason);
  return link ? say(full ? "link" : "reasonLink", { rate: link[1] }) : reason;
}
