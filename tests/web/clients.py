"""The programs that people already have, reading `/stream` and `/snapshot`."""

import asyncio
import functools
import http.cookies
import http.server
import json
import os
import re
import subprocess
import threading

import aiohttp
import cv2

import check
from check import Daemon, that
from chromium import Page

#: Where OctoPrint is kept between two runs.
KEPT = os.environ.get("STREAMD_OCTOPRINT", "/var/tmp/streamd-octoprint")


def run():
    with Daemon() as daemon:
        curl(daemon)
        ffmpeg(daemon)
        gstreamer(daemon)
        mpv(daemon)
        opencv(daemon)
        asyncio.run(kvmd(daemon))
        octoprint(daemon)
    python_client()
    javascript_client()
    webrtc()


def curl(daemon):
    code, out, _ = check.command("curl", "-s", "--max-time", "2", f"{daemon.address}/stream")
    parts = out.split(b"--boundarydonotcross\r\n")
    sizes = []
    for part in parts[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)\r\n", head + b"\r\n")
        whole = length and int(length[1]) == len(body) - 2 and check.jpeg_size(body[:-2])
        sizes.append(whole)
    right = len(sizes) > 40 and set(sizes) == {(640, 480)}
    that("curl: whole parts with the right length", code == 28 and right, (code, sizes[:3], len(sizes)))
    _, out, _ = check.command(
        "curl", "-s", "--max-time", "1", "-A", "Chrome/130", f"{daemon.address}/stream?zero_data=1"
    )
    ahead = out.endswith(b"--boundarydonotcross\r\nContent-Type: image/jpeg\r\n" + out[out.rfind(b"X-Timestamp"):])
    that("curl as a browser: the next headers are sent ahead", ahead and out.endswith(b"\r\n\r\n"), out[-300:])
    _, out, _ = check.command("curl", "-s", "--max-time", "2", f"{daemon.address}/stream?fps=5&max_width=320")
    small = [check.jpeg_size(p.partition(b"\r\n\r\n")[2][:-2]) for p in out.split(b"--boundarydonotcross\r\n")[1:-1]]
    right = 7 <= len(small) <= 12 and set(small) == {(320, 240)}
    that("curl: fps and max_width in the address", right, small)


def ffmpeg(daemon):
    for reader, options in [("mpjpeg", ["-f", "mpjpeg"]), ("its own guess", [])]:
        words = ["-v", "error", *options, "-i", f"{daemon.address}/stream", "-frames:v", "30"]
        code, _, said = check.command("ffmpeg", *words, "-f", "null", "-")
        that(f"ffmpeg, {reader}: 30 frames", code == 0 and not said, said)
    shown = ("-show_entries", "stream=codec_name,width,height", "-of", "json")
    code, out, said = check.command("ffprobe", "-v", "error", *shown, f"{daemon.address}/?action=stream")
    streams = json.loads(out or "{}").get("streams")
    that("ffprobe: mjpeg, 640x480", streams == [{"codec_name": "mjpeg", "width": 640, "height": 480}], said or out)
    address = f"{daemon.address}/stream.h264"
    code, _, said = check.command("ffmpeg", "-v", "error", "-i", address, "-frames:v", "30", "-f", "null", "-")
    that("ffmpeg: 30 frames of H.264", code == 0 and not said, said)
    shown = ("-show_entries", "stream=codec_name,profile,width,height,has_b_frames,color_range", "-of", "json")
    code, out, said = check.command("ffprobe", "-v", "error", *shown, address)
    streams = json.loads(out or "{}").get("streams")
    wanted = {"codec_name": "h264", "profile": "Constrained Baseline", "width": 640, "height": 480, "has_b_frames": 0, "color_range": "pc"}
    that("ffprobe: H.264 as every player takes it", streams == [wanted], said or out)


def gstreamer(daemon):
    pipeline = f"souphttpsrc location={daemon.address}/stream num-buffers=400 ! multipartdemux ! jpegdec ! fakesink"
    code, out, said = check.command("gst-launch-1.0", "-q", *pipeline.split())
    that("GStreamer: multipartdemux and jpegdec", code == 0 and "rror" not in said, said or out)


def mpv(daemon):
    words = ["--no-config", "--vo=null", "--ao=null", "--frames=30", f"{daemon.address}/stream"]
    code, out, said = check.command("mpv", *words)
    that("mpv: 30 frames", code == 0 and b"mjpeg" in out, out.decode() + said)


def opencv(daemon):
    capture = cv2.VideoCapture(f"{daemon.address}/stream?fps=15")
    frames = [capture.read() for _ in range(15)]
    capture.release()
    shapes = {frame.shape for good, frame in frames if good}
    that("OpenCV: VideoCapture", all(good for good, _ in frames) and shapes == {(480, 640, 3)}, shapes)
    moved = any((a != b).any() for (_, a), (_, b) in zip(frames, frames[1:]))
    that("OpenCV: and the picture moves", moved)


async def kvmd(daemon):
    """As PiKVM's kvmd reads a stream: aiohttp's multipart reader, and the extra headers of each part."""
    async with aiohttp.ClientSession() as session:
        address = f"{daemon.address}/stream?extra_headers=1&key=kvmd"
        async with session.get(address) as answer:
            reader = aiohttp.MultipartReader.from_response(answer)
            heads = []
            for _ in range(20):
                part = await reader.next()
                heads.append(part.headers)
                jpeg = bytes(await part.read())
            cookie = http.cookies.SimpleCookie(answer.headers["Set-Cookie"])["stream_client"].value
            state = await asyncio.to_thread(daemon.state)
    last = heads[-1]
    right = last["X-UStreamer-Online"] == "true" and check.jpeg_size(jpeg) == (640, 480)
    right &= int(last["X-UStreamer-Width"]) == 640 and int(last["X-UStreamer-Client-FPS"]) > 0
    right &= 0 < float(last["X-UStreamer-Latency"]) < 1
    that("aiohttp as kvmd uses it: parts and their headers", right, dict(last))
    times = [last[f"X-UStreamer-{name}-Time"] for name in
             ("Grab-Begin", "Grab-End", "Encode-Begin", "Encode-End", "Expose-Begin", "Expose-Cmp", "Expose-End", "Send")]
    that("the times of a frame are in order", times == sorted(times, key=float), times)
    key, _, number = cookie.partition("/")
    client = state["result"]["stream"]["clients_stat"].get(number, {})
    that("the cookie finds the client in /state", key == client.get("key") == "kvmd", (cookie, state))
    that("and what it asked for", client.get("extra_headers") is True, client)


#: OctoPrint's own plug-in for webcams, taking a snapshot by its own code with the URL its users enter.
OCTOPRINT = """
import logging, sys, threading
from octoprint.plugins.classicwebcam import ClassicWebcamPlugin
class Settings:
    values = {"snapshot": sys.argv[1], "snapshotAuth": "none", "snapshotTimeout": 5, "snapshotSslValidation": True}
    def get(self, path, **_): return self.values.get(path[0])
    get_int = get_boolean = get
plugin = ClassicWebcamPlugin()
plugin._settings = Settings()
plugin._logger = logging.getLogger()
plugin._webcam_name = "classic"
plugin._capture_mutex = threading.Lock()
sys.stdout.buffer.write(b"".join(plugin.take_webcam_snapshot("classic")))
"""


def octoprint(daemon):
    python = f"{KEPT}/bin/python"
    if check.command(python, "-c", "import octoprint")[0] != 0:
        check.command("/usr/bin/python3", "-m", "venv", KEPT, seconds=120)
        check.command(f"{KEPT}/bin/pip", "install", "-q", "octoprint", seconds=300)
    address = f"{daemon.address}/?action=snapshot"
    code, out, said = check.command(python, "-c", OCTOPRINT, address, seconds=60)
    that("OctoPrint: its webcam plug-in takes a snapshot", code == 0 and check.jpeg_size(out) == (640, 480), said)


def python_client():
    """Our own client's tests, which start daemons of their own."""
    folder = os.path.abspath("clients/python")
    environment = {**os.environ, "PYTHONPATH": f"{folder}/src", "STREAMD": os.path.abspath(f"{check.BUILD}/streamd")}
    words = ["/usr/bin/python3", "-B", "-m", "unittest", "discover", "-s", f"{folder}/tests"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=180)
    ran = re.search(r"Ran (\d+) tests", done.stderr)
    that("streamd-client for Python: its tests", done.returncode == 0 and ran and int(ran[1]) > 20, done.stderr[-2000:])


#: A page of somebody else's, with our module.
PAGE = """<!doctype html><meta charset=utf-8><title>A page of somebody else's</title><canvas></canvas>
<script type=module>
import { Camera, frames } from "./index.js";
window.Camera = Camera;
window.frames = frames;
window.camera = new Camera("ADDRESS", { canvas: document.querySelector("canvas"), maxWidth: 320 });
</script>"""


class Files(http.server.SimpleHTTPRequestHandler):
    """The module's folder, and the page at its root."""

    page = ""

    def do_GET(self):
        if self.path != "/":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        return self.wfile.write(self.page.encode())

    def log_message(self, *_):
        pass


def javascript_client():
    """Our module in a page from another origin."""
    folder = os.path.abspath("clients/js")
    code, _, said = check.command(f"{folder}/build")
    if not that("streamd-client for JavaScript is built", code == 0, said):
        return
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    with Daemon(http=f'allowed-origins = ["{origin}"]') as daemon:
        Files.page = PAGE.replace("ADDRESS", daemon.address)
        with Page(origin) as page:
            live = check.until(lambda: page.run("return camera.figures?.state === 'live' && camera.figures.fps > 5"))
            figures = page.run("return {...camera.figures, name: camera.name, connection: camera.connection}")
            that("its camera is live in a page of another origin", live, figures or page.driver.get_log("browser"))
            size = page.run("const c = document.querySelector('canvas'); return [c.width, c.height]")
            that("the canvas has the size asked for", size == [320, 240], size)
            right = figures and figures["name"] == "front" and 0 < (figures["latency"] or 0) < 5000
            that("the latency is that from the capture", right, figures)
            page.run("camera.want({ maxWidth: 0 })")
            larger = "return document.querySelector('canvas').width === 640"
            that("what is asked for can be changed", check.until(lambda: page.run(larger)))
            saved = page.driver.execute_async_script("camera.save().then((b) => arguments[0]([b?.type, b?.size > 1000]))")
            that("a picture can be saved", saved == ["image/jpeg", True], saved)
            refused = page.run("try { camera.want({ fps: -1 }) } catch (e) { return e.message }")
            that("what can't be is refused by name", refused == "fps is -1: 0.1 to 1000, or 0 for no limit", refused)
            script = """
                const done = arguments[0], got = [];
                (async () => {
                    for await (const frame of frames("ADDRESS", { name: "side" })) {
                        got.push([frame.sequence, frame.camera, frame.jpeg[0], frame.latency !== null]);
                        if (got.length === 8) return done(got);
                    }
                })().catch((error) => done(error.message));
            """
            got = page.driver.execute_async_script(script.replace("ADDRESS", daemon.address))
            numbers = [frame[0] for frame in got]
            right = numbers == sorted(set(numbers)) and all(frame[1:3] == ["side", 255] for frame in got) and got[-1][3]
            that("frames() gives the newest picture, again and again", right, got)
            page.run("camera.close()")
            that("closed, it is gone", check.until(lambda: not daemon.state()["result"]["stream"]["clients_stat"]))
            errors = [line for line in page.driver.get_log("browser") if line["level"] == "SEVERE" and "favicon" not in line["message"]]
            that("the browser's console has no errors", not errors, errors)
    server.shutdown()


#: As the reference has it, with sound if it is wanted, and the first picture waited for.
WEBRTC = """
    const [sound, done] = arguments;
    (async () => {
        const pc = (window.pc = new RTCPeerConnection());
        const video = (window.video = document.createElement("video"));
        video.muted = video.autoplay = true;
        document.body.append(video);
        pc.addTransceiver("video", { direction: "recvonly" });
        if (sound) pc.addTransceiver("audio", { direction: "recvonly" });
        pc.ontrack = ({ streams }) => { video.srcObject = streams[0]; };
        await pc.setLocalDescription();
        const answer = await fetch("/whep/front", {
            method: "POST",
            headers: { "Content-Type": "application/sdp" },
            body: pc.localDescription.sdp,
        });
        const sdp = await answer.text();
        if (answer.status !== 201) return done([answer.status, sdp]);
        window.session = answer.headers.get("Location");
        await pc.setRemoteDescription({ type: "answer", sdp });
        await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
        done([answer.status, video.videoWidth, video.videoHeight]);
    })().catch((error) => done([String(error)]));
"""

#: What the browser says of what it gets.
INBOUND = """
    const done = arguments[0];
    pc.getStats().then((all) => done(Object.fromEntries([...all.values()]
        .filter((one) => one.type === "inbound-rtp").map((one) => [one.kind, one]))));
"""


def webrtc():
    """WebRTC in a browser."""
    port = check.free_port()
    with Daemon(http=f'[webrtc]\nlisten = "127.0.0.1:{port}"') as daemon:
        with Page(f"{daemon.address}/state") as page:
            first = page.driver.execute_async_script(WEBRTC, False)
            that("WebRTC: Chromium shows the camera", first == [201, 640, 480], first)
            inbound = lambda: page.driver.execute_async_script(INBOUND)["video"]
            many = check.until(lambda: inbound()["framesDecoded"] > 60)
            seen = inbound()
            that("WebRTC: and goes on", many and seen["packetsLost"] == 0, seen)
            held = seen["jitterBufferDelay"] / max(seen["jitterBufferEmittedCount"], 1)
            that("WebRTC: pictures are not held back", held < 0.1, seen)
            clients = daemon.stats()["clients"]
            that("WebRTC: it is a client like others", [c["transport"] for c in clients] == ["webrtc"], clients)
            ended = "const done = arguments[0]; fetch(session, { method: 'DELETE' }).then((answer) => done(answer.status))"
            that("WebRTC: its session can be ended", page.driver.execute_async_script(ended) == 200)
            that("WebRTC: and is gone then", check.until(lambda: not daemon.stats()["clients"]))
    sound = f'[webrtc]\nlisten = "127.0.0.1:{port}"\n[camera.front.audio]\ndevice = "test"\n'
    with Daemon(http=sound) as daemon:
        with Page(f"{daemon.address}/state") as page:
            first = page.driver.execute_async_script(WEBRTC, True)
            that("WebRTC: Chromium shows a camera with sound", first == [201, 640, 480], first)
            inbound = lambda: page.driver.execute_async_script(INBOUND)
            apart = lambda seen: abs(seen["audio"]["estimatedPlayoutTimestamp"] - seen["video"]["estimatedPlayoutTimestamp"])
            both = lambda seen: all(seen[kind].get("estimatedPlayoutTimestamp") for kind in ["audio", "video"])
            # Some sender reports have to come first, and then it holds pictures back little by little.
            in_step = lambda: both(inbound()) and apart(inbound()) < 40
            that("WebRTC: and plays both in step, within 40 ms", check.until(in_step, 60), inbound())
            heard = inbound()["audio"]
            that("WebRTC: sound has no gaps", heard["concealedSamples"] < 0.02 * heard["totalSamplesReceived"], heard)
    with Daemon(http=f'[webrtc]\nlisten = "127.0.0.1:{port}"') as daemon:
        with Page(f"{daemon.address}/state") as page:
            first = page.driver.execute_async_script(WEBRTC, True)
            that("WebRTC: who offers to hear gets pictures alone of a camera without sound", first == [201, 640, 480], first)
