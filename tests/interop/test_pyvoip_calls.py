"""pyVoIP calls the server: a library in its own process, with the habits of one that few servers have tested.

It acknowledges our 200 with the branch of its INVITE and a To tag that it made up, and does so only once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.pyvoip_peer import PyVoip
from tests.interop.server import Server
from tests.interop.sound import seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_each_side_hears_the_other(server: Server, tmp_path: Path) -> None:
    with PyVoip(tmp_path, "call", (server.host, server.port), tone(1000, 20), seconds=9) as phone:
        assert phone.result() == {"answered": True, "ended_by_peer": False}
    log = server.call()
    caller, agent = server.recording(log)
    assert log.cause == "caller_hangup"
    assert speech_seconds(phone.heard()) >= 1.5
    assert speech_seconds(agent) >= 1.5
    assert seconds_with(caller, 1000) >= 3.5


def test_agent_hangs_up(tmp_path: Path) -> None:
    """pyVoIP forgets a call that it placed and so does not notice the BYE, but it answers it."""
    with Server(tmp_path, agent="goodbye") as server:
        with PyVoip(tmp_path, "call", (server.host, server.port), tone(0, 20), seconds=10) as phone:
            phone.result()
        log = server.call()
    assert log.cause == "agent_hangup"
    assert speech_seconds(phone.heard()) >= 1
