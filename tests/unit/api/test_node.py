"""The node as a whole by the API: its state, a drain, taking it back; and what is noted of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.api.rig import Rig
from voicegw.api.parts import Node
from voicegw.runtime.drain import Farewell, NodeState


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    made.user("boss", "admin")
    made.user("auditor", "auditor")
    yield made
    made.close()


def test_a_node_is_drained_and_undrained_and_all_is_noted(rig: Rig) -> None:
    assert rig.get("/v1/node", "boss").json()["state"] == "serving"
    told = rig.post("/v1/node/drain", "boss", json={"deadline_s": 60, "farewell": "hangup", "stop": True}).json()
    assert (told["state"], told["deadline_in_s"], told["stop"], told["by"]) == ("draining", 60.0, True, "boss")
    assert rig.board.wishes[-1].farewell is Farewell.HANGUP
    assert rig.post("/v1/node/drain", "boss", json={}).json()["deadline_in_s"] == 1800.0
    assert rig.delete("/v1/node/drain", "boss").json()["state"] == "serving"
    noted = [(one["actor"], one["action"], one["after"]) for one in rig.audit()]
    assert noted == [
        ("boss", "node.drain", '{"deadline_s":60.0,"farewell":"hangup","stop":true}'),
        ("boss", "node.drain", '{"stop":false}'),
        ("boss", "node.undrain", ""),
    ]


def test_what_cannot_be_done_is_refused_and_not_noted(rig: Rig) -> None:
    assert rig.post("/v1/node/drain", "boss", json={"deadline_s": -1}).status_code == 422
    wrong = rig.post("/v1/node/drain", "boss", json={"farewell": "transfer"})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "transfer_to"
    rig.board.now = replace(rig.board.now, state=NodeState.HANDING_OVER)
    assert rig.delete("/v1/node/drain", "boss").status_code == 409
    assert rig.post("/v1/node/drain", "auditor", json={}).status_code == 403
    assert rig.audit() == []


def test_a_node_that_takes_no_calls_is_not_ready(tmp_path: Path) -> None:
    admits = True
    rig = Rig(tmp_path, node=Node(ready=lambda: {"admission": admits}))
    assert rig.get("/readyz").json() == {"ready": True, "parts": {"admission": True, "store": True}}
    admits = False
    answer = rig.get("/readyz")
    assert answer.status_code == 503 and answer.json()["parts"]["admission"] is False
    rig.close()


def test_a_reload_says_what_is_in_force_and_what_is_wrong(rig: Rig) -> None:
    told = rig.post("/v1/node/reload", "boss")
    assert told.json() == {"changed": ["limits.max_calls"], "need_restart": ["media.port_low"]}
    assert [one["action"] for one in rig.audit()] == ["node.reload"]
    rig.board.broken = "there is no codec called 'mp3'"
    wrong = rig.post("/v1/node/reload", "boss")
    (error,) = wrong.json()["errors"]
    assert wrong.status_code == 422 and (error["file"], error["line"]) == ("voicegw.yaml", 7)
    assert len(rig.audit()) == 1
