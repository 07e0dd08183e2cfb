"""The programs that people already have, playing rtsp:// of the real daemon."""

import json
import os
import re
import socket
import subprocess

import cv2

import check
from check import Daemon, that


def run():
    port = check.free_port()
    with Daemon(http=f'[rtsp]\nlisten = ["127.0.0.1:{port}"]') as daemon:
        address = f"rtsp://127.0.0.1:{port}"
        for way in ["tcp", "udp"]:
            for codec in ["h264", "jpeg"]:
                ffmpeg(address, way, codec)
                gstreamer(address, way, codec)
            opencv(address, way)
        recorder(address)
        frigate(address)
        mpv(address)
        seen(daemon, address)
        closed(daemon, address)
        wrong(port)


def ffmpeg(address, way, codec):
    words = ["-v", "warning", "-rtsp_transport", way, "-i", f"{address}/front?codec={codec}", "-frames:v", "30"]
    code, _, said = check.command("ffmpeg", *words, "-f", "null", "-")
    that(f"ffmpeg, {way}, {codec}: 30 frames without a word", code == 0 and not said, said)
    shown = ("-show_entries", "stream=codec_name,width,height", "-of", "json")
    words = ["-v", "error", "-rtsp_transport", way, *shown, f"{address}/side/{codec}"]
    code, out, said = check.command("ffprobe", *words)
    streams = json.loads(out or "{}").get("streams")
    name = {"jpeg": "mjpeg"}.get(codec, codec)
    right = streams == [{"codec_name": name, "width": 320, "height": 240}]
    that(f"ffprobe, {way}, {codec}: 320x240", right, said or out)


#: What GStreamer is told to make of each coding; a decoder of H.264 is in another package.
DEPAY = {"jpeg": "rtpjpegdepay ! jpegdec", "h264": "rtph264depay ! video/x-h264,alignment=au,stream-format=byte-stream"}


def gstreamer(address, way, codec):
    source = f"rtspsrc location={address}/front/{codec} protocols={way} latency=0"
    pipeline = f"{source} ! {DEPAY[codec]} ! identity eos-after=30 ! fakesink"
    code, out, said = check.command("gst-launch-1.0", "-q", *pipeline.split())
    that(f"GStreamer, {way}, {codec}: 30 pictures", code == 0 and "rror" not in said, said or out)


def opencv(address, way):
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"rtsp_transport;{way}"
    capture = cv2.VideoCapture(f"{address}/front?fps=15")
    frames = [capture.read() for _ in range(15)]
    capture.release()
    shapes = {frame.shape for good, frame in frames if good}
    that(f"OpenCV, {way}: 15 frames", all(good for good, _ in frames) and shapes == {(480, 640, 3)}, shapes)


def recorder(address):
    """As recorders do: the pictures as they come, with times of the camera."""
    file = f"/tmp/streamd-recorded-{os.getpid()}.mkv"
    words = ["-v", "error", "-y", "-rtsp_transport", "tcp", "-i", f"{address}/front", "-t", "3", "-c", "copy", file]
    code, _, said = check.command("ffmpeg", *words)
    _, out, _ = check.command("ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", file)
    os.path.exists(file) and os.remove(file)
    times = [float(line.strip(",")) for line in out.decode().split()]
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    right = code == 0 and len(times) > 60 and 0.025 < gaps[len(gaps) // 2] < 0.045
    that("ffmpeg -c copy: a recording whose times are those of capture", right, (said, len(times), gaps[-3:]))


def frigate(address):
    """As Frigate (preset-rtsp-generic) and Home Assistant call ffmpeg."""
    words = ["-hide_banner", "-loglevel", "warning", "-threads", "2", "-avoid_negative_ts", "make_zero",
             "-fflags", "+genpts+discardcorrupt", "-rtsp_transport", "tcp", "-timeout", "10000000",
             "-use_wallclock_as_timestamps", "1", "-i", f"{address}/front",
             "-r", "5", "-vf", "fps=5,scale=320:240", "-frames:v", "10", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:"]
    code, out, said = check.command("ffmpeg", *words)
    that("ffmpeg as Frigate calls it", code == 0 and len(out) == 10 * 320 * 240 * 3 // 2, said)
    words = ["-y", "-hide_banner", "-v", "error", "-rtsp_transport", "tcp", "-i", f"{address}/front",
             "-frames:v", "1", "-c:v", "mjpeg", "-f", "image2pipe", "-"]
    code, out, said = check.command("ffmpeg", *words)
    that("ffmpeg as Home Assistant takes a still", code == 0 and check.jpeg_size(out) == (640, 480), said)


def mpv(address):
    words = ["--no-config", "--vo=null", "--ao=null", "--frames=30", f"{address}/front"]
    code, out, said = check.command("mpv", *words)
    that("mpv: 30 frames", code == 0 and b"h264" in out, out.decode() + said)


def seen(daemon, address):
    """A player is a client like others."""
    words = ["ffmpeg", "-v", "error", "-rtsp_transport", "udp", "-i", f"{address}/front", "-f", "null", "-"]
    player = subprocess.Popen(words)
    clients = check.until(lambda: [c for c in daemon.stats()["clients"] if c["feeds"][0]["frames"] > 30])
    right = [(c["transport"], c["name"].split("/")[0][:4]) for c in clients] == [("rtsp", "Lavf")]
    that("a player is in streamctl stats", right, clients)
    code, _, said = daemon.ctl("kick", "--all")
    that("and is sent away", code == 0 and player.wait(15) is not None, said)


def closed(daemon, address):
    code, out, said = daemon.ctl("token", "add", "player")
    token = re.search(rb"[\w-]{43}", out)
    shown = ("-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=width", "-of", "csv=p=0")
    refused, _, words = check.command("ffprobe", *shown, f"{address}/front")
    that("without its token a player is refused", refused != 0 and "401" in words, words)
    with_token = address.replace("rtsp://", f"rtsp://any:{token and token[0].decode()}@")
    code, out, said = check.command("ffprobe", *shown, f"{with_token}/front")
    that("with it as the password it plays", code == 0 and out.startswith(b"640"), said)
    pipeline = f"rtspsrc location={with_token}/front/jpeg protocols=tcp ! rtpjpegdepay ! jpegdec ! identity eos-after=3 ! fakesink"
    code, out, said = check.command("gst-launch-1.0", "-q", *pipeline.split())
    that("GStreamer too", code == 0 and "rror" not in said, said)


def wrong(port):
    for what, words in [("garbage", b"\x16\x03\x01\x02\x00"), ("HTTP", b"GET / HTTP/1.1\r\n\r\n")]:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(words)
            answer = client.recv(1000)
            that(f"{what} is answered with 400", answer.startswith(b"RTSP/1.0 400 "), answer)
