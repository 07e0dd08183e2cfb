"""What both kinds of streams have in common: whom to connect to, how, and when again."""

from __future__ import annotations

import random
import ssl
from typing import Any, Dict, Optional, Union

from .address import Address, parse
from .errors import Refused
from .session import Session, wishes

#: Seconds before each further attempt; the last one is kept.
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)

#: Seconds without a word, pongs included, after which a connection is dead.
SILENCE = 10.0


class Plan:
    """The arguments of a stream, checked."""

    def __init__(
        self,
        address: str,
        camera: Optional[str],
        name: Optional[str],
        token: Optional[str],
        tls: Union[bool, ssl.SSLContext, None],
        reconnect: bool,
        stand_ins: bool,
        wanted: Dict[str, Any],
    ):
        self.address: Address = parse(address)
        self.camera = camera
        self.reconnect = reconnect
        self.stand_ins = stand_ins
        self._who = {"name": name or "streamd-client"}
        if token:
            self._who["token"] = token
        self._wanted = wishes(wanted)
        self.tls: Optional[ssl.SSLContext] = None
        if isinstance(tls, ssl.SSLContext):
            self.tls = tls
        elif tls or (tls is None and self.address.tls):
            self.tls = ssl.create_default_context()
        if self.tls is not None and self.address.path is not None:
            raise ValueError(f"{self.address}: a Unix socket has no TLS")

    def begin(self) -> Session:
        """A connection that is about to be made."""
        return Session({**self._who, **self._wanted}, self.camera)

    def want(self, given: Dict[str, Any]) -> None:
        """Asks for this from now on, also after the connection has come back."""
        self._wanted.update(wishes(given))


def pause(failures: int) -> float:
    """Seconds until the next attempt. Many clients of one server must not all come back in the same moment."""
    return PAUSES[min(failures, len(PAUSES) - 1)] * random.uniform(0.8, 1.2)


def ended(session: Session, plan: Plan) -> OSError:
    """What it means that the server has ended the connection."""
    if session.welcome is not None:
        return OSError("the server has ended the connection")
    why = "no place for one more client, or no valid token"
    return OSError(why) if plan.reconnect else Refused(f"{plan.address}: {why}")
