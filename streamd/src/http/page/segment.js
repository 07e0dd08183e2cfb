// What every picture of streamd says of itself: an APP9 segment near the start of the JPEG.

const NAME = "streamd\0";
const APP9 = 0xe9;
const text = new TextDecoder();

/**
 * Reads it from a whole JPEG file.
 * @param {ArrayBuffer} jpeg
 * @returns {{sequence: number, captured: number, camera: string} | null} `captured` in µs since
 *   the epoch, by the server's clock; null where the picture has no such segment.
 */
export function readSegment(jpeg) {
  const view = new DataView(jpeg);
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null;
  let at = 2;
  while (at + 4 <= view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    const isApp = marker >= 0xe0 && marker <= 0xef;
    if (!isApp && marker !== 0xfe) return null;
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if (length < 2 || end > view.byteLength) return null;
    if (marker === APP9 && length >= 43 && version(view, at + 4) === 2) {
      const words = text.decode(new Uint8Array(jpeg, at + 13, end - at - 13));
      return {
        sequence: parseInt(words.slice(0, 16), 16),
        captured: parseInt(words.slice(16, 32), 16),
        camera: words.slice(32),
      };
    }
    at = end;
  }
  return null;
}

/** The version of our segment at this place; 0 where it is not ours. */
function version(view, at) {
  for (let i = 0; i < NAME.length; i++) {
    if (view.getUint8(at + i) !== NAME.charCodeAt(i)) return 0;
  }
  return view.getUint8(at + NAME.length);
}
