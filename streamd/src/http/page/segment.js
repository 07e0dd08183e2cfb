// What every picture of streamd says of itself: the APP9 segments near the start of the JPEG.

const NAME = "streamd\0";
const STAND_IN = "stand-in";
const APP9 = 0xe9;
const utf8 = new TextDecoder();

/**
 * Reads them from a whole JPEG file.
 * @param {ArrayBuffer} jpeg
 * @returns {{sequence: number, captured: number, camera: string, standIn: boolean} | null}
 *   `captured` in µs since the epoch, by the server's clock; `standIn` where the picture is not
 *   the camera's ("no signal"); null where it has no such segment.
 */
export function readSegment(jpeg) {
  const view = new DataView(jpeg);
  let found = null;
  if (isUnit(jpeg)) return readLabel(view);
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; at + 4 <= view.byteLength && view.getUint8(at) === 0xff; ) {
    const marker = view.getUint8(at + 1);
    const isApp = marker >= 0xe0 && marker <= 0xef;
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if ((!isApp && marker !== 0xfe) || length < 2 || end > view.byteLength) break;
    if (marker === APP9 && spells(view, at + 4, NAME)) {
      if (spells(view, at + 12, STAND_IN)) found &&= { ...found, standIn: true };
      else if (length >= 43 && view.getUint8(at + 12) === 2) found ??= read(view, at, end);
    }
    at = end;
  }
  return found;
}

/** Whether this is a picture in H.264. */
export function isUnit(data) {
  return data.byteLength > 8 && new DataView(data).getUint32(0) === 1;
}

/** The same in H.264: units of supplemental information, each of 23 bytes, what is said, and one more. */
function readLabel(view) {
  let found = null;
  for (let at = 0; at + 32 < view.byteLength && view.getUint32(at) === 1 && view.getUint16(at + 4) === 0x0605; ) {
    const end = at + 7 + view.getUint8(at + 6);
    if (end > view.byteLength || !spells(view, at + 23, NAME)) break;
    if (spells(view, at + 31, STAND_IN)) found &&= { ...found, standIn: true };
    else found ??= read(view, at + 19, end);
    at = end + 1;
  }
  return found;
}

function read(view, at, end) {
  const words = utf8.decode(new Uint8Array(view.buffer, at + 13, end - at - 13));
  return {
    sequence: parseInt(words.slice(0, 16), 16),
    captured: parseInt(words.slice(16, 32), 16),
    camera: words.slice(32),
    standIn: false,
  };
}

function spells(view, at, word) {
  if (at + word.length > view.byteLength) return false;
  for (let i = 0; i < word.length; i++) {
    if (view.getUint8(at + i) !== word.charCodeAt(i)) return false;
  }
  return true;
}
