"""Nobody watches: the camera is switched off, and on again for the next client."""

import time

import vivid
from machine import camera, configure, cpu_percent, event_id, journal, pid, restart, wait_for
from report import Checks, expect
from stream import Client

checks = Checks()
check = checks.check


@check("after idle-after the camera is switched off")
def _():
    configure('idle-after = "2s"')
    restart()
    began = time.time()
    with Client() as client:
        client.frame()
        expect(vivid.is_streaming(), "the driver does not stream to a client")
    wait_for(lambda: camera()["state"] == "idle", 20, "the state idle")
    expect(not vivid.is_streaming(), "the driver still streams")
    expect(journal(f"MESSAGE_ID={event_id('CAMERA_IDLE')}", since=began), "nothing in the journal")


@check("an idle daemon uses next to no processor time")
def _():
    expect(camera()["state"] == "idle", "not idle")
    busy = cpu_percent(pid(), 20)
    # 0.3 % is the aim on a machine; emulation takes some ten times as long for the same.
    expect(busy <= 3, f"{busy:.2f} %")
    return f"{busy:.2f} % (in emulation)"


@check("the next client has its first frame soon")
def _():
    expect(camera()["state"] == "idle", "not idle")
    began = time.monotonic()
    with Client() as client:
        frame = client.frame()
        took = time.monotonic() - began
    vivid.expect_bars(frame.decode())
    expect(took < 2, f"{took:.2f} s")
    configure()
    restart()
    return f"{took * 1000:.0f} ms (in emulation)"
