"""The machine under test: commands, the service, its journal, its configuration."""

import json
import pathlib
import subprocess
import time

from report import expect

CONFIGURATION = pathlib.Path("/etc/streamd/streamd.toml")


def run(*command, fails=False, timeout=60, **options):
    """Runs a command to its end; it must succeed, or with `fails` must fail."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **options)
    said = (done.stdout + done.stderr).strip()
    if fails:
        expect(done.returncode != 0, f"{' '.join(words)} did not fail: {said}")
    else:
        expect(done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {said}")
    return done


def said_by(*command, **options):
    """What a command says on standard output."""
    return run(*command, **options).stdout.strip()


def streamctl(*words):
    """The JSON that a verb of streamctl answers with."""
    return json.loads(said_by("streamctl", "--json", *words))


def refused(code, *words, user="root"):
    """What streamctl says on standard error while it ends with this code."""
    done = run("runuser", "-u", user, "--", "streamctl", *words, fails=True)
    expect(done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr.strip()}")
    return done.stderr.strip()


def camera():
    """The statistics of the first camera."""
    return streamctl("stats")["cameras"][0]


def clients():
    """The connected clients."""
    answer = streamctl("clients")
    return answer["clients"] if isinstance(answer, dict) else answer


def wait_for(true, seconds, what):
    """Asks until the answer is true, and returns it."""
    until = time.monotonic() + seconds
    while True:
        if answer := true():
            return answer
        expect(time.monotonic() < until, f"{what} within {seconds} s: not so")
        time.sleep(0.2)


def unit(name, of="streamd.service"):
    """A property of the service."""
    return said_by("systemctl", "show", "--value", "-p", name, of)


def is_active():
    """Whether the service is up."""
    return unit("ActiveState") == "active"


def pid():
    """The daemon's process id."""
    return int(unit("MainPID"))


def restart():
    """Restarts the service, which must come up."""
    run("systemctl", "restart", "streamd")


def configure(keys="", rest=""):
    """Writes keys of the camera `main` and other sections; the service takes them at its next start
    or reload. In emulation the checks are slow readers, which would be given smaller pictures."""
    CONFIGURATION.write_text(f"[camera.main]\nadapt = false\n{keys}\n{rest}\n")


def journal(*matches, since=None):
    """Entries of the service's journal."""
    run("journalctl", "--sync")
    command = ["journalctl", "-u", "streamd", "-o", "json", "--no-pager", *matches]
    if since is not None:
        command.append(f"--since=@{since:.6f}")
    return [json.loads(line) for line in said_by(*command).splitlines()]


def messages(*matches, since=None):
    """The texts of those entries."""
    return [str(entry.get("MESSAGE")) for entry in journal(*matches, since=since)]


def cpu_percent(process, seconds):
    """How much of the processor a process uses."""

    def ticks():
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    began, before = time.monotonic(), ticks()
    time.sleep(seconds)
    # The kernel counts in hundredths of a second.
    return (ticks() - before) / (time.monotonic() - began)


def event_id(name):
    """The MESSAGE_ID of a kind of event, by its name in the daemon's source."""
    for line in pathlib.Path("/host/events.rs").read_text().splitlines():
        if line.strip().startswith(f"{name} ="):
            return line.split('"')[1]
    raise KeyError(name)
