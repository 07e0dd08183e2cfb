"""The page in Chromium, as a viewer uses it."""

import glob
import http.server
import os
import re
import socket
import tempfile
import threading
import time
import zipfile

import cv2
import numpy

import check
from check import Daemon, that, until
from chromium import PHONE, Page


def run():
    with Daemon() as daemon:
        picture_and_figures(daemon)
        keyboard(daemon)
        limits(daemon)
        saving(daemon)
        cameras(daemon)
        phone(daemon)
        screen_reader(daemon)
        axe(daemon)
        sent_away(daemon)
        restart(daemon)
        without_websocket(daemon)
        embedded_stream(daemon)


def shot(page):
    """What the page looks like, as an array."""
    png = numpy.frombuffer(page.driver.get_screenshot_as_png(), numpy.uint8)
    return cv2.imdecode(png, cv2.IMREAD_COLOR)


def number(text):
    found = re.search(r"[\d.]+", text or "")
    return float(found[0]) if found else None


def picture_and_figures(daemon):
    with Page(daemon.address) as page:
        that("the page is live", until(lambda: page.state() == "Live"), page.state())
        that("it draws in a worker", page.run("return document.documentElement.dataset.drawsIn") == "worker")
        until(lambda: page.drawn() > 30)
        first = shot(page)
        time.sleep(0.5)
        that("the picture moves", (shot(page) != first).any())
        bars = len(numpy.unique(first[100, ::40].reshape(-1, 3), axis=0))
        that("and shows the test pattern's bars", bars >= 6, bars)
        time.sleep(3)
        before, began = page.drawn(), time.monotonic()
        time.sleep(4)
        rate = (page.drawn() - before) / (time.monotonic() - began)
        that("30 frames a second are drawn", 27 <= rate <= 32, rate)
        figures = {name: page.figure(name) for name in
                   ["latency", "fps", "rate", "missed", "picture", "reason", "roundTrip"]}
        print(f"# {figures}")
        sane = 0 < number(figures["latency"]) < 60 and 27 <= number(figures["fps"]) <= 32
        sane &= figures["picture"] == "640×480, quality 80" and "Mb/s" in figures["rate"]
        sane &= figures["reason"] == "full quality" and number(figures["roundTrip"]) < 50
        that("the figures are sane, and the delay is under 60 ms", sane, figures)
        client = next(c for c in daemon.stats()["clients"] if c["name"] == "page")
        apart = abs(client["feeds"][0]["latency"]["p50Ms"] - number(figures["latency"]))
        that("the daemon says of the delay what the page says", apart < 30, (client["feeds"], figures))
        that("the console has no complaint", not page.errors(), page.errors())


def keyboard(daemon):
    with Page(daemon.address) as page:
        until(lambda: page.drawn() > 5)
        shown = lambda: page.run("return getComputedStyle(document.querySelector('.statistics')).display")
        before = shown()
        page.key("s")
        that("S shows the statistics", (before, shown()) == ("none", "block"), (before, shown()))
        page.key("s")
        that("and hides them", shown() == "none")
        page.key(" ")
        until(lambda: page.state() == "Paused")
        time.sleep(1)
        before = page.drawn()
        time.sleep(1)
        that("space pauses", page.drawn() == before and page.state() == "Paused")
        that("and the daemon knows", until(lambda: any(c["paused"] for c in daemon.stats()["clients"])))
        page.key(" ")
        that("and goes on", until(lambda: page.drawn() > before + 10))
        page.key("?")
        that("? tells the keys", page.run("return document.getElementById('keys').open"))


def limits(daemon):
    with Page(daemon.address) as page:
        until(lambda: page.drawn() > 5)
        page.key("l")
        opened = page.run("return !document.getElementById('limits').hidden")
        that("L opens the limits, and they have the focus",
             opened and page.run("return document.activeElement.id") == "limit-fps")
        page.run("""for (const [id, value] of [['limit-fps', 5], ['limit-width', 320]])
            document.getElementById(id).value = value;
            document.getElementById('limits').dispatchEvent(new Event('change'))""")
        that("a limit of 5 fps holds", until(lambda: 3.5 <= number(page.figure("fps")) <= 6.5), page.figure("fps"))
        that("so does one of 320 pixels", until(lambda: page.figure("picture").startswith("320×240")), page.figure("picture"))
        that("and it says why", page.figure("reason") == "limit", page.figure("reason"))
        page.driver.refresh()
        kept = until(lambda: page.figure("picture") or "")
        until(lambda: (page.figure("picture") or "").startswith("320×240"))
        that("they are kept", page.figure("picture").startswith("320×240"), kept)


def saving(daemon):
    with tempfile.TemporaryDirectory() as downloads:
        with Page(daemon.address, downloads=downloads) as page:
            until(lambda: page.drawn() > 5)
            page.key("w")
            found = until(lambda: glob.glob(f"{downloads}/front-*.jpg"))
            that("W saves a file named by camera and time", bool(found), os.listdir(downloads))
            if found:
                with open(found[0], "rb") as file:
                    jpeg = file.read()
                right = check.jpeg_size(jpeg) == (640, 480) and b"streamd\0" in jpeg[:64]
                that("it is the camera's own JPEG", right, jpeg[:64])


def cameras(daemon):
    with Page(f"{daemon.address}/#side") as page:
        until(lambda: page.drawn("side") > 5)
        that("the address chooses a camera", page.drawn("side") > 5 and page.drawn("front") == 0)
        page.key("0")
        both = until(lambda: page.drawn("front") > 20 and page.drawn("side") > 20)
        that("0 shows all side by side", both, (page.drawn("front"), page.drawn("side")))
        clients = [c for c in daemon.stats()["clients"] if c["name"] == "page"]
        shown = [[feed["camera"] for feed in client["feeds"]] for client in clients]
        that("over one WebSocket", shown == [["front", "side"]], clients)
        page.key("1")
        that("1 shows the first alone", until(lambda: page.run("return document.querySelectorAll('.tile').length") == 1))
        that("and the address says so", page.run("return location.hash") == "#front")
        before = page.drawn("front")
        that("its picture goes on", until(lambda: page.drawn("front") > before + 10))


def phone(daemon):
    with Page(f"{daemon.address}/#front,side", size=PHONE) as page:
        until(lambda: page.drawn() > 5)
        wide = page.run("return document.documentElement.scrollWidth")
        that("a phone need not scroll", wide <= PHONE[0], wide)
        small = page.run("""return [...document.querySelectorAll('#tools button')].filter(b => b.offsetWidth)
            .map(b => [b.id, b.offsetWidth, b.offsetHeight]).filter(([, w, h]) => w < 40 || h < 40)""")
        that("its buttons are large enough for a thumb", not small, small)
        frames = page.run("return [...document.querySelectorAll('.frame')].map(f => f.getBoundingClientRect().width)")
        that("and its pictures as wide as it is", min(frames) > PHONE[0] * 0.9, frames)


def screen_reader(daemon):
    with Page(daemon.address) as page:
        until(lambda: page.drawn() > 5)
        tree = page.cdp("Accessibility.getFullAXTree", {})["nodes"]
        roles = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n.get("ignored")]
        nameless = [role for role, name in roles if role in ("button", "combobox", "image", "toolbar") and not name]
        that("every control has a name", not nameless, nameless)
        pictures = [name for role, name in roles if role == "image" and "camera front" in name]
        that("so has the picture", bool(pictures), roles)
        page.key(" ")
        said = until(lambda: page.run("return document.getElementById('announce').textContent") == "Paused")
        that("changes are announced", said)


def axe(daemon):
    """axe-core, the accessibility checker, from the package that carries it."""
    with tempfile.TemporaryDirectory() as directory:
        words = ["-m", "pip", "download", "-q", "--no-deps", "-d", directory, "axe-playwright-python"]
        check.command("/usr/bin/python3", *words, seconds=120)
        wheels = glob.glob(f"{directory}/*.whl")
        if not wheels:
            print("ok - axe-core # SKIP it can't be fetched")
            return
        with zipfile.ZipFile(wheels[0]) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith("axe.min.js"))
            script = wheel.read(name).decode()
    for scheme in ["light", "dark"]:
        with Page(f"{daemon.address}/#front,side", scheme=scheme) as page:
            until(lambda: page.drawn() > 5)
            page.key("s")
            page.key("l")
            page.run(script)
            found = page.driver.execute_async_script(
                "axe.run().then(r => arguments[0](r.violations.map(v => [v.id, v.nodes.map(n => n.html)])))"
            )
            that(f"axe-core finds nothing, {scheme}", not found, found)


def sent_away(daemon):
    with Page(daemon.address) as page:
        until(lambda: page.drawn() > 5)
        client = next(c["id"] for c in daemon.stats()["clients"] if c["name"] == "page")
        daemon.ctl("kick", str(client))
        ended = until(lambda: page.state() == "Disconnected")
        that("who is kicked stays away, and sees why", ended, page.state())
        page.run("document.getElementById('retry').click()")
        that("and may come back", until(lambda: page.state() == "Live"), page.state())


def restart(daemon):
    with Page(daemon.address) as page:
        until(lambda: page.drawn() > 5)
        daemon.stop()
        gone = until(lambda: page.state().startswith("Back in"))
        said = page.run("return document.getElementById('message-text').textContent")
        that("when the daemon stops, the page says so and what it does", gone and "by itself" in said, (page.state(), said))
        time.sleep(2)
        daemon.start()
        that("after a restart it is live again by itself", until(lambda: page.state() == "Live", 25), page.state())
        before = page.drawn()
        that("and its picture goes on", until(lambda: page.drawn() > before + 10), (before, page.drawn()))


class NoWebSocket:
    """A proxy of the kind that lets no WebSocket through."""

    def __init__(self, port):
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = client.recv(65536)
        if head.startswith(b"GET /ws"):
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        head = re.sub(rb"\r\nConnection: [^\r]*", b"\r\nConnection: close", head)
        server = socket.create_connection(("127.0.0.1", self.to))
        server.sendall(head)
        try:
            while chunk := server.recv(65536):
                client.sendall(chunk)
        except OSError:
            pass
        client.close()
        server.close()


def without_websocket(daemon):
    proxy = NoWebSocket(daemon.port)
    with Page(f"http://127.0.0.1:{proxy.port}/") as page:
        that("without WebSocket it falls back", until(lambda: page.state() == "Live, plain MJPEG", 30), page.state())
        wide = "return document.querySelector('img.picture')?.naturalWidth"
        that("to the plain stream", until(lambda: page.run(wide) == 640), page.run(wide))
        first = shot(page)
        time.sleep(1)
        that("which moves", (shot(page) != first).any())
        page.key(" ")
        time.sleep(1)
        first = shot(page)
        time.sleep(1)
        that("and can be paused", (shot(page)[:700] == first[:700]).all())


class Panel(http.server.BaseHTTPRequestHandler):
    """Somebody else's page, with the stream in an <img>."""

    stream = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!doctype html><img src='{self.stream}'>".encode())

    def log_message(self, *_):
        pass


def embedded_stream(daemon):
    """As panels embed it; each picture must show when it comes, not when the next one does."""
    Panel.stream = f"{daemon.address}/?action=stream&fps=1"
    panel = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Panel)
    threading.Thread(target=panel.serve_forever, daemon=True).start()
    with Page(f"http://127.0.0.1:{panel.server_port}/") as page:
        shown = until(lambda: page.run("return document.querySelector('img').naturalWidth") == 640)
        that("another page's <img> shows the stream", shown)
        client = daemon.state()["result"]["stream"]["clients_stat"]
        ahead = [c["advance_headers"] for c in client.values()]
        that("Chromium gets headers ahead, unasked", ahead == [True], client)
    panel.shutdown()
