"""What people set on cameras: controls, inputs, standards, and what comes in by HDMI."""

import re
import time

import vivid
from machine import CONFIGURATION, camera, configure, messages, refused, restart, run, said_by, streamctl, wait_for
from report import Checks, expect, expect_equal
from stream import Client

checks = Checks()
check = checks.check

S_VIDEO = 2
HDMI = 3

# The entries of the driver's control for what its HDMI input gets.
CURRENT, NO_SIGNAL, NO_LOCK, OUT_OF_RANGE, SELECTED = range(5)


def driver(*words):
    """What v4l2-ctl says."""
    return said_by("v4l2-ctl", "-d", vivid.NODE, *words)


def value(name):
    """A control's value, as v4l2-ctl has it."""
    return driver("-C", name).split(": ", 1)[1]


def controls():
    """The controls, by name."""
    return {control["name"]: control for control in streamctl("controls")["controls"]}


def fresh(keys="", rest=""):
    """The service with these keys of the camera, and the driver as it was loaded."""
    run("systemctl", "stop", "streamd")
    driver("-i", "0")
    configure(keys, rest)
    run("systemctl", "start", "streamd")


@check("controls: those that v4l2-ctl lists, with its values")
def _():
    fresh()
    with Client() as client:
        client.frame()
        seen = controls()
        listed = driver("--list-ctrls-menus")
    theirs = set(re.findall(r"^\s*([0-9a-z_]+) 0x[0-9a-f]{8} \(", listed, re.M))
    ours = {name.replace("-", "_") for name in seen}
    expect(len(ours) > 20 and ours <= theirs, f"not in v4l2-ctl: {ours - theirs}")
    # Arrays have more than one value.
    single = "\n".join(line for line in listed.splitlines() if "dims=" not in line)
    plain = set(re.findall(r"^\s*([0-9a-z_]+) 0x[0-9a-f]{8} \((?:int|int64|bool|menu|button)\)", single, re.M))
    expect(plain <= ours, f"not in streamctl: {plain - ours}")
    brightness = seen["brightness"]
    expect_equal((brightness["minimum"], brightness["maximum"]), (0, 255), "brightness")
    expect_equal(brightness["value"], value("brightness"), "brightness")
    pattern = seen["test-pattern"]
    expect("75% Colorbar" in [entry["text"] for entry in pattern["menu"]], f"{pattern}")
    expect(seen["read-only-integer-32-bits"]["readOnly"], "read-only")
    expect("brightness" in said_by("streamctl", "controls"), "the table")
    return f"{len(ours)} controls"


@check("controls: set while frames come, each kind of them")
def _():
    fresh()
    with Client() as client:
        before = client.frame_when(vivid_bars, 20, "of the bars").decode()
        for setting, name, wanted in (
            ("brightness=20", "brightness", "20"),
            ("integer-32-bits=7", "integer_32_bits", "7"),
            ("integer_64_bits=-5", "integer_64_bits", "-5"),
            ("boolean=false", "boolean", "0"),
            ("menu=4", "menu", "4"),
            # v4l2-ctl shows the highest bit as a sign.
            ("bitmask=0x80000000", "bitmask", "-2147483648"),
            ("string=abcd", "string", "'abcd'"),
        ):
            streamctl("set", "control", setting)
            expect_equal(value(name).split()[0], wanted, setting)
        streamctl("set", "control", "button=true", "test-pattern=100% black")
        expect_equal(value("test_pattern").split()[0], str(vivid.BLACK), "the pattern by its text")
    # A new client each time: what has piled up at one that does not read takes long to decode here.
    with Client() as client:
        client.frame_when(lambda frame: not vivid_bars(frame), 10, "of black")
    streamctl("set", "control", "test-pattern=0", "brightness=128")
    with Client() as client:
        after = client.frame_when(vivid_bars, 10, "of the bars again").decode()
    expect_equal(after.size, before.size, "the size")


def vivid_bars(frame):
    """Whether a frame shows the bars."""
    return vivid.shows_bars(frame.decode())


@check("controls: what can't be set is refused with what is allowed, and nothing is set")
def _():
    fresh()
    with Client() as client:
        client.frame()
        before = value("contrast")
        said = refused(65, "set", "control", "contrast=3", "brightness=256")
        expect("brightness = \"256\"" in said and "0 to 255" in said, said)
        said = refused(66, "set", "control", "contrast=3", "brigthness=5")
        expect("nearest are brightness" in said, said)
        said = refused(65, "set", "control", "test-pattern=plaid")
        expect("75% Colorbar" in said, said)
        expect_equal(value("contrast"), before, "contrast")
        client.frame()
    return said[:60]


@check("controls: a change by another program is seen")
def _():
    fresh()
    with Client() as client:
        client.frame()
        vivid.control("saturation=33")
        expect_equal(controls()["saturation"]["value"], "33", "saturation")


@check("controls: the configuration's are set at each opening, and a wrong one is a warning")
def _():
    began = time.time()
    rest = '[camera.main.controls]\nhue = -7\nbrightness = 77\nno-such = 3\ncontrast = 999\ntest_pattern = "100% black"\n'
    fresh(rest=rest)
    with Client() as client:
        black = lambda frame: not vivid_bars(frame)
        client.frame_when(black, 20, "of black")
        expect_equal((value("hue"), value("brightness")), ("-7", "77"), "hue and brightness")
        expect_equal(camera()["state"], "streaming", "the state")
        said = [m for m in messages(since=began) if "control not set" in m]
        expect(any("no-such" in m and "nearest" in m for m in said), f"{said}")
        expect(any("contrast = 999" in m and "0 to 255" in m for m in said), f"{said}")
        expect_equal(len(said), 2, f"warnings {said}")
        vivid.unbind()
        wait_for(lambda: camera()["state"] == "lost", 20, "the loss")
        vivid.bind()
        wait_for(lambda: camera()["state"] == "streaming", 30, "the return")
        expect_equal((value("hue"), value("brightness")), ("-7", "77"), "hue and brightness after the return")
        said = [m for m in messages(since=began) if "control not set" in m]
        expect_equal(len(said), 2, f"warnings after the return {said}")
    vivid.settle()


@check("controls: a reload sets those that changed, without a gap in the stream")
def _():
    fresh(rest="[camera.main.controls]\nhue = 3\n")
    with Client() as client:
        client.frame()
        losses = camera()["losses"]
        configure(rest="[camera.main.controls]\nhue = 9\n")
        run("systemctl", "reload", "streamd")
        wait_for(lambda: value("hue") == "9", 10, "hue 9")
        client.frame()
        expect_equal(camera()["losses"], losses, "losses")


@check("controls: --save writes what is set into the file, comments kept")
def _():
    fresh()
    CONFIGURATION.write_text("# mine\n[camera.main]\nadapt = false # always\n#fps = 5\n")
    CONFIGURATION.chmod(0o664)
    restart()
    with Client() as client:
        client.frame()
        said = said_by("streamctl", "set", "control", "contrast=99", "test-pattern=100% black", "--save")
    text = CONFIGURATION.read_text()
    expect(text.startswith("# mine\n[camera.main]\nadapt = false # always\n"), text)
    expect("controls.contrast = 99" in text and 'controls.test-pattern = "100% Black"' in text, text)
    expect("contrast = 99" in said and str(CONFIGURATION) in said, said)
    expect_equal(CONFIGURATION.stat().st_mode & 0o777, 0o664, "the mode")
    CONFIGURATION.chmod(0o644)
    run("streamd", "--check-config")
    vivid.control("contrast=1")
    restart()
    with Client() as client:
        client.frame()
        expect_equal(value("contrast"), "99", "contrast after a restart")
        streamctl("set", "control", "test-pattern=0", "contrast=128", "brightness=128", "hue=0", "saturation=128")
    refused(73, "set", "control", "--save", user="visitor")


@check("inputs: selected by number and standard, and left alone where nothing is asked for")
def _():
    fresh(f'input = {S_VIDEO}\nstandard = "PAL"')
    with Client() as client:
        client.frame_when(vivid_bars, 20, "of the bars")
        expect(driver("-I").startswith(f"Video input : {S_VIDEO}"), driver("-I"))
        expect("PAL" in driver("-S"), driver("-S"))
    configure()
    restart()
    with Client() as client:
        client.frame_when(vivid_bars, 20, "of the bars")
        expect(driver("-I").startswith(f"Video input : {S_VIDEO}"), "the input was changed: " + driver("-I"))


@check("inputs: one that is not there is answered with those there are")
def _():
    for key, words in (
        ('input = "attic"', ("no input", "HDMI", "S-Video")),
        (f'input = {S_VIDEO}\nstandard = "BETAMAX"', ("no standard", "PAL", "NTSC")),
    ):
        fresh(key)
        with Client() as client:
            client.frame()
            reason = wait_for(lambda: camera()["reason"], 20, "a reason")
        expect(all(word in reason for word in words), reason)
    return reason[:80]


@check("HDMI: no signal, no sync and out of range are told apart, and the picture comes back")
def _():
    fresh(f"input = {HDMI}")
    returned = []
    with Client() as client:
        client.frame_when(vivid_bars, 20, "of the bars")
        for mode, words in ((NO_SIGNAL, "no signal"), (NO_LOCK, "no sync"), (OUT_OF_RANGE, "out of range")):
            vivid.control(f"dv_timings_signal_mode={mode}")
            wait_for(lambda: words in camera()["reason"], 10, f"the reason {words}")
            expect_equal(camera()["state"], "lost", "the state")
            vivid.control(f"dv_timings_signal_mode={CURRENT}")
            began = time.time()
            frame = client.frame_when(lambda f: f.captured > began and vivid_bars(f), 20, f"after {words}")
            returned.append(frame.captured - began)
    return ", ".join(f"{seconds:.2f} s" for seconds in returned) + " to the first frame (in emulation)"


@check("HDMI: another picture of the source is followed")
def _():
    fresh(f"input = {HDMI}")
    menu = driver("--list-ctrls-menus").split(" dv_timings 0x", 1)[1]
    number = re.search(r"(\d+): 1920x1080p60", menu)
    expect(number, menu[:2000])
    try:
        with Client() as client:
            client.frame_when(vivid_bars, 20, "of the bars")
            before = re.search(r"Active width: (\d+)", driver("--get-dv-timings"))[1]
            began = time.time()
            vivid.control(f"dv_timings={number[1]}")
            vivid.control(f"dv_timings_signal_mode={SELECTED}")
            now = lambda: re.search(r"Active width: (\d+)", driver("--get-dv-timings"))[1]
            wait_for(lambda: now() == "1920", 10, f"1920 instead of {before}")
            followed = time.time() - began
            client.frame_when(lambda f: f.captured > began + followed and vivid_bars(f), 20, "of the new picture")
    finally:
        vivid.control(f"dv_timings_signal_mode={CURRENT}")
        fresh()
    return f"from {before} to 1920, {followed:.2f} s (in emulation)"
