"""What the parts share: counting, waiting, and a daemon of one's own."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

passed = 0
failed = 0

BUILD = os.environ.get("STREAMD_BUILD", "target/debug")


def that(what, holds, seen=""):
    """One `ok` or `not ok` line; `seen` is shown where it does not hold."""
    global passed, failed
    if holds:
        passed += 1
        print(f"ok - {what}", flush=True)
    else:
        failed += 1
        print(f"not ok - {what}", flush=True)
        for line in str(seen).splitlines()[-15:]:
            print(f"#   {line[:300]}", flush=True)
    return holds


def until(condition, seconds=15):
    """What `condition` gives as soon as it is true, or its last value when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def command(*words, seconds=30, stdin=None):
    """Runs a program; its exit code (None when it took too long) and what it said."""
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, timeout=seconds, check=False
        )
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return None, late.stdout or b"", (late.stderr or b"").decode(errors="replace")
    except FileNotFoundError:
        return 127, b"", f"{words[0]} is not installed"


#: Ports given so far: the kernel may give one twice when nobody listens there yet.
GIVEN = set()


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


class Devices:
    """A `/dev` with one camera that has controls, as the device of the tests shows it to a daemon."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="streamd-devices-")
        root = self.dir.name
        for name in ["dev", "films"]:
            os.mkdir(f"{root}/{name}")
        grey = bytes([128]) * (320 * 240 * 2)
        with open(f"{root}/films/YUYV-320x240", "wb") as film:
            film.write(len(grey).to_bytes(4, "little") + grey)
        formats = [{"fourcc": "YUYV", "sizes": [[320, 240]]}]
        model = {"card": "Camera", "fps": [25], "formats": formats, "multi_planar": False, "by_clock": False}
        with open(f"{root}/video0.json", "w", encoding="utf-8") as orders:
            json.dump({"generation": 0, "model": model, "faults": []}, orders)
        self.path = f"{root}/dev/video0"
        open(self.path, "wb").close()
        library = f"{BUILD}/libstreamd_tests_device.so"
        self.environment = {**os.environ, "LD_PRELOAD": library, "STREAMD_TESTS_DEVICES": root}


class Daemon:
    """streamd with two test cameras on ports of its own."""

    def __init__(self, cameras=None, http="", devices=None, tables=""):
        self.dir = tempfile.TemporaryDirectory(prefix="streamd-web-")
        self.port = free_port()
        self.raw = free_port()
        self.metrics = free_port()
        self.socket = f"{self.dir.name}/http"
        self.control = f"{self.dir.name}/control"
        self.address = f"http://127.0.0.1:{self.port}"
        cameras = cameras or {
            "front": 'size = "640x480"\nfps = 30',
            "side": 'size = "320x240"\nfps = 15',
        }
        config = (
            f'[control]\nsocket = "{self.control}"\n'
            f'[access]\ntoken-file = "{self.dir.name}/tokens.json"\n'
            f'[http]\nlisten = ["127.0.0.1:{self.port}", "unix:{self.socket}"]\n{http}\n'
            f'[metrics]\nlisten = ["127.0.0.1:{self.metrics}"]\n'
            f"{tables}\n"
        )
        for number, (name, settings) in enumerate(cameras.items()):
            listen = f'["127.0.0.1:{self.raw}"]' if number == 0 else "[]"
            device = "" if "device" in settings else 'device = "test"\n'
            config += f'[camera.{name}]\n{device}listen = {listen}\n{settings}\n'
        self.config = f"{self.dir.name}/streamd.toml"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)
        self.process = None
        self.environment = devices.environment if devices else None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.dir.cleanup()

    def start(self):
        self.start_unheard()
        if not until(self.answers):
            raise RuntimeError(f"streamd does not start:\n{self.log()}")

    def start_unheard(self):
        """For a daemon that answers nobody without a token."""
        log = open(f"{self.dir.name}/log", "ab")
        self.process = subprocess.Popen(
            [f"{BUILD}/streamd", "--config", self.config],
            stdout=log,
            stderr=log,
            env=self.environment,
        )

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None

    def replace(self, old, new):
        """Changes the configuration file, for the next start."""
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        assert old in text, old
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def answers(self):
        try:
            return self.state()
        except OSError:
            return None

    def state(self, query=""):
        with urllib.request.urlopen(f"{self.address}/state{query}", timeout=5) as answer:
            return json.load(answer)

    def stats(self):
        code, out, said = self.ctl("stats", "--json")
        if code != 0:
            raise RuntimeError(said)
        return json.loads(out)

    def ctl(self, *words):
        return command(f"{BUILD}/streamctl", "--socket", self.control, *words)

    def log(self):
        with open(f"{self.dir.name}/log", encoding="utf-8", errors="replace") as file:
            return file.read()


def jpeg_size(data):
    """Width and height of a JPEG file; None if it is not a whole one."""
    if data[:2] != b"\xff\xd8" or data[-2:] != b"\xff\xd9":
        return None
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xC2:
            return (
                int.from_bytes(data[at + 7 : at + 9], "big"),
                int.from_bytes(data[at + 5 : at + 7], "big"),
            )
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
