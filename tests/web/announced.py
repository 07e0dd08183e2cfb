"""Found on the network, by a foreign implementation of multicast DNS (python3-zeroconf)."""

import contextlib
import socket
import subprocess
import urllib.request

from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

import check
from check import Daemon, that
from proxies import own_network

#: The address of this machine on a network where nobody else is.
ADDRESS = "192.0.2.1"

HTTP, OURS = "_http._tcp.local.", "_streamd._tcp.local."


def run():
    machine = socket.gethostname().split(".")[0]
    with own_network(""), wire(), Found() as found, Announced() as daemon:
        name = f"streamd on {machine}"
        info = check.until(lambda: found.info(HTTP, name))
        if not that("a browser of services finds the page", info, f"{found.names}\n{daemon.log()}"):
            return
        that("its port and path are told", (info.port, info.properties.get(b"path")) == (daemon.port, b"/"), info)
        that("its addresses are the listener's", info.parsed_addresses() == [ADDRESS], info)
        host = info.server.rstrip(".")
        that("the machine's own name is left to others", host == f"streamd-{machine.lower()}.local", host)
        asked = urllib.request.Request(f"http://{ADDRESS}:{info.port}/", headers={"Host": f"{host}:{info.port}"})
        with urllib.request.urlopen(asked, timeout=5) as answer:
            that("the page answers to that name", answer.status == 200)
        ours = check.until(lambda: found.info(OURS, name))
        that("our own kind is found too", ours and ours.properties.get(b"tls") == b"false", ours)
        with Announced() as second:
            other = check.until(lambda: found.info(HTTP, f"{name} (2)"))
            that("a second one gets a name of its own", other and other.port == second.port, found.names)
        gone = check.until(lambda: f"{name} (2).{HTTP}" not in found.names)
        that("who stops is gone at once, and only that one", gone and f"{name}.{HTTP}" in found.names, found.names)
    with own_network(""), Daemon(http="announce = true") as daemon:
        said = check.until(lambda: "no listener of [http] is on the network; nothing is announced" in daemon.log())
        that("on loopback nothing is announced, and that is said", said, daemon.log())


class Announced(Daemon):
    """streamd at all addresses of the machine, by IPv4."""

    def __init__(self):
        super().__init__(http="announce = true")
        self.replace(f"127.0.0.1:{self.port}", f"0.0.0.0:{self.port}")
        self.replace("[access]\n", '[access]\nanonymous = "viewer"\n')


class Found:
    """What a browser of services shows at the moment."""

    def __init__(self):
        self.names = set()

    def __enter__(self):
        self.zeroconf = Zeroconf()
        ServiceBrowser(self.zeroconf, [HTTP, OURS], handlers=[self.changed])
        return self

    def __exit__(self, *_):
        self.zeroconf.close()

    def changed(self, zeroconf, service_type, name, state_change):
        if state_change is ServiceStateChange.Removed:
            self.names.discard(name)
        else:
            self.names.add(name)

    def info(self, kind, name):
        """All that is told of a service, once it is there."""
        full = f"{name}.{kind}"
        return self.zeroconf.get_service_info(kind, full) if full in self.names else None


@contextlib.contextmanager
def wire():
    """A network that this machine is on, with nobody at the other end."""
    for words in (
        "link add streamd0 type veth peer name other0",
        f"address add {ADDRESS}/24 dev streamd0",
        "link set streamd0 up",
        "link set other0 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    yield
