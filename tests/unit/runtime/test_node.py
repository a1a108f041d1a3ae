from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from voicegw.base.errors import LocalError, ProviderError
from voicegw.base.metrics import Counters
from voicegw.dialplan.load import parse_dialplan
from voicegw.runtime import drain as drain_module
from voicegw.runtime import node as node_module
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.runtime.drain import DrainOrder, Farewell, HandOver
from voicegw.runtime.node import Node


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


class Part:
    """Every part of a node at once: remembers what was asked of it, and fails where it is told to."""

    def __init__(self, said: list[str], name: str, failure: Exception | None = None) -> None:
        self._said = said
        self._name = name
        self._failure = failure

    async def start(self) -> None:
        await asyncio.sleep(0)
        self._said.append(f"start {self._name}")
        if self._failure is not None:
            raise self._failure

    async def prepare(self, _agents: object) -> None:
        self._said.append(f"prepare {self._name}")

    async def close(self) -> None:
        self._said.append(f"close {self._name}")


class Gateway:
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def start(self) -> object:
        self._said.append("start gateway")
        return "127.0.0.1:5060"

    def drain(self) -> None:
        self._said.append("drain gateway")

    async def withdraw(self) -> None:
        self._said.append("withdraw")

    async def resume(self) -> None:
        self._said.append("resume")

    def admits(self) -> bool:
        return True

    def reload_certificates(self) -> None:
        self._said.append("certificates")

    def gauges(self) -> dict[str, float]:
        return {"sip_trunks_down": 1.0}

    async def leave(self) -> None:
        self._said.append("leave")

    def close(self) -> None:
        self._said.append("close gateway")


class Sockets(Part):
    """AudioSocket."""

    def drain(self) -> None:
        self._said.append("drain sockets")

    def resume(self) -> None:
        self._said.append("resume sockets")


class Log:
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def flush(self) -> None:
        self._said.append("flush log")

    def close(self) -> None:
        self._said.append("close log")


class Manager:
    """``active`` calls, which end when the test or a goodbye says so."""

    def __init__(self, said: list[str], active: int = 0, *, obedient: bool = True) -> None:
        self._said = said
        self.active = active
        self._obedient = obedient
        self.accepts = self.has_room = True
        self._idle = asyncio.Event()
        self.set_active(active)

    def set_active(self, active: int) -> None:
        self.active = active
        self._idle.set() if active == 0 else self._idle.clear()

    def part_from_all(self) -> None:
        self._said.append("goodbye")
        if self._obedient:
            self.set_active(0)

    def end_all(self) -> None:
        self._said.append("end")

    async def wait_idle(self) -> None:
        await self._idle.wait()


class House:
    def __init__(
        self, calls: int = 0, *, obedient: bool = True, media: Exception | None = None, sockets: bool = False
    ) -> None:
        self.said: list[str] = []
        self.manager = Manager(self.said, calls, obedient=obedient)
        self.load: Callable[[], Installation] = lambda: Installation(
            parse_dialplan("routes: [{name: all, reject: busy}]", "dialplan.yaml", ()), {}
        )
        self.node = Node(
            Gateway(self.said),
            Part(self.said, "media", media),
            Part(self.said, "speech"),  # type: ignore[arg-type]
            Part(self.said, "models"),
            self.manager,  # type: ignore[arg-type]
            DialplanStore(lambda: self.load()),
            Counters(),
            (Part(self.said, "http"),),
            Log(self.said),
            audiosocket=Sockets(self.said, "sockets") if sockets else None,  # type: ignore[arg-type]
        )


def test_who_answers_can_talk() -> None:
    async def story() -> None:
        house = House()
        await house.node.start()
        assert sorted(house.said[:2]) == ["start media", "start speech"]
        assert house.said[2:] == ["start models", "prepare speech", "prepare models", "start gateway"]
        assert house.node.address == "127.0.0.1:5060"

    play(story())


@pytest.mark.parametrize("failure", [LocalError("no worker"), ProviderError("x", "no engine", retryable=False)])
def test_a_part_that_does_not_start_keeps_the_socket_closed(failure: Exception) -> None:
    async def story() -> None:
        house = House(media=failure)
        with pytest.raises(type(failure)):
            await house.node.start()
        assert "start gateway" not in house.said
        await house.node.close()
        assert "close speech" in house.said

    play(story())


def test_an_idle_node_drains_without_a_word() -> None:
    async def story() -> None:
        house = House()
        await house.node.drain(60)
        assert house.said == ["drain gateway", "withdraw"]

    play(story())


def test_every_way_in_is_closed_by_a_drain_and_opened_by_its_end() -> None:
    async def story() -> None:
        house = House(calls=1, sockets=True)
        house.node.drainer.order(DrainOrder(60.0))
        for _ in range(3):
            await asyncio.sleep(0)
        assert house.said == ["drain gateway", "drain sockets", "withdraw"]
        await house.node.drainer.undo("ada")
        assert house.said[3:] == ["resume sockets", "resume"]

    play(story())


def test_calls_may_finish_and_are_told_goodbye_when_they_do_not() -> None:
    async def story() -> None:
        patient, impatient = House(calls=1), House(calls=1)
        draining = asyncio.create_task(patient.node.drain(60))
        for _ in range(3):
            await asyncio.sleep(0)
        assert patient.said == ["drain gateway", "withdraw"]
        patient.manager.set_active(0)
        await draining
        assert "goodbye" not in patient.said
        await impatient.node.drain(0)
        assert impatient.said == ["drain gateway", "withdraw", "goodbye"]

    play(story())


def test_calls_that_never_end_do_not_keep_the_node(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        steps = ((HandOver.GOODBYE, 0.0), (HandOver.HANGUP, 0.0))
        monkeypatch.setattr(drain_module, "_STEPS", {Farewell.GOODBYE: steps})
        monkeypatch.setattr(node_module, "LAST_WORDS_S", 0.0)
        house = House(calls=1, obedient=False)
        await house.node.drain(0)
        await house.node.close()
        assert house.said[-1] == "close log"

    play(story())
    assert "calls did not end" in caplog.text
    assert "records are left open" in caplog.text


def test_records_are_closed_before_the_worker_and_the_log_are() -> None:
    async def story() -> None:
        house = House(calls=1)
        closing = asyncio.create_task(house.node.close())
        for _ in range(5):
            await asyncio.sleep(0)
        assert house.said == ["leave", "close gateway"]
        house.manager.set_active(0)
        await closing
        assert house.said == [
            "leave",
            "close gateway",
            "close media",
            "close speech",
            "close models",
            "close http",
            "close log",
        ]

    play(story())


def test_a_reload_prepares_the_recogniser_for_what_is_new() -> None:
    async def story() -> None:
        house = House()
        house.node.reload()
        for _ in range(10):
            await asyncio.sleep(0)
        assert house.said == ["prepare speech", "prepare models"]
        await house.node.close()

    play(story())
