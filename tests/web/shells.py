"""streamctl's completions in real shells: what TAB offers at a prompt knows the daemon that runs."""

import os
import pty
import re
import select
import shutil
import signal
import tempfile
import time

import check
from check import Daemon, Devices, that, until

#: How each is started without anybody's settings, and the words by which it takes the completions.
SHELLS = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], "source <(streamctl completions bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source <(streamctl completions zsh)"),
    "fish": (["fish", "--no-config", "-i"], "streamctl completions fish | source"),
}

#: A line up to its TAB, and words that have to be offered; the socket is put in for S.
LINES = [
    ("streamctl ki", ["kick"]),
    ("streamctl --socket S watch --camera ", ["front", "side"]),
    ("streamctl --socket S watch --camera fr", ["front"]),
    ("streamctl --socket S snapshot --camera=fr", ["front"]),
    ("streamctl --socket S kick ", ["{id}"]),
    ("streamctl --socket S set ", ["quality", "fps", "control"]),
    ("streamctl --socket S set flip ", ["horizontal", "vertical"]),
    ("streamctl --socket S set control bri", ["brightness="]),
    ("streamctl --socket S set fps 5 --client ", ["{id}"]),
    ("streamctl --socket S get qua", ["quality"]),
    ("streamctl --socket=S clients --camera si", ["side"]),
]

PROMPT = "ready>"


class Terminal:
    """A shell at a terminal of its own, for one line."""

    def __init__(self, name, home):
        words, source = SHELLS[name]
        build = os.path.abspath(check.BUILD)
        environment = {"PATH": f"{build}:{os.environ['PATH']}", "HOME": home, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvpe(words[0], words, environment)
        prompt = f"function fish_prompt; echo '{PROMPT}'; end" if name == "fish" else f"PS1='{PROMPT}'"
        self.type(f"{source}; {prompt}\n")
        until(lambda: PROMPT in self.read().rsplit("\n", 1)[-1])

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read(self, quiet=0.5):
        """What it shows until nothing comes for a moment, without its control sequences."""
        shown = b""
        while select.select([self.terminal], [], [], quiet)[0]:
            shown += os.read(self.terminal, 65536)
        controls = r"\x1b(\[[0-9;?>=]*[a-zA-Z]|[()].|[=>]|\][^\x07]*\x07)|[\x07\b]"
        return re.sub(controls, "", shown.decode(errors="replace"))

    def offers(self, line, fits):
        """What is shown after TAB, and once more where that does not do."""
        self.type(line)
        self.read()
        shown = ""
        for _ in range(2):
            self.type("\t")
            end = time.monotonic() + 5
            while not fits(shown) and time.monotonic() < end:
                shown += self.read(0.2)
        return shown

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.close(self.terminal)
        os.waitpid(self.process, 0)


def run():
    devices = Devices()
    cameras = {"front": f'device = "{devices.path}"', "side": 'size = "320x240"'}
    with Daemon(cameras, devices=devices) as daemon, Watching(daemon), tempfile.TemporaryDirectory() as home:
        until(lambda: daemon.stats()["clients"])
        client = str(daemon.stats()["clients"][0]["id"])
        for name in SHELLS:
            if not that(f"{name} is installed", shutil.which(name)):
                continue
            for line, words in LINES:
                # One that is the only one that fits is put in behind what was typed.
                typed = re.split("[ =]", line)[-1]
                fits = lambda shown: all(word.format(id=client) in typed + shown for word in words)
                terminal = Terminal(name, home)
                shown = terminal.offers(line.replace("S ", f"{daemon.control} "), fits)
                terminal.close()
                that(f"{name}: {line}<TAB>", fits(shown), repr(shown))


class Watching:
    """A viewer, so that there is a client."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.process = None

    def __enter__(self):
        self.process = check.subprocess.Popen(
            ["curl", "-s", "-o", "/dev/null", f"{self.daemon.address}/stream/side"])

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
