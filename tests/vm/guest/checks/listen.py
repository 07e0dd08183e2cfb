"""Addresses: one that is taken, those that are announced, and those of a kind that the machine lacks."""

import pathlib
import socket
import time

from machine import configure, is_active, messages, restart, run, streamctl, wait_for
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


@check("the page is announced from the service's sandbox, and where that is not let, the journal says why")
def _():
    drop_in = pathlib.Path("/run/systemd/system/streamd.service.d/no-netlink.conf")
    page = '[access]\nanonymous = "viewer"\n[http]\nlisten = "0.0.0.0:8080"\nannounce = true'
    try:
        began = time.time()
        configure(rest=page)
        restart()
        said = [m for m in messages(since=began) if "announce" in m]
        expect(said and "announced on the network" in said[0], f"the journal says {messages(since=began)}")
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text("[Service]\nRestrictAddressFamilies=~AF_NETLINK\n")
        run("systemctl", "daemon-reload")
        began = time.time()
        restart()
        wait_for(lambda: any("nothing is announced" in m and "AF_NETLINK" in m for m in messages(since=began)), 10, "why")
    finally:
        drop_in.unlink(missing_ok=True)
        if drop_in.parent.is_dir():
            drop_in.parent.rmdir()
        run("systemctl", "daemon-reload")
        configure()
        restart()
    return said[0]


@check("without IPv6 the other listener of a list is served, and a lone one is an error")
def _():
    drop_in = pathlib.Path("/run/systemd/system/streamd.service.d/no-ipv6.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    # As a kernel without IPv6 answers: EAFNOSUPPORT.
    drop_in.write_text("[Service]\nRestrictAddressFamilies=\nRestrictAddressFamilies=AF_UNIX AF_INET\n")
    try:
        run("systemctl", "daemon-reload")
        began = time.time()
        configure('listen = ["[::1]:8002", "127.0.0.1:8002"]')
        restart()
        with Client() as client:
            client.frame()
        wait_for(lambda: any("[::1]:8002" in m and "served" in m for m in messages(since=began)), 10, "the warning")
        configure('listen = "[::1]:8002"')
        run("systemctl", "restart", "streamd", fails=True)
        wait_for(lambda: any("can't listen at [::1]:8002" in m for m in messages(since=began)), 10, "the error")
    finally:
        run("systemctl", "stop", "streamd")
        drop_in.unlink()
        drop_in.parent.rmdir()
        run("systemctl", "daemon-reload")
        configure()
        restart()
