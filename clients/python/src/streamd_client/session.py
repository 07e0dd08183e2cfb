"""One connection's bytes, in and out. No input, no output, no clock of its own."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple, Union

from . import frame
from .errors import Kicked, ProtocolError, Refused
from .frame import Frame

#: No picture is longer.
LONGEST = 256 * 1024 * 1024

#: Answered pings that are remembered: the quickest is the truest.
PONGS = 16

#: Seconds between pings: a few at once, to know the clock's offset soon.
PINGS = (0.0, 0.1, 0.25, 0.5)
PING = 2.0

#: What a client may ask for: key of the message, by the argument's name.
WISHES = {"fps": "fps", "quality": "quality", "max_width": "maxWidth", "paused": "paused"}

#: The least and the most of those that are numbers; 0 is no limit.
RANGES = {"fps": (0.1, 1000), "quality": (1, 100), "max_width": (16, 16384)}


def wishes(given: Dict[str, Any]) -> Dict[str, Any]:
    """The keys of ``hello`` and ``want`` for these arguments; None is left out."""
    unknown = set(given) - set(WISHES)
    if unknown:
        raise TypeError(f"{unknown.pop()!r} can't be asked for: {', '.join(WISHES)}")
    said = {name: value for name, value in given.items() if value is not None}
    for name, (least, most) in RANGES.items():
        value = said.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float if name == "fps" else int)):
            raise TypeError(f"{name} is {value!r}: a number is meant")
        if value != 0 and not least <= value <= most:
            raise ValueError(f"{name} is {value!r}: {least} to {most}, or 0 for no limit")
    if not isinstance(said.get("paused", False), bool):
        raise TypeError(f"paused is {said['paused']!r}: True or False is meant")
    return {WISHES[name]: value for name, value in said.items()}


def message(content: Dict[str, Any]) -> bytes:
    """A message as it goes over the connection."""
    data = json.dumps(content, separators=(",", ":")).encode()
    return len(data).to_bytes(8, "little") + data


class Session:
    """What has been said over one connection.

    ``feed`` takes what has come and gives the pictures in it; ``outgoing`` is what is to be sent.
    """

    def __init__(self, hello: Dict[str, Any], camera: Optional[str]):
        self._came = bytearray()
        self._pongs: List[Tuple[float, float]] = []
        self._pinged = 0
        self._camera = camera
        self._asked = False
        #: To be sent.
        self.outgoing = bytearray(message({"type": "hello", **hello}))
        #: The server's answer to hello; None before it.
        self.welcome: Optional[Dict[str, Any]] = None
        #: What the pictures are at present, if the server has said so.
        self.rendition: Optional[Dict[str, Any]] = None
        #: Why the camera has no signal; None while it has one.
        self.lost: Optional[str] = None

    @property
    def offset(self) -> Optional[float]:
        """Seconds that the server's clock is ahead of ours; None while it is not known."""
        return min(self._pongs)[1] if self._pongs else None

    @property
    def round_trip(self) -> Optional[float]:
        """Seconds of the quickest of the last pings."""
        return min(self._pongs)[0] if self._pongs else None

    def next_ping(self) -> float:
        """Seconds from the beginning to the next ping."""
        many = len(PINGS)
        return PINGS[self._pinged] if self._pinged < many else PINGS[-1] + PING * (self._pinged - many + 1)

    def ping(self, now: float) -> None:
        """Asks for the server's clock; ``now`` is ours."""
        self._pinged += 1
        self.outgoing += message({"type": "ping", "t": round(now * 1e6)})

    def want(self, given: Dict[str, Any]) -> None:
        """Changes what is asked for."""
        self.outgoing += message({"type": "want", **wishes(given)})

    def feed(self, data: Union[bytes, memoryview], now: float) -> List[Frame]:
        """Takes bytes that have come, and gives the pictures that are whole by them."""
        self._came += data
        frames = []
        at = 0
        while len(self._came) - at >= 8:
            length = int.from_bytes(self._came[at : at + 8], "little")
            if length > LONGEST:
                raise ProtocolError("this is no stream of streamd: is it the port of a camera?")
            end = at + 8 + length
            if len(self._came) < end:
                break
            payload = bytes(self._came[at + 8 : end])
            at = end
            if payload.startswith(b"\xff\xd8"):
                frames.append(self._picture(payload, now))
            elif payload.startswith(b"{"):
                self._told(payload, now)
        del self._came[:at]
        return frames

    def _picture(self, payload: bytes, now: float) -> Frame:
        offset = self.offset
        picture = frame.read(payload, now, offset)
        # Without the server's clock there is nothing that could be said of when it came.
        if picture.sequence is not None and offset is not None:
            at = round((now + offset) * 1e6)
            receipt = {"type": "receipt", "sequence": picture.sequence, "t": at, "camera": picture.camera}
            self.outgoing += message(receipt)
        if not picture.stand_in:
            self.lost = None
        return picture

    def _told(self, payload: bytes, now: float) -> None:
        try:
            told = json.loads(payload)
            kind = told["type"]
        except (ValueError, KeyError, TypeError):
            raise ProtocolError("a message that can't be read") from None
        if kind == "pong":
            sent = told["t"] / 1e6
            self._pongs.append((now - sent, told["serverTime"] / 1e6 - (sent + now) / 2))
            del self._pongs[:-PONGS]
        elif kind == "welcome":
            self._welcomed(told)
        elif kind == "rendition":
            self.rendition = told
        elif kind == "notice":
            self._noticed(told)

    def _welcomed(self, told: Dict[str, Any]) -> None:
        self.welcome = told
        if self._camera is None or self._camera == told.get("camera"):
            return
        if self._asked or self._camera not in told.get("cameras", []):
            there = ", ".join(told.get("cameras", []))
            raise Refused(f"there is no camera {self._camera!r} here: {there}")
        self._asked = True
        self.outgoing += message({"type": "subscribe", "cameras": [self._camera]})

    def _noticed(self, told: Dict[str, Any]) -> None:
        event, words = told.get("event"), told.get("message", "")
        if event == "cameraLost":
            self.lost = words
        elif event == "cameraBack":
            self.lost = None
        elif event == "cameraRefused":
            raise Refused(words)
        elif event == "kicked":
            raise Kicked(words)
