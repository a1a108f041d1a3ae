"""A real Asterisk brings calls by AudioSocket, as ``asterisk/extensions_voicegw.conf`` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.asterisk_peer import Asterisk
from tests.interop.server import Server
from tests.interop.sound import seconds_with, speech_seconds
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]
_CALLER_HZ = 1000


def test_a_caller_of_asterisk_talks_to_an_agent_without_sip(tmp_path: Path) -> None:
    port = free_port()
    listener = {"port": port, "called": "7100"}
    with Server(tmp_path, settings={"audiosocket": {"listeners": [listener]}}) as server:
        with Asterisk(tmp_path, server.address, f"127.0.0.1:{port}") as asterisk:
            asterisk.command("channel originate Local/7100@kept/n extension keys@sounds")
            log = server.call(within_s=40)
            heard = asterisk.heard()
        said, sent = server.recording(log)
    assert log.one("CallWasOffered")["called"] == "7100"
    assert log.keys == "4711"
    assert log.cause == "caller_hangup"
    assert seconds_with(said, _CALLER_HZ) >= 4
    assert speech_seconds(sent) >= 2
    assert speech_seconds(heard) == pytest.approx(speech_seconds(sent), abs=1.0)
