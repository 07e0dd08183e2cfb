// All that the page says, in each language. A text may have {names} that are filled in.

const WORDS = {
  en: {
    // What a picture is.
    live: "Live",
    late: "Late",
    lost: "No signal",
    refused: "Refused",
    broken: "Unreadable picture",
    waiting: "Waiting for the first picture",
    paused: "Paused",
    connecting: "Connecting",
    offline: "No connection",
    ended: "Disconnected",
    plain: "Plain stream",
    lateFor: "This picture is {age} old.",
    since: "Since {time}, for {span}.",
    again: "Next attempt in {seconds} s.",
    attempting: "Connecting again.",
    unheard: "The server does not answer.",
    cut: "The connection has ended.",
    sentAway: "The server ended the connection.",
    becauseOf: "Reason: {reason}",
    retry: "Connect now",
    unknown: "There is no camera “{name}” here.",
    choose: "Show another one:",
    plainNote: "No WebSocket comes through, so this is the plain MJPEG stream, without figures.",
    // Figures.
    state: "State",
    age: "Age",
    ageText: "{median}, 95 % under {most}",
    fps: "Frame rate",
    rate: "Data rate",
    picture: "Picture",
    pictureText: "{size} px, JPEG quality {quality}",
    why: "Why",
    top: "the best there is",
    limit: "your limit, or one set for you",
    link: "the link carries {rate}",
    leftOut: "Left out",
    leftOutNone: "nothing",
    onTheWay: "{count} on the way",
    here: "{count} in the browser",
    roundTrip: "Round trip",
    quality: "quality {quality}",
    reasonTop: "best",
    reasonLimit: "by limit",
    reasonLink: "link {rate}",
    graphAge: "Age of the picture",
    graphFps: "Frame rate",
    graphRate: "Data rate",
    graphLeftOut: "Frames left out",
    graphNow: "now",
    graphAgo: "{minutes} min ago",
    graphSays: "{title}: now {now}, at most {most}",
    perSecond: "per second",
    // Buttons and their groups.
    camera: "Camera",
    cameras: "Cameras",
    allCameras: "All cameras",
    several: "{names}",
    openCamera: "Open camera {name}",
    pause: "Pause",
    play: "Resume",
    save: "Save",
    record: "Record",
    stop: "Stop",
    details: "Details",
    full: "Full screen",
    small: "Leave full screen",
    float: "Pop out",
    rotate: "Rotate",
    mirror: "Mirror",
    keys: "Keyboard",
    close: "Close",
    copyLink: "Copy link",
    view: "View",
    awake: "Keep the screen on",
    resetZoom: "{zoom}×, reset",
    limits: "Limits of this viewer",
    limitFps: "Frames a second",
    limitQuality: "Quality",
    limitWidth: "Width",
    noLimit: "No limit",
    limitsHint: "At most this much is sent to you. Other viewers are not affected.",
    page: "Page",
    language: "Language",
    byBrowser: "As the browser",
    viewer: "Viewer",
    pictures: "Live pictures",
    pictureOf: "Live picture of camera {name}",
    // What happens.
    showing: "Showing {names}",
    saved: "Saved {file}",
    nothingToSave: "There is no live picture to save.",
    recording: "Recording {name}",
    cantRecord: "This browser can't record.",
    cantFloat: "This browser has no picture in picture.",
    copied: "The link is copied.",
    cantCopy: "Copy it here: {link}",
    nowState: "Camera {name}: {state}",
    isBack: "Camera {name} is live",
    // Keyboard.
    keyPause: "Pause and resume",
    keySave: "Save this picture",
    keyRecord: "Record a clip, and stop",
    keyDetails: "Details",
    keyFull: "Full screen",
    keyFloat: "Picture in picture",
    keyRotate: "Rotate by a quarter",
    keyMirror: "Mirror",
    keyZoom: "Zoom in, out, and back",
    keyMove: "Another camera; in a zoomed picture, move",
    keyOne: "One camera",
    keyAll: "All cameras",
    keyBack: "Back",
  },
  de: {
    live: "Live",
    late: "Verspätet",
    lost: "Kein Signal",
    refused: "Abgewiesen",
    broken: "Unlesbares Bild",
    waiting: "Warte auf das erste Bild",
    paused: "Angehalten",
    connecting: "Verbinde",
    offline: "Keine Verbindung",
    ended: "Getrennt",
    plain: "Einfacher Stream",
    lateFor: "Dieses Bild ist {age} alt.",
    since: "Seit {time}, also {span}.",
    again: "Nächster Versuch in {seconds} s.",
    attempting: "Verbinde erneut.",
    unheard: "Der Server antwortet nicht.",
    cut: "Die Verbindung ist abgebrochen.",
    sentAway: "Der Server hat die Verbindung beendet.",
    becauseOf: "Grund: {reason}",
    retry: "Jetzt verbinden",
    unknown: "Hier gibt es keine Kamera „{name}“.",
    choose: "Eine andere zeigen:",
    plainNote: "Es kommt kein WebSocket durch: Das ist der einfache MJPEG-Stream, ohne Messwerte.",
    state: "Zustand",
    age: "Alter",
    ageText: "{median}, 95 % unter {most}",
    fps: "Bildrate",
    rate: "Datenrate",
    picture: "Bild",
    pictureText: "{size} px, JPEG-Qualität {quality}",
    why: "Warum",
    top: "das Beste, was es gibt",
    limit: "Ihre Grenze, oder eine für Sie gesetzte",
    link: "die Leitung trägt {rate}",
    leftOut: "Ausgelassen",
    leftOutNone: "nichts",
    onTheWay: "{count} unterwegs",
    here: "{count} im Browser",
    roundTrip: "Hin und zurück",
    quality: "Qualität {quality}",
    reasonTop: "beste",
    reasonLimit: "begrenzt",
    reasonLink: "Leitung {rate}",
    graphAge: "Alter des Bildes",
    graphFps: "Bildrate",
    graphRate: "Datenrate",
    graphLeftOut: "Ausgelassene Bilder",
    graphNow: "jetzt",
    graphAgo: "vor {minutes} min",
    graphSays: "{title}: jetzt {now}, höchstens {most}",
    perSecond: "je Sekunde",
    camera: "Kamera",
    cameras: "Kameras",
    allCameras: "Alle Kameras",
    openCamera: "Kamera {name} öffnen",
    pause: "Anhalten",
    play: "Weiter",
    save: "Sichern",
    record: "Aufnehmen",
    stop: "Stopp",
    details: "Details",
    full: "Vollbild",
    small: "Vollbild verlassen",
    float: "Minifenster",
    rotate: "Drehen",
    mirror: "Spiegeln",
    keys: "Tastatur",
    close: "Schließen",
    copyLink: "Link kopieren",
    view: "Ansicht",
    awake: "Bildschirm anlassen",
    resetZoom: "{zoom}×, zurück",
    limits: "Grenzen dieses Zuschauers",
    limitFps: "Bilder je Sekunde",
    limitQuality: "Qualität",
    limitWidth: "Breite",
    noLimit: "Keine Grenze",
    limitsHint: "Höchstens so viel wird Ihnen gesendet. Andere Zuschauer betrifft das nicht.",
    page: "Seite",
    language: "Sprache",
    byBrowser: "Wie der Browser",
    viewer: "Ansicht",
    pictures: "Livebilder",
    pictureOf: "Livebild der Kamera {name}",
    showing: "Zu sehen: {names}",
    saved: "{file} gesichert",
    nothingToSave: "Es gibt kein Livebild zu sichern.",
    recording: "Aufnahme von {name} läuft",
    cantRecord: "Dieser Browser kann nicht aufnehmen.",
    cantFloat: "Dieser Browser kann kein Bild im Bild.",
    copied: "Der Link ist kopiert.",
    cantCopy: "Hier kopieren: {link}",
    nowState: "Kamera {name}: {state}",
    isBack: "Kamera {name} ist live",
    keyPause: "Anhalten und weiter",
    keySave: "Dieses Bild sichern",
    keyRecord: "Aufnehmen und stoppen",
    keyDetails: "Details",
    keyFull: "Vollbild",
    keyFloat: "Bild im Bild",
    keyRotate: "Um ein Viertel drehen",
    keyMirror: "Spiegeln",
    keyZoom: "Heran, weg und zurück",
    keyMove: "Andere Kamera; im vergrößerten Bild bewegen",
    keyOne: "Eine Kamera",
    keyAll: "Alle Kameras",
    keyBack: "Zurück",
  },
};

/** The languages there are, by their own names. */
export const LANGUAGES = { en: "English", de: "Deutsch" };

let language = "en";
let locale = "en";

/** Takes the language that is chosen, else the first of the browser's that there is. */
export function setLanguage(chosen) {
  const wanted = [chosen, ...navigator.languages].map((name) => String(name).slice(0, 2));
  language = wanted.find((name) => name in WORDS) ?? "en";
  locale = navigator.languages.find((name) => name.startsWith(language)) ?? language;
  document.documentElement.lang = language;
}

/** A text, with its names filled in. */
export function say(key, values = {}) {
  const text = WORDS[language][key] ?? WORDS.en[key] ?? key;
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
export function frames(fps) {
  return `${fixed(fps, fps < 9.95 ? 1 : 0)} fps`;
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
  if (reason === "limit") return say(full ? "limit" : "reasonLimit");
  const link = /^link (.*)$/.exec(reason);
  return link ? say(full ? "link" : "reasonLink", { rate: link[1] }) : reason;
}
