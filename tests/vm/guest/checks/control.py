"""streamctl and varlinkctl: what an administrator does while clients watch."""

import json
import pathlib
import time

import vivid
from machine import camera, clients, event_id, journal, refused, run, said_by, streamctl, wait_for
from report import Checks, expect, expect_equal
from stream import Client, decode

checks = Checks()
check = checks.check

SOCKET = "/run/streamd/control"


def my_client(name):
    """The number of the client that called itself so."""
    return wait_for(lambda: next((c["id"] for c in clients() if c["name"] == name), None), 10, f"client {name}")


def rate_of(frames):
    """Frames a second, by the times of capture."""
    return (len(frames) - 1) / (frames[-1].captured - frames[0].captured)


@check("stats and clients: tables for people, JSON for programs")
def _():
    with Client() as client:
        client.say(type="hello", name="counted")
        client.frames(3)
        table = said_by("streamctl", "stats")
        expect("main" in table and "counted" in table and "640x480" in table, table)
        expect("counted" in said_by("streamctl", "clients"), "streamctl clients")
        seen = next(c for c in clients() if c["name"] == "counted")
    expect(seen["peer"].startswith("127.0.0.1:"), f"{seen}")
    expect_equal(seen["transport"], "tcp", "the transport")
    expect_equal([feed["camera"] for feed in seen["feeds"]], ["main"], "its cameras")
    feed = seen["feeds"][0]
    expect(feed["frames"] > 30 and feed["bytes"] > 30 * 1000, f"{feed}")
    expect(feed["latency"]["measured"] > 0 and feed["latency"]["averageMs"] > 0, f"latency {feed['latency']}")
    return f"latency p50 {feed['latency']['p50Ms']:.1f} ms (in emulation)"


@check("set quality: pictures get smaller from the next one on")
def _():
    # Colour bars take so few bytes that the quality hardly shows.
    with vivid.pattern(vivid.NOISE), Client() as client:
        client.frames(1)
        before = [len(f.jpeg) for f in client.frames(1)]
        said_by("streamctl", "set", "quality", "70")
        changed = time.time()
        after = [len(f.jpeg) for f in client.frames(4) if f.captured > changed]
    expect(len(after) > 30, f"{len(after)} pictures after the change")
    expect(max(after) < 0.9 * min(before), f"before {min(before)} to {max(before)}, after {min(after)} to {max(after)}")
    expect_equal(streamctl("get", "quality"), {"main": 70}, "streamctl get quality")
    said_by("streamctl", "set", "quality", "80")
    return f"{before[-1]} bytes, then {after[0]}"


@check("a quality out of range is refused with what is allowed")
def _():
    said = refused(65, "set", "quality", "101")
    expect("1 to 100" in said, said)
    return said


@check("set fps: 15, and 20 of a camera's 30")
def _():
    rates = {}
    with Client() as client:
        for fps in (15, 20, 30):
            streamctl("set", "fps", str(fps))
            changed = time.time()
            frames = [f for f in client.frames(5) if f.captured > changed + 1]
            rates[fps] = rate_of(frames)
            expect(abs(rates[fps] - fps) < 0.1 * fps + 0.5, f"{rates[fps]:.2f} fps where {fps} was set")
    return ", ".join(f"{rate:.2f}" for rate in rates.values())


@check("set fps of one client leaves the others alone")
def _():
    with Client() as slow, Client() as other:
        slow.say(type="hello", name="slow")
        streamctl("set", "fps", "5", "--client", str(my_client("slow")))
        slow.frames(1)
        limited = rate_of(slow.frames(5))
        other.frames(1)
        free = rate_of(other.frames(3))
    expect(limited < 7, f"{limited:.1f} fps at a limit of 5")
    expect(free > 20, f"the other client gets {free:.1f} fps")


@check("kick: the client is told why and disconnected, the other stays")
def _():
    with Client() as kicked, Client() as other:
        kicked.say(type="hello", name="guest")
        answer = streamctl("kick", str(my_client("guest")), "--reason", "closing time")
        expect_equal(answer, {"kicked": 1}, "the answer")
        expect(kicked.until_closed(10), "it is still connected")
        expect("closing time" in str(kicked.messages), f"it was told {kicked.messages}")
        other.frame()
    said = refused(66, "kick", "424242")
    expect("424242" in said, said)
    return said


@check("devices lists vivid")
def _():
    answer = streamctl("devices")
    devices = answer["devices"] if isinstance(answer, dict) else answer
    found = next((d for d in devices if d["path"] == vivid.NODE), None)
    expect(found and found["driver"] == "vivid", f"{[d['path'] for d in devices]}")
    yuyv = next((f for f in found["formats"] if f["fourcc"] == "YUYV"), None)
    sizes = [(s["width"], s["height"]) for s in yuyv["sizes"]] if yuyv else []
    expect((640, 480) in sizes, f"YUYV in {sizes}")
    expect("vivid" in said_by("streamctl", "devices"), "streamctl devices")


@check("snapshot saves a picture, and replaces none")
def _():
    file = pathlib.Path("/tmp/picture.jpg")
    file.unlink(missing_ok=True)
    run("streamctl", "snapshot", file)
    vivid.expect_bars(decode(file.read_bytes()))
    expect("--force" in refused(73, "snapshot", str(file)), "a second one")


@check("an unknown camera and a wrong verb have exit codes of their own")
def _():
    said = refused(66, "set", "quality", "50", "--camera", "attic")
    expect("attic" in said and "main" in said, said)
    refused(64, "explode")
    refused(69, "stats", "--socket", "/run/streamd/none")


@check("varlinkctl lists, introspects and calls")
def _():
    expect("io.streamd.Control" in said_by("varlinkctl", "info", SOCKET), "varlinkctl info")
    description = said_by("varlinkctl", "introspect", SOCKET, "io.streamd.Control")
    expect("method GetStats" in description, description)
    answer = json.loads(said_by("varlinkctl", "call", "-j", SOCKET, "io.streamd.Control.GetStats", "{}"))
    expect_equal(answer["stats"]["cameras"][0]["name"], "main", "the camera")
    done = run("varlinkctl", "call", SOCKET, "io.streamd.Control.SetCamera", '{"quality":1000}', fails=True)
    expect("InvalidValue" in done.stderr, done.stderr)


@check("varlinkctl call --more: a stream of stats")
def _():
    command = f"timeout 6 varlinkctl call -j --more {SOCKET} io.streamd.Control.GetStats '{{\"intervalMs\":500}}'"
    done = run("bash", "-c", f"{command} | head -n 3")
    expect(done.stdout, f"varlinkctl says nothing but {done.stderr}")
    # A JSON sequence: a record separator before each text.
    texts = done.stdout.replace("\x1e", "").splitlines()
    uptimes = [json.loads(text)["stats"]["uptimeSeconds"] for text in texts]
    expect(len(uptimes) == 3 and uptimes == sorted(set(uptimes)), f"uptimes {uptimes}")


@check("log-level holds at once")
def _():
    began = time.time()
    said_by("streamctl", "log-level", "debug")
    with Client() as client:
        client.frame()
    wait_for(lambda: any(e.get("PRIORITY") == "7" for e in journal(since=began)), 10, "a debug message")
    said_by("streamctl", "log-level", "info")


@check("every change is in the journal with who made it")
def _():
    began = time.time()
    run("runuser", "-u", "visitor", "--", "streamctl", "set", "quality", "80")
    uid = said_by("id", "-u", "visitor")
    found = journal(f"MESSAGE_ID={event_id('CONTROL_CHANGE')}", since=began)
    expect(any(e.get("UID") == uid or f"uid={uid}" in e["MESSAGE"] or uid in str(e) for e in found), f"{found}")


@check("the journal can be asked by CLIENT= and by MESSAGE_ID=")
def _():
    began = time.time()
    # From an address of its own: of one that has connected often of late, not each line is written.
    address = "127.0.0.34"
    with Client(source=address) as client:
        client.say(type="hello", name="traced")
        number = my_client("traced")
        client.frame()
    closed = event_id("CLIENT_DISCONNECTED")
    wait_for(lambda: journal(f"MESSAGE_ID={closed}", f"CLIENT={number}", since=began), 10, "the farewell")
    opened = journal(f"MESSAGE_ID={event_id('CLIENT_CONNECTED')}", f"CLIENT={number}", since=began)
    expect_equal(len(opened), 1, "entries of the connection")
    expect_equal(opened[0]["CAMERA"], "main", "CAMERA=")
    expect(opened[0]["PEER"].startswith(f"{address}:"), f"PEER={opened[0]['PEER']}")


@check("the camera's counters grow with its frames")
def _():
    before = camera()
    with Client() as client:
        client.frames(2)
        after = camera()
    expect(after["captured"] > before["captured"] + 20, f"captured {before['captured']}, {after['captured']}")
    expect(after["encoded"] > before["encoded"] + 20, f"encoded {before['encoded']}, {after['encoded']}")
