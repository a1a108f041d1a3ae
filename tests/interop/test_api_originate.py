"""A call that the admin API orders: by a trunk, to a phone of sipp's, with what the agent is to know."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.fault_server import FaultServer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import speech_seconds
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

REMINDER = """
name: reminder
variables: {order: none, days: 1}
steps:
  - say: {text: "Your order {{ order }} comes in {{ days }} days.", interruptible: false}
  - hangup: Goodbye.
"""


def test_the_agent_calls_by_the_trunk_and_knows_what_it_was_told(tmp_path: Path) -> None:
    port, desk_port = free_port(), free_port()
    api = {"enabled": True, "listen_port": port, "key_file": "secrets.key"}
    tolls = {"rules": [{"name": "one", "calls_per_hour": 1}]}
    server = FaultServer(tmp_path, settings={"api": api, "tolls": tolls})
    reminder = tmp_path / "reminder.yaml"
    reminder.write_text(REMINDER)
    server.use_agent(reminder)
    server.write_trunk("carrier", hosts=["127.0.0.1"], port=desk_port, carries=["+49*"], health={"options_s": 0})
    order = {"to": "+4930555", "agent": "reminder", "trunk": "carrier", "variables": {"order": "blue", "days": "3"}}
    with server, ApiDesk(server, None, f"http://127.0.0.1:{port}") as desk:
        refused = desk.post("/v1/calls", order | {"variables": {"days": "soon"}}, 409)
        assert "'soon' is no value for 'days'" in str(refused)
        premium = desk.post("/v1/calls", order | {"to": "+499001234567"}, 403)
        assert "premium_rate" in premium["detail"]
        with Sipp(tmp_path, "uas_routed", port=desk_port, extra=("-rtp_echo",)).listening() as phone:
            call_id = desk.post("/v1/calls", order, 202)["call_id"]
            phone.passed()
            invite = phone.wait_for("INVITE")
        one_more = desk.post("/v1/calls", order, 403)
        assert one_more["errors"][0]["fix"] == "change 'calls_per_hour' of the rule 'one' in tolls.rules"
        refusals = desk.get("/v1/audit?action=call.refuse")["items"]
        assert {row["after"]["limit"] for row in refusals} == {"denied_kinds", "calls_per_hour"}
        log = server.call()
        server.wait(lambda: bool(desk.get("/v1/calls")["items"]), 30, "the call is stored")
        assert desk.get(f"/v1/calls/{call_id}")["call"]["called"] == "+4930555"
        (row,) = desk.get("/v1/audit?action=call.originate")["items"][:1]
        assert row["after"]["to"] == "+4930555"
    assert invite.start_line.startswith("INVITE sip:+4930555@127.0.0.1")
    assert "Your order blue comes in 3 days." in log.agent_said
    assert {fact["name"]: fact["value"] for fact in log.all("SlotWasFilled")} == {"order": "blue", "days": "3"}
    heard, said = server.recording(log)
    assert speech_seconds(said) > 1
    assert speech_seconds(heard) > 1, "sipp sends back what it hears"
