"""The page in Chromium, as a viewer uses it."""

import glob
import http.server
import json
import os
import re
import signal
import socket
import tempfile
import threading
import time
import zipfile

import cv2
import numpy

import check
from check import Daemon, Devices, that, until
from chromium import DESKTOP, PHONE, PHONE_ON_ITS_SIDE, Page

#: Keys as WebDriver writes them.
ESCAPE, TAB, ENTER = "\ue00c", "\ue004", "\ue007"


def run():
    with Daemon() as daemon:
        picture_and_figures(daemon)
        one_request_each(daemon)
        keyboard(daemon)
        limits(daemon)
        coding(daemon)
        saving(daemon)
        recording(daemon)
        turning(daemon)
        cameras(daemon)
        unknown_camera(daemon)
        screen_reader(daemon)
        sent_away(daemon)
        restart(daemon)
        without_websocket(daemon)
        embedded_stream(daemon)
    with Daemon(MANY) as daemon:
        each_says_what_it_is(daemon)
        refused(daemon)
        phones(daemon)
        grids(daemon)
        framed(daemon)
        axe(daemon)
    lost_and_back()
    late()
    login()
    changing()
    own_controls()


#: A camera of every kind: fast, slow, absent, full, with a long name.
MANY = {
    "front": 'size = "640x480"\nfps = 30',
    "side": 'size = "320x240"\nfps = 1',
    "gone": 'device = "/dev/no-such-camera"',
    "full": 'size = "320x240"\nfps = 15\nmax-clients = 1',
    "a-camera-with-a-very-long-name": 'size = "1280x720"\nfps = 5',
    "last": 'size = "320x240"\nfps = 5',
}


def shot(page):
    """What the page looks like, as an array."""
    png = numpy.frombuffer(page.driver.get_screenshot_as_png(), numpy.uint8)
    return cv2.imdecode(png, cv2.IMREAD_COLOR)


def number(text):
    found = re.search(r"[\d.]+", text or "")
    return float(found[0]) if found else None


def opened(page):
    """The details, open and with figures."""
    page.key("d")
    return until(lambda: page.figure("fps") not in (None, "–"))


def picture_and_figures(daemon):
    with Page(f"{daemon.address}/#front") as page:
        that("the picture is live", until(lambda: page.state() == "live"), page.state())
        that("it is drawn in a worker", page.run("return document.documentElement.dataset.drawsIn") == "worker")
        until(lambda: page.drawn() > 30)
        first = shot(page)
        time.sleep(0.5)
        that("it moves", (shot(page) != first).any())
        bars = len(numpy.unique(first[100, ::40].reshape(-1, 3), axis=0))
        that("and shows the test pattern's bars", bars >= 6, bars)
        opened(page)
        time.sleep(3)
        before, began = page.drawn(), time.monotonic()
        time.sleep(4)
        rate = (page.drawn() - before) / (time.monotonic() - began)
        that("30 frames a second are drawn", 27 <= rate <= 32, rate)
        figures = {name: page.figure(name) for name in
                   ["state", "age", "fps", "rate", "picture", "why", "leftOut", "roundTrip"]}
        print(f"# {figures}")
        sane = 0 < number(figures["age"]) < 60 and 27 <= number(figures["fps"]) <= 32
        sane &= figures["picture"] == "640×480 px, JPEG quality 80" and "Mb/s" in figures["rate"]
        sane &= figures["why"] == "the best there is" and number(figures["roundTrip"]) < 50
        that("the figures are sane, and the picture is under 60 ms old", sane, figures)
        client = next(c for c in daemon.stats()["clients"] if c["name"] == "page")
        apart = abs(client["feeds"][0]["latency"]["p50Ms"] - number(figures["age"]))
        that("the daemon says of the delay what the page says", apart < 30, (client["feeds"], figures))
        graphs = page.run("return [...document.querySelectorAll('#sheet svg[role=img]')].map(g => g.getAttribute('aria-label'))")
        units = [("ms", "Age"), ("fps", "Frame rate"), ("b/s", "Data rate"), ("per second", "left out")]
        named = len(graphs) == 4 and all(unit in text and name in text for text, (unit, name) in zip(graphs, units))
        that("each graph has a name and a unit", named, graphs)
        that("the console has no complaint", not page.errors(), page.errors())


def one_request_each(daemon):
    with Page(f"{daemon.address}/#front") as page:
        until(lambda: page.drawn() > 5)
        asked = page.run("""return performance.getEntriesByType('resource')
            .map(e => [new URL(e.name).pathname, e.encodedBodySize, e.decodedBodySize])""")
        names = [name for name, _, _ in asked]
        files = {name for name in names if not name.startswith("/api/")}
        that("the page is a handful of files", len(files) <= 6, names)
        that("and asks once who may what, and once what there is", len(names) - len([n for n in names if n in files]) == 2, names)
        large = [name for name, sent, size in asked if size > 4000 and sent > size / 2]
        that("and is sent compressed", not large, asked)


def keyboard(daemon):
    with Page(f"{daemon.address}/#front") as page:
        until(lambda: page.drawn() > 5)
        shown = lambda: page.run("return !document.getElementById('sheet').hidden")
        before = shown()
        page.key("d")
        that("D shows the details", (before, shown()) == (False, True), (before, shown()))
        page.key("d")
        that("and hides them", not shown())
        page.key(" ")
        until(lambda: page.state() == "paused")
        time.sleep(1)
        before = page.drawn()
        time.sleep(1)
        that("space pauses", page.drawn() == before and page.state() == "paused", page.state())
        that("and the daemon knows", until(lambda: any(c["paused"] for c in daemon.stats()["clients"])))
        page.key(" ")
        that("and goes on", until(lambda: page.drawn() > before + 10 and page.state() == "live"))
        page.key("?")
        that("? tells the keys", page.run("return document.getElementById('keys').open"))
        page.key(ESCAPE)
        that("Escape closes them", until(lambda: not page.run("return document.getElementById('keys').open")))
        page.key("+")
        film = "return document.querySelector('.film').style.transform"
        that("+ zooms", "scale(1.35)" in page.run(film), page.run(film))
        page.key(ESCAPE)
        that("Escape zooms back", page.run(film) == "", page.run(film))
        page.key(ESCAPE)
        that("and goes to all cameras", until(lambda: page.shown() == ["front", "side"]), page.shown())
        page.key(TAB)
        for _ in range(12):
            if page.run("return document.activeElement.closest('.tile')?.dataset.camera") == "side":
                break
            page.key(TAB)
        page.key(ENTER)
        that("Tab reaches a picture, and Enter opens it", until(lambda: page.shown() == ["side"]), page.shown())
        page.driver.back()
        that("Back goes back", until(lambda: page.shown() == ["front", "side"]), page.shown())


def limits(daemon):
    with Page(f"{daemon.address}/#front") as page:
        opened(page)
        page.run("""for (const [id, value] of [['limit-fps', 5], ['limit-width', 320]])
            document.getElementById(id).value = value;
            document.getElementById('limits').dispatchEvent(new Event('change'))""")
        slow = until(lambda: 3.5 <= (number(page.figure("fps")) or 0) <= 6.5)
        that("a limit of 5 fps holds", slow, page.figure("fps"))
        that("so does one of 320 pixels", until(lambda: page.figure("picture").startswith("320×240")), page.figure("picture"))
        that("and it says why", "limit" in page.figure("why"), page.figure("why"))
        page.driver.refresh()
        kept = until(lambda: (page.figure("picture") or "").startswith("320×240"))
        that("they are kept, and so are the details", kept, page.figure("picture"))


def coding(daemon):
    """H.264 where it is chosen, and JPEG again."""
    choose = """const choice = document.getElementById('codec');
        choice.value = arguments[0]; choice.dispatchEvent(new Event('change', { bubbles: true }))"""
    codec = lambda: next((client["feeds"][0]["codec"] for client in daemon.stats()["clients"]), None)
    with tempfile.TemporaryDirectory() as downloads:
        with Page(f"{daemon.address}/#front", downloads=downloads) as page:
            opened(page)
            that("pictures are JPEG unasked", until(lambda: "quality" in (page.figure("picture") or "")), page.figure("picture"))
            page.run(choose, "h264")
            that("H.264 comes where it is chosen", until(lambda: codec() == "h264"), codec())
            that("and the page says so", until(lambda: "H.264" in (page.figure("picture") or "")), page.figure("picture"))
            before = page.drawn()
            that("it is decoded and drawn", until(lambda: page.drawn() > before + 30), (before, page.drawn()))
            bars = shot(page)[60:400, 100:800]
            that("and shows the picture", bars.std() > 40, bars.std())
            page.key("w")
            found = until(lambda: glob.glob(f"{downloads}/front-*.jpg"))
            that("W saves it as a JPEG file", bool(found), os.listdir(downloads))
            page.driver.refresh()
            that("the choice is kept", until(lambda: codec() == "h264"), codec())
            page.run(choose, "jpeg")
            that("JPEG comes again where that is chosen", until(lambda: "quality" in (page.figure("picture") or "")), page.figure("picture"))
            before = page.drawn()
            that("and goes on", until(lambda: page.drawn() > before + 30), (before, page.drawn()))
            page.run(choose, "")


def saving(daemon):
    with tempfile.TemporaryDirectory() as downloads:
        with Page(f"{daemon.address}/#front", downloads=downloads) as page:
            until(lambda: page.drawn() > 5)
            page.key("w")
            found = until(lambda: glob.glob(f"{downloads}/front-*.jpg"))
            that("W saves a file named by camera and time", bool(found), os.listdir(downloads))
            if found:
                with open(found[0], "rb") as file:
                    jpeg = file.read()
                right = check.jpeg_size(jpeg) == (640, 480) and b"streamd\0" in jpeg[:64]
                that("it is the camera's own JPEG", right, jpeg[:64])


def recording(daemon):
    with tempfile.TemporaryDirectory() as downloads:
        with Page(f"{daemon.address}/#front", downloads=downloads) as page:
            until(lambda: page.drawn() > 5)
            page.key("c")
            on = "return document.getElementById('record').getAttribute('aria-pressed')"
            that("C records", until(lambda: page.run(on) == "true"))
            time.sleep(3)
            page.key("c")
            found = until(lambda: glob.glob(f"{downloads}/front-*.mp4") + glob.glob(f"{downloads}/front-*.webm"))
            that("and saves a clip", bool(found), os.listdir(downloads))
            if found:
                _, out, said = check.command("ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                                             "stream=width,height,nb_read_frames", "-of", "csv=p=0", found[0])
                width, height, frames = (out.decode().strip() or "0,0,0").split(",")[:3]
                right = (width, height) == ("640", "480") and int(frames) > 30
                that("of moving pictures", right, (out, said))


def turning(daemon):
    with Page(f"{daemon.address}/#front") as page:
        until(lambda: page.drawn() > 5)
        page.key("r")
        box = lambda: page.run("const b = document.querySelector('.frame').getBoundingClientRect(); return b.height > b.width")
        that("R turns the picture by a quarter", until(box))
        page.driver.refresh()
        until(lambda: page.drawn() > 5)
        that("and it stays so", until(box))
        for _ in range(3):
            page.key("r")
        that("four quarters are none", until(lambda: not box()))


def cameras(daemon):
    with Page(f"{daemon.address}/#side") as page:
        until(lambda: page.drawn("side") > 5)
        that("the address chooses a camera", page.shown() == ["side"], page.shown())
        clients = [[f["camera"] for f in c["feeds"]] for c in daemon.stats()["clients"] if c["name"] == "page"]
        that("and no other is asked for", clients == [["side"]], clients)
        that("none but that one has been switched on", daemon.stats()["cameras"][0]["clients"] == 0)
        page.key("0")
        both = until(lambda: page.drawn("front") > 20 and page.drawn("side") > 20)
        that("0 shows all side by side", both, (page.drawn("front"), page.drawn("side")))
        clients = [c for c in daemon.stats()["clients"] if c["name"] == "page"]
        shown = [sorted(feed["camera"] for feed in client["feeds"]) for client in clients]
        that("over one WebSocket", shown == [["front", "side"]], clients)
        page.key("1")
        that("1 shows the first alone", until(lambda: page.shown() == ["front"]))
        that("and the address says so", page.run("return location.hash") == "#front")
        before = page.drawn("front")
        that("its picture goes on", until(lambda: page.drawn("front") > before + 10))


def unknown_camera(daemon):
    for hash in ["%", "attic", "attic,%25"]:
        with Page(f"{daemon.address}/#{hash}") as page:
            card = "const c = document.getElementById('unknown'); return c.hidden ? '' : c.innerText"
            said = until(lambda: page.run(card))
            that(f"#{hash} is no camera, and the page says so", "no camera" in said and page.shown() == [], said)
            page.run("document.querySelector('#unknown-choice button').click()")
            that("and shows one that there is", until(lambda: page.state() == "live"), page.state())


def each_says_what_it_is(daemon):
    with Page(f"{daemon.address}/") as page, Held(daemon, "full"):
        wanted = {"front": "live", "side": "live", "gone": "lost", "full": "refused", "last": "live"}
        states = lambda: {name: page.state(name) for name in wanted}
        that("each picture says what it is", until(lambda: states() == wanted), states())
        that("the lost one why and since when", "no such device" in page.says("gone") and "Since" in page.says("gone"), page.says("gone"))
        that("the refused one why", "max-clients" in page.says("full"), page.says("full"))
        lines = page.run("return [...document.querySelectorAll('.tile .line')].map(l => l.innerText.replace(/\\s+/g, ' '))")
        honest = [line for line in lines if "fps" in line and "Live" not in line]
        that("only live pictures have figures", not honest and any("Live" in line for line in lines), lines)
    with Page(f"{daemon.address}/#gone") as page:
        that("alone, the lost one is lost", until(lambda: page.state("gone") == "lost"), page.state("gone"))
        page.key("d")
        time.sleep(1)
        figures = [page.figure(name) for name in ["state", "age", "fps", "rate", "leftOut"]]
        empty = figures[0].startswith("No signal") and figures[1:] == ["–"] * 4
        that("and has no figures", empty, figures)
        page.key("w")
        toast = until(lambda: page.run("return document.getElementById('toast').textContent"))
        that("and nothing to save", "no live picture" in toast, toast)


class Held:
    """The one place at a camera, taken by somebody else."""

    def __init__(self, daemon, camera):
        self.socket = socket.create_connection(("127.0.0.1", daemon.port))
        self.socket.sendall(f"GET /stream/{camera} HTTP/1.0\r\n\r\n".encode())
        self.ended = False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while not self.ended and self.socket.recv(65536):
            pass

    def __enter__(self):
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self.ended = True
        self.socket.close()


def refused(daemon):
    with Held(daemon, "full") as held, Page(f"{daemon.address}/#full") as page:
        that("who finds no place is told why", until(lambda: page.state("full") == "refused" and "max-clients" in page.says("full")), page.says("full"))
        fed = [c["feeds"] for c in daemon.stats()["clients"] if c["name"] == "page"]
        that("and downloads nothing instead", not fed, fed)
        that("and may go elsewhere", until(lambda: page.run("return document.getElementById('choice').options.length") == len(MANY) + 1))
        held.__exit__()
        that("and gets the place when it is free", until(lambda: page.state("full") == "live", 20), page.state("full"))


def phones(daemon):
    for size in [PHONE, PHONE_ON_ITS_SIDE]:
        for view in ["", "#front", "#a-camera-with-a-very-long-name"]:
            with Page(f"{daemon.address}/{view}", size=size) as page:
                name = view[1:] or "front"
                until(lambda: page.drawn(name) > 1)
                for opens in [False, True]:
                    if opens:
                        page.key("d")
                        time.sleep(0.5)
                    what = f"{size[0]}x{size[1]} {view or 'all'}{' with details' if opens else ''}"
                    wide = page.run("return document.documentElement.scrollWidth")
                    that(f"{what}: nothing is cut at the side", wide <= size[0], wide)
                    lost = page.run(OUTSIDE)
                    that(f"{what}: every button is in sight, and large enough for a thumb", not lost, lost)
                    tall = page.run("const r = document.querySelector('.frame').getBoundingClientRect(); return [r.width, r.height]")
                    that(f"{what}: so is the picture", min(tall) > 60, tall)


OUTSIDE = """return [...document.querySelectorAll('#bar button, #bar select, #sheet-close')].filter(b => b.offsetWidth).map(b => {
    const r = b.getBoundingClientRect();
    const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
    return [b.id, Math.round(r.width), Math.round(r.height), r.left >= 0 && r.right <= innerWidth && r.bottom <= innerHeight, b.contains(top)];
}).filter(([, w, h, inside, free]) => w < 40 || h < 36 || !inside || !free)"""


def grids(daemon):
    names = list(MANY)
    for count in range(2, 7):
        with Page(f"{daemon.address}/#{','.join(names[:count])}", scheme="dark") as page:
            until(lambda: len(page.shown()) == count and page.drawn() > 3)
            time.sleep(0.5)
            found = page.run(OVERLAPS)
            that(f"{count} pictures: none over another, none outside", not found, found)


OVERLAPS = """const boxes = [...document.querySelectorAll('.frame')].map(f => f.getBoundingClientRect());
const stage = document.getElementById('stage').getBoundingClientRect();
const over = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
const bad = [];
boxes.forEach((a, i) => {
    if (a.left < stage.left - 1 || a.right > stage.right + 1 || a.top < stage.top - 1 || a.bottom > stage.bottom + 1) bad.push([i, 'outside']);
    boxes.forEach((b, j) => i < j && over(a, b) && bad.push([i, j]));
});
return bad;"""


def framed(daemon):
    with Page(f"{daemon.address}/?embed&camera=front") as page:
        that("an embedded page shows its camera", until(lambda: page.state() == "live"), page.state())
        bar = page.run("return getComputedStyle(document.getElementById('bar')).display")
        that("and nothing else", bar == "none" and page.shown() == ["front"], bar)
    Panel.page = f"<iframe src='{daemon.address}/?embed&camera=front' width=640 height=480></iframe>"
    panel = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Panel)
    threading.Thread(target=panel.serve_forever, daemon=True).start()
    with Page(f"http://localhost:{panel.server_port}/") as page:
        time.sleep(2)
        said = [line for line in page.errors() if "frame-ancestors" in line]
        that("another page may not frame it unasked", bool(said), said)
    panel.shutdown()


def screen_reader(daemon):
    with Page(f"{daemon.address}/#front") as page:
        until(lambda: page.drawn() > 5)
        page.key("d")
        tree = page.cdp("Accessibility.getFullAXTree", {})["nodes"]
        roles = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n.get("ignored")]
        nameless = [role for role, name in roles if role in ("button", "combobox", "image", "toolbar", "checkbox") and not name]
        that("every control has a name", not nameless, nameless)
        pictures = [name for role, name in roles if role == "image" and "camera front" in name]
        that("so has the picture", bool(pictures), roles)
        page.run("""window.told = [];
            new MutationObserver(() => told.push(document.getElementById('announce').textContent))
                .observe(document.getElementById('announce'), {childList: true, characterData: true, subtree: true})""")
        page.key(" ")
        said = until(lambda: "Paused" in page.run("return told"))
        time.sleep(2)
        that("a change is announced once", said and page.run("return told") == ["Paused"], page.run("return told"))
    with Page(f"{daemon.address}/#front") as page:
        page.run("localStorage.setItem('streamd.language', '\"de\"')")
        page.driver.refresh()
        german = until(lambda: page.run("return document.getElementById('pause').innerText") == "Anhalten")
        that("it speaks German", german and page.run("return document.documentElement.lang") == "de")


def axe_script():
    """axe-core, the accessibility checker, from the Python package that carries it; None where that can't be had."""
    with tempfile.TemporaryDirectory() as directory:
        words = ["-m", "pip", "download", "-q", "--no-deps", "-d", directory, "axe-playwright-python"]
        check.command("/usr/bin/python3", *words, seconds=120)
        wheels = glob.glob(f"{directory}/*.whl")
        if not wheels:
            return None
        with zipfile.ZipFile(wheels[0]) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith("axe.min.js"))
            return wheel.read(name).decode()


def axe(daemon):
    script = axe_script()
    if not script:
        print("ok - axe-core # SKIP it can't be fetched")
        return
    check_page = "axe.run().then(r => arguments[0](r.violations.map(v => [v.id, v.nodes.map(n => n.html)])))"
    for scheme in ["light", "dark"]:
        for view, size in [("", DESKTOP), ("#front", DESKTOP), ("#gone", PHONE), ("#nothing", PHONE)]:
            with Page(f"{daemon.address}/{view}", scheme=scheme, size=size) as page:
                time.sleep(2)
                page.run(script)
                for opens in ["", "d", "a", " ", "?"]:
                    if opens:
                        page.key(opens)
                        time.sleep(0.5)
                    found = page.driver.execute_async_script(check_page)
                    that(f"axe-core finds nothing: {view or 'all'}, {scheme}, after {opens!r}", not found, found)


def sent_away(daemon):
    with Page(f"{daemon.address}/#front") as page:
        until(lambda: page.drawn() > 5)
        # A page of the check before may be there for a moment yet.
        pages = lambda: [c["id"] for c in daemon.stats()["clients"] if c["name"] == "page"]
        until(lambda: len(pages()) == 1)
        daemon.ctl("kick", str(pages()[0]))
        ended = until(lambda: page.state() == "ended")
        that("who is kicked stays away, and sees why", ended and "administrator" in page.says(), (page.state(), page.says()))
        page.run("document.querySelector('.notice button').click()")
        that("and may come back", until(lambda: page.state() == "live"), page.state())


def restart(daemon):
    with Page(f"{daemon.address}/#front") as page:
        opened(page)
        daemon.stop()
        gone = until(lambda: page.state() == "offline" and "Next attempt" in page.says())
        that("when the daemon stops, the page says so and what it does", gone, (page.state(), page.says()))
        figures = [page.figure(name) for name in ["age", "fps", "rate", "leftOut", "roundTrip"]]
        that("and keeps no figures", figures == ["–"] * 5, figures)
        time.sleep(2)
        daemon.start()
        that("after a restart it is live again by itself", until(lambda: page.state() == "live", 25), page.state())
        before = page.drawn()
        that("and its picture goes on", until(lambda: page.drawn() > before + 10), (before, page.drawn()))


def lost_and_back():
    """The camera is gone after one restart and there after the next: nothing that was said holds on."""
    with Daemon({"front": 'device = "test"'}) as daemon:
        with Page(f"{daemon.address}/") as page:
            until(lambda: page.state() == "live")
            for device, other, wanted in [("test", "/dev/no-such-camera", "lost"), ("/dev/no-such-camera", "test", "live")]:
                daemon.stop()
                daemon.replace(f'device = "{device}"', f'device = "{other}"')
                daemon.start()
                that(f"after a restart with {other}, {wanted}", until(lambda: page.state() == wanted, 25), page.state())
                if wanted == "live":
                    that("and nothing is said over the picture", page.says() == "", page.says())


def late():
    """A daemon that stands still delivers nothing, and says nothing of it."""
    with Daemon({"front": 'size = "320x240"'}) as daemon:
        with Page(f"{daemon.address}/") as page:
            until(lambda: page.drawn() > 10)
            daemon.process.send_signal(signal.SIGSTOP)
            that("a picture that does not go on is late", until(lambda: page.state() == "late", 5), page.state())
            that("and says how old it is", until(lambda: re.search(r"[2-9]\.\d s old", page.says()), 5), page.says())
            daemon.process.send_signal(signal.SIGCONT)
            that("and is live again when it goes on", until(lambda: page.state() == "live", 25), page.state())


def login():
    with Daemon({"front": 'size = "320x240"', "side": 'size = "320x240"'}) as daemon:
        with Page(f"{daemon.address}/?camera=front") as page:
            until(lambda: page.drawn() > 5)
            asks = lambda: page.run("return Boolean(document.querySelector('input[name=token]'))")
            _, token, said = daemon.ctl("token", "add", "tablet")
            that("from the first token on, the page gives way to the login form", until(asks), said)
            enter = "document.querySelector('input[name=token]').value = arguments[0]; document.forms[0].submit()"
            page.run(enter, "wrong")
            refused = until(lambda: "no token" in page.run("return document.querySelector('[role=alert]')?.textContent ?? ''"))
            that("a wrong token is refused", refused)
            page.run(enter, token.decode().strip())
            that("the right one shows the camera", until(lambda: page.state() == "live"), page.driver.current_url)
            that("that was asked for", page.shown() == ["front"], page.shown())
            daemon.stop()
            until(lambda: page.state() == "offline")
            daemon.start_unheard()
            that("after a restart nobody logs in again", until(lambda: page.state() == "live", 25), page.state())
            daemon.ctl("token", "revoke", "tablet")
            that("who has no good token any more sees the form", until(asks), page.run("return document.title"))


ENTER_TOKEN = "document.querySelector('input[name=token]').value = arguments[0]; document.forms[0].submit()"


def logged_in(page, token):
    until(lambda: page.run("return Boolean(document.querySelector('input[name=token]'))"))
    page.run(ENTER_TOKEN, token)
    until(lambda: page.state() == "live")


def changing():
    """What those may change who may, for everybody."""
    with Daemon({"front": 'size = "640x480"\nfps = 30'}) as daemon:
        tokens = {}
        for role in ["operator", "viewer"]:
            _, out, said = daemon.ctl("token", "add", role, "--role", role)
            tokens[role] = out.decode().strip()
        with Page(f"{daemon.address}/#front") as page:
            logged_in(page, tokens["viewer"])
            time.sleep(1)
            offered = lambda page: page.run("return !document.getElementById('panel-open').hidden")
            that("a viewer is offered no changes", page.state() == "live" and not offered(page), page.state())
            page.key("a")
            that("nor by the key", page.run("return document.getElementById('panel').hidden"))
            with Page(f"{daemon.address}/#front") as operator:
                logged_in(operator, tokens["operator"])
                that("an operator is", until(lambda: offered(operator)))
                operator.key("a")
                changes(daemon, operator)
                limits_another(daemon, operator)
                disconnects(daemon, operator, page)


def changes(daemon, page):
    camera = lambda: daemon.stats()["cameras"][0]
    value = lambda name: page.run(f"return document.querySelector('[data-field={name}] input, [data-field={name}] select')?.value")
    that("the slider has the quality", until(lambda: value("quality") == "80"), value("quality"))
    change = """const input = document.querySelector(arguments[0]);
        input.value = arguments[1];
        for (const type of ['input', 'change']) input.dispatchEvent(new Event(type))"""
    page.run(change, "[data-field=quality] [type=range]", "41")
    that("moved, it changes the daemon's", until(lambda: camera()["quality"] == 41), camera()["quality"])
    daemon.ctl("set", "quality", "63")
    that("what somebody else changes shows up", until(lambda: value("quality") == "63"), value("quality"))
    page.run(change, "[data-field=quality] [type=number]", "500")
    said = lambda: page.run("return document.querySelector('[data-field=quality] .error').textContent")
    that("a refusal is shown in the server's words", until(lambda: "100" in said()), said())
    told = page.run("return document.getElementById('announce').textContent")
    that("and told", told == said(), told)
    that("and changes nothing", until(lambda: value("quality") == "63") and camera()["quality"] == 63, value("quality"))
    page.run(change, "[data-field=rotate] select", "90")
    higher = "const r = document.querySelector('.frame').getBoundingClientRect(); return r.height > r.width"
    that("the picture is turned for everybody", until(lambda: page.run(higher)))
    asked = "return performance.getEntriesByType('resource').filter(e => e.name.includes('/api/')).length"
    page.run("performance.clearResourceTimings()")
    time.sleep(2.5)
    while_open = page.run(asked)
    page.run("document.getElementById('panel-title').focus()")
    page.key(ESCAPE)
    that("Escape closes it", page.run("return document.getElementById('panel').hidden"))
    time.sleep(0.5)
    page.run("performance.clearResourceTimings()")
    time.sleep(3)
    that("and nothing is asked for any more", while_open > 0 and page.run(asked) == 0, (while_open, page.run(asked)))
    page.key("a")
    # The login form's 401, the refusal, and the test pattern, which has no controls.
    others = [line for line in page.errors() if not any(status in line for status in ["400", "401", "503"])]
    that("the console has no complaint but of refusals", not others, others)


def limits_another(daemon, page):
    """What one viewer gets at most, set by an operator and taken off again."""
    client = lambda: min(daemon.stats()["clients"], key=lambda client: client["id"])
    row = f"document.querySelector(`#panel-clients [data-client='{client()['id']}']`)"
    said = lambda: page.run(f"return {row}?.querySelector('summary').textContent")
    that("a viewer has no limit", until(lambda: said() == "Limit"), said())
    page.run(f"{row}.querySelector('summary').click()")
    select = f"const select = {row}.querySelector('[data-field=client-fps] select');"
    choose = f"{select} select.value = arguments[0]; select.dispatchEvent(new Event('change'))"
    in_sight = f"{select} return select.offsetWidth > 0"
    that("its limits can be opened", until(lambda: page.run(in_sight)))
    page.run(choose, 5)
    that("a choice limits it", until(lambda: client()["set"]["fps"] == 5), client()["set"])
    that("which is seen", until(lambda: said() == "Limited to 5.0 fps"), said())
    fps = lambda: client()["feeds"][0]["fps"]
    that("and holds", until(lambda: 3.5 <= fps() <= 6.5), fps())
    daemon.ctl("set", "quality", "33", "--client", str(client()["id"]))
    that("what is set elsewhere is seen, too", until(lambda: said() == "Limited to 5.0 fps, quality 33"), said())
    shown = f"return {row}.querySelector('[data-field=client-quality] select').selectedOptions[0]?.text"
    that("and chosen", page.run(shown) == "33", page.run(shown))
    page.run(choose, 0)
    lifted = until(lambda: client()["set"]["fps"] == 0 and said() == "Limited to quality 33")
    that("no limit takes it off", lifted, (client()["set"], said()))


def disconnects(daemon, page, other):
    """By a second press, and no other."""
    button = "return document.querySelector(`#panel-clients [data-client='${arguments[0]}'] button`)"
    ids = lambda: [client["id"] for client in daemon.stats()["clients"]]
    other_id = min(ids())
    until(lambda: page.run(button, other_id))
    page.run(button, other_id).click()
    time.sleep(0.5)
    that("one press disconnects nobody", other_id in ids(), ids())
    page.run(button, other_id).click()
    that("the second one does", until(lambda: other.state() == "ended"), other.state())
    that("and the client is gone from the list", until(lambda: not page.run(button, other_id)))


def own_controls():
    """A camera's own controls, by the names that its driver gives them."""
    devices = Devices()
    with Daemon({"front": f'device = "{devices.path}"'}, devices=devices) as daemon:
        controls = lambda: json.loads(daemon.ctl("controls", "--json")[1])["controls"]
        value = lambda name: next(c["value"] for c in controls() if c["name"] == name)
        with Page(f"{daemon.address}/#front") as page:
            until(lambda: page.drawn() > 5)
            page.key("a")
            field = lambda name, inside: f"[data-field='{name}'] {inside}"
            there = lambda selector: page.run("return !!document.querySelector(arguments[0])", selector)
            slider = field("brightness", "[type=range]")
            that("the camera's controls are there", until(lambda: there(slider)), daemon.log())
            kinds = [field("horizontal-flip", "[type=checkbox]"), field("power-line-frequency", "select")]
            that("by their kinds", all(there(kind) for kind in kinds))
            shows = lambda selector: page.run("return document.querySelector(arguments[0]).value", selector)
            change = """const input = document.querySelector(arguments[0]);
                input.value = arguments[1];
                for (const type of ['input', 'change']) input.dispatchEvent(new Event(type))"""
            page.run(change, slider, "200")
            that("a slider sets one", until(lambda: value("brightness") == "200"), value("brightness"))
            page.run("document.querySelector(arguments[0]).click()", kinds[0])
            that("a switch does", until(lambda: value("horizontal-flip") == "true"), value("horizontal-flip"))
            daemon.ctl("set", "control", "brightness=77")
            that("what another sets shows up", until(lambda: shows(slider) == "77"), shows(slider))
            page.run("document.querySelector(arguments[0]).click()", field("brightness", "button"))
            that("and goes back to its default", until(lambda: value("brightness") == "128"), value("brightness"))


class NoWebSocket:
    """A proxy of the kind that lets no WebSocket through."""

    def __init__(self, port):
        self.to = port
        self.lets_through = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = client.recv(65536)
        if head.startswith(b"GET /ws") and not self.lets_through:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self.to))
        if head.startswith(b"GET /ws"):
            threading.Thread(target=self.copy, args=(client, server), daemon=True).start()
        else:
            head = re.sub(rb"\r\nConnection: [^\r]*", b"\r\nConnection: close", head)
        server.sendall(head)
        self.copy(server, client)

    @staticmethod
    def copy(server, client):
        try:
            while chunk := server.recv(65536):
                client.sendall(chunk)
        except OSError:
            pass
        client.close()
        server.close()


def without_websocket(daemon):
    proxy = NoWebSocket(daemon.port)
    with Page(f"http://127.0.0.1:{proxy.port}/#front") as page:
        that("without WebSocket it falls back", until(lambda: page.state() == "plain", 30), page.state())
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
        page.key(" ")
        proxy.lets_through = True
        that("it is left when a WebSocket comes through", until(lambda: page.state() == "live", 40), page.state())


class Panel(http.server.BaseHTTPRequestHandler):
    """Somebody else's page, with the stream in an <img>."""

    page = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!doctype html>{self.page}".encode())

    def log_message(self, *_):
        pass


def embedded_stream(daemon):
    """As panels embed it; each picture must show when it comes, not when the next one does."""
    Panel.page = f"<img src='{daemon.address}/?action=stream&fps=1'>"
    panel = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Panel)
    threading.Thread(target=panel.serve_forever, daemon=True).start()
    with Page(f"http://127.0.0.1:{panel.server_port}/") as page:
        shown = until(lambda: page.run("return document.querySelector('img').naturalWidth") == 640)
        that("another page's <img> shows the stream", shown)
        client = daemon.state()["result"]["stream"]["clients_stat"]
        ahead = [c["advance_headers"] for c in client.values()]
        that("Chromium gets headers ahead, unasked", ahead == [True], client)
    panel.shutdown()
