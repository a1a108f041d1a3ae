"""A network of namespaces: a bridge with the test's own programs, and a machine of its own for each node."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.namespace import Inside, Namespace
from tests.interop.process import Process

REDIS_PORT = 6379
_START_S = 30.0
_POLL_S = 0.02


class Network(Namespace):
    """The bridge: where balancer, Redis and callers are. Addresses of RFC 5737."""

    address = "192.0.2.250"
    stranger = "192.0.2.249"
    """Another machine, from which nobody calls."""
    carrier = "192.0.2.248"
    """Where the calls of a trunk come from."""
    setup = (
        "ip link set lo up",
        "ip link add net0 type bridge",
        "ip link set net0 up",
        f"ip address add {address}/24 dev net0",
        f"ip address add {stranger}/24 dev net0",
        f"ip address add {carrier}/24 dev net0",
    )

    def plug(self, host: Host) -> None:
        """Connect a machine."""
        port = f"port{host.address.rpartition('.')[2]}"
        add = ["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(host.inside.pid)]
        for command in (add, ["ip", "link", "set", port, "master", "net0"], ["ip", "link", "set", port, "up"]):
            subprocess.run(self.command(command), check=True)


class Host(Namespace):
    """A machine of the network."""

    def __init__(self, network: Network, number: int) -> None:
        self.address = f"192.0.2.{number}"
        self._network = network

    def __enter__(self) -> Self:
        address = f"ip address add {self.address}/24 dev eth0"
        ready = f"ip link set lo up && ip link set eth0 up && {address} && echo ready && exec cat"
        self._holder = subprocess.Popen(
            self._network.command(["unshare", "--net", "sh", "-c", f"echo here && read go && {ready}"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.as_user = self._network.as_user
        self.inside = Inside(self._holder.pid, self._network.inside.kinds)
        assert self._holder.stdin is not None and self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"here\n"
        self._network.plug(self)
        self._holder.stdin.write(b"go\n")
        self._holder.stdin.flush()
        assert self._holder.stdout.readline() == b"ready\n"
        return self


class RedisPeer:
    """Redis in a namespace: nothing of it is kept."""

    def __init__(self, work: Path, namespace: Namespace) -> None:
        self._work = work
        self._namespace = namespace
        self._starts = 0
        self.url = f"redis://{namespace.address}:{REDIS_PORT}/0"

    def start(self) -> None:
        """Returns when it takes connections."""
        self._starts += 1
        options = ["--bind", self._namespace.address, "--port", str(REDIS_PORT), "--save", "", "--appendonly", "no"]
        options += ["--protected-mode", "no"]
        log = self._work / f"redis-{self._starts}.log"
        self._process = Process(["redis-server", *options], log, namespace=self._namespace, cwd=self._work)
        deadline = time.monotonic() + _START_S
        while "Ready to accept connections" not in self._process.output:
            assert self._process.running and time.monotonic() < deadline, self._process.output
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """At once."""
        self._process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
