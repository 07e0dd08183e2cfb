"""Collects the checks and writes what came of each: `ok 1 - name`, as TAP has it."""

import pathlib
import re
import signal
import subprocess
import time
import traceback

HOST = pathlib.Path("/host")

# In emulation everything takes ten times as long; a check that hangs must fail all the same.
TIME_LIMIT = 90


class Failed(Exception):
    """A check that does not hold, with what was seen."""


class OutOfTime(BaseException):
    """Not an Exception, so that no check takes it for a failure of its own and tries again."""


class Checks:
    """The checks of one module, in the order they are written."""

    def __init__(self):
        self.all = []

    def check(self, name, limit=TIME_LIMIT, needed=False):
        """Marks a check. After one that is `needed` has failed the rest is not tried."""

        def add(function):
            self.all.append((name, function, limit, needed))
            return function

        return add


def expect(true, message):
    """Fails unless it holds; the message says what was seen."""
    if not true:
        raise Failed(message)


def expect_equal(seen, wanted, what):
    """Fails unless they are equal."""
    expect(seen == wanted, f"{what}: {seen!r}, not {wanted!r}")


def note(text):
    """A line for the reader of the log."""
    for line in str(text).rstrip().splitlines():
        print(f"#   {line}", flush=True)


def only_from_host():
    """What picks the checks to run by their names, if the host wants only some."""
    words = HOST / "only"
    return words.read_text().splitlines() if words.exists() else []


def run(modules, only):
    """Runs all checks, or those whose name has one of the words. Returns the exit code."""
    chosen = [c for m in modules for c in m.all if not only or c[3] or any(w in c[0] for w in only)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    given_up = None
    for number, (name, function, limit, needed) in enumerate(chosen, 1):
        if given_up:
            print(f"not ok {number} - {name}: not tried", flush=True)
            failed += 1
            continue
        if not attempt(number, name, function, limit):
            failed += 1
            given_up = name if needed else None
    # The host takes a log without this line for one that was cut off.
    print(f"# end: {len(chosen) - failed} of {len(chosen)} hold", flush=True)
    return 1 if failed else 0


def attempt(number, name, function, limit):
    """Runs one check and writes its line."""
    began = time.monotonic()
    since = time.time()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(limit)
    try:
        said = function()
        problem = None
    except Failed as failed:
        problem = str(failed)
    except OutOfTime:
        problem = f"no result within {limit} s\n{traceback.format_exc(limit=-3)}"
    except Exception:
        problem = traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
    took = f"({time.monotonic() - began:.1f} s)"
    if problem is None:
        said = f": {str(said).splitlines()[0]}" if said else ""
        print(f"ok {number} - {name}{said} {took}", flush=True)
        return True
    print(f"not ok {number} - {name} {took}", flush=True)
    note(problem)
    note_journal(since)
    return False


def out_of_time(_signal, _frame):
    raise OutOfTime


def note_journal(since):
    """What the daemon said during a failed check."""
    command = ["journalctl", "-u", "streamd", "--no-pager", "-o", "short-monotonic", f"--since=@{since:.6f}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    lines = [re.sub(r"^(\[[^]]*\]) \S+ ", r"\1 ", line) for line in said.splitlines()]
    note("the journal of that time:")
    note("\n".join(lines[-25:]))
