"""The camera: vivid, the kernel's virtual video driver."""

import contextlib
import pathlib
import re
import time

from machine import run, said_by, wait_for
from report import expect, expect_equal

NODE = "/dev/video0"
DRIVER = pathlib.Path("/sys/bus/platform/drivers/vivid")
INSTANCE = "vivid.0"

# 75 % colour bars from left to right: which of red, green and blue is on.
BARS = ["RGB", "RG", "GB", "G", "RB", "R", "B", ""]
BLACK = 5
NOISE = 21


def load(multi_planar=False):
    """Plugs the camera in: colour bars at 30 frames a second, without text over them."""
    run("modprobe", "vivid", "n_devs=1", "node_types=0x1", f"multiplanar={2 if multi_planar else 1}")
    settle()


def settle():
    """Waits until udev has made the node, and sets it up."""
    run("udevadm", "settle")
    wait_for(pathlib.Path(NODE).exists, 10, f"{NODE} there")
    control("osd_text_mode=2")


def unload():
    """Unplugs the camera, driver and all."""
    run("rmmod", "vivid")


def unbind():
    """Unplugs the camera under whoever uses it."""
    (DRIVER / "unbind").write_text(INSTANCE)


def bind():
    """Plugs it in again; returns when that was."""
    (DRIVER / "bind").write_text(INSTANCE)
    return time.time()


def control(assignment):
    """Sets a control of the driver; the buttons inject faults."""
    run("v4l2-ctl", "-d", NODE, "-c", assignment)


@contextlib.contextmanager
def pattern(number):
    """Shows another test pattern meanwhile."""
    control(f"test_pattern={number}")
    try:
        yield
    finally:
        control("test_pattern=0")


def is_streaming():
    """Whether the driver makes frames: it does so in a thread that lives no longer than that."""
    return any(name.read_text().startswith("vivid-") for name in pathlib.Path("/proc").glob("[0-9]*/comm"))


def own_rate(frames=90):
    """The frame rate that v4l2-ctl itself gets here."""
    command = ["v4l2-ctl", "-d", NODE, "--set-fmt-video=width=640,height=480,pixelformat=YUYV"]
    command += ["-p", "30", "--stream-mmap", f"--stream-count={frames}"]
    done = run(*command)
    rates = re.findall(r"([0-9.]+) fps", (done.stdout + done.stderr).split("Frame rate set")[1])
    expect(len(rates) > 1, f"v4l2-ctl says no rate: {done.stdout}{done.stderr}")
    return float(rates[-1])


def expect_bars(picture):
    """Fails unless the picture shows the colour bars, each in its place and colour."""
    width = picture.width // len(BARS)
    seen = [picture.at(width * bar + width // 2, picture.height * 5 // 6) for bar in range(len(BARS))]
    if picture.grey:
        levels = [colour[0] for colour in seen]
        expect(all(a > b + 5 for a, b in zip(levels, levels[1:])), f"grey bars {levels}")
        return
    # Bars at 75 %: on is about 191 and off about 0.
    names = ["".join(n for n, v in zip("RGB", colour) if v > 110) for colour in seen]
    expect_equal(names, BARS, f"bars {seen}")


def shows_bars(picture):
    """Whether the picture shows the colour bars."""
    red = picture.at(picture.width * 11 // 16, picture.height * 5 // 6)
    blue = picture.at(picture.width * 13 // 16, picture.height * 5 // 6)
    return red[0] > 110 > max(red[1:]) and blue[2] > 110 > max(blue[:2])


def formats():
    """The pixel formats the driver offers."""
    return set(re.findall(r"'(....)'", said_by("v4l2-ctl", "-d", NODE, "--list-formats")))
