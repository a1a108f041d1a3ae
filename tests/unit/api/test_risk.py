"""The live list in order of risk, its alerts, and tools that wait for a person."""

from __future__ import annotations

import json

from tests.unit.api.rig import Rig
from tests.unit.api.test_live import Stream, publish
from voicegw.base.ids import CallId
from voicegw.call import facts as f

ANGRY = f.CallerSpoke("This is ridiculous.", 0.9, "", 5000, 6000)
ASKS = f.ToolWaitsForApproval("key1", "refund", '{"amount":10}', 45.0)


def add(rig: Rig, number: int, seq: int, *facts: f.AnyFact) -> None:
    for offset, fact in enumerate(facts):
        rig.parts.hub.publish(CallId(f"c{number}"), f.Entry(seq + offset, 7000.0, fact))


def test_the_list_begins_with_what_needs_a_look(rig: Rig) -> None:
    rig.user("ada", "admin")
    publish(rig, 0, 3, number=0)
    publish(rig, 0, 3, number=1)
    add(rig, 1, 3, ANGRY, ASKS)
    risky, calm = rig.get("/v1/live/calls", "ada").json()["items"]
    assert (risky["id"], risky["risk"], calm["id"], calm["risk"]) == ("c1", 25, "c0", 0)
    text = "the caller sounds frustrated (1 ×)"
    assert risky["reasons"] == [{"reason": "frustration", "points": 25, "text": text}]
    waiting = {"key": "key1", "tool": "refund", "arguments": '{"amount":10}', "within_s": 45.0}
    assert risky["waiting_tools"] == [waiting] and calm["reasons"] == calm["waiting_tools"] == []
    add(rig, 1, 5, f.SupervisorModeHasChanged("sam", "whisper", 5.0), f.SupervisorModeHasChanged("sue", "listen"))
    add(rig, 1, 7, f.SupervisorHasLeft("sue", "caller_hangup", False))
    assert rig.get("/v1/live/calls/c1", "ada").json()["call"]["supervisors"] == {"sam": "whisper"}
    add(rig, 1, 8, f.ToolWasRefused("key1", "refund", "", "nobody answered in time"))
    assert rig.get("/v1/live/calls/c1", "ada").json()["call"]["waiting_tools"] == []


def test_a_reason_that_has_become_weighty_is_told_once(rig: Rig) -> None:
    rig.user("ada", "admin")

    async def body() -> None:
        stream = Stream(rig, "/v1/live/events", "ada")
        await stream.until(lambda text: "retry" in text)
        publish(rig, 0, 3)
        add(rig, 0, 3, ANGRY, ANGRY, ANGRY, f.CallerWasSilent())
        text = await stream.until(lambda text: "CallerWasSilent" in text)
        await stream.leave()
        alerts = [line for line in text.splitlines() if '"alert":' in line]
        assert [json.loads(line.removeprefix("data: "))["data"] for line in alerts] == [
            {
                "alert": "RiskAlert",
                "reason": "frustration",
                "text": "the caller sounds frustrated (2 ×)",
                "points": 50,
                "risk": 50,
            }
        ]
        assert rig.parts.hub.last_id.endswith("-8"), "an alert is an event with an id of its own"

    rig.run(body())
