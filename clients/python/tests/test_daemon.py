"""With the real daemon: STREAMD is the program, else the one that cargo has built here."""

import asyncio
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from streamd_client import AsyncStream, Ended, Kicked, Refused, Stream

ROOT = pathlib.Path(__file__).resolve().parents[3]
STREAMD = os.environ.get("STREAMD", str(ROOT / "target/debug/streamd"))
PATIENCE = 20


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Daemon:
    def __init__(self, keys: str = ""):
        self.folder = tempfile.TemporaryDirectory()
        self.ports = [free_port(), free_port()]
        configuration = pathlib.Path(self.folder.name) / "streamd.toml"
        self.control = pathlib.Path(self.folder.name) / "control"
        text = f'[control]\nsocket = "{self.control}"\n[http]\nlisten = "127.0.0.1:{free_port()}"\n'
        for name, port in zip(("main", "rear"), self.ports):
            text += f'[camera.{name}]\nlisten = "127.0.0.1:{port}"\ndevice = "test"\nsize = "320x240"\n{keys}\n'
        configuration.write_text(text)
        self.command = [STREAMD, "--config", str(configuration)]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.ports[0]), 1).close()
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, "the daemon does not serve"
                time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    @property
    def address(self):
        return f"127.0.0.1:{self.ports[0]}"

    def streamctl(self, *words):
        program = str(pathlib.Path(STREAMD).with_name("streamctl"))
        subprocess.run([program, "--socket", str(self.control), *words], check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()


class WithDaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()
        cls.daemon.folder.cleanup()

    def test_pictures_with_their_latency_and_as_arrays(self):
        with Stream(self.daemon.address, name="arrays") as stream:
            frames = [stream.read(PATIENCE) for _ in range(20)]
            self.assertEqual(frames[0].size, (320, 240))
            numbers = [frame.sequence for frame in frames]
            self.assertEqual(numbers, sorted(set(numbers)))
            latencies = [frame.latency for frame in frames if frame.latency is not None]
            self.assertTrue(latencies and all(-0.01 < latency < PATIENCE for latency in latencies), latencies)
            self.assertEqual(frames[-1].array().shape, (240, 320, 3))
            self.assertEqual(frames[-1].array("gray").shape, (240, 320))
            self.assertTrue((frames[-1].array("bgr")[:, :, ::-1] == frames[-1].array()).all())
            self.assertEqual(stream.welcome["camera"], "main")

    def test_who_is_slow_gets_the_newest(self):
        with Stream(self.daemon.address) as stream:
            first = stream.read(PATIENCE)
            end = time.monotonic() + PATIENCE
            while stream.latest().sequence < first.sequence + 10:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            newest = stream.latest().sequence
            self.assertGreaterEqual(stream.read(PATIENCE).sequence, newest)

    def test_another_camera_and_limits(self):
        with Stream(self.daemon.address, camera="rear", max_width=160) as stream:
            frame = stream.read(PATIENCE)
            while frame.camera != "rear":
                frame = stream.read(PATIENCE)
            self.assertEqual(frame.size, (160, 120))
            stream.want(max_width=0)
            while stream.read(PATIENCE).size != (320, 240):
                pass

    def test_asyncio(self):
        async def watch():
            numbers = []
            async with AsyncStream(self.daemon.address, fps=20) as stream:
                async for frame in stream:
                    numbers.append(frame.sequence)
                    if len(numbers) == 10:
                        break
            return numbers

        numbers = asyncio.run(asyncio.wait_for(watch(), PATIENCE))
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_what_can_not_be_had_is_said(self):
        with Stream(self.daemon.address, camera="side", reconnect=False) as stream:
            with self.assertRaisesRegex(Refused, "no camera 'side' here: main, rear"):
                stream.read(PATIENCE)
        with Stream(f"127.0.0.1:{free_port()}", reconnect=False) as stream:
            with self.assertRaisesRegex(Ended, "refused"):
                stream.read(PATIENCE)
        with self.assertRaisesRegex(TypeError, "'size' can't be asked for"):
            Stream(self.daemon.address, size=3)


class Alone(unittest.TestCase):
    def test_a_daemon_that_was_away_is_found_again(self):
        with Daemon() as daemon, Stream(daemon.address) as stream:
            stream.read(PATIENCE)
            daemon.stop()
            end = time.monotonic() + PATIENCE
            while stream.lost is None:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            daemon.start()
            before = stream.latest()
            while stream.read(PATIENCE) is before:
                pass
            self.assertIsNone(stream.lost)

    def test_who_is_kicked_stays_away(self):
        with Daemon() as daemon, Stream(daemon.address) as stream:
            stream.read(PATIENCE)
            daemon.streamctl("kick", "--all")
            with self.assertRaises(Kicked):
                while True:
                    stream.read(PATIENCE)

    def test_no_place_is_said(self):
        with Daemon("max-clients = 1") as daemon, Stream(daemon.address) as first:
            first.read(PATIENCE)
            with Stream(daemon.address, reconnect=False) as second:
                with self.assertRaisesRegex(Ended, "no place|reset"):
                    second.read(PATIENCE)


if __name__ == "__main__":
    unittest.main()
