"""Calls that were, calls to be made, and what a supervisor does to one that runs."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.unit.api.rig import Rig
from voicegw.gateway.audiosocket.announcements import Announcement


@pytest.fixture
def kept(rig: Rig) -> Rig:
    rig.user("ada", "admin")
    for number in range(5):
        rig.call(number, called=f"+49{number}", said="a table" if number % 2 else "a taxi")
    return rig


def ids(rig: Rig, query: str = "", by: str = "ada") -> list[str]:
    answer = rig.get(f"/v1/calls{query}", by)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


def test_filters_and_words(kept: Rig) -> None:
    assert ids(kept) == ["c4", "c3", "c2", "c1", "c0"]
    assert ids(kept, "?q=taxi") == ["c4", "c2", "c0"]
    assert ids(kept, "?called=%2B493") == ["c3"]
    assert ids(kept, "?number=%2B49*&until=2026-01-01T10:00:02Z") == ["c1", "c0"]
    assert ids(kept, "?cause=caller_hangup&state=ended&failure=false&agent=reception") == ids(kept)
    assert ids(kept, "?agent=nobody") == []


def test_pages_by_cursor_neither_skip_nor_repeat_when_calls_come_in(kept: Rig) -> None:
    first = kept.get("/v1/calls?limit=2", "ada").json()
    kept.call(9)
    second = kept.get(f"/v1/calls?limit=2&cursor={first['next']}", "ada").json()
    third = kept.get(f"/v1/calls?limit=2&cursor={second['next']}", "ada").json()
    seen = [one["id"] for page in (first, second, third) for one in page["items"]]
    assert seen == ["c4", "c3", "c2", "c1", "c0"] and third["next"] is None
    for cursor in ("nonsense", "WzFd", "%20", "é"):
        assert kept.get(f"/v1/calls?cursor={cursor}", "ada").status_code == 422


def test_searching_in_words_needs_the_right_to_read_them(kept: Rig) -> None:
    kept.user("robot", "admin", scopes=("calls:read",))
    assert len(ids(kept, by="robot")) == 5
    assert kept.get("/v1/calls?q=taxi", "robot").status_code == 403


def test_transcript_events_and_ladder_of_a_call(kept: Rig) -> None:
    detail = kept.get("/v1/calls/c1", "ada").json()
    assert detail["call"]["called"] == "+491" and detail["turns"] and detail["recording_ms"] == 2000.0
    lines = kept.get("/v1/calls/c1/transcript", "ada").json()["lines"]
    assert lines[0]["speaker"] == "caller" and "table" in lines[0]["text"]
    events = kept.get("/v1/calls/c1/events?limit=2", "ada").json()
    assert [one["kind"] for one in events["items"]] == ["CallWasOffered", "CallWasRouted"]
    more = kept.get(f"/v1/calls/c1/events?limit=1&cursor={events['next']}", "ada").json()["items"]
    assert [one["kind"] for one in more] == ["CallWasAnswered"]
    steps = kept.get("/v1/calls/c1/ladder", "ada").json()["steps"]
    assert [step["message"] for step in steps] == ["INVITE", "180 Ringing", "200 OK", "BYE"]


def test_every_listen_leaves_one_row_a_minute(kept: Rig) -> None:
    kept.recording(1, bytes(100))
    for _ in range(3):
        kept.get("/v1/calls/c1/recording", "ada", headers={"Range": "bytes=0-9"})
    kept.get("/v1/calls/c1/transcript", "ada")
    kept.clock.advance(61)
    kept.get("/v1/calls/c1/recording", "ada")
    rows = [(row["action"], row["id"], row["actor"], row["peer"]) for row in kept.audit()]
    heard = ("recording.hear", "c1", "ada", "192.0.2.7")
    assert rows == [heard, ("transcript.read", "c1", "ada", "192.0.2.7"), heard]


def test_recordings_come_in_ranges(kept: Rig) -> None:
    kept.recording(1, bytes(range(100)))
    whole = kept.get("/v1/calls/c1/recording", "ada")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    assert whole.content == bytes(range(100)) and whole.headers["accept-ranges"] == "bytes"
    for asked, got in (("bytes=10-19", "10-19"), ("bytes=90-", "90-99"), ("bytes=-5", "95-99")):
        part = kept.get("/v1/calls/c1/recording", "ada", headers={"Range": asked})
        first, last = map(int, got.split("-"))
        assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {got}/100")
        assert part.content == bytes(range(first, last + 1))
    beyond = kept.get("/v1/calls/c1/recording", "ada", headers={"Range": "bytes=100-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */100")
    assert kept.get("/v1/calls/c1/recording", "ada", headers={"Range": "words=1-2"}).status_code == 200
    assert kept.get("/v1/calls/c2/recording", "ada").status_code == 404


def test_a_call_is_made_once_for_a_key(kept: Rig) -> None:
    kept.document("agent", "survey", "name: survey\nsteps:\n  - hangup: Bye.\n")
    body = {"to": "+49301", "agent": "survey", "variables": {"order": "4711"}}
    again = {"Idempotency-Key": "reminder-1"}
    answers = [kept.post("/v1/calls", "ada", json=body, headers=again) for _ in range(3)]
    assert {(one.status_code, one.json()["call_id"]) for one in answers} == {(202, "out1")}
    assert len(kept.originator.made) == 1 and kept.originator.made[0].variables == (("order", "4711"),)
    other = kept.post("/v1/calls", "ada", json={**body, "to": "+49302"}, headers=again)
    assert other.status_code == 422
    assert kept.post("/v1/calls", "ada", json=body).json()["call_id"] == "out2"


def test_a_call_by_audiosocket_is_announced(kept: Rig) -> None:
    name = "40325ec2-5efd-4bd3-805f-53576e581d13"
    body = {"uuid": name, "calling": "+4930123", "headers": {"X-Queue": "gold"}}
    assert kept.post("/v1/audiosocket/calls", "ada", json=body).status_code == 204
    assert kept.announcer.said[UUID(name)] == Announcement(calling="+4930123", headers={"X-Queue": "gold"})
    assert kept.post("/v1/audiosocket/calls", "ada", json={"uuid": "7"}).status_code == 422
    kept.announcer.refuses = "too many"
    refused = kept.post("/v1/audiosocket/calls", "ada", json=body)
    assert refused.status_code == 409 and refused.json()["detail"] == "too many"


def test_a_refused_call_frees_its_key(kept: Rig) -> None:
    body, key = {"to": "+49301", "agent": "survey"}, {"Idempotency-Key": "k"}
    assert kept.post("/v1/calls", "ada", json=body, headers=key).status_code == 422
    kept.document("agent", "survey", "name: survey\nsteps:\n  - hangup: Bye.\n")
    kept.originator.refuses = "no trunk is free"
    refused = kept.post("/v1/calls", "ada", json=body, headers=key)
    assert refused.status_code == 409 and refused.json()["detail"] == "no trunk is free"
    kept.originator.refuses = ""
    assert kept.post("/v1/calls", "ada", json=body, headers=key).status_code == 202


def test_supervision_is_noted_before_it_is_done(kept: Rig) -> None:
    kept.user("grace", "supervisor")
    kept.live(7)
    at = "/v1/live/calls/c7"
    listen = {"mode": "listen", "address": "sip:201@10.0.0.7"}
    done = [
        kept.post(f"{at}/supervision", "grace", json=listen),
        kept.post(f"{at}/whisper", "grace", json={"text": "Offer a refund."}),
        kept.post(f"{at}/recording/pause", "grace"),
        kept.post(f"{at}/recording/resume", "grace"),
        kept.post(f"{at}/hand-back", "grace"),
        kept.post(f"{at}/tools/t1", "grace", json={"approved": False}),
        kept.post(f"{at}/transfer", "grace", json={"target": "200", "kind": "attended"}),
        kept.post(f"{at}/end", "grace"),
    ]
    assert {one.status_code for one in done} == {204}
    assert kept.control.done[0] == ("supervise", "c7", "grace", "sip:201@10.0.0.7", "listen")
    assert [one[0] for one in kept.control.done[1:]] == [
        *("whisper_text", "pause_recording", "pause_recording", "hand_back", "approve_tool", "transfer", "end")
    ]
    kept.control.refuses = "somebody else has taken over"
    refused = kept.post(f"{at}/supervision", "grace", json={"mode": "takeover", "address": "webrtc"})
    assert refused.status_code == 409 and refused.json()["detail"] == kept.control.refuses
    kept.control.gone = True
    assert kept.post(f"{at}/end", "grace").status_code == 404
    actions = [row["action"] for row in kept.audit()]
    assert actions[:2] == ["call.supervise", "call.whisper"]
    assert actions[-3:] == ["call.supervise", "call.supervise.refused", "call.end"]


def test_problems_everywhere(kept: Rig) -> None:
    for answer, status in (
        (kept.get("/nowhere", "ada"), 404),
        (kept.request("PATCH", "/v1/calls", "ada"), 405),
        (kept.get("/v1/calls?limit=0", "ada"), 422),
        (kept.post("/v1/route-test", "ada", content=b"x" * 6_000_000), 413),
        (kept.get("/v1/calls"), 401),
    ):
        assert answer.status_code == answer.json()["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_health_and_counters(kept: Rig) -> None:
    assert kept.get("/healthz").json() == {"status": "ok"}
    assert kept.get("/readyz").json() == {"ready": True, "parts": {"store": True}}
    text = kept.get("/metrics", "ada").text
    assert "# TYPE voicegw_calls_offered_total counter\nvoicegw_calls_offered_total 3\n" in text
    assert "voicegw_calls_active 1\n" in text
