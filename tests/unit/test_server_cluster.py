"""A node that was taken for dead while it lived."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml

from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.cluster.messages import CallsLost
from voicegw.config import load_config
from voicegw.server_cluster import ClusterPart
from voicegw.storage.lost_calls import last_fact
from voicegw.testing.manual_clock import ManualClock


class Hub:
    """Notes which calls it was told of."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def share(self) -> None: ...

    def publish(self, call_id: CallId, entry: f.Entry, *, node: str = "", place: str = "") -> None:
        self.ended.append(call_id)

    def compare(self, *_arguments: object) -> None: ...


def test_what_others_have_ended_of_a_node_that_lives_is_shown_there_still(tmp_path: Path) -> None:
    async def scenario() -> None:
        path, hub = tmp_path / "voicegw.yaml", Hub()
        path.write_text(yaml.safe_dump({"cluster": {"redis": "redis://127.0.0.1:1", "node": "a"}}))
        part = ClusterPart(load_config(path), Counters(), ManualClock())
        part.watch_calls(hub)
        part.publish(CallId("on"), f.Entry(0, 0.0, f.CallWasOffered(CallId("on"), "sip", "1", "2", "", "")))
        lost = tuple((CallId(name), last_fact(7, 0.0)) for name in ("on", "of the last run"))
        part.lost(CallsLost("b@1", str(part.node.owner), lost), "5-0")
        assert hub.ended == ["of the last run"]
        await part.node._shared.close()

    asyncio.run(scenario())
