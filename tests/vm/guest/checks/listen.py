"""An address that is taken: what is said, and that the service comes up once it is free."""

import socket
import time

from machine import is_active, messages, run, streamctl, wait_for
from report import Checks, expect
from stream import PORT, Client

checks = Checks()
check = checks.check


@check("a port in use is named, and taken as soon as it is free")
def _():
    run("systemctl", "stop", "streamd")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", PORT))
        other.listen()
        began = time.time()
        run("systemctl", "start", "streamd", fails=True)
        said = [m for m in messages(since=began) if f"127.0.0.1:{PORT}" in m]
        expect(said and "in use" in said[0], f"the journal says {messages(since=began)}")
    wait_for(is_active, 20, "the service active")
    with Client() as client:
        client.frame()
    expect(streamctl("stats")["healthy"], "not healthy")
    return said[0]
