// The whole screen for the pictures, and a screen that stays on.

/** Milliseconds without a movement before the bar goes. */
const REST = 2500;

let lock = null;

export const screen = {
  /** Whether the pictures have the whole screen, or all of the window where there is no other. */
  get full() {
    return Boolean(document.fullscreenElement ?? document.webkitFullscreenElement) || document.body.classList.contains("whole");
  },

  /** Takes the screen, or gives it back. On an iPhone only videos may have it: the page then takes the window. */
  async toggle() {
    const root = document.documentElement;
    const enter = root.requestFullscreen ?? root.webkitRequestFullscreen;
    const leave = document.exitFullscreen ?? document.webkitExitFullscreen;
    if (document.fullscreenElement ?? document.webkitFullscreenElement) return leave.call(document);
    try {
      if (document.body.classList.contains("whole") || !enter) throw new Error("no full screen");
      await enter.call(root);
    } catch {
      document.body.classList.toggle("whole");
      document.dispatchEvent(new Event("fullscreenchange"));
    }
  },

  /** Whether a browser can keep its screen on. */
  get canStayOn() {
    return "wakeLock" in navigator;
  },

  /** Keeps the screen on, or lets it go dark as it likes. */
  async stayOn(wanted) {
    if (!this.canStayOn) return;
    if (wanted && !document.hidden) {
      // A battery that runs low may refuse it.
      lock ??= await navigator.wakeLock.request("screen").catch(() => null);
      lock?.addEventListener("release", () => (lock = null));
    } else {
      await lock?.release();
      lock = null;
    }
  },

  /** In full screen the bar goes when nothing moves. */
  watchRest() {
    let timer = 0;
    const wake = () => {
      document.body.classList.remove("resting");
      clearTimeout(timer);
      timer = setTimeout(() => document.body.classList.add("resting"), REST);
    };
    for (const event of ["pointermove", "pointerdown", "keydown", "focusin"]) addEventListener(event, wake);
    wake();
  },
};
