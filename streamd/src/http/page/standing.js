// What a camera's picture is at this moment, by what has arrived and when: never by what was once
// said. Nothing here draws, sends or reads a clock.

/** Milliseconds that a picture may be over its time before it is late. */
const GRACE = 700;

/**
 * @param {object} view one camera: `from`, the moment from which pictures count; `drawn`, the last
 *   one on the screen, `{at, captured}`; `standIn`, the moment the last stand-in came; `lost`,
 *   `{reason, since}` by the server's last word; `refused` and `broken`, reasons; `interval` of
 *   its pictures. All in milliseconds of our clock.
 * @param {{now: number, paused: boolean}} at
 * @returns {{state: string, age?: number, reason?: string, since?: number}}
 */
export function standing(view, { now, paused }) {
  if (view.refused) return { state: "refused", reason: view.refused };
  if (paused) return { state: "paused" };
  const { drawn } = view;
  const shown = drawn && drawn.at >= view.from ? drawn.at : 0;
  const standIn = view.standIn >= view.from ? view.standIn : 0;
  if (view.broken > Math.max(shown, standIn)) return { state: "broken" };
  if (standIn > shown) return { state: "lost", reason: view.lost?.reason, since: view.lost?.since };
  if (!shown) return { state: "waiting" };
  const age = now - (drawn.captured ?? drawn.at);
  const late = now - drawn.at > view.interval + GRACE || age > view.interval + GRACE + 200;
  return { state: late ? "late" : "live", age };
}

/** A view of which nothing has come yet. */
export function blankView(now) {
  return { from: now, drawn: null, standIn: 0, lost: null, refused: "", broken: 0, interval: 1000 };
}
