"""A client of the raw TCP stream as simple as a client can be, and what a picture is."""

import json
import select
import socket
import struct
import subprocess
import time

from report import expect

PORT = 8002


class Frame:
    """One picture: its bytes, and what its APP segment says."""

    def __init__(self, jpeg):
        self.jpeg = jpeg
        self.arrived = time.time()
        self.sequence, self.captured, self.camera = app_segment(jpeg)

    def decode(self):
        """The picture, decoded by libjpeg-turbo's own tool; a warning of it counts as a failure."""
        return decode(self.jpeg)


class Client:
    """A connection. It says nothing unless told to, like the clients of the original server."""

    def __init__(self, port=PORT, timeout=20, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))
        self.buffer = bytearray()
        self.messages = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, **message):
        """Sends a JSON message."""
        payload = json.dumps(message).encode()
        self.socket.sendall(struct.pack("<Q", len(payload)) + payload)

    def payload(self):
        """The next payload, or None at the end of the stream."""
        head = self.exactly(8)
        if head is None:
            return None
        (length,) = struct.unpack("<Q", head)
        expect(0 < length < 16 << 20, f"a length of {length} on the wire")
        body = self.exactly(length)
        expect(body is not None, "the stream ended inside a frame")
        return bytes(body)

    def frame(self):
        """The next picture; JSON messages before it are kept in `messages`."""
        while (payload := self.payload()) is not None:
            if payload[:1] == b"{":
                self.messages.append(json.loads(payload))
                continue
            return Frame(payload)
        raise ConnectionError("the server closed the connection")

    def frames(self, seconds):
        """All pictures of so many seconds."""
        until = time.monotonic() + seconds
        frames = []
        while time.monotonic() < until:
            frames.append(self.frame())
        return frames

    def newest(self):
        """The newest picture that has come: decoding is slow here, and others come meanwhile."""
        frame = self.frame()
        while self.buffer or select.select([self.socket], [], [], 0)[0]:
            frame = self.frame()
        return frame

    def frame_when(self, wanted, seconds, what):
        """The first picture that is as wanted, of those that it has the time to look at."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            frame = self.newest()
            if wanted(frame):
                return frame
        expect(False, f"no picture {what} within {seconds} s")

    def exactly(self, length):
        while len(self.buffer) < length:
            got = self.socket.recv(1 << 18)
            if not got:
                return None
            self.buffer += got
        taken = self.buffer[:length]
        del self.buffer[:length]
        return taken

    def until_closed(self, seconds):
        """Reads until the server closes; false if it does not."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                payload = self.payload()
            except ConnectionError:
                return True
            if payload is None:
                return True
            if payload[:1] == b"{":
                self.messages.append(json.loads(payload))
        return False


class Picture:
    """A decoded picture: RGB or grey."""

    def __init__(self, ppm):
        kind, size, depth, self.pixels = ppm.split(b"\n", 3)
        self.grey = kind == b"P5"
        self.width, self.height = map(int, size.split())
        expect(depth == b"255", f"a depth of {depth}")

    @property
    def size(self):
        return f"{self.width}x{self.height}"

    def at(self, x, y):
        """The colour, averaged over 9 pixels, that 4:2:0 has not smeared over an edge."""
        channels = 1 if self.grey else 3
        total = [0] * channels
        for line in range(y - 1, y + 2):
            for column in range(x - 1, x + 2):
                start = (line * self.width + column) * channels
                for channel in range(channels):
                    total[channel] += self.pixels[start + channel]
        return tuple(t // 9 for t in total) * (3 // channels)


def decode(jpeg):
    """Decodes a JPEG picture."""
    result = subprocess.run(["djpeg", "-dct", "int"], input=jpeg, capture_output=True, timeout=30)
    expect(result.returncode == 0, f"djpeg: {result.stderr.decode()}")
    expect(not result.stderr, f"djpeg warns: {result.stderr.decode()}")
    return Picture(result.stdout)


def app_segment(jpeg):
    """Sequence, capture time in seconds, camera."""
    expect(jpeg[:2] == b"\xff\xd8" and jpeg[-2:] == b"\xff\xd9", "a picture without SOI or EOI")
    at = 2
    while jpeg[at] == 0xFF and (0xE0 <= jpeg[at + 1] <= 0xEF or jpeg[at + 1] == 0xFE):
        (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
        body = jpeg[at + 4 : at + 2 + length]
        if body.startswith(b"streamd\0\x02"):
            sequence, captured = int(body[9:25], 16), int(body[25:41], 16)
            return sequence, captured / 1e6, body[41:].decode()
        at += 2 + length
    expect(False, "a picture without our APP segment")
