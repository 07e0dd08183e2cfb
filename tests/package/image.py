"""An OCI image, run by crun or runc, without a registry or a daemon."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

from common import LIMIT, output, snapshot

#: Bytes: 15 MiB.
MOST = 15 * 2**20

CONFIGURATION = """\
[http]
listen = "unix:/run/streamd/http"

[camera.main]
device = "test"
listen = []
"""

# Who streamd is in the image.
USER = 65532


def runtime():
    """The program that runs containers here: crun knows only cgroups of version 2, runc both."""
    for program in ("crun", "runc"):
        if program == "crun" and not pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
            continue
        if shutil.which(program):
            return program
    raise AssertionError("neither crun nor runc is here, or crun without cgroups of version 2")


class Package:
    def __init__(self, archive, folder):
        self.archive = pathlib.Path(archive)
        self.folder = folder
        image = f"{folder}/image:streamd"
        output("skopeo", "copy", "--quiet", f"oci-archive:{archive}", f"oci:{image}")
        self.configuration = json.loads(output("skopeo", "inspect", "--config", f"oci:{image}"))["config"]
        self.bundle = folder / "bundle"
        output("umoci", "unpack", "--image", image, str(self.bundle))


def is_small(image):
    """it is small"""
    size = image.archive.stat().st_size
    assert size <= MOST, f"{size} bytes, at most {MOST}"
    return f"{size} bytes"


def is_not_root(image):
    """it runs as nobody in particular, and says so by number, as Kubernetes wants it"""
    assert image.configuration["User"] == f"{USER}:{USER}", image.configuration["User"]


def has_no_shell(image):
    """there are no programs in it but its own"""
    root = image.bundle / "rootfs"
    programs = [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK) and ".so" not in path.name
    ]
    assert sorted(programs) == ["usr/bin/streamctl", "usr/bin/streamd"], programs


def runs(image):
    """read-only and without a capability it gives a picture, is healthy by streamctl stats, and ends well"""
    sockets, tokens = image.folder / "run", image.folder / "lib"
    for folder in (sockets, tokens):
        folder.mkdir()
        os.chown(folder, USER, USER)
    # Its parent is root's alone.
    image.folder.chmod(0o711)
    (image.folder / "streamd.toml").write_text(CONFIGURATION)
    file = image.bundle / "config.json"
    spec = json.loads(file.read_text())
    spec["root"]["readonly"] = True
    process = spec["process"]
    process["terminal"] = False
    process["capabilities"] = {}
    process["noNewPrivileges"] = True
    # Not every machine has a cgroup to give.
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"]
    for source, destination, options in (
        (sockets, "/run/streamd", ["bind", "rw"]),
        (tokens, "/var/lib/streamd", ["bind", "rw"]),
        (image.folder / "streamd.toml", "/etc/streamd/streamd.toml", ["bind", "ro"]),
    ):
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] != destination]
        spec["mounts"].append({"destination": destination, "type": "none", "source": str(source), "options": options})
    file.write_text(json.dumps(spec))

    run, name = runtime(), f"streamd-{os.getpid()}"
    with (image.folder / "log").open("w") as log:
        daemon = subprocess.Popen([run, "run", "--bundle", str(image.bundle), name], stdout=log, stderr=log)
    try:
        picture = snapshot(sockets / "http", daemon)
        stats = json.loads(output(run, "exec", name, "/usr/bin/streamctl", "--json", "stats"))
        assert stats["healthy"], stats
        pid = json.loads(output(run, "state", name))["pid"]
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{USER}\t{USER}" in status, "it is somebody else"
        assert "CapEff:\t0000000000000000" in status, "it has capabilities"
        output(run, "kill", name, "TERM")
        assert daemon.wait(LIMIT) == 0, f"it ended with {daemon.returncode}"
    except Exception:
        print("".join(f"#   {line}" for line in (image.folder / "log").open()))
        raise
    finally:
        subprocess.run([run, "delete", "--force", name], stderr=subprocess.DEVNULL, check=False)
        daemon.send_signal(signal.SIGKILL)
    return f"{run}, a picture of {len(picture)} bytes"


CHECKS = [is_small, is_not_root, has_no_shell, runs]
