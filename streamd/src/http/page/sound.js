// The sound of one camera at a time. It comes by WebRTC, and is off until somebody wants it.

import { $, announcer, current, draw, page, ways } from "./app.js";
import { notify, pressed } from "./commands.js";
import { say } from "./words.js";
import { canWebrtc } from "./webrtc.js";

/** The faintest level that the meter shows, in dB below the loudest. */
const FAINT = -60;

/** Whether a camera can be heard here. */
const canBeHeard = (camera) => page.webrtc && canWebrtc() && page.sounds.includes(camera);

/** Has the camera that the buttons are about be heard, or no more. */
export function toggleSound() {
  const camera = current();
  if (!canBeHeard(camera)) return notify(say("noSound"));
  page.sound = page.sound === camera ? "" : camera;
  if (page.sound) ways.retry();
  ways.decide();
  announcer.tell(page.sound ? say("soundOn", { name: camera }) : say("soundOff"));
  draw();
}

export function drawSound() {
  const camera = current();
  if (page.sound && !page.shown.includes(page.sound)) page.sound = "";
  const on = page.sound !== "" && page.sound === camera;
  $("sound").hidden = $("sound-key").hidden = !canBeHeard(camera);
  pressed("sound", on);
  $("sound").querySelector("use").setAttribute("href", on ? "#i-sound" : "#i-silent");
  const level = on ? ways.session(camera)?.level : null;
  const share = typeof level === "number" ? Math.max(0, 1 - level / FAINT) : 0;
  $("level").style.setProperty("--level", `${Math.round(share * 100)}%`);
}
