"""Pictures: they arrive, decode, show what the camera sees, and do so at its rate."""

import json
import pathlib
import shutil
import statistics
import time

import vivid
from machine import camera, configure, cpu_percent, pid, restart, run, said_by
from report import Checks, expect, expect_equal
from stream import Client, decode

checks = Checks()
check = checks.check


@check("frames arrive on port 8002 and decode, at the right size")
def _():
    with Client() as client:
        frames = [client.frame() for _ in range(20)]
    for frame in frames:
        expect_equal(frame.decode().size, "640x480", "the size")
        expect_equal(frame.camera, "main", "the camera in the APP segment")
    numbers = [frame.sequence for frame in frames]
    expect(all(a < b for a, b in zip(numbers, numbers[1:])), f"sequence numbers {numbers}")


@check("the picture is what the camera sees, in its colours")
def _():
    configure()
    restart()
    with Client() as client:
        vivid.expect_bars(client.frame().decode())
        with vivid.pattern(vivid.BLACK):
            client.frame_when(lambda f: max(f.decode().at(320, 240)) < 50, 20, "turned black")
        client.frame_when(lambda f: vivid.shows_bars(f.decode()), 20, "with bars again")


@check("the frame rate is the camera's own")
def _():
    with Client() as client:
        client.frame()
        frames = client.frames(8)
    rate = (len(frames) - 1) / (frames[-1].captured - frames[0].captured)
    expect(rate >= 25, f"{rate:.1f} fps")
    return f"{rate:.1f} fps"


@check("capture times are now, and processor time is shown")
def _():
    with Client() as client:
        client.frame()
        ages = [f.arrived - f.captured for f in client.frames(4)]
        busy = cpu_percent(pid(), 2)
    median = statistics.median(ages)
    # Emulated; the limit is for a clock that is wrong, not for speed.
    expect(0 <= median < 0.5, f"median age {median * 1000:.1f} ms")
    return f"median age {median * 1000:.1f} ms, processor {busy:.0f} % (both in emulation)"


@check("what was asked of the driver and what it gave is shown")
def _():
    with Client() as client:
        client.frame()
        seen = camera()
    expect_equal((seen["width"], seen["height"]), (640, 480), "the size")
    expect_equal(seen["path"], vivid.NODE, "the node")
    expect_equal(seen["state"], "streaming", "the state")
    expect(seen["format"] in vivid.formats(), f"format {seen['format']}")
    expect(abs(seen["driverFps"] - 30) < 0.1, f"driverFps {seen['driverFps']}")
    expect("640x480" in seen["requested"], f"requested {seen['requested']}")


@check("HTTP: a page, a snapshot, a stream, the state")
def _():
    expect("<html" in said_by("curl", "-sSf", "http://127.0.0.1:8080/"), "no page")
    run("curl", "-sSf", "-o", "/tmp/snapshot.jpg", "http://127.0.0.1:8080/snapshot")
    with open("/tmp/snapshot.jpg", "rb") as file:
        vivid.expect_bars(decode(file.read()))
    state = json.loads(said_by("curl", "-sSf", "http://127.0.0.1:8080/state"))
    expect_equal(state["result"]["source"]["online"], True, "online")
    # curl ends with 28 when its time is up.
    stream = run("bash", "-c", "curl -sSf -m 5 http://127.0.0.1:8080/stream >/tmp/stream; test $? = 28")
    expect_equal(stream.returncode, 0, "curl")
    with open("/tmp/stream", "rb") as file:
        parts = file.read().split(b"--boundarydonotcross")
    pictures = [p for p in parts if p.rstrip().endswith(b"\xff\xd9")]
    expect(len(pictures) > 10, f"{len(pictures)} pictures in 5 s")
    vivid.expect_bars(decode(pictures[3].partition(b"\r\n\r\n")[2].rstrip()))


@check("Prometheus finds metrics where they are switched on")
def _():
    configure(rest='[metrics]\nlisten = ["127.0.0.1:9802"]')
    restart()
    with Client() as client:
        client.frames(1)
        text = said_by("curl", "-sSf", "http://127.0.0.1:9802/metrics")
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    expect(len(families) > 10 and all(name.startswith("streamd_") for name in families), f"{families}")
    configure()
    restart()
    return f"{len(families)} families"


@check("a client that talks is welcomed, answered, and told of renditions")
def _():
    with Client() as client:
        client.say(type="hello", name="inside", fps=10)
        client.say(type="ping", t=17)
        frames = client.frames(5)
        welcome = next((m for m in client.messages if m["type"] == "welcome"), None)
        pong = next((m for m in client.messages if m["type"] == "pong"), None)
    expect(welcome and welcome["camera"] == "main", f"messages {client.messages}")
    expect(pong and pong["t"] == 17, f"messages {client.messages}")
    expect(abs(pong["serverTime"] / 1e6 - time.time()) < 20, f"serverTime {pong}")
    rate = (len(frames) - 1) / (frames[-1].captured - frames[0].captured)
    expect(7 < rate < 13, f"{rate:.1f} fps at a limit of 10")


@check("streamctl watch measures the stream and saves its frames")
def _():
    folder = pathlib.Path("/tmp/frames")
    command = ["streamctl", "watch", "--headless", "--frames", "60", "--save", folder, "--expect-fps", "20"]
    said = run(*command).stdout
    pictures = sorted(folder.glob("*.jpg"))
    expect_equal(len(pictures), 60, "pictures saved")
    vivid.expect_bars(decode(pictures[-1].read_bytes()))
    shutil.rmtree(folder)
    return said.strip().splitlines()[-1]
