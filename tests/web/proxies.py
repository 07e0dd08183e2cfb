"""nginx, Caddy and HAProxy with the configurations of the guide: what passes, and how old it is."""

import asyncio
import base64
import contextlib
import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess
import tempfile
import time

import aiohttp

import check
from check import Daemon, that

GUIDE = "docs/guide/proxy.md"

#: What a slow viewer reads, bytes a second: a third of what the camera's pictures need.
SLOW = 160_000

#: Seconds that it watches, and those at the beginning that do not count.
WATCHES, SETTLES = 15, 5

#: Seconds that a slow reader's picture by MJPEG may be old: what the guide says, and half as much again.
MJPEG = 1.5


def run():
    blocks = configurations()
    kinds = sorted(blocks)
    if not that("the guide has a configuration of each", kinds == ["caddyfile", "haproxy", "nginx", "sysctl"], kinds):
        return
    with own_network(blocks["sysctl"]), Daemon(cameras={"front": 'size = "640x480"\nfps = 30'}) as daemon:
        _, head, _ = check.command("curl", "-sI", f"{daemon.address}/stream")
        that("a stream asks proxies not to collect it", b"x-accel-buffering: no" in head.lower(), head)
        bare = Viewer(daemon.port, "ws").watch()
        if not that("without a proxy: a slow reader's pictures are fresh", bare and bare["p95"] < 0.5, bare):
            return
        for language, start in (("nginx", nginx), ("caddyfile", caddy), ("haproxy", haproxy)):
            with Proxy(blocks[language], daemon, start) as proxy:
                passes(language, proxy)
                slow(language, proxy, daemon, bare)


def configurations():
    """The blocks of the page by their language."""
    with open(GUIDE, encoding="utf-8") as page:
        return dict(re.findall(r"```(sysctl|nginx|caddyfile|haproxy)\n(.*?)```", page.read(), re.DOTALL))


@contextlib.contextmanager
def own_network(settings):
    """A network of our own, with loopback alone, where the guide's settings of the kernel hold. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as before:
        if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "a network namespace of its own (as root?)")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                up = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
                fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
            for line in settings.strip().splitlines():
                key, value = line.split(" = ")
                with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as setting:
                    setting.write(value)
            yield
        finally:
            libc.setns(before.fileno(), 0)


def nginx(folder, config):
    with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(f"daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n")
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
            file.write(f"{kind}_temp_path {folder}/{kind};\n")
        file.write(config + "}\n")
    return ["nginx", "-c", f"{folder}/nginx.conf"]


def caddy(folder, config):
    with open(f"{folder}/Caddyfile", "w", encoding="utf-8") as file:
        # Only this: its own administration has a fixed port.
        file.write("{\n    admin off\n}\n" + config)
    return ["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


def haproxy(folder, config):
    with open(f"{folder}/haproxy.cfg", "w", encoding="utf-8") as file:
        file.write(config)
    return ["haproxy", "-q", "-db", "-f", f"{folder}/haproxy.cfg"]


class Proxy:
    """A proxy that runs with the guide's configuration, but for the ports."""

    def __init__(self, config, daemon, start):
        self.port = check.free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.folder = tempfile.TemporaryDirectory(prefix="streamd-proxy-")
        for port, ours in (("127.0.0.1:8080", f"127.0.0.1:{daemon.port}"), ("8000", str(self.port))):
            assert port in config, f"{GUIDE} has no {port} in\n{config}"
            config = config.replace(port, ours)
        self.words = start(self.folder.name, config)

    def __enter__(self):
        self.log = open(f"{self.folder.name}/log", "w+b")
        environment = {**os.environ, "HOME": self.folder.name}
        self.process = subprocess.Popen(self.words, stdout=self.log, stderr=self.log, env=environment)
        if not check.until(self.answers):
            self.log.seek(0)
            raise RuntimeError(f"{self.words[0]} does not start:\n{self.log.read().decode()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
        self.folder.cleanup()

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False


def passes(name, proxy):
    code, out, said = check.command("curl", "-s", "--max-time", "5", f"{proxy.address}/")
    that(f"{name}: the page passes", code == 0 and b"<html" in out.lower(), said or out[:200])
    code, out, said = check.command("curl", "-s", "--max-time", "5", f"{proxy.address}/snapshot")
    that(f"{name}: a snapshot passes", check.jpeg_size(out) == (640, 480), said)
    # A stream that a proxy collects first gives nothing at all within the time.
    _, out, said = check.command("curl", "-s", "--max-time", "3", f"{proxy.address}/stream")
    that(f"{name}: MJPEG passes as it comes", out.count(b"--boundarydonotcross") > 40, said or len(out))
    asyncio.run(page_passes(name, proxy))


async def page_passes(name, proxy):
    """As the page's script does it: with its origin."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(f"{proxy.address}/ws", headers={"Origin": proxy.address}) as ws:
                first = await ws.receive(timeout=5)
                that(f"{name}: the page's WebSocket passes", first.type == aiohttp.WSMsgType.BINARY, first)
        except aiohttp.ClientError as error:
            that(f"{name}: the page's WebSocket passes", False, error)


def slow(name, proxy, daemon, bare):
    seen = Viewer(proxy.port, "ws").watch(daemon)
    fresh = seen and seen["p95"] <= bare["p95"] + 0.25
    that(f"{name}: a slow reader with receipts has pictures as fresh as without it", fresh, (seen, bare))
    near = seen and abs(seen["said"] - seen["p50"]) <= 0.1 * seen["p50"] + 0.01
    that(f"{name}: and the figures say so", near, seen)
    seen = Viewer(proxy.port, "mjpeg").watch()
    bounded = seen and seen["p95"] <= MJPEG
    that(f"{name}: a slow reader of MJPEG is late by no more than the guide says", bounded, seen)


class Viewer:
    """Reads slowly, and knows how old each picture is: it has the server's clock."""

    def __init__(self, port, transport):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self.host = f"127.0.0.1:{port}"
        self.transport = transport
        self.buffer = bytearray()
        self.had = []

    def watch(self, daemon=None):
        """Percentiles of the pictures' latency, in seconds, and what the daemon says of it."""
        begin = time.monotonic()
        self.ask()
        read = 0
        while (now := time.monotonic()) < begin + WATCHES:
            due = int((now - begin) * SLOW) - read
            if due < 1000:
                time.sleep(0.002)
                continue
            some = self.socket.recv(min(due, 4096))
            if not some:
                break
            read += len(some)
            self.buffer += some
            for picture in self.ws_pictures() if self.transport == "ws" else self.mjpeg_pictures():
                self.take(picture, now - begin)
        said = self.said(daemon) if daemon else None
        self.socket.close()
        latencies = sorted(late for at, late in self.had if at > SETTLES)
        if len(latencies) < 20:
            return None
        at = lambda part: latencies[int(len(latencies) * part)]
        return {"p50": at(0.5), "p95": at(0.95), "said": said, "pictures": len(latencies)}

    def ask(self):
        # By HTTP/1.0 no proxy cuts the stream into chunks.
        first = "GET /ws HTTP/1.1" if self.transport == "ws" else "GET /stream HTTP/1.0"
        lines = [first, f"Host: {self.host}"]
        if self.transport == "ws":
            key = base64.b64encode(os.urandom(16)).decode()
            lines += ["Connection: Upgrade", "Upgrade: websocket"]
            lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(1)
        self.buffer.clear()
        if self.transport == "ws":
            self.say('{"type":"hello","name":"slow"}')

    def say(self, text):
        """A masked frame; a mask of zeros leaves it as it is."""
        assert len(text) < 126
        self.socket.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode())

    def ws_pictures(self):
        while len(self.buffer) >= 10:
            length, head = self.buffer[1] & 127, 2
            if length >= 126:
                head = 4 if length == 126 else 10
                length = int.from_bytes(self.buffer[2:head], "big")
            if len(self.buffer) < head + length:
                return
            payload = bytes(self.buffer[head : head + length])
            is_picture = self.buffer[0] & 15 == 2
            del self.buffer[: head + length]
            if is_picture:
                yield payload

    def mjpeg_pictures(self):
        while (end := self.buffer.find(b"\r\n--boundarydonotcross", 1)) >= 0:
            part = bytes(self.buffer[:end])
            del self.buffer[:end]
            if (start := part.find(b"\xff\xd8")) >= 0:
                yield part[start:]

    def take(self, picture, at):
        sequence, captured = (int(picture[i : i + 16], 16) for i in (33, 49))
        now = time.time_ns() // 1000
        self.had.append((at, (now - captured) / 1e6))
        if self.transport == "ws":
            self.say(f'{{"type":"receipt","sequence":{sequence},"t":{now}}}')

    def said(self, daemon):
        slow_one = [c for c in daemon.stats()["clients"] if c["name"] == "slow"]
        return slow_one[0]["feeds"][0]["latency"]["p50Ms"] / 1000
