"""By which way the page's pictures come: WebSocket or WebRTC, by hand and by itself; and its sound."""

import glob
import os
import re
import socket
import tempfile
import threading
import time

import check
from browser import logged_in, number, opened, shot
from check import Daemon, that, until
from chromium import Page

CHOOSE = """const choice = document.getElementById('codec');
    choice.value = arguments[0]; choice.dispatchEvent(new Event('change', { bubbles: true }))"""

#: Chromium with this sends no datagrams, as behind a firewall that lets none through.
NO_UDP = "--webrtc-ip-handling-policy=disable_non_proxied_udp"

#: Notes each state that a picture has from now on.
NOTE_STATES = """window.states = [];
    new MutationObserver(() => states.push(document.querySelector('.tile').dataset.state))
        .observe(document.querySelector('.tile'), { attributeFilter: ['data-state'] })"""


def run():
    with daemon_with_webrtc() as daemon:
        by_hand(daemon)
        several(daemon)
        limits(daemon)
        kicked(daemon)
        restart(daemon)
        slow_link(daemon)
        slow_link_without_udp(daemon)
    without_signal()
    without_webrtc()
    with_a_token()
    sound()


def daemon_with_webrtc(cameras=None, http=""):
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Daemon(cameras, http=http, tables=f'[webrtc]\nlisten = "127.0.0.1:{port}"')


def sessions(daemon):
    """The cameras that are watched by WebRTC."""
    clients = daemon.stats()["clients"]
    return sorted(client["feeds"][0]["camera"] for client in clients if client["transport"] == "webrtc")


def way(page):
    return page.figure("way") or ""


def by_hand(daemon):
    with tempfile.TemporaryDirectory() as downloads:
        with Page(f"{daemon.address}/#front", downloads=downloads) as page:
            opened(page)
            unasked = until(lambda: "good enough" in way(page)) and not sessions(daemon)
            that("unasked, pictures come over the WebSocket", unasked, way(page))
            page.run(NOTE_STATES)
            page.run(CHOOSE, "webrtc")
            that("WebRTC comes where it is chosen", until(lambda: way(page) == "WebRTC: as chosen"), way(page))
            that("and the daemon knows", sessions(daemon) == ["front"], daemon.stats()["clients"])
            before = page.drawn()
            that("it is drawn", until(lambda: page.drawn() > before + 30), (before, page.drawn()))
            bars = shot(page)[60:400, 100:800]
            that("and shows the picture", bars.std() > 40, bars.std())
            rates = until(lambda: 27 <= number(page.figure("fps")) <= 32)
            that("as often as the camera has one", rates, page.figure("fps"))
            that("and says how old it is", until(lambda: 0 < (number(page.figure("age")) or 0) < 200), page.figure("age"))
            feeds = [c["feeds"][0] for c in daemon.stats()["clients"] if c["transport"] == "websocket"]
            that("the WebSocket has a small one a second", feeds[0]["width"] <= 160, feeds)
            page.key("w")
            found = until(lambda: glob.glob(f"{downloads}/front-*.jpg"))
            that("W saves it", bool(found), os.listdir(downloads))
            if found:
                with open(found[0], "rb") as file:
                    that("at its size", check.jpeg_size(file.read()) == (640, 480))
            page.key("+")
            film = "return document.querySelector('.film').style.transform"
            that("it is zoomed as ever", "scale(1.35)" in page.run(film), page.run(film))
            page.key("-")
            pauses(daemon, page)
            page.run("states.length = 0")
            page.run(CHOOSE, "jpeg")
            that("JPEG comes again where that is chosen", until(lambda: way(page) == "WebSocket: as chosen"), way(page))
            that("and the session is over", until(lambda: not sessions(daemon)), sessions(daemon))
            gone = until(lambda: page.run("return !document.querySelector('.over')"))
            that("and nothing lies over the picture", gone)
            that("which was live all the time", set(page.run("return states")) <= {"live"}, page.run("return states"))
            records(page, downloads)
            complaints = page.errors()
            that("the console has no complaint", not complaints, complaints)


def pauses(daemon, page):
    page.key(" ")
    that("paused, nothing is sent", until(lambda: page.state() == "paused" and not sessions(daemon)), sessions(daemon))
    still = shot(page)[60:400, 100:800]
    time.sleep(1)
    stays = still.std() > 20 and (still == shot(page)[60:400, 100:800]).all()
    that("and the picture stays", stays, still.std())
    page.key(" ")
    back = until(lambda: page.state() == "live" and way(page) == "WebRTC: as chosen")
    that("it goes on", back, (page.state(), way(page)))


def records(page, downloads):
    """What is recorded is made of the WebSocket's pictures, at their size from the first one on."""
    page.run(CHOOSE, "webrtc")
    until(lambda: way(page) == "WebRTC: as chosen")
    page.key("c")
    said = until(lambda: "film" in way(page))
    that("a clip is made of what comes over the WebSocket", said, way(page))
    time.sleep(2)
    page.key("c")
    found = until(lambda: glob.glob(f"{downloads}/front-*.mp4") + glob.glob(f"{downloads}/front-*.webm"))
    _, out, why = check.command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                                "stream=width,height", "-of", "csv=p=0", *found[:1])
    that("at its size", out.decode().strip().rstrip(",") == "640,480", (out, why))
    that("and then WebRTC goes on", until(lambda: way(page) == "WebRTC: as chosen"), way(page))


def several(daemon):
    with Page(f"{daemon.address}/") as page:
        until(lambda: page.drawn() > 5)
        page.run(CHOOSE, "webrtc")
        both = until(lambda: sessions(daemon) == ["front", "side"])
        that("several cameras have a session each", both, sessions(daemon))
        until(lambda: page.run("return document.querySelectorAll('video.over').length") == 2)
        before = page.drawn("front"), page.drawn("side")
        goes_on = until(lambda: page.drawn("front") > before[0] + 10 and page.drawn("side") > before[1] + 10)
        that("and are drawn", goes_on, before)
        page.key("1")
        that("of one that is no longer shown, it ends", until(lambda: sessions(daemon) == ["front"]), sessions(daemon))
        page.driver.refresh()
        that("the choice is kept", until(lambda: page.run("return document.querySelectorAll('video.over').length") == 1))
        page.driver.get("about:blank")
        that("who leaves the page leaves no session", until(lambda: not sessions(daemon), 5), sessions(daemon))


def limits(daemon):
    with Page(f"{daemon.address}/#front") as page:
        opened(page)
        page.run(CHOOSE, "webrtc")
        until(lambda: way(page).startswith("WebRTC"))
        page.run("""document.getElementById('limit-width').value = 320;
            document.getElementById('limits').dispatchEvent(new Event('change'))""")
        small = until(lambda: page.figure("picture").startswith("320×240") and way(page).startswith("WebRTC"))
        that("a limit of 320 pixels holds for WebRTC", small, (page.figure("picture"), way(page)))
        that("by one session", until(lambda: sessions(daemon) == ["front"]), sessions(daemon))


def kicked(daemon):
    with Page(f"{daemon.address}/#front") as page:
        opened(page)
        page.run(CHOOSE, "webrtc")
        until(lambda: way(page).startswith("WebRTC"))
        # One of the check before may be there for a moment yet.
        client = max(c["id"] for c in daemon.stats()["clients"] if c["transport"] == "webrtc")
        daemon.ctl("kick", str(client))
        said = until(lambda: "has lost its connection" in way(page))
        that("when WebRTC breaks off, the page says so", said, way(page))
        before = page.drawn()
        goes_on = until(lambda: page.drawn() > before + 10 and page.state() == "live")
        that("and pictures come over the WebSocket", goes_on, (page.drawn(), page.state()))
        that("and WebRTC is tried again", until(lambda: way(page) == "WebRTC: as chosen", 30), way(page))


def restart(daemon):
    with Page(f"{daemon.address}/#front") as page:
        opened(page)
        page.run(CHOOSE, "webrtc")
        until(lambda: way(page).startswith("WebRTC"))
        daemon.stop()
        gone = until(lambda: page.state() == "offline")
        that("when the daemon stops, the page says so", gone, page.state())
        daemon.start()
        back = until(lambda: page.state() == "live" and way(page) == "WebRTC: as chosen", 40)
        that("after a restart WebRTC goes on", back, (page.state(), way(page)))
        before = page.drawn()
        that("and is drawn", until(lambda: page.drawn() > before + 10), (before, page.drawn()))


class Narrow:
    """A proxy whose way to the browser is narrow, for TCP."""

    #: Bytes a second, and at once.
    rate, piece = 60_000, 3_000

    def __init__(self, port):
        self.to = port
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        #: The page's own files need not crawl.
        self.is_narrow = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            server.connect(("127.0.0.1", self.to))
            threading.Thread(target=self.copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, True), daemon=True).start()

    def copy(self, source, target, may_be_narrow):
        try:
            while chunk := source.recv(self.piece):
                target.sendall(chunk)
                if may_be_narrow and self.is_narrow:
                    time.sleep(len(chunk) / self.rate)
        except OSError:
            pass
        for end in [source, target]:
            end.close()


def slow_link(daemon):
    proxy = Narrow(daemon.port)
    with Page(f"http://127.0.0.1:{proxy.port}/#front") as page:
        opened(page)
        until(lambda: page.drawn() > 10)
        page.run(NOTE_STATES)
        proxy.is_narrow = True
        goes_over = until(lambda: way(page) == "WebRTC: the link is slow or loses packets", 40)
        that("where the link stays slow, the page goes over to WebRTC, and says why", goes_over, way(page))
        rates = until(lambda: 25 <= (number(page.figure("fps")) or 0) <= 33)
        that("and the picture is fluent", rates, page.figure("fps"))
        states = set(page.run("return states"))
        that("and was never gone", states <= {"live", "late"}, states)


def slow_link_without_udp(daemon):
    proxy = Narrow(daemon.port)
    with Page(f"http://127.0.0.1:{proxy.port}/#front", words=[NO_UDP]) as page:
        opened(page)
        until(lambda: page.drawn() > 10)
        proxy.is_narrow = True
        stays = until(lambda: "is UDP blocked?" in way(page), 60)
        that("where no datagram comes through, the page stays on the WebSocket and says so", stays, way(page))
        that("and does not try again at once", re.search("next attempt in [45] min", way(page)), way(page))
        before = page.drawn()
        that("and has pictures", until(lambda: page.drawn() > before + 10), (before, page.drawn()))
        that("and leaves no session", until(lambda: not sessions(daemon), 30), sessions(daemon))


def without_signal():
    with daemon_with_webrtc({"front": 'device = "/dev/no-such-camera"'}) as daemon:
        with Page(f"{daemon.address}/#front") as page:
            until(lambda: page.state() == "lost")
            page.run(CHOOSE, "webrtc")
            until(lambda: sessions(daemon) == ["front"])
            time.sleep(3)
            said = page.state() == "lost" and "no such device" in page.says()
            that("by WebRTC, too, a camera without signal has none, and why", said, (page.state(), page.says()))


def without_webrtc():
    with Daemon({"front": 'size = "320x240"'}) as daemon:
        with Page(f"{daemon.address}/#front") as page:
            opened(page)
            page.run(CHOOSE, "webrtc")
            said = until(lambda: way(page) == "WebSocket: this server offers no WebRTC")
            that("where there is no WebRTC, the page says so", said, way(page))
            that("and has pictures", until(lambda: page.state() == "live"), page.state())
            that("and asks for none", not page.errors(), page.errors())


def with_a_token():
    with daemon_with_webrtc({"front": 'size = "320x240"'}) as daemon:
        _, token, _ = daemon.ctl("token", "add", "tablet")
        with Page(f"{daemon.address}/#front") as page:
            logged_in(page, token.decode().strip())
            opened(page)
            page.run(CHOOSE, "webrtc")
            that("who has logged in has WebRTC", until(lambda: way(page) == "WebRTC: as chosen"), way(page))
            client = next(c for c in daemon.stats()["clients"] if c["transport"] == "webrtc")
            that("by that token", client.get("login") == "tablet", client)
            daemon.ctl("token", "revoke", "tablet")
            that("and no more when it is revoked", until(lambda: not sessions(daemon)), sessions(daemon))


#: The test tone sounds for 0.1 s of each second.
TONE = 'size = "320x240"\n[camera.{0}.audio]\ndevice = "test"'


def sound():
    """Off at first; on, it comes by WebRTC and is seen to come."""
    with daemon_with_webrtc({"front": TONE.format("front"), "side": 'size = "320x240"'}) as daemon:
        listeners = lambda: daemon.stats()["cameras"][0]["sound"]["listeners"]
        with Page(f"{daemon.address}/#front") as page:
            opened(page)
            offered = lambda: page.run("return !document.getElementById('sound').hidden")
            that("a camera with sound has a button for it", until(offered))
            off = page.figure("sound") == "off" and listeners() == 0 and not sessions(daemon)
            that("which is off at first, and nobody listens", off, (page.figure("sound"), listeners()))
            page.key("s")
            that("S turns it on, by WebRTC", until(lambda: way(page) == "WebRTC: for the sound"), way(page))
            that("the daemon knows of a listener", until(lambda: listeners() == 1), listeners())
            heard = """const video = document.querySelector('video.over');
                const [track] = video.srcObject.getAudioTracks();
                return track && track.readyState === 'live' && !video.muted && !video.paused"""
            that("it is heard", until(lambda: page.run(heard)))
            loud = until(lambda: (number(page.figure("sound").replace("−", "")) or 100) < 40)
            that("the tone is seen in figures", loud, page.figure("sound"))
            level = """return Number.parseInt(document.getElementById('level').style.getPropertyValue('--level'))"""
            seen = set()
            moves = until(lambda: seen.add(page.run(level)) or (min(seen) < 10 and max(seen) > 40))
            that("and by the meter, which moves with it", moves, seen)
            that("the picture is live", page.state() == "live", page.state())
            page.key("s")
            off = until(lambda: not sessions(daemon) and listeners() == 0)
            that("S turns it off, and the WebSocket goes on", off and way(page).startswith("WebSocket"), way(page))
            page.run(CHOOSE, "webrtc")
            until(lambda: way(page) == "WebRTC: as chosen")
            page.run("document.getElementById('sound').click()")
            that("the button does, too", until(lambda: listeners() == 1), listeners())
            page.run("document.getElementById('sound').click()")
            silent = until(lambda: listeners() == 0 and way(page) == "WebRTC: as chosen")
            that("and WebRTC goes on without it where it was chosen", silent, (listeners(), way(page)))
            page.key("2")
            that("a camera without sound has no such button", until(lambda: page.shown() == ["side"] and not offered()))
            that("the console has no complaint", not page.errors(), page.errors())
    with Daemon({"front": TONE.format("front")}) as daemon:
        with Page(f"{daemon.address}/#front") as page:
            opened(page)
            said = until(lambda: page.figure("sound") == "needs WebRTC")
            that("where there is no WebRTC, the details say what sound needs", said, page.figure("sound"))
