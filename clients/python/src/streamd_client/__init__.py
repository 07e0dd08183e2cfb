"""Live camera pictures from streamd: the newest one, never an old one, with the time it was captured."""

from .aio import AsyncStream
from .errors import Ended, Kicked, ProtocolError, Refused
from .frame import Frame
from .stream import Stream

__all__ = ["AsyncStream", "Ended", "Frame", "Kicked", "ProtocolError", "Refused", "Stream"]
__version__ = "0.1.0"
