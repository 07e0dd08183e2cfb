"""systemd: reload, bad configurations, the watchdog, stop."""

import os
import signal
import time

import vivid
from machine import clients, configure, event_id, is_active, journal, messages, pid, restart, run, streamctl, unit, wait_for
from report import Checks, expect, expect_equal
from stream import Client

checks = Checks()
check = checks.check

BAD = "qualty = 70"

# Clients that are read one after the other are no stalled ones.
PATIENT = '[clients]\nclient-timeout = "10min"'


@check("systemctl reload applies the file and keeps a connected client")
def _():
    configure("quality = 90")
    restart()
    before = pid()
    # Colour bars take so few bytes that the quality hardly shows.
    with vivid.pattern(vivid.NOISE), Client() as client:
        client.frames(1)
        large = len(client.frame().jpeg)
        configure("quality = 30")
        began = time.time()
        run("systemctl", "reload", "streamd")
        smaller = client.frame_when(lambda f: len(f.jpeg) < large * 0.8, 20, "of the new quality")
        after = client.frame()
    expect(after.sequence > smaller.sequence, "the stream began again")
    expect_equal(pid(), before, "MainPID")
    wait_for(lambda: journal(f"MESSAGE_ID={event_id('RELOADED')}", since=began), 10, "the word in the journal")
    wait_for(lambda: unit("SubState") == "running", 10, "the service running again")


@check("systemctl restart keeps a hundred clients, and no picture is broken")
def _():
    # A hundred clients at this rate are more than an emulated machine can read in time.
    configure("fps = 5", PATIENT)
    restart()
    before = pid()
    watching = [Client() for _ in range(100)]
    last = [client.frame() for client in watching]
    restart()
    expect(pid() != before, "it was no restart")
    gaps = []
    for client, frame in zip(watching, last):
        # In order, each whole: a gap in the numbers is what a slow machine could not take.
        while (now := client.frame()).captured < frame.captured + 1:
            expect(now.sequence > frame.sequence, f"frame {now.sequence} after {frame.sequence}")
            gaps.append(now.captured - frame.captured)
            frame = now
        expect(now.sequence > frame.sequence, f"frame {now.sequence} after {frame.sequence}")
        gaps.append(now.captured - frame.captured)
        now.decode()
    kept = clients()
    expect_equal(len(kept), 100, "clients after the restart")
    expect_equal(messages(f"MESSAGE_ID={event_id('CLIENTS_KEPT')}")[-1:], ["100 clients of the process before are kept"], "the journal")
    expect_equal(unit("NFileDescriptorStore"), "0", "descriptors that systemd still holds")
    for client in watching:
        client.socket.close()
    return f"the longest gap is {max(gaps) * 1000:.0f} ms (in emulation)"


@check("an upgrade of the package keeps a client", limit=240)
def _():
    configure("fps = 5", PATIENT)
    restart()
    with Client() as client:
        frame = client.frame()
        before = pid()
        run("apt-get", "install", "-y", "--reinstall", "/host/streamd.deb", timeout=240)
        expect(pid() != before, "the service was not restarted")
        client.frame_when(lambda f: f.captured > frame.captured + 1, 60, "after the upgrade")
        expect_equal(len(clients()), 1, "clients")


@check("streamctl reload says what was applied and what needs a restart")
def _():
    configure('quality = 40\nlisten = ["127.0.0.1:8003"]')
    answer = streamctl("reload")
    expect("camera.main.quality" in answer["applied"], f"{answer}")
    expect("camera.main.listen" in answer["needsRestart"], f"{answer}")
    configure()
    run("systemctl", "reload", "streamd")


@check("a bad file on reload changes nothing and is named")
def _():
    configure(BAD)
    before = pid()
    with Client() as client:
        client.frame()
        began = time.time()
        run("systemctl", "reload", "streamd", fails=True)
        expect(any("qualty" in m for m in messages(since=began)), f"the journal says {messages(since=began)}")
        # Past systemctl's own check of the file: the daemon must refuse it too.
        began = time.time()
        os.kill(before, signal.SIGHUP)
        failed = f"MESSAGE_ID={event_id('RELOAD_FAILED')}"
        found = wait_for(lambda: journal(failed, since=began), 10, "a refusal in the journal")
        expect("qualty" in found[0]["MESSAGE"], found[0]["MESSAGE"])
        client.frames(1)
    expect_equal(pid(), before, "MainPID")
    expect(is_active(), "the service is not active")
    configure()
    run("systemctl", "reload", "streamd")


@check("a bad file at the start: exit code 78 and no restart")
def _():
    configure(BAD)
    began = time.time()
    run("systemctl", "restart", "streamd", fails=True)
    time.sleep(5)
    expect_equal(unit("ActiveState"), "failed", "ActiveState")
    expect_equal(unit("ExecMainStatus"), "78", "ExecMainStatus")
    expect_equal(unit("NRestarts"), "0", "NRestarts")
    said = messages(since=began)
    # The line, the key, and what would be allowed.
    expect(any("qualty" in m for m in said) and any("quality" in m for m in said), f"{said}")
    configure()
    restart()


@check("a daemon that hangs is restarted by the watchdog")
def _():
    before = pid()
    began = time.time()
    os.kill(before, signal.SIGSTOP)
    wait_for(lambda: unit("NRestarts") == "1" and is_active(), 60, "a restart")
    took = time.time() - began
    expect(pid() != before, "the process is the same")
    said = messages("--identifier=systemd", since=began)
    expect(any("Watchdog timeout" in m for m in said), f"systemd says {said}")
    with Client() as client:
        client.frame()
    return f"up again after {took:.1f} s"


@check("with clients connected, systemctl stop takes less than 2 s and ends them")
def _():
    with Client() as talker, Client() as silent:
        talker.say(type="hello", name="last")
        talker.frame()
        silent.frame()
        began = time.monotonic()
        run("systemctl", "stop", "streamd")
        took = time.monotonic() - began
        expect(talker.until_closed(5) and silent.until_closed(5), "a connection is still open")
    expect(took < 2, f"it took {took:.2f} s")
    expect_equal(unit("Result"), "success", "Result")
    run("systemctl", "start", "streamd")
    return f"{took:.2f} s"
