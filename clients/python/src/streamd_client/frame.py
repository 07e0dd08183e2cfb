"""A picture, and what it says of itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Optional, Tuple

_NAME = b"streamd\0"
_STAND_IN = b"stand-in"

#: Start-of-frame markers of JPEG: 0xC0 to 0xCF, less the three that are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Frame:
    """A picture of a camera.

    Times are seconds. ``latency`` is what it took from the capture to this program, by the server's
    clock, whose offset is measured; None while it is not known.
    """

    #: The whole JPEG file.
    jpeg: bytes
    #: Number of the frame at its camera: a gap is pictures that did not come.
    sequence: Optional[int]
    #: When it was captured, seconds since the epoch, by the server's clock.
    captured: Optional[float]
    #: The camera's name.
    camera: str
    #: It is not the camera's, but says that there is no signal, and why.
    stand_in: bool
    #: When this program had it whole, seconds since the epoch, by its own clock.
    received: float
    #: From the capture to ``received``, seconds.
    latency: Optional[float]

    @property
    def age(self) -> Optional[float]:
        """Seconds since the capture, now."""
        return None if self.latency is None else self.latency + time.time() - self.received

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height, pixels."""
        return _size(self.jpeg)

    def array(self, colours: str = "rgb") -> Any:
        """The pixels as a NumPy array: (height, width, 3) of bytes, or (height, width) for ``gray``.

        ``colours`` is ``rgb``, ``bgr`` (which OpenCV works with) or ``gray``. Needs NumPy, and OpenCV or
        Pillow.
        """
        if colours not in ("rgb", "bgr", "gray"):
            raise ValueError(f"colours is {colours!r}: rgb, bgr or gray")
        try:
            import numpy
        except ImportError:
            raise ImportError("Frame.array needs NumPy: pip install 'streamd-client[opencv]'") from None
        try:
            import cv2
        except ImportError:
            return _by_pillow(self.jpeg, colours)
        data = numpy.frombuffer(self.jpeg, dtype=numpy.uint8)
        kind = cv2.IMREAD_GRAYSCALE if colours == "gray" else cv2.IMREAD_COLOR
        pixels = cv2.imdecode(data, kind)
        if pixels is None:
            raise ValueError("not a JPEG picture that OpenCV can decode")
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if colours == "rgb" else pixels


def _by_pillow(jpeg: bytes, colours: str) -> Any:
    import io

    import numpy

    try:
        from PIL import Image
    except ImportError:
        raise ImportError("Frame.array needs OpenCV or Pillow: pip install 'streamd-client[opencv]'") from None
    with Image.open(io.BytesIO(jpeg)) as picture:
        pixels = numpy.asarray(picture.convert("L" if colours == "gray" else "RGB"))
    return pixels[:, :, ::-1] if colours == "bgr" else pixels


def _segments(jpeg: bytes):
    """Marker, content and end of each segment before the picture's data."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        end = at + 2 + length
        if marker == 0xDA or length < 2 or end > len(jpeg):
            return
        yield marker, jpeg[at + 4 : end]
        at = end


def _size(jpeg: bytes) -> Tuple[int, int]:
    for marker, content in _segments(jpeg):
        if marker in _FRAMES and len(content) >= 5:
            return int.from_bytes(content[3:5], "big"), int.from_bytes(content[1:3], "big")
    raise ValueError("a JPEG picture without a size")


def read(jpeg: bytes, received: float, offset: Optional[float]) -> Frame:
    """The picture in a JPEG file, by its APP9 segments. ``offset`` is what the server's clock is ahead."""
    sequence = captured = None
    camera, stand_in = "", False
    for marker, content in _segments(jpeg):
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            break
        if marker != 0xE9 or not content.startswith(_NAME):
            continue
        if content[8:16] == _STAND_IN:
            stand_in = True
        elif content[8:9] == b"\x02" and len(content) >= 41 and sequence is None:
            try:
                sequence, micros = int(content[9:25], 16), int(content[25:41], 16)
            except ValueError:
                continue
            captured, camera = micros / 1e6, content[41:].decode("utf-8", "replace")
    known = captured is not None and offset is not None
    latency = received + offset - captured if known else None
    return Frame(jpeg, sequence, captured, camera, stand_in, received, latency)
