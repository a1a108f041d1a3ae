"""baresip calls the server: a softphone as people use it, in a network of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, hang_up_by_peer, hold, listen, press, resume
from tests.interop.namespace import Namespace
from tests.interop.server import Server
from tests.interop.sound import seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_each_side_hears_the_other(tmp_path: Path, namespace: Namespace) -> None:
    with Server(tmp_path, namespace=namespace) as server, Baresip(tmp_path, namespace, tone(1000, 20)) as phone:
        phone.do([*dial(server.uri), *listen(8), *hang_up()])
        log = server.call()
        caller, agent = server.recording(log)
    assert log.cause == "caller_hangup"
    assert speech_seconds(phone.heard()) >= 1.5
    assert speech_seconds(agent) >= 1.5
    assert seconds_with(caller, 1000) >= 3.5
    assert log.one("MediaWasMeasured")["packets_lost"] == 0


def test_keys_are_heard_and_repeated(tmp_path: Path, namespace: Namespace) -> None:
    with Server(tmp_path, namespace=namespace) as server, Baresip(tmp_path, namespace, tone(0, 60)) as phone:
        phone.do([*dial(server.uri), *listen(2), *press("4711")])
        server.wait_happened(lambda log: "4 7 1 1" in log.agent_said, "the keys are repeated")
        phone.do(hang_up())
        log = server.call()
    assert log.keys == "4711"
    assert "4 7 1 1" in log.agent_said
    assert speech_seconds(phone.heard()) >= 2


def test_agent_hangs_up(tmp_path: Path, namespace: Namespace) -> None:
    with (
        Server(tmp_path, agent="goodbye", namespace=namespace) as server,
        Baresip(tmp_path, namespace, tone(0, 20)) as phone,
    ):
        phone.do([*dial(server.uri), *hang_up_by_peer()])
        log = server.call()
    assert log.cause == "agent_hangup"
    assert speech_seconds(phone.heard()) >= 1


def test_hold_and_resume(tmp_path: Path, namespace: Namespace) -> None:
    with Server(tmp_path, namespace=namespace) as server, Baresip(tmp_path, namespace, tone(1000, 20)) as phone:
        phone.do([*dial(server.uri), *listen(1), *hold(), *listen(2), *resume(), *listen(4), *hang_up()])
        log = server.call()
        caller, _agent = server.recording(log)
    assert [fact["held"] for fact in log.all("CallWasHeld")] == [True, False]
    assert seconds_with(caller, 1000) >= 2
