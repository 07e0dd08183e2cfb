"""Cameras that fail: the service stays, clients stay connected and see why, the camera comes back."""

import pathlib
import time

import vivid
from machine import camera, configure, event_id, is_active, journal, pid, restart, run, said_by, wait_for
from report import Checks, expect, expect_equal
from stream import Client

checks = Checks()
check = checks.check

DEVICE = f'device = "{vivid.NODE}"'


def bars(frame):
    return vivid.shows_bars(frame.decode())


def no_bars(frame):
    return not bars(frame)


@check("frames that the driver marks as broken are dropped and counted")
def _():
    configure(DEVICE)
    restart()
    with Client() as client:
        client.frame()
        before = camera()["corrupt"]
        vivid.control("inject_v4l2_buf_flag_error=1")
        wait_for(lambda: camera()["corrupt"] > before, 10, "a broken frame counted")
        expect(bars(client.frame()), "the picture is not the camera's")


@check("frames that the driver loses are counted")
def _():
    with Client() as client:
        client.frame()
        before = camera()["driverLost"]
        vivid.control("percentage_of_dropped_buffers=50")
        client.frames(3)
        vivid.control("percentage_of_dropped_buffers=0")
        lost = camera()["driverLost"] - before
    expect(lost > 10, f"{lost} frames counted as lost")
    return f"{lost} frames"


@check("vivid's disconnect: the camera is taken back")
def _():
    before = pid()
    with Client() as client:
        client.frame()
        losses = camera()["losses"]
        vivid.control("disconnect=1")
        wait_for(lambda: camera()["losses"] > losses, 20, "a loss counted")
        back = client.frame_when(bars, 30, "of the camera again")
        wait_for(lambda: camera()["state"] == "streaming", 10, "streaming")
    expect(back.camera == "main" and pid() == before and is_active(), "the service did not stay")


@check("a camera that is unplugged: no signal, the reason, and back by itself when it returns")
def _():
    # What happens again within 10 s is the same fault to the log, and told when it is over.
    time.sleep(11)
    with Client() as client:
        client.frame_when(bars, 10, "of the camera")
        began = time.time()
        vivid.unbind()
        blank = client.frame_when(no_bars, 20, "without a signal")
        expect_equal(blank.decode().size, "640x480", "the size of the blank picture")
        seen = wait_for(lambda: camera() if camera()["state"] == "lost" else None, 10, "the state lost")
        expect("unplugged" in seen["reason"], f"reason {seen['reason']!r}")
        expect("lost" in said_by("streamctl", "stats"), "streamctl stats does not show it")
        lost = journal(f"MESSAGE_ID={event_id('CAMERA_LOST')}", "CAMERA=main", since=began)
        expect(lost, "nothing in the journal")
        expect(is_active(), "the service is not active")
        plugged = vivid.bind()
        back = client.frame_when(bars, 30, "of the camera again")
    vivid.settle()
    return f"first frame captured {back.captured - plugged:.2f} s after its return (in emulation)"


@check("a driver that fails in the middle is opened anew")
def _():
    for fault in ("inject_fatal_streaming_error", "inject_vidioc_qbuf_error"):
        with Client() as client:
            client.frame_when(bars, 30, "of the camera")
            vivid.control(f"{fault}=1")
            time.sleep(1)
            frames = client.frames(2)
            if not frames or no_bars(frames[-1]):
                client.frame_when(bars, 30, f"after {fault}")
        expect(is_active(), f"the service is not active after {fault}")


@check("a driver that fails at the start is opened anew")
def _():
    for fault in ("inject_vidioc_reqbufs_error", "inject_vidioc_streamon_error"):
        run("systemctl", "stop", "streamd")
        vivid.control(f"{fault}=1")
        run("systemctl", "start", "streamd")
        with Client() as client:
            client.frame_when(bars, 40, f"after {fault}")


@check("a camera that is absent at the start is found when it comes")
def _():
    run("systemctl", "stop", "streamd")
    vivid.unload()
    run("systemctl", "start", "streamd")
    with Client() as client:
        blank = client.frame()
        expect(no_bars(blank), "there is a camera")
        expect(camera()["state"] in ("lost", "starting"), f"state {camera()['state']}")
        plugged = time.time()
        vivid.load()
        back = client.frame_when(bars, 30, "of the camera")
    return f"first frame captured {back.captured - plugged:.2f} s after modprobe began (in emulation)"


@check("a camera is found by its stable name")
def _():
    link = next(iter(sorted(pathlib.Path("/dev/v4l/by-path").iterdir())))
    configure(f'device = "{link}"')
    restart()
    with Client() as client:
        expect(bars(client.frame()), "the picture is not the camera's")
        vivid.unbind()
        client.frame_when(no_bars, 20, "without a signal")
        vivid.bind()
        client.frame_when(bars, 30, "of the camera again")
    vivid.settle()
    return link


@check("several cameras, each on its own port, one of them the test pattern")
def _():
    configure(DEVICE, '[camera.second]\ndevice = "test"\nsize = "320x240"\nlisten = ["127.0.0.1:8012"]')
    restart()
    with Client() as first, Client(8012) as second:
        expect(bars(first.frame()), "the first camera")
        frame = second.frame()
        expect_equal((frame.camera, frame.decode().size), ("second", "320x240"), "the second camera")
    configure()
    restart()
