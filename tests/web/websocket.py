"""WebSocket: the Autobahn suite against the codec, and the protocol on top against the daemon."""

import asyncio
import json
import os
import subprocess
import time

import aiohttp

import check
from check import Daemon, that

#: Cases of compression, which we do not offer.
EXCLUDED = ["12.*", "13.*"]

#: Where Autobahn is kept between two runs.
KEPT = os.environ.get("STREAMD_AUTOBAHN", "/var/tmp/streamd-autobahn")


def run():
    with Daemon() as daemon:
        asyncio.run(protocol(daemon))
    autobahn()


async def protocol(daemon):
    async with aiohttp.ClientSession() as session:
        await talk(daemon, session)
        await several_cameras(daemon, session)
        await violations(daemon, session)
        await endings(daemon, session)


async def until_text(socket, kind, seconds=5):
    """The next message of this kind; pictures and other messages are passed over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        message = await socket.receive(timeout=seconds)
        if message.type == aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == kind:
            return json.loads(message.data)
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return {"closed": message.type.name}
    return {}


async def pictures(socket, seconds):
    got = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            message = await socket.receive(timeout=left)
        except asyncio.TimeoutError:
            break
        if message.type == aiohttp.WSMsgType.BINARY:
            got.append(message.data)
    return got


async def talk(daemon, session):
    async with session.ws_connect(f"{daemon.address}/ws?camera=side", compress=15) as socket:
        that("permessage-deflate is not agreed on", not socket.compress)
        first = await socket.receive(timeout=5)
        right = first.type == aiohttp.WSMsgType.BINARY and check.jpeg_size(first.data) == (320, 240)
        that("pictures come without a word", right, first.type)
        await socket.send_json({"type": "hello", "name": "robot", "fps": 5})
        welcome = await until_text(socket, "welcome")
        right = welcome.get("camera") == "side" and welcome.get("cameras") == ["front", "side"]
        that("hello is welcomed", right, welcome)
        await socket.send_json({"type": "ping", "t": 42})
        pong = await until_text(socket, "pong")
        near = abs(pong.get("serverTime", 0) / 1e6 - time.time()) < 5
        that("ping is answered with the time", pong.get("t") == 42 and near, pong)
        await pictures(socket, 0.5)
        got = await pictures(socket, 2)
        that("the limit of 5 fps holds", 7 <= len(got) <= 12, len(got))
        await socket.send_json({"type": "want", "paused": True})
        await pictures(socket, 0.5)
        that("a pause is one", not await pictures(socket, 1))
        await socket.send_json({"type": "want", "paused": False, "fps": 0})
        that("and ends", len(await pictures(socket, 1)) > 5)
        await socket.send_str("{nonsense")
        notice = await until_text(socket, "notice")
        that("nonsense is answered", notice.get("event") == "badMessage", notice)
        stats = [c for c in daemon.stats()["clients"] if c["name"] == "robot"]
        that("it is a client like any other", stats and stats[0]["transport"] == "websocket", stats)


async def several_cameras(daemon, session):
    async with session.ws_connect(f"{daemon.address}/ws") as socket:
        await socket.send_json({"type": "hello"})
        await socket.send_json({"type": "subscribe", "cameras": ["front", "side"]})
        await pictures(socket, 1)
        sizes = [check.jpeg_size(jpeg) for jpeg in await pictures(socket, 2)]
        large, small = sizes.count((640, 480)), sizes.count((320, 240))
        that("two cameras over one connection, each at its rate", large > 40 and 20 < small < 40, (large, small))
        await socket.send_json({"type": "subscribe", "cameras": ["front", "nowhere"]})
        notice = await until_text(socket, "notice")
        that("an unknown camera is named", "nowhere" in notice.get("message", ""), notice)


async def violations(daemon, session):
    for what, code, say in [
        ("a binary message", 1003, lambda socket: socket.send_bytes(b"x")),
        ("a message over 16 KiB", 1009, lambda socket: socket.send_str("x" * 20000)),
        ("text that is not UTF-8", 1007, lambda socket: socket._writer._send_frame(b"\xff", 1)),
        ("an unknown opcode", 1002, lambda socket: socket._writer._send_frame(b"", 3)),
    ]:
        async with session.ws_connect(f"{daemon.address}/ws") as socket:
            await say(socket)
            ended = {}
            while not ended.get("closed"):
                ended = await until_text(socket, "nothing")
            that(f"{what} is closed with {code}", socket.close_code == code, socket.close_code)


async def endings(daemon, session):
    async with session.ws_connect(f"{daemon.address}/ws") as socket:
        await socket.send_json({"type": "hello", "name": "leaving"})
        await until_text(socket, "welcome")
        client = next(c["id"] for c in daemon.stats()["clients"] if c["name"] == "leaving")
        daemon.ctl("kick", str(client))
        notice = await until_text(socket, "notice")
        that("a kick is announced", notice.get("event") == "kicked", notice)
        await until_text(socket, "nothing")
        that("and closed with 1008", socket.close_code == 1008, socket.close_code)
    async with session.ws_connect(f"{daemon.address}/ws") as socket:
        await socket.receive(timeout=5)
        daemon.process.terminate()
        await until_text(socket, "nothing")
        that("a stop is closed with 1001", socket.close_code == 1001, socket.close_code)
        daemon.process.wait(10)


def python2():
    """The suite has never left Python 2: it runs in an environment of its own."""
    found = [f"{os.path.expanduser('~')}/.pyenv/versions/2.7.18/bin/python", "python2.7", "pypy"]
    for name in found:
        if check.command(name, "--version")[0] == 0:
            return name
    return None


def wstest():
    """The suite's program; installed where it is not. None where it can't be."""
    program = f"{KEPT}/bin/wstest"
    if check.command(program, "--help")[0] == 0:
        return program
    python = python2()
    if not python:
        return None
    for words in [
        (python, "-m", "pip", "install", "-q", "virtualenv==20.15.1"),
        (python, "-m", "virtualenv", "-q", KEPT),
        (f"{KEPT}/bin/pip", "install", "-q", "autobahntestsuite==0.8.2"),
    ]:
        check.command(*words, seconds=300)
    return program if check.command(program, "--help")[0] == 0 else None


def autobahn():
    program = wstest()
    if not program:
        print("ok - Autobahn # SKIP it needs Python 2.7, and there is none")
        return
    port = check.free_port()
    address = f"127.0.0.1:{port}"
    echo = subprocess.Popen([f"{check.BUILD}/examples/websocket_echo", address])
    with check.tempfile.TemporaryDirectory() as directory:
        spec = {
            "outdir": f"{directory}/reports",
            "servers": [{"agent": "streamd", "url": f"ws://{address}"}],
            "cases": ["*"],
            "exclude-cases": EXCLUDED,
        }
        with open(f"{directory}/spec.json", "w", encoding="utf-8") as file:
            json.dump(spec, file)
        try:
            words = (program, "-m", "fuzzingclient", "-s", f"{directory}/spec.json")
            code, _, said = check.command(*words, seconds=240)
            with open(f"{directory}/reports/index.json", encoding="utf-8") as file:
                cases = json.load(file)["streamd"]
        finally:
            echo.kill()
            echo.wait()
    # What the suite itself calls good: INFORMATIONAL cases have no right answer.
    good = {"OK", "NON-STRICT", "INFORMATIONAL"}
    bad = {name: case["behavior"] for name, case in cases.items() if case["behavior"] not in good}
    lax = sorted(name for name, case in cases.items() if case["behavior"] == "NON-STRICT")
    closes = {name for name, case in cases.items() if case["behaviorClose"] not in good}
    that(f"Autobahn: {len(cases)} cases", code == 0 and len(cases) > 240 and not bad, bad or said)
    that("Autobahn: every connection is closed as it should be", not closes, sorted(closes))
    print(f"# not strict: {', '.join(lax) or 'none'}")
