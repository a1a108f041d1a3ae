"""baresip calls and another baresip supervises: each plays a tone, so that everybody's ears can be checked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, listen, press
from tests.interop.forked_program import ForkedProgram
from tests.interop.namespace import Namespace
from tests.interop.process import BusyMachine
from tests.interop.server import CallLog, Server
from tests.interop.sound import seconds_with, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ, BOSS_HZ = 1000, 1700
_PATIENCE_S = 40.0


class Controlled:
    """The server of :mod:`tests.interop.supervised_server` in the namespace, with its orders."""

    def __init__(self, server: Server, program: ForkedProgram) -> None:
        self.server = server
        self._program = program

    def order(self, **order: str) -> Any:
        return json.loads(self._program.ask(json.dumps(order)))

    def busy(self) -> BusyMachine:
        """What the server has to wait for from now on."""
        return BusyMachine(self._program.pid)

    def admitted(self) -> str:
        """The code for a supervisor's phone, as soon as there is a call."""
        return str(self.in_time(do="admit"))

    def in_time(self, **order: str) -> Any:
        """An order that has to wait until the call is there, or up."""
        deadline = time.monotonic() + _PATIENCE_S
        while (answer := self.order(**order)) is None:
            assert time.monotonic() < deadline, f"{order} is refused"
            time.sleep(0.1)
        return answer


@contextmanager
def controlled(work: Path, namespace: Namespace, settings: dict[str, Any] | None = None) -> Iterator[Controlled]:
    server = Server(work, namespace=namespace, settings=settings)
    log, configuration = work / "server.log", str(server.configuration)
    with ForkedProgram("tests.interop.supervised_server", configuration, namespace=namespace, log=log) as program:
        assert program.read() == '"ready"', log.read_text()
        yield Controlled(server, program)


@pytest.fixture
def house(tmp_path: Path, namespace: Namespace) -> Iterator[Controlled]:
    with controlled(tmp_path, namespace) as running:
        yield running


def asks_again(log: CallLog) -> bool:
    """Whether the agent has asked for keys since the supervisor left."""
    left = [at for at, fact in enumerate(log.facts) if fact["fact"] == "SupervisorHasLeft"]
    later = CallLog(log.facts[left[0] :]) if left else CallLog([])
    return later.agent_said.endswith("Please press four keys.")


@pytest.mark.long
def test_a_phone_goes_through_all_modes_by_its_keys(
    tmp_path: Path, namespace: Namespace, house: Controlled
) -> None:
    modes = [step for key in "2345" for step in (*press(key), *listen(1.9))]
    with (
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
        Baresip(tmp_path, namespace, tone(BOSS_HZ, 60)) as boss,
    ):
        caller.do(dial(house.server.uri))
        uri, busy = f"sip:supervise+{house.admitted()}@{house.server.address}", house.busy()
        boss.do([*dial(uri), *listen(1.9), *modes, *hang_up()])
        took_ms = 1000 * busy.took_s
        caller.do(hang_up())
        log = house.server.call()
        _said, sent = house.server.recording(log)
    changes = log.all("SupervisorModeHasChanged")
    assert [fact["mode"] for fact in changes] == ["listen", "whisper", "barge", "takeover", "listen"]
    assert all(0 <= fact["effect_ms"] <= 200 + took_ms for fact in changes)
    at = {fact["mode"]: moment for fact, moment in log.dated("SupervisorModeHasChanged")}
    allowed_s = (at["listen"] - at["barge"] + took_ms) / 1000
    for heard in (caller.heard(), sent):
        assert 1.0 <= seconds_with(heard, BOSS_HZ) <= allowed_s + 0.3, "heard in barge and take-over, not before"
    assert seconds_with(boss.heard(), CALLER_HZ) >= 4
    assert seconds_with(boss.heard(), BOSS_HZ) == 0
    assert log.one("SupervisorHasLeft")["had_taken_over"] is False


@pytest.mark.long
def test_a_phone_is_called_and_lost_and_the_agent_goes_on(
    tmp_path: Path, namespace: Namespace, house: Controlled
) -> None:
    with (
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
        Baresip(tmp_path, namespace, tone(BOSS_HZ, 60)) as boss,
    ):
        uri = f"sip:bare@{namespace.address}:{boss.port}"
        caller.do(dial(house.server.uri))
        busy = house.busy()
        house.admitted()
        house.in_time(do="supervise", uri=uri, mode="takeover")
        assert house.order(do="supervise", uri=uri, mode="whisper") <= 1000
        assert house.order(do="supervise", uri=uri, mode="takeover") <= 1000
        took_ms = 1000 * busy.took_s
        house.server.wait_recorded(lambda _said, sent: seconds_with(sent, BOSS_HZ) >= 2.5)
        boss.do(hang_up())
        house.server.wait_happened(asks_again, "the agent asks again")
        caller.do(hang_up())
        log = house.server.call()
    assert all(0 <= fact["effect_ms"] <= 200 + took_ms for fact in log.all("SupervisorModeHasChanged"))
    assert log.one("SupervisorHasLeft")["had_taken_over"] is True
    assert seconds_with(caller.heard(), BOSS_HZ) >= 2
    assert log.agent_said.endswith("Please press four keys."), "the agent asks again what it asked before"
