"""Upgrade, removal, purge."""

import pathlib
import shutil

from machine import CONFIGURATION, configure, is_active, pid, run, said_by, unit
from report import Checks, expect, expect_equal
from stream import Client

from checks.install import APT_LIMIT

checks = Checks()
check = checks.check


@check("an upgrade restarts the service and keeps the configuration", limit=APT_LIMIT)
def _():
    configure("quality = 55")
    before = pid()
    run("dpkg-deb", "--raw-extract", "/host/streamd.deb", "/tmp/next")
    control = pathlib.Path("/tmp/next/DEBIAN/control")
    text = control.read_text()
    control.write_text(text.replace("\nVersion: ", "\nVersion: 1:", 1))
    run("dpkg-deb", "-Znone", "--build", "/tmp/next", "/tmp/next.deb")
    run("apt-get", "install", "-y", "/tmp/next.deb", timeout=APT_LIMIT)
    expect(said_by("dpkg-query", "-W", "-f=${Version}", "streamd").startswith("1:"), "the old version is there")
    expect(is_active() and pid() != before, "the service was not restarted")
    expect("55" in CONFIGURATION.read_text(), "the configuration was replaced")
    with Client() as client:
        client.frame()
    shutil.rmtree("/tmp/next")


@check("removal stops the service and leaves the configuration", limit=APT_LIMIT)
def _():
    run("apt-get", "remove", "-y", "streamd", timeout=APT_LIMIT)
    expect_equal(unit("ActiveState"), "inactive", "ActiveState")
    expect(unit("LoadState") in ("not-found", "masked"), f"LoadState {unit('LoadState')}")
    expect_equal(said_by("ss", "-Hltn"), "", "listeners")
    expect(CONFIGURATION.exists(), "the configuration is gone")


@check("purge leaves nothing behind but the user", limit=APT_LIMIT)
def _():
    run("apt-get", "purge", "-y", "streamd", timeout=APT_LIMIT)
    places = ["/etc", "/usr", "/var", "/run", "/tmp"]
    command = ["find", *places, "-xdev", "(", "-name", "*streamd*", "-o", "-name", "*streamctl*", ")"]
    # Not what man keeps of the pages it has shown, as root, in the checks.
    left = [path for path in said_by(*command).splitlines() if not path.startswith("/var/cache/man/")]
    expect_equal(left, [], "files left")
    run("systemctl", "daemon-reload")
    expect_equal(unit("LoadState"), "not-found", "LoadState")
    expect_equal(said_by("systemctl", "--failed", "--no-legend"), "", "failed units")
    run("getent", "passwd", "streamd")
