"""What the page costs and how fresh it is, in Chromium without a screen, from a release build.

    STREAMD_BUILD=target/release /usr/bin/python3 -B tests/web/measure.py

Needs what tests/web/run installs, and nothing else running beside it. Asserts nothing.
"""

import os
import statistics
import time

from check import Daemon, until
from chromium import Page

#: Navigations of which the first picture is timed, each in a window of its own.
NAVIGATIONS = 9

#: Seconds over which rates and CPU are measured, after as many to settle.
SECONDS = 20
SETTLING = 5

TICKS = os.sysconf("SC_CLK_TCK")

#: Notes when the viewer says that it has drawn, and what it reports. Runs before the page's own scripts.
LISTEN = """window.firstPicture = null;
window.reports = [];
window.Worker = class extends Worker {
    constructor(...words) {
        super(...words);
        this.addEventListener('message', ({ data }) => {
            if (data.type === 'size') window.firstPicture ??= performance.now();
            if (data.type === 'report') window.reports.push(data.views);
        });
    }
};"""


class Measured(Page):
    """A page that is listened to from its first moment on."""

    def __init__(self, address):
        super().__init__("about:blank")
        self.cdp("Page.addScriptToEvaluateOnNewDocument", {"source": LISTEN})
        self.driver.get(address)


def process(pid):
    """Its parent, its command line, and the seconds of CPU it has had."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        words = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        command = file.read().replace("\0", " ")
    return int(words[1]), command, (int(words[11]) + int(words[12])) / TICKS


def browser_cpu(page):
    """Seconds of CPU of all processes of the browser, and of the page's own."""
    processes = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            processes[int(name)] = process(name)
        except (FileNotFoundError, ProcessLookupError):
            pass
    family = {page.driver.service.process.pid}
    grown = True
    while grown:
        children = {pid for pid, (parent, _, _) in processes.items() if parent in family} - family
        family |= children
        grown = bool(children)
    cpu = {pid: seconds for pid, (_, _, seconds) in processes.items() if pid in family}
    renderers = [pid for pid in cpu if "--type=renderer" in processes[pid][1]]
    return sum(cpu.values()), sum(cpu[pid] for pid in renderers)


def first_picture(daemon):
    """Milliseconds from the navigation to the first picture, in a browser that knows the page, or does not."""
    cold, warm = [], []
    for _ in range(NAVIGATIONS):
        with Measured(f"{daemon.address}/#front") as page:
            for times in [cold, warm]:
                times.append(until(lambda: page.run("return window.firstPicture")))
                page.driver.get("about:blank")
                time.sleep(0.5)
                page.driver.get(f"{daemon.address}/#front")
            until(lambda: page.run("return window.firstPicture"))
    for name, times in [("the first time", cold), ("again", warm)]:
        print(f"navigation to first picture, {name}: median {statistics.median(times):.0f} ms, "
              f"{min(times):.0f} to {max(times):.0f}")


def watch(daemon, view):
    """Watches for a while, and prints what the page reports and what it takes."""
    with Measured(f"{daemon.address}/{view}") as page:
        until(lambda: page.state(page.shown()[0]) == "live" if page.shown() else False)
        time.sleep(SETTLING)
        page.run("window.reports = []")
        began, drawn = time.monotonic(), {name: page.drawn(name) for name in page.shown()}
        daemon_before, browser_before = process(daemon.process.pid)[2], browser_cpu(page)
        time.sleep(SECONDS)
        seconds = time.monotonic() - began
        daemon_after, browser_after = process(daemon.process.pid)[2], browser_cpu(page)
        rates = [(page.drawn(name) - before) / seconds for name, before in drawn.items()]
        reports = page.run("return window.reports")
        ages = [view["latency"] for views in reports for view in views.values() if view["latency"] is not None]
        worst = [view["latency95"] for views in reports for view in views.values() if view["latency95"] is not None]
        share = lambda before, after: 100 * (after - before) / seconds
        print(f"{len(rates)} of {daemon.cameras}: fps {min(rates):.1f} to {max(rates):.1f}; capture to drawn p50 "
              f"{statistics.median(ages):.1f} ms, p95 {statistics.median(worst):.1f} ms; "
              f"CPU of the daemon {share(daemon_before, daemon_after):.0f} %, "
              f"of the page {share(browser_before[1], browser_after[1]):.0f} %, "
              f"of the whole browser {share(browser_before[0], browser_after[0]):.0f} %")


def main():
    one = Daemon({"front": 'size = "640x480"\nfps = 30'})
    one.cameras = "640x480 at 30 fps"
    nine = Daemon({f"camera-{n}": 'size = "640x480"\nfps = 15' for n in range(1, 10)})
    nine.cameras = "640x480 at 15 fps"
    with one:
        first_picture(one)
        watch(one, "#front")
    with nine:
        watch(nine, "")


main()
