"""Every raw pixel format, size and chroma: the picture decodes and has the right colours."""

import vivid
from machine import camera, configure, restart, run
from report import Checks, expect, expect_equal
from stream import Client

checks = Checks()
check = checks.check

# The name in the configuration, and the driver's code.
FORMATS = {
    "YUYV": "YUYV",
    "UYVY": "UYVY",
    "NV12": "NV12",
    "NV16": "NV16",
    "YU12": "YU12",
    "GREY": "GREY",
    "RGB24": "RGB3",
    "BGR24": "BGR3",
}


def first_picture(keys):
    """The first picture with these keys of the camera."""
    configure(keys)
    restart()
    with Client() as client:
        frame = client.frame()
        return frame, frame.decode(), camera()


def add(name, code):
    @check(f"format {name}")
    def _():
        _, picture, seen = first_picture(f'format = "{name}"\n')
        expect_equal(seen["format"], code, "the driver's format")
        expect_equal(picture.size, "640x480", "the size")
        vivid.expect_bars(picture)


for pair in FORMATS.items():
    add(*pair)


def sampling(jpeg):
    """Horizontal and vertical sampling of the first component, from SOF0."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[at + 11] >> 4, jpeg[at + 11] & 15


@check("chroma 4:2:0 and 4:2:2, at a height that is no multiple of the block")
def _():
    for chroma, factors in (("4:2:0", (2, 2)), ("4:2:2", (2, 1))):
        frame, picture, _ = first_picture(f'size = "640x360"\nformat = "YUYV"\nchroma = "{chroma}"\n')
        expect_equal(picture.size, "640x360", "the size")
        vivid.expect_bars(picture)
        expect_equal(sampling(frame.jpeg), factors, f"sampling of {chroma}")


@check("the format that is chosen by itself")
def _():
    _, picture, seen = first_picture("")
    vivid.expect_bars(picture)
    expect(seen["format"] in FORMATS.values(), f"format {seen['format']}")
    return seen["format"]


@check("a device with the multi-planar API only")
def _():
    run("systemctl", "stop", "streamd")
    vivid.unload()
    vivid.load(multi_planar=True)
    for name in ("NV12", "YU12", "YUYV"):
        _, picture, seen = first_picture(f'format = "{name}"\n')
        expect_equal(seen["format"], FORMATS[name], "the driver's format")
        vivid.expect_bars(picture)
    run("systemctl", "stop", "streamd")
    vivid.unload()
    vivid.load()
    configure()
    restart()
