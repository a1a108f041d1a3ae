"""Packet captures by HTTP: who may, what is noted, and which file is given out."""

from __future__ import annotations

import json

from tests.unit.api.rig import Rig
from voicegw.api.captures import Keeper


def test_an_order_is_noted_before_it_is_done_and_a_refusal_after_it(rig: Rig) -> None:
    rig.user("ada", "admin")
    rig.live(3)
    assert rig.post("/v1/calls/c3/capture", "ada", json={"audio": False, "max_seconds": 9}).status_code == 204
    assert rig.request("DELETE", "/v1/calls/c3/capture", "ada").status_code == 204
    assert rig.captures.done == [("start", "c3", "ada", "False"), ("stop", "c3", "ada")]
    rig.captures.refuses = "4 calls are being captured"
    refused = rig.post("/v1/calls/c3/capture", "ada", json={})
    assert refused.status_code == 409 and "4 calls" in refused.text
    noted = [one for one in rig.audit() if "capture" in one["action"]]
    assert [one["action"] for one in noted] == [
        *("call.capture", "call.capture_stop"),
        *("call.capture", "call.capture.refused"),
    ]
    assert {one["id"] for one in noted} == {"c3"} and {one["actor"] for one in noted} == {"ada"}
    assert json.loads(noted[0]["after"]) == {"audio": False, "max_seconds": 9.0, "max_mb": 4000.0}


def test_whoever_may_not_hear_calls_gets_headers_only(rig: Rig) -> None:
    rig.user("net", "admin", scopes=("calls:capture",))
    rig.live(3)
    rig.call(1)
    assert rig.post("/v1/calls/c3/capture", "net", json={}).status_code == 403
    assert rig.post("/v1/calls/c3/capture", "net", json={"audio": False}).status_code == 204
    rig.captured(1, b"with audio", "1")
    assert rig.get("/v1/calls/c1/capture", "net").status_code == 403
    rig.captured(1, b"headers", "2-heads")
    assert rig.get("/v1/calls/c1/capture", "net").content == b"headers"
    assert rig.get("/v1/calls/c1/capture?part=1", "net").status_code == 403


def test_the_last_of_several_is_downloaded_and_that_is_noted(rig: Rig) -> None:
    rig.user("ada", "admin")
    rig.call(1)
    assert rig.get("/v1/calls/c1/capture", "ada").status_code == 404
    for part in (2, 10, 9):
        rig.captured(1, f"part {part}".encode(), str(part))
    got = rig.get("/v1/calls/c1/capture", "ada")
    assert got.content == b"part 10" and got.headers["content-type"] == "application/vnd.tcpdump.pcap"
    assert rig.get("/v1/calls/c1/capture?part=1", "ada").content == b"part 2"
    assert rig.get("/v1/calls/c1/capture?part=4", "ada").status_code == 404
    assert "capture.read" in [one["action"] for one in rig.audit()]


def test_calls_to_come_are_waited_for(rig: Rig) -> None:
    rig.user("ada", "admin")
    made = rig.post("/v1/captures", "ada", json={"number": "+4930", "count": 2, "audio": False})
    assert made.status_code == 201 and made.json()["left"] == 2 and made.json()["by"] == "ada"
    assert [one["id"] for one in rig.get("/v1/captures", "ada").json()["items"]] == ["k1"]
    assert rig.request("DELETE", "/v1/captures/k1", "ada").status_code == 204
    assert rig.request("DELETE", "/v1/captures/k7", "ada").status_code == 404
    assert rig.captures.done == [("arm", "+4930", "2", "ada"), ("disarm", "k1")]
    assert [one["action"] for one in rig.audit()][-2:] == ["capture.arm", "capture.disarm"]


def test_whoever_asks_for_a_file_of_another_node_is_told_where_it_is(rig: Rig) -> None:
    rig.user("ada", "admin")
    rig.call(1)
    rig.captures.keepers["c1"] = Keeper("b", "https://b.test:8080")
    got = rig.get("/v1/calls/c1/capture", "ada")
    assert got.status_code == 409
    assert got.json()["detail"] == "the capture is on node b: https://b.test:8080/v1/calls/c1/capture"
    rig.captures.keepers["c1"] = Keeper("b", "")
    assert "node b: which has no API" in rig.get("/v1/calls/c1/capture", "ada").text
    rig.captured(1, b"here")
    assert rig.get("/v1/calls/c1/capture", "ada").content == b"here"
