"""The page, light and dark, on a desktop and on a phone."""

import sys
import time

from check import Daemon, until
from chromium import DESKTOP, PHONE, Page


def main(directory):
    cameras = {
        "entrance": 'size = "1280x720"\nfps = 30',
        "workshop": 'size = "1280x720"\nfps = 30',
    }
    shots = [
        ("light", DESKTOP, "desktop", "entrance", True),
        ("dark", DESKTOP, "desktop", "entrance,workshop", False),
        ("light", PHONE, "phone", "entrance", True),
        ("dark", PHONE, "phone", "entrance,workshop", False),
    ]
    with Daemon(cameras) as daemon:
        for scheme, size, device, shown, statistics in shots:
            with Page(f"{daemon.address}/#{shown}", size=size, scheme=scheme) as page:
                until(lambda: page.drawn("entrance") > 60)
                if statistics:
                    page.key("s")
                    time.sleep(20)
                name = f"{directory}/page-{scheme}-{device}.png"
                page.driver.save_screenshot(name)
                print(name)


main(sys.argv[1])
