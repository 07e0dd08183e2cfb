"""Clients that misbehave: each is on its own, the others notice nothing."""

import pathlib
import socket
import struct
import time

from machine import camera, clients, configure, event_id, journal, pid, restart, streamctl, wait_for
from report import Checks, expect, expect_equal
from stream import PORT, Client

checks = Checks()
check = checks.check


@check("max-clients refuses the next client at once and logs it")
def _():
    configure("max-clients = 2")
    restart()
    began = time.time()
    with Client() as first, Client() as second:
        first.frame()
        second.frame()
        with Client() as third:
            expect(third.until_closed(10), "a third client is served")
        first.frame()
        second.frame()
    wait_for(lambda: journal(f"MESSAGE_ID={event_id('CLIENT_REFUSED')}", since=began), 10, "an entry in the journal")
    expect_equal(streamctl("stats")["refused"], 1, "refused")


@check("a client that never reads is dropped after client-timeout, the other misses nothing")
def _():
    configure(rest='[clients]\nclient-timeout = "2s"')
    restart()
    began = time.time()
    with Client() as reader, socket.socket() as deaf:
        # A small window, so that it is full soon.
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", PORT))
        frames = reader.frames(6)
        dropped = f"MESSAGE_ID={event_id('CLIENT_DROPPED')}"
        wait_for(lambda: journal(dropped, since=began), 20, "an entry in the journal")
        reader.frame()
        expect_equal(len(clients()), 1, "clients")
    rate = (len(frames) - 1) / (frames[-1].captured - frames[0].captured)
    expect(rate > 25, f"the other client gets {rate:.1f} fps")


@check("a client that sends garbage is dropped alone")
def _():
    configure()
    restart()
    began = time.time()
    with Client() as good, Client() as endless, Client() as nonsense:
        good.frame()
        endless.socket.sendall(struct.pack("<Q", 1 << 60))
        nonsense.socket.sendall(struct.pack("<Q", 5) + b"hello")
        expect(endless.until_closed(10), "an endless message is waited for")
        good.frames(1)
    wait_for(lambda: journal(f"MESSAGE_ID={event_id('CLIENT_DROPPED')}", since=began), 10, "an entry in the journal")


@check("memory: at most 40 MiB resident with one camera and a client")
def _():
    with Client() as client:
        client.frames(2)
        expect_equal(camera()["state"], "streaming", "the state")
        status = pathlib.Path(f"/proc/{pid()}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    expect(resident <= 40 * 1024, f"{resident} KiB")
    return f"{resident / 1024:.1f} MiB"
