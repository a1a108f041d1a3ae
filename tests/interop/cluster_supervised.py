"""A supervisor at other nodes than that of the call: called, hears, and is heard when that is wished."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.interop.cluster_calls import Nodes, media_of, until
from tests.interop.far_phone import CALLER_HZ, FarPhone
from tests.interop.sipp_peer import Sipp

BOSS_HZ = 1700


class Boss:
    """A supervisor's phone at the bridge: it rings for a second, answers, and plays a tone."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        network = self._nodes.network
        self._phone = self._stack.enter_context(FarPhone(network))
        values = {"rtp_port": str(self._phone.port)}
        sipp = Sipp(self._nodes.work, "target_answers", values=values, timeout_s=120, namespace=network)
        self.sipp = self._stack.enter_context(sipp).listening()
        self.uri = f"sip:boss@{network.address}:{self.sipp.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def talks(self) -> str:
        """Begin with the tone; where it goes."""
        host, port = media_of(self.sipp.wait_for("INVITE").body)
        self._phone.start(host, port, BOSS_HZ)
        return host

    def hears_caller(self) -> None:
        """Until half a second more of the caller was heard."""
        before = self._phone.tone_s(CALLER_HZ)
        until(lambda: self._phone.tone_s(CALLER_HZ) > before + 0.5, "the caller is heard by the supervisor")


def supervised_from_other_nodes(
    nodes: Nodes, owner: str, call_id: str, caller_hears: Callable[[int], float]
) -> None:
    """``caller_hears``: how many seconds of a tone the caller has heard so far."""
    at, third = (name for name in nodes.desks if name != owner)
    live = f"/v1/live/calls/{call_id}"

    def shown() -> list[dict[str, str]]:
        calls = nodes.desks[third].get("/v1/live/calls")["items"]
        return [call["supervisors"] for call in calls if call["id"] == call_id]

    with Boss(nodes) as boss:

        def take(name: str, mode: str) -> None:
            nodes.desks[name].post(f"{live}/supervision", {"mode": mode, "address": boss.uri})

        take(at, "listen")
        assert boss.talks() == nodes.servers[owner].host, "the phone is called by the node that has the call"
        boss.hears_caller()
        take(third, "whisper")
        boss.hears_caller()
        assert caller_hears(BOSS_HZ) == 0
        take(at, "barge")
        until(lambda: caller_hears(BOSS_HZ) > 0.5, "the supervisor is heard by the caller")
        until(lambda: shown() == [{"ada": "barge"}], "every node shows who takes part")
        nodes.desks[third].post(f"{live}/hand-back")
        boss.sipp.passed()
    until(lambda: shown() == [{}], "and that nobody does any more")
