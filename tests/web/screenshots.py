"""The page in its states, light and dark, on a desktop and on a phone. What is kept in the docs is made by this."""

import sys
import time

import cv2
import numpy

from check import Daemon, until
from chromium import DESKTOP, PHONE, Page

CAMERAS = {
    "entrance": 'size = "1280x720"\nfps = 30',
    "workshop": 'size = "1280x720"\nfps = 30',
    "yard": 'size = "640x480"\nfps = 15',
    "gate": 'device = "/dev/no-such-camera"',
    "hall": 'size = "640x480"\nfps = 5',
    "roof": 'size = "640x480"\nfps = 5',
}

#: Name of the file, colours, window, address, the key of the sheet that is open.
SHOTS = [
    ("one", "light", DESKTOP, "#entrance", "d"),
    ("adjust", "dark", DESKTOP, "#entrance", "a"),
    ("grid", "dark", DESKTOP, "", ""),
    ("lost", "dark", DESKTOP, "#gate", ""),
    ("phone", "light", PHONE, "#entrance", "d"),
    ("phone-grid", "dark", PHONE, "", ""),
]


def main(directory):
    with Daemon(CAMERAS) as daemon:
        for name, scheme, size, view, sheet in SHOTS:
            with Page(f"{daemon.address}/{view}", size=size, scheme=scheme) as page:
                until(lambda: all(page.state(camera) in ("live", "lost") for camera in page.shown()) and page.shown())
                if sheet:
                    page.key(sheet)
                time.sleep(30 if sheet == "d" else 3)
                png = numpy.frombuffer(page.driver.get_screenshot_as_png(), numpy.uint8)
                picture = cv2.imdecode(png, cv2.IMREAD_COLOR)
                path = f"{directory}/page-{name}.png"
                cv2.imwrite(path, picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
                print(path)


main(sys.argv[1])
