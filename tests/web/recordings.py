"""Recordings: played by the programs that people have, cut off at any byte, and shown by the page in Chromium."""

import glob
import json
import os
import random
import re
import signal
import tempfile
import urllib.request

import check
from browser import axe_script
from check import Daemon, that, until
from chromium import PHONE, Page


def run():
    with tempfile.TemporaryDirectory(prefix="streamd-recordings-") as folder:
        keys = 'mode = "continuous", segment = "4s", min-free = "none"'
        record = f'record = {{ directory = "{folder}", {keys}'
        cameras = {
            "front": f'size = "320x240"\nfps = 15\n{record} }}',
            "side": f'size = "320x240"\nfps = 15\n{record}, codec = "jpeg", timelapse = "500ms" }}',
        }
        with Daemon(cameras, '[camera.front.audio]\ndevice = "test"') as daemon:
            that("both cameras are recorded", until(lambda: all(len(whole(folder, name)) >= 2 for name in cameras), 60),
                 daemon.log())
            for name, codec in [("front", "h264"), ("side", "mjpeg")]:
                plays(folder, name, codec)
            in_step(folder)
            parts(daemon, folder)
            exported(daemon, folder)
            shows(daemon)
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait(10)
            for name in cameras:
                cut(folder, name)
            daemon.process = None
        disk(cameras)


def whole(folder, camera):
    return sorted(glob.glob(f"{folder}/{camera}/*/*_continuous.mp4"))


def probe(path):
    """What ffprobe says of a file: codec, size, seconds and how many pictures can be decoded."""
    words = ["-v", "error", "-count_frames", "-show_entries",
             "stream=codec_name,width,height,nb_read_frames:format=duration", "-of", "json", path]
    _, out, said = check.command("ffprobe", *words)
    found = json.loads(out or "{}")
    stream = (found.get("streams") or [{}])[0]
    return {
        "codec": stream.get("codec_name"),
        "size": (stream.get("width"), stream.get("height")),
        "frames": int(stream.get("nb_read_frames", 0)),
        "seconds": float(found.get("format", {}).get("duration", 0)),
        "said": said,
    }


def plays(folder, camera, codec):
    path = whole(folder, camera)[0]
    seen = probe(path)
    length = float(path.split("_")[-2].rstrip("s"))
    right = seen["codec"] == codec and seen["size"] == (320, 240) and not seen["said"]
    that(f"ffprobe reads {codec} without a word", right, seen)
    that(f"{codec}: as long as its name says", abs(seen["seconds"] - length) < 0.1, (seen, length))
    code, _, said = check.command("ffmpeg", "-v", "warning", "-ss", "2.5", "-i", path, "-fps_mode", "passthrough", "-f", "null", "-")
    that(f"{codec}: ffmpeg seeks in it", code == 0 and not said, said)


def in_step(folder):
    """Pictures and sound of the same moments lie beside each other, also where a file is cut off."""
    path = whole(folder, "front")[0]
    with open(path, "rb") as file:
        data = file.read()
    half = f"{folder}/half.mp4"
    with open(half, "wb") as file:
        file.write(data[: len(data) * 2 // 3])
    for what, path in [("whole", path), ("cut off", half)]:
        words = ["-v", "error", "-show_entries", "packet=codec_type,pts_time,duration_time", "-of", "json", path]
        _, out, said = check.command("ffprobe", *words)
        ends = {"video": (9e9, 0.0), "audio": (9e9, 0.0)}
        for packet in json.loads(out or "{}").get("packets", []):
            at = float(packet["pts_time"])
            first, last = ends[packet["codec_type"]]
            ends[packet["codec_type"]] = (min(first, at), max(last, at + float(packet.get("duration_time", 0))))
        video, audio = ends["video"], ends["audio"]
        right = abs(video[0] - audio[0]) < 1 and abs(video[1] - audio[1]) < (0.15 if what == "whole" else 1)
        that(f"{what}: ffprobe sees pictures and sound of the same time", right and audio[1] > 1, (ends, said))
        code, _, said = check.command("ffmpeg", "-v", "error", "-i", path, "-f", "null", "-")
        that(f"{what}: ffmpeg decodes both", code == 0 and (what != "whole" or not said), said)


def parts(daemon, folder):
    name = os.path.basename(whole(folder, "front")[0])
    request = urllib.request.Request(f"{daemon.address}/recordings/front/{name}", headers={"Range": "bytes=4-7"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        that("a part of it comes over HTTP", (answer.status, answer.read()) == (206, b"ftyp"), answer.headers)


def exported(daemon, folder):
    for camera, codec in [("front", "h264"), ("side", "mjpeg")]:
        path = f"{folder}/{camera}.mp4"
        code, _, said = daemon.ctl("record", "export", "--camera", camera, "--from", "1h", path)
        that(f"{codec}: streamctl joins them", code == 0, said)
        files = whole(folder, camera)
        sum_of = sum(probe(file)["frames"] for file in files[:2])
        seen = probe(path)
        right = seen["codec"] == codec and seen["frames"] >= sum_of and not seen["said"]
        that(f"{codec}: the whole plays, as long as its parts", right and seen["seconds"] >= 7.5, (seen, sum_of))
        query = "from=0&to=4000000000"
        with urllib.request.urlopen(f"{daemon.address}/recordings/{camera}/export.mp4?{query}", timeout=30) as answer:
            with open(path, "wb") as file:
                file.write(answer.read())
        seen = probe(path)
        that(f"{codec}: so does the one over HTTP", seen["frames"] >= sum_of and not seen["said"], (seen, sum_of))


def cut(folder, camera):
    """Cut at any byte, all but the last second plays; nothing is asked of the file's end."""
    part = glob.glob(f"{folder}/{camera}/*/*_continuous.part")
    that(f"{camera}: a file was being written", len(part) == 1, part)
    for path in part:
        with open(path, "rb") as file:
            data = file.read()
        # Those of pictures: sound has track 2.
        count = lambda data: len(re.findall(rb"tfhd....\x00\x00\x00\x01", data, re.DOTALL))
        fragments = count(data)
        for _ in range(4):
            end = random.randrange(len(data) // 3, len(data) + 1)
            with open(f"{folder}/cut.mp4", "wb") as file:
                file.write(data[:end])
            left = count(data[:end]) - 1
            seen = probe(f"{folder}/cut.mp4")
            that(f"{camera}: cut at byte {end} of {len(data)}, it plays", seen["frames"] >= max(left, 0) * 5 and
                 (seen["frames"] > 0 or left < 1), (seen, left, fragments))


SECONDS = "return [document.getElementById('video').currentTime, document.getElementById('video').error?.message ?? '']"


def shows(daemon):
    script = axe_script()
    for size in [(1280, 800), PHONE]:
        with Page(f"{daemon.address}/recordings?camera=front", size=size) as page:
            listed = lambda: page.run("return document.querySelectorAll('#list li').length")
            that("the day's recordings are listed", until(lambda: listed() >= 2), page.run("return document.body.innerText"))
            marks = page.run("return document.querySelectorAll('#marks i').length")
            that("and drawn on its timeline", marks >= 1, marks)
            page.run("document.querySelector('#list li:last-child button').click()")
            playing = lambda: page.run(SECONDS)[0] > 0.5
            that("Chromium plays H.264", until(playing, 20), page.run(SECONDS))
            wide = page.run("return document.documentElement.scrollWidth <= innerWidth")
            that("nothing is wider than the window", wide)
            page.run("const time = document.getElementById('time'); time.focus()")
            page.key("\ue012")
            before = page.run("return document.getElementById('clock').textContent")
            page.key("\ue014")
            after = page.run("return document.getElementById('clock').textContent")
            that("arrow keys go through the day", before != after, (before, after))
            page.run("const c = document.getElementById('camera'); c.value = 'side'; c.dispatchEvent(new Event('change'))")
            until(lambda: listed() >= 2 and page.run("return document.getElementById('video').hidden"))
            page.run("document.querySelector('#list li:last-child button').click()")
            drawn = "const c = document.getElementById('canvas'); return [c.hidden, c.width, c.height]"
            that("and the page plays JPEG by itself", until(lambda: page.run(drawn) == [False, 320, 240], 20), page.run(drawn))
            if script:
                page.run(script)
                found = page.driver.execute_async_script(
                    "axe.run().then(r => arguments[0](r.violations.map(v => [v.id, v.nodes.map(n => n.html)])))")
                that("axe-core finds nothing", not found, found)
            errors = [error for error in page.errors() if "ERR_" not in str(error)]
            that("the console has no complaint", not errors, errors)


def disk(cameras):
    """A disk that is full is said, costs no viewer anything, and recording comes back."""
    if os.geteuid() != 0:
        print("ok - a full disk # SKIP only root can mount one")
        return
    with tempfile.TemporaryDirectory(prefix="streamd-disk-") as folder:
        code, _, said = check.command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder)
        if code != 0:
            print(f"ok - a full disk # SKIP {said.strip()}")
            return
        try:
            record = f'record = {{ directory = "{folder}", mode = "continuous", min-free = "none" }}'
            with Daemon({"front": f'size = "320x240"\nfps = 15\n{record}'}) as daemon:
                state = lambda: daemon.stats()["cameras"][0]["recording"]
                until(lambda: state()["state"] == "recording")
                with open(f"{folder}/filler", "wb", buffering=0) as filler:
                    try:
                        while filler.write(bytes(4096)):
                            pass
                    except OSError:
                        pass
                full = until(lambda: "No space left" in state()["reason"], 30)
                that("a full disk is said", full, (state(), daemon.log()))
                before = daemon.state()["result"]["stream"]
                with urllib.request.urlopen(f"{daemon.address}/snapshot", timeout=5) as answer:
                    that("who watches does not notice", answer.status == 200, before)
                os.remove(f"{folder}/filler")
                that("and it is recorded again", until(lambda: state()["state"] == "recording", 30), state())
        finally:
            check.command("umount", folder)
