// Wires the page up and sets it going.

import { ALL, embedded } from "./address.js";
import { $, choose, draw, fit, follow, page, past, retry, showAsked, tick, zoom } from "./app.js";
import {
  chooseLanguage, closePanel, closeSheet, copyLink, float, keepAwake, keys, label, onKey, openSheet, pressed, record,
  save, sendPause, setLimits,
} from "./commands.js";
import { Film } from "./film.js";
import { screen } from "./screen.js";
import { settings } from "./settings.js";
import { toggleSound } from "./sound.js";
import { LANGUAGES, sayAll, setLanguage } from "./words.js";

function wire() {
  const clicks = {
    pause: keys[" "],
    save,
    record,
    float,
    sound: toggleSound,
    rotate: keys.r,
    mirror: keys.m,
    full: keys.f,
    back: () => choose(page.known),
    zoom: () => zoom.reset(),
    link: copyLink,
    "sheet-open": keys.d,
    "sheet-close": closeSheet,
    "panel-open": keys.a,
    "panel-close": closePanel,
    "keys-open": keys["?"],
  };
  for (const [id, act] of Object.entries(clicks)) $(id).onclick = () => act();
  $("choice").onchange = ({ target }) => choose(target.value === ALL ? page.known : [target.value]);
  $("panel-of").onchange = ({ target }) => {
    page.current = target.value;
    draw();
  };
  $("sheet-of").onchange = ({ target }) => {
    page.current = target.value;
    draw();
    page.sheet.draw(past.of(target.value));
  };
  $("limits").onchange = setLimits;
  $("awake").onchange = ({ target }) => {
    settings.set("awake", target.checked);
    keepAwake();
  };
  $("language").onchange = ({ target }) => chooseLanguage(target.value);
  addEventListener("keydown", onKey);
  for (const event of ["popstate", "hashchange"]) addEventListener(event, showAsked);
  addEventListener("online", retry);
  document.addEventListener("fullscreenchange", drawFull);
  document.addEventListener("webkitfullscreenchange", drawFull);
  document.addEventListener("visibilitychange", () => {
    sendPause();
    keepAwake();
  });
  new ResizeObserver(fit).observe($("stage"));
  screen.watchRest();
}

function drawFull() {
  pressed("full", screen.full);
  label("full", screen.full ? "small" : "full");
  keepAwake();
  fit();
}

function start() {
  const kept = settings.get("limits", {});
  $("limit-fps").value = kept.fps ?? 0;
  $("limit-quality").value = kept.quality ?? 0;
  $("limit-width").value = kept.maxWidth ?? 0;
  $("codec").value = settings.get("codec", "");
  $("awake").checked = settings.get("awake", false);
  $("awake").parentElement.hidden = !screen.canStayOn;
  $("record").hidden = !Film.records;
  $("float").hidden = !Film.canFloat;
  for (const [code, name] of Object.entries(LANGUAGES)) $("language").append(new Option(name, code));
  const language = settings.get("language", "");
  $("language").value = language;
  setLanguage(language);
  sayAll(document);
  document.body.classList.toggle("embed", embedded);
  setLimits();
  showAsked();
  follow();
  wire();
  if (settings.get("sheet", false) && !embedded && innerWidth > 900) openSheet(true);
  setInterval(tick, 1000);
}

start();
