"""The package: what it installs, and that the service runs at once."""

import pathlib
import re
import stat

import vivid
from machine import clients, is_active, refused, run, said_by, streamctl, unit
from report import Checks, expect, expect_equal

checks = Checks()
check = checks.check

DEB = "/host/streamd.deb"

# apt and dpkg take a quarter of a minute in emulation, on a machine that has nothing else to do.
APT_LIMIT = 240


@check("vivid is a camera of 30 frames a second", needed=True)
def _():
    vivid.load()
    rate = vivid.own_rate()
    expect(rate > 25, f"v4l2-ctl gets {rate} fps of it: the machine is too slow for the checks")
    return f"v4l2-ctl gets {rate} fps"


@check("apt installs the package and the service is up", limit=APT_LIMIT, needed=True)
def _():
    run("apt-get", "install", "-y", DEB, timeout=APT_LIMIT)
    expect_equal(unit("ActiveState"), "active", "ActiveState")
    expect_equal(unit("SubState"), "running", "SubState")
    expect_equal(said_by("systemctl", "is-enabled", "streamd"), "enabled", "is-enabled")
    expect_equal(unit("NRestarts"), "0", "NRestarts")
    # Whom the other checks take for an administrator of the service.
    run("usermod", "-aG", "streamd", "visitor")


@check("the status line of the service says what it does")
def _():
    status = unit("StatusText")
    expect(re.search(r"1 camera\b", status), f"status {status!r}")
    return status


@check("nothing listens beyond loopback, and no more than documented")
def _():
    listening = said_by("ss", "-Hltn").splitlines()
    expect_equal(sorted(line.split()[3] for line in listening), ["127.0.0.1:8002", "127.0.0.1:8080"], "ss -ltn")


@check("the control socket is for root and the group streamd")
def _():
    mode = pathlib.Path("/run/streamd/control").stat()
    expect_equal(stat.S_IMODE(mode.st_mode), 0o660, "its mode")
    said = refused(77, "stats", user="nobody")
    expect("group streamd" in said, f"a stranger is told {said!r}")
    run("runuser", "-u", "visitor", "--", "streamctl", "stats")
    return said


@check("man pages, completions, documents and the configuration are there")
def _():
    for section, page in ((8, "streamd"), (5, "streamd.toml"), (1, "streamctl"), (1, "streamctl-stats")):
        expect("NAME" in said_by("man", str(section), page), f"man {section} {page}")
    run("bash", "-c", "source /usr/share/bash-completion/completions/streamctl; complete -p streamctl")
    fish = said_by("fish", "-c", 'complete -C "streamctl "')
    expect("snapshot" in fish, f"fish completes with {fish}")
    zsh = said_by("zsh", "-c", "autoload -Uz compinit; compinit -D -u; print $_comps[streamctl]")
    expect_equal(zsh, "_streamctl", "zsh's completion")
    for name in ("copyright", "changelog.Debian.gz", "README.md"):
        expect(any(pathlib.Path("/usr/share/doc/streamd").glob(f"{name}*")), f"no {name}")
    expect(pathlib.Path("/usr/share/doc/streamd/docs/ref/configuration.md").exists(), "no reference")
    expect_equal(
        said_by("dpkg-query", "-W", "-f=${Conffiles}", "streamd").split()[0],
        "/etc/streamd/streamd.toml",
        "the conffile",
    )


@check("the configuration that is shipped is valid and changes nothing")
def _():
    run("streamd", "--check-config")
    shipped = said_by("streamd", "--print-config")
    empty = said_by("streamd", "--print-config", "--config", "/dev/null")
    expect_equal(shipped, empty, "--print-config")


@check("--version names the version and that the encoder has SIMD")
def _():
    version = said_by("streamd", "--version")
    expect("with SIMD" in version, version)
    installed = said_by("dpkg-query", "-W", "-f=${Version}", "streamd")
    expect(installed.rpartition("-")[0] in version, f"{version!r}, but the package is {installed}")


@check("the sandbox: systemd-analyze security says 2.0 or less")
def _():
    said = said_by("systemd-analyze", "security", "--no-pager", "streamd.service")
    exposure = float(re.search(r"exposure level for streamd.service: ([0-9.]+)", said)[1])
    expect(exposure <= 2.0, f"exposure {exposure}")
    return exposure


@check("systemd finds nothing wrong with the units")
def _():
    units = ["streamd.service", "streamd-control.socket", "streamd-camera.socket", "streamd-http.socket"]
    done = run("systemd-analyze", "verify", *units)
    expect_equal(done.stdout + done.stderr, "", "systemd-analyze verify")


@check("nobody is connected yet")
def _():
    expect_equal(clients(), [], "clients")
    expect_equal(streamctl("stats")["healthy"], True, "healthy")
    expect(is_active(), "not active")
