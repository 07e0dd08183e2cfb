"""``streamd-client ADDRESS``: shows what comes, once a second; ``--save FILE`` takes one picture."""

from __future__ import annotations

import argparse
import sys
import time

from . import Ended, Frame, Stream


def main() -> int:
    parser = argparse.ArgumentParser(prog="streamd-client", description="Watches a camera of streamd.")
    parser.add_argument("address", nargs="?", default="127.0.0.1:8002", help="HOST:PORT, tls://HOST:PORT or unix:/PATH")
    parser.add_argument("--camera", help="its name, where the port is another one's")
    parser.add_argument("--token", help="what proves who this is")
    parser.add_argument("--fps", type=float, help="pictures a second at most")
    parser.add_argument("--quality", type=int, help="JPEG quality at most")
    parser.add_argument("--max-width", type=int, help="pixels across at most")
    parser.add_argument("--save", metavar="FILE", help="write the first picture there, and end")
    given = parser.parse_args()
    try:
        with Stream(
            given.address,
            camera=given.camera,
            token=given.token,
            fps=given.fps,
            quality=given.quality,
            max_width=given.max_width,
            reconnect=not given.save,
        ) as stream:
            if given.save:
                with open(given.save, "wb") as file:
                    file.write(stream.read(timeout=10).jpeg)
                return 0
            watch(stream)
    except (Ended, ValueError, OSError) as error:
        print(f"streamd-client: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def watch(stream: Stream) -> None:
    frames: list[Frame] = []
    next_line = time.monotonic() + 1
    while True:
        try:
            frames.append(stream.read(timeout=max(0.0, next_line - time.monotonic())))
            continue
        except TimeoutError:
            next_line += 1
        if not frames:
            print(stream.lost or "no pictures", flush=True)
            continue
        latencies = sorted(frame.latency for frame in frames if frame.latency is not None)
        width, height = frames[-1].size
        said = f"{frames[-1].camera} {width}x{height} {len(frames)} pictures"
        if latencies:
            said += f", latency {latencies[len(latencies) // 2] * 1e3:.1f} ms, at most {latencies[-1] * 1e3:.1f}"
        print(said, flush=True)
        frames.clear()


if __name__ == "__main__":
    sys.exit(main())
