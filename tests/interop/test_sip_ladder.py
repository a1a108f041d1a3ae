"""The ladder of a real call: all that a telephone and the server said to each other, up to the last answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.fault_server import FaultServer

pytestmark = pytest.mark.interop


def _what(start_line: str) -> str:
    """Method or status."""
    return start_line.removeprefix("SIP/2.0 ").split()[0]


def test_every_message_of_a_call_is_in_its_record(tmp_path: Path) -> None:
    with FaultServer(tmp_path) as server, server.phone() as phone:
        assert phone.dial() == 200
        server.wait_facts(phone, "AgentSpoke")
        assert phone.heard().any()
        phone.hang_up()
        log = server.wait_ended(phone)
    traced = log.all("SipWasTraced")  # the set-up after five seconds, where the call lasted so long
    steps = [step for fact in traced for step in fact["steps"]]
    told = [(step["sent"], _what(step["start_line"]), step["cseq"]) for step in steps]
    assert {(fact["leg"], fact.get("dropped", 0)) for fact in traced} == {("caller", 0)}
    assert told[0][:2] == (False, "INVITE") and told[1][:2] == (True, "100")
    statuses = [what for sent, what, cseq in told if sent and cseq.endswith("INVITE")]
    assert list(dict.fromkeys(statuses)) == ["100", "180", "200"]
    assert [what for _, what, _ in told[-3:]] == ["ACK", "BYE", "200"]
    assert told[-2][0] is False and told[-1][0] is True
    assert all(step["transport"] == "UDP" and step["peer"] and step["here"] for step in steps)
    assert [step["at_ms"] for step in steps] == sorted(step["at_ms"] for step in steps)
