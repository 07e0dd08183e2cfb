"""HTTP as it is on the wire: statuses, headers, limits, many at once."""

import asyncio
import http.client
import json
import re
import socket
import time

import aiohttp

import check
from check import Daemon, that


def run():
    with Daemon() as daemon:
        statuses(daemon)
        both_spellings(daemon)
        keeps_alive(daemon)
        slow_and_large(daemon)
        unix_socket(daemon)
        origins(daemon)
        asyncio.run(many_snapshots(daemon))
        no_effect_by_get(daemon)
        metrics(daemon)


def ask(daemon, method, path, headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        # A stream has no end: its first bytes are enough.
        endless = answer.status == 200 and "multipart" in (answer.getheader("Content-Type") or "")
        return answer.status, dict(answer.getheaders()), answer.read(200 if endless else None)
    finally:
        connection.close()


def statuses(daemon):
    for method, path, status, says in [
        ("GET", "/", 200, "<!doctype html"),
        ("HEAD", "/", 200, ""),
        ("GET", "/nowhere", 404, "nothing is at /nowhere"),
        ("GET", "/stream/back", 404, "there are front and side"),
        ("GET", "/snapshot?camera=back", 404, "there are front and side"),
        ("GET", "/?action=stream_7", 404, "there are front and side"),
        ("GET", "/?action=input", 400, "stream and snapshot are allowed"),
        ("GET", "/stream?quality=200", 400, "quality"),
        ("GET", "/snapshot?max_delay=-1", 400, "max_delay"),
        ("PUT", "/state", 405, "GET, HEAD, OPTIONS"),
        ("POST", "/snapshot", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/stream", 204, ""),
        ("GET", "/ws", 426, "WebSocket only"),
        ("HEAD", "/ws", 405, ""),
    ]:
        got, _, body = ask(daemon, method, path)
        that(f"{method} {path} is {status}", got == status and says in body.decode(), (got, body))


def both_spellings(daemon):
    first = ["/snapshot", "/?action=snapshot", "/?action=snapshot_0", "/snapshot/front?t=1"]
    # As dashboards for mjpg-streamer send it.
    loose = ["/?action=snapshot?t=1", "/?action=snapshot/", "/?action=snapshot_0/&n=1", "/?action=snapshot.jpg"]
    for path in first + loose:
        status, headers, body = ask(daemon, "GET", path)
        right = status == 200 and check.jpeg_size(body) == (640, 480)
        right &= headers.get("Content-Length") == str(len(body))
        that(f"{path} is a JPEG of the first camera", right, (status, headers, len(body)))
    for path in ["/?action=snapshot_1", "/snapshot/side", "/snapshot?camera=side"]:
        _, _, body = ask(daemon, "GET", path)
        that(f"{path} is one of the second", check.jpeg_size(body) == (320, 240))
    _, headers, _ = ask(daemon, "GET", "/snapshot")
    lower = {name.lower() for name in headers}
    wanted = "online width height grab-begin-timestamp grab-end-timestamp encode-begin-timestamp encode-end-timestamp send-timestamp"
    absent = [name for name in wanted.split() if f"x-ustreamer-{name}" not in lower]
    that("a snapshot has µStreamer's headers", not absent and "x-timestamp" in lower, absent)
    for method, path in [("GET", "/stream"), ("POST", "/stream"), ("GET", "/?action=stream")]:
        status, headers, _ = ask(daemon, method, path, body="" if method == "POST" else None)
        kind = headers.get("Content-Type")
        cookie = headers.get("Set-Cookie", "")
        right = kind == "multipart/x-mixed-replace;boundary=boundarydonotcross"
        right &= re.fullmatch(r"stream_client=0/[0-9a-f]+; path=/; max-age=30", cookie) is not None
        that(f"{method} {path} is multipart, with the cookie", status == 200 and right, headers)


def keeps_alive(daemon):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    lengths = []
    for _ in range(5):
        connection.request("GET", "/snapshot")
        lengths.append(len(connection.getresponse().read()))
    connection.close()
    that("one connection serves five snapshots", len(lengths) == 5 and min(lengths) > 1000, lengths)


def raw(daemon, request, seconds=15):
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=seconds) as sock:
        sock.sendall(request)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


def slow_and_large(daemon):
    long = raw(daemon, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20000 + b"\r\n\r\n")
    that("a head that is too large is 431", long.startswith(b"HTTP/1.1 431 "), long[:200])
    many = raw(daemon, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 300 + b"\r\n")
    that("too many headers are 431", many.startswith(b"HTTP/1.1 431 "), many[:200])
    junk = raw(daemon, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    that("what is not HTTP is 400", junk.startswith(b"HTTP/1.1 400 "), junk[:200])
    began = time.monotonic()
    slow = raw(daemon, b"GET / HTTP/1.1\r\nHost:")
    that("a head that does not come is 408", slow.startswith(b"HTTP/1.1 408 "), slow[:200])
    that("and not before 5 s", time.monotonic() - began > 5)


def unix_socket(daemon):
    code, out, said = check.command(
        "curl", "-sS", "--unix-socket", daemon.socket, "http://streamd/snapshot"
    )
    that("a snapshot over the Unix socket", code == 0 and check.jpeg_size(out) is not None, said)


def origins(daemon):
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    status, _, body = ask(daemon, "GET", "/ws", {**handshake, "Origin": "http://evil.example"})
    that("a foreign page is 403 with its origin", status == 403 and b"http://evil.example" in body, body)
    status, headers, _ = ask(daemon, "GET", "/ws", {**handshake, "Origin": daemon.address})
    lower = {name.lower(): value for name, value in headers.items()}
    accepted = lower.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    that("the own page is let in", status == 101 and accepted, (status, headers))
    _, headers, _ = ask(daemon, "GET", "/state", {"Origin": "http://evil.example"})
    that("no page may read answers unasked", "Access-Control-Allow-Origin" not in headers, headers)
    with Daemon(http='allowed-origins = ["https://panel.example"]') as open_one:
        _, headers, _ = ask(open_one, "GET", "/state", {"Origin": "https://panel.example"})
        shared = headers.get("Access-Control-Allow-Origin") == "https://panel.example"
        that("a page that is allowed may", shared, headers)


async def many_snapshots(daemon):
    # Who has just hung up, in the checks before, is still sent a picture until that is noticed.
    check.until(lambda: not daemon.stats()["clients"])
    before = daemon.stats()["cameras"][0]["encoded"]
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one():
            async with session.get(f"{daemon.address}/snapshot") as answer:
                return answer.status, await answer.read()

        answers = await asyncio.gather(*(one() for _ in range(500)))
    right = sum(status == 200 and check.jpeg_size(body) is not None for status, body in answers)
    that("500 snapshots at once are all answered", right == 500, right)
    different = len({body for _, body in answers})
    encoded = daemon.stats()["cameras"][0]["encoded"] - before
    # The requests arrive over several frame intervals, since this client is slow.
    that("and cost no more pictures than they show", encoded <= different, (encoded, different))


def no_effect_by_get(daemon):
    before = daemon.ctl("get", "--json")[1]
    for path in ["/?action=command&id=1", "/state?quality=5", "/snapshot?quality=5", "/?quality=5"]:
        ask(daemon, "GET", path)
    after = daemon.ctl("get", "--json")[1]
    that("nothing changes by GET", before and after == before, after)


def metrics(daemon):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.metrics, timeout=10)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    kind = answer.getheader("Content-Type")
    that("metrics are OpenMetrics", kind.startswith("application/openmetrics-text"), kind)
    sent = re.search(r'streamd_frames_total\{camera="front",stage="encoded"\} (\d+)', text)
    that("metrics count the frames", sent and int(sent[1]) > 0, text[:500])
    state = json.dumps(daemon.state())
    that("/state is what panels parse", '"captured_fps"' in state and '"clients_stat"' in state, state)
