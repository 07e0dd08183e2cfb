"""What the checks of the package and of the image have in common."""

import http.client
import socket
import subprocess
import time

# Seconds for a program to do something: in emulation, on a machine that has other work.
LIMIT = 120


def output(*command, **options):
    done = subprocess.run(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, **options
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


class OverUnix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=LIMIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(str(self.path))


def get(path, address):
    connection = OverUnix(path)
    connection.request("GET", address)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read()


def until(asked, daemon):
    end = time.monotonic() + LIMIT
    while True:
        assert daemon.poll() is None, f"streamd ended with {daemon.returncode}"
        try:
            got = asked()
            if got:
                return got
        except OSError:
            pass
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.2)


def snapshot(path, daemon):
    """The first picture that streamd gives at the Unix socket `path`."""

    def asked():
        status, kind, body = get(path, "/snapshot")
        return (kind, body) if status == 200 else None

    kind, picture = until(asked, daemon)
    assert kind == "image/jpeg" and picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9", kind
    return picture
