"""A Debian package, of this processor or of another one by qemu-user, without installing it."""

import json
import os
import re
import signal
import struct
import subprocess

from common import LIMIT, output, snapshot

# By Debian's name: the number in the head of a program (e_machine), and what runs it elsewhere.
PROCESSORS = {
    "amd64": (62, []),
    "arm64": (183, ["qemu-aarch64"]),
    "armhf": (40, ["qemu-arm"]),
}

CONFIGURATION = """\
[control]
socket = "{folder}/control"

[http]
listen = "unix:{folder}/http"

[camera.main]
device = "test"
listen = []
"""


class Package:
    def __init__(self, deb, folder):
        self.deb = deb
        self.folder = folder
        self.root = folder / "root"
        output("dpkg-deb", "--extract", deb, str(self.root))
        self.processor = self.field("Architecture")
        self.machine, self.emulator = PROCESSORS[self.processor]
        if self.processor == output("dpkg", "--print-architecture").strip():
            self.emulator = []

    def field(self, name):
        return output("dpkg-deb", "--field", self.deb, name).strip()

    def command(self, program, *arguments):
        return [*self.emulator, str(self.root / "usr/bin" / program), *arguments]


def depends_on_its_libraries(package):
    """it depends on the libraries of its programs, each in a version"""
    depends = package.field("Depends")
    for library in ("libc6", r"libstdc\+\+6", "libasound2(t64)?"):
        assert re.search(rf"(^|, ){library} \(>= [^)]+\)(,|$)", depends), depends
    return depends


def is_for_its_processor(package):
    """its programs are for the processor that it names"""
    for program in sorted((package.root / "usr/bin").iterdir()):
        head = program.read_bytes()[:20]
        assert head[:4] == b"\x7fELF", f"{program.name} is no program"
        machine = struct.unpack_from("<H", head, 18)[0]
        assert machine == package.machine, f"{program.name}: machine {machine}"
    return package.processor


def lintian_is_content(package):
    """lintian has nothing to say"""
    output("lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", package.deb)


def documents_link_to_what_is_there(package):
    """each link in its documents leads to a file that is there"""
    links = 0
    for page in sorted((package.root / "usr/share/doc/streamd").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(package.root)}: {target}"
                links += 1
    assert links > 50, f"only {links} links"
    return f"{links} links"


def man_pages_are_formatted(package):
    """its man pages are in their sections, and groff has nothing to say"""
    manual = package.root / "usr/share/man"
    for page in ("man1/streamctl.1.gz", "man1/streamctl-stats.1.gz", "man5/streamd.toml.5.gz", "man8/streamd.8.gz"):
        assert (manual / page).exists(), f"no {page}"
    pages = sorted(manual.rglob("*.gz"))
    for page in pages:
        environment = {**os.environ, "MANWIDTH": "80", "MAN_KEEP_STDERR": "1", "LC_ALL": "C.UTF-8"}
        shown = output("man", "--warnings=w", "-E", "UTF-8", "-l", str(page), env=environment)
        assert "NAME" in shown and "troff:" not in shown, f"{page.name}: {shown[:400]}"
    return f"{len(pages)} pages"


def the_manual_has_every_key(package):
    """streamd.toml(5) has every key of the shipped file"""
    shown = output("man", "-E", "UTF-8", "-l", str(package.root / "usr/share/man/man5/streamd.toml.5.gz"))
    terms = {line.strip() for line in shown.splitlines()}
    shipped = (package.root / "etc/streamd/streamd.toml").read_text()
    keys = set(re.findall(r"^#?([a-z][a-z-]+) = ", shipped, re.MULTILINE))
    missing = sorted(key for key in keys if key not in terms)
    assert len(keys) > 30 and not missing, f"of {len(keys)} keys not there: {missing}"
    return f"{len(keys)} keys"


def says_its_version(package):
    """streamd --version says its version, and that the encoder has SIMD"""
    said = output(*package.command("streamd", "--version"))
    assert package.field("Version").split("-")[0] in said and "with SIMD" in said, said
    return " ".join(said.split())


def runs(package):
    """streamd shows the test pattern, streamctl what it does, and SIGTERM ends it well"""
    folder = package.folder
    file = folder / "streamd.toml"
    file.write_text(CONFIGURATION.format(folder=folder))
    log = folder / "log"
    with log.open("w") as to:
        daemon = subprocess.Popen(package.command("streamd", "--config", str(file)), stderr=to)
    try:
        picture = snapshot(folder / "http", daemon)
        ask = package.command("streamctl", "--socket", str(folder / "control"))
        camera = json.loads(output(*ask, "--json", "stats"))["cameras"][0]
        assert camera["name"] == "main", camera
        output(*ask, "snapshot", str(folder / "now.jpg"))
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(LIMIT) == 0, f"streamd ended with {daemon.returncode}"
    except Exception:
        print("".join(f"#   {line}" for line in log.open()))
        raise
    finally:
        daemon.kill()
    return f"a picture of {len(picture)} bytes"


CHECKS = [
    depends_on_its_libraries,
    is_for_its_processor,
    lintian_is_content,
    documents_link_to_what_is_there,
    man_pages_are_formatted,
    the_manual_has_every_key,
    says_its_version,
    runs,
]
