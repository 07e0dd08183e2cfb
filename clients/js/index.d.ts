/** At most so much of a camera; 0 is no limit. */
export interface Limits {
  /** Pictures a second, 0.1 to 1000. */
  fps?: number;
  /** JPEG quality, 1 to 100. */
  quality?: number;
  /** Pixels across, 16 to 16384. */
  maxWidth?: number;
}

export interface CameraOptions extends Limits {
  /** Where the picture goes. Its size becomes that of the pictures; style it by CSS. */
  canvas: HTMLCanvasElement;
  /** The camera's name; the first one unless said. */
  name?: string;
  /** What proves who this is, where the server asks for that. */
  token?: string;
  /** What suits the link, unless said. H.264 needs https or localhost. */
  codec?: "" | "jpeg" | "h264";
  paused?: boolean;
}

/** The last two seconds of a camera. Times are in milliseconds. */
export interface Figures {
  /** What the picture is at this moment, by what has arrived. */
  state: "live" | "late" | "lost" | "waiting" | "paused" | "refused" | "broken";
  /** Since the capture of the picture that is shown. */
  age?: number;
  /** Why there is none. */
  reason?: string;
  /** Since when, by our clock. */
  since?: number | null;
  fps: number;
  bitsPerSecond: number;
  /** From the capture to the screen: median and 95th percentile. */
  latency: number | null;
  latency95: number | null;
  /** Pictures of the camera that did not come, that came and were left out, that were drawn. */
  missed: number;
  overtaken: number;
  drawn: number;
  /** `640×480` */
  size: string;
  /** Of the newest ping. */
  roundTrip: number | null;
}

export interface ConnectionState {
  state: "connecting" | "open" | "waiting" | "ended" | "impossible";
  /** Of a connection that is waited for: in so many milliseconds. */
  wait?: number;
  reason?: string;
}

/** A camera's picture on a canvas, live: always the newest, at the quality that the link carries. */
export class Camera extends EventTarget {
  /** @param url of the daemon: `http://robot.local:8080` */
  constructor(url: string | URL, options: CameraOptions);
  readonly name: string;
  readonly figures: Figures | null;
  readonly connection: ConnectionState["state"] | "closed";
  want(limits: Limits): void;
  prefer(codec: "" | "jpeg" | "h264"): void;
  pause(): void;
  resume(): void;
  retry(): void;
  save(): Promise<Blob | null>;
  close(): void;
  /** `figures` 4 times a second; `connection` and `size` when they change; `message`, what the server says. */
  addEventListener(type: "figures", listener: (event: CustomEvent<Figures>) => void): void;
  addEventListener(type: "connection", listener: (event: CustomEvent<ConnectionState>) => void): void;
  addEventListener(type: "size", listener: (event: CustomEvent<{ width: number; height: number }>) => void): void;
  addEventListener(type: "message", listener: (event: CustomEvent<{ type: string }>) => void): void;
}

/** A picture, and what it says of itself. */
export interface Frame {
  /** The whole JPEG file. */
  jpeg: Uint8Array;
  /** Milliseconds since the epoch, by our clock. */
  received: number;
  /** Milliseconds from the capture; null while the server's clock is not known. */
  latency: number | null;
  sequence?: number;
  /** µs since the epoch, by the server's clock. */
  captured?: number;
  camera?: string;
  /** It is not the camera's, but says that there is no signal. */
  standIn?: boolean;
}

export interface FramesOptions extends Limits {
  name?: string;
  token?: string;
  /** "No signal" pictures too. */
  standIns?: boolean;
}

/** The newest picture, again and again; for browsers, workers, Node.js 22, Deno and Bun. */
export function frames(url: string | URL, options?: FramesOptions): AsyncGenerator<Frame, never, void>;
