"""Where a camera is: host:port, tls://host:port, unix:/path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

#: The first camera's, unless configured otherwise.
PORT = 8002


@dataclass(frozen=True)
class Address:
    """A place to connect to."""

    host: str = ""
    port: int = PORT
    path: Optional[str] = None
    tls: bool = False

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.tls else ''}{host}:{self.port}"


def parse(text: str) -> Address:
    """Reads ``HOST``, ``HOST:PORT``, ``[IPV6]:PORT``, these behind ``tls://`` or ``tcp://``, or ``unix:/PATH``."""
    wrong = ValueError(f"address {text!r}: HOST:PORT, tls://HOST:PORT or unix:/PATH is meant")
    if text.startswith("unix:"):
        path = text[len("unix:") :]
        if not path:
            raise wrong
        return Address(path=path)
    scheme, found, rest = text.rpartition("://")
    if found and scheme not in ("tls", "tcp"):
        raise wrong
    tls = scheme == "tls"
    if rest.startswith("["):
        host, found, port = rest[1:].partition("]")
        if not found or (port and not port.startswith(":")):
            raise wrong
        port = port[1:]
    elif rest.count(":") > 1:
        host, port = rest, ""
    else:
        host, _, port = rest.partition(":")
    if not host or "/" in rest:
        raise wrong
    if not port:
        return Address(host, tls=tls)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise wrong
    return Address(host, int(port), tls=tls)
