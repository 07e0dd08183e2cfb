// What the page's address says, and addresses on this server.

/** An address on this server, also where it is found below a path of another. */
export const here = (path) => new URL(path, document.baseURI.split(/[?#]/)[0]);

/** With it, the server has the browser ask for no password: the login form does. */
export const BY_SCRIPT = { "X-Requested-With": "page" };

/** Stands for all cameras. */
export const ALL = "*";

const query = new URLSearchParams(location.search);

/** Whether the page is a part of another one: only the picture, no buttons. */
export const embedded = query.has("embed");

/** The WebSocket's address. */
export function socketAddress() {
  const address = here("ws");
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/** The cameras that are asked for: `#front`, `#front,side`, `?camera=front`; else `["*"]`, all. */
function asked() {
  let text = location.hash.slice(1);
  try {
    text = decodeURIComponent(text);
  } catch {
    // It is taken as it stands: no camera is called so, and the page says that.
  }
  const names = (text || query.get("camera") || ALL).split(",").filter(Boolean);
  return names.length && !names.includes(ALL) ? [...new Set(names)] : [ALL];
}

/** Cameras that are shown at once unasked. */
const MOST_AT_ONCE = 16;

/** Those of them that are known: of all, not more than a window and a link may bear. */
export function wanted(known) {
  const names = asked();
  if (names[0] !== ALL) return names;
  return known.length > MOST_AT_ONCE ? known.slice(0, 1) : known;
}

/** The address of a view. */
export function addressOf(names, known) {
  const all = names.length > 1 && names.length === known.length;
  const hash = all ? (query.has("camera") ? ALL : "") : names.map(encodeURIComponent).join();
  return location.pathname + location.search + (hash && `#${hash}`);
}
