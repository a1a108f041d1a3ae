"""Calls straight to one node of several, past the balancer, as a carrier's come or a stranger's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.interop.api_desk import ApiDesk
from tests.interop.cluster_net import Network
from tests.interop.far_phone import FarPhone
from tests.interop.fault_server import FaultServer
from tests.interop.sipp_peer import Sipp

HOLD_MS = 600_000


class Nodes(Protocol):
    """What a test of several nodes has."""

    @property
    def work(self) -> Path: ...

    @property
    def network(self) -> Network: ...

    @property
    def servers(self) -> Mapping[str, FaultServer]: ...

    @property
    def desks(self) -> Mapping[str, ApiDesk]: ...


def until(holds: Callable[[], bool], what: str, within_s: float = 30.0) -> float:
    """Wait; how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def media_of(body: str) -> tuple[str, int]:
    """Where the audio of a description goes."""
    lines = body.splitlines()
    host = next(line.split()[-1] for line in lines if line.startswith("c="))
    return host, next(int(line.split()[1]) for line in lines if line.startswith("m=audio"))


class DirectCall:
    """From an address of the network to a number at a node. Leaving the ``with`` block ends sipp, not the call."""

    def __init__(self, nodes: Nodes, at: str, number: str, source: str) -> None:
        self._nodes, self._at, self._number, self._source = nodes, at, number, source
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        network, server = self._nodes.network, self._nodes.servers[self._at]
        self._phone = self._stack.enter_context(FarPhone(network))
        sipp = Sipp(
            self._nodes.work,
            "uac",
            target=f"{server.host}:{server.port}",
            service=self._number,
            timeout_s=120,
            values={"rtp_port": str(self._phone.port), "hold_ms": str(HOLD_MS)},
            namespace=network,
            extra=("-i", self._source),
        )
        self.sipp = self._stack.enter_context(sipp)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def status(self) -> int:
        """That of the final answer; a 200 is followed by audio of ours."""
        until(lambda: bool(self._finals()), f"an answer to a call: {self.sipp.errors}")
        status, body = self._finals()[0]
        if status == 200:
            self._phone.start(*media_of(body))
        return status

    def talks(self) -> None:
        """Until the agent is heard."""
        until(lambda: self._phone.speech_s() > 0.3, "the agent is heard")

    def hears(self, hz: int) -> None:
        """Until somebody is heard who plays this tone."""
        until(lambda: self._phone.tone_s(hz) > 0.5, f"{hz} Hz are heard")

    def _finals(self) -> list[tuple[int, str]]:
        answers = [(int(seen.start_line.split()[1]), seen.body) for seen in self.sipp.received("SIP/2.0", "INVITE")]
        return [(status, body) for status, body in answers if status >= 200]
