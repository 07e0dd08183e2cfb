// What this browser remembers. A private window keeps nothing; the page works without.

const PREFIX = "streamd.";

export const settings = {
  /** A value that was kept; else `otherwise`. */
  get(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(PREFIX + key)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  /** Keeps a value. */
  set(key, value) {
    try {
      localStorage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // Nothing is kept then.
    }
  },
};

/** What is kept for a camera, by its name. */
export function cameraSettings(key, camera, change) {
  const all = settings.get(key, {});
  const mine = { ...(Object.hasOwn(all, camera) ? all[camera] : {}), ...change };
  if (change) settings.set(key, { ...all, [camera]: mine });
  return mine;
}
