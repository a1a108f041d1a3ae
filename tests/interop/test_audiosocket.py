"""A real Asterisk brings calls by AudioSocket: by its dialplan, and by a channel that was announced to the API."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.interop.api_desk import ApiDesk
from tests.interop.asterisk_peer import Asterisk
from tests.interop.fault_server import FaultServer
from tests.interop.sound import seconds_with, speech_seconds
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]
_CALLER_HZ, _DESK_HZ = 1000, 1700
_NAME = "40325ec2-5efd-4bd3-805f-53576e581d13"
_ANNOUNCED = {
    "uuid": _NAME,
    "called": "7105",
    "calling": "+4930555",
    "display_name": "Ada",
    "headers": {"X-Queue": "gold"},
}


def test_callers_of_asterisk_talk_to_an_agent_without_sip(tmp_path: Path) -> None:
    """One comes as ``asterisk/extensions_voicegw.conf`` says, the other one is announced; both at once."""
    port, api = free_port(), free_port()
    sections = {
        "audiosocket": {"listeners": [{"port": port, "called": "7100"}]},
        "api": {"enabled": True, "listen_port": api},
    }
    server = FaultServer(tmp_path, settings=sections)
    gold = {"name": "gold", "match": {"header": {"X-Queue": "gold"}}, "agent": "echo_keys"}
    routes = [gold, {"name": "everything", "agent": "echo_keys"}]
    (server.home / "dialplan.yaml").write_text(yaml.safe_dump({"routes": routes}))
    with server, ApiDesk(server, None, f"http://127.0.0.1:{api}") as desk:
        with Asterisk(tmp_path, server.address, f"127.0.0.1:{port}") as asterisk:
            desk.post("/v1/audiosocket/calls", _ANNOUNCED)
            asterisk.command("channel originate Local/7100@kept/n extension keys@sounds")
            asterisk.command(f"channel originate AudioSocket/127.0.0.1:{port}/{_NAME} extension 2001@desks")
            first, second = server.called("7100"), server.called("7105")
            heard = asterisk.heard()
        said, sent = server.recording(first)
        announced, answered = server.recording(second)
        server.wait(lambda: bool(desk.get("/v1/calls?called=7105")["items"]), 30, "the call is stored")
        (record,) = desk.get("/v1/calls?called=7105")["items"]
    assert first.keys == "4711"
    assert first.cause == second.cause == "caller_hangup"
    assert seconds_with(said, _CALLER_HZ) >= 4
    assert speech_seconds(sent) >= 2
    assert speech_seconds(heard) == pytest.approx(speech_seconds(sent), abs=1.0)
    assert second.one("CallWasOffered")["calling"] == record["calling"] == "+4930555"
    assert [log.one("CallWasRouted")["route"] for log in (first, second)] == ["everything", "gold"]
    assert seconds_with(announced, _DESK_HZ) >= 3
    assert speech_seconds(answered) >= 2
