"""Watching calls as they happen: replay, gaps, slow watchers, and rights that end in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.unit.api.rig import Rig
from tests.unit.storage.sample_call import sample_call
from voicegw.api import streams
from voicegw.api.events_stream import TOO_SLOW, EventHub, PhoneChanged, TrunkChanged
from voicegw.api.live_calls import LiveCalls
from voicegw.api.permissions import EVERYTHING, Scope
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import Entry, KeyWasPressed


class Stream:
    """A server-sent stream over bare ASGI, so that a test sees each part as it comes."""

    def __init__(self, rig: Rig, path: str, by: str, **headers: str) -> None:
        self.rig = rig
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.left: asyncio.Event = asyncio.Event()
        url, _, query = path.partition("?")
        given = {"authorization": f"Bearer {rig.keys[by]}", **headers}
        scope = {
            "type": "http",
            "method": "GET",
            "path": url,
            "raw_path": url.encode(),
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
            "client": ("192.0.2.7", 4000),
            "server": ("api.test", 80),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
        }
        self._asked = False
        self.task = asyncio.get_running_loop().create_task(rig.app(scope, self._receive, self.sent.put))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def until(self, done: Callable[[str], bool]) -> str:
        """Everything so far, once it is enough."""
        text = ""
        async with asyncio.timeout(30):
            while not done(text):
                message = await self.sent.get()
                text += message.get("body", b"").decode()
        return text

    async def leave(self) -> None:
        self.left.set()
        await self.task


def names(text: str) -> list[str]:
    return [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]


def publish(rig: Rig, first: int, last: int, number: int = 0, **options: Any) -> None:
    for entry in sample_call(number, **options)[first:last]:
        rig.parts.hub.publish(CallId(f"c{number}"), entry)


@pytest.fixture
def watched(rig: Rig) -> Rig:
    rig.user("ada", "admin")
    rig.team("sales", numbers=("+491*",))
    rig.user("grace", "supervisor", teams=("sales",))
    return rig


def test_events_come_as_they_happen_and_from_an_id_on(watched: Rig) -> None:
    async def body() -> None:
        stream = Stream(watched, "/v1/live/events", "ada")
        await stream.until(lambda text: "retry" in text)
        publish(watched, 0, 3)
        text = await stream.until(lambda text: text.count("event:") == 3)
        assert names(text) == ["CallWasOffered", "CallWasRouted", "CallWasAnswered"]
        await stream.leave()
        publish(watched, 3, 5)
        back = Stream(watched, "/v1/live/events", "ada", last_event_id="boot-2")
        text = await back.until(lambda text: text.count("event:") == 3)
        assert names(text) == ["CallWasAnswered", "CallerSpoke", "TurnWasTimed"]
        await back.leave()
        assert watched.parts.hub.watchers == 0

    watched.run(body())


def test_an_id_that_is_not_known_any_more_is_answered_by_a_gap(watched: Rig) -> None:
    async def body() -> None:
        publish(watched, 0, 2)
        await asyncio.sleep(0)
        for last in ("boot-99", "other-1", "nonsense"):
            stream = Stream(watched, f"/v1/live/events?after={last}", "ada")
            text = await stream.until(lambda text: text.count("event:") == 3)
            assert names(text) == ["gap", "CallWasOffered", "CallWasRouted"]
            await stream.leave()

    watched.run(body())


def test_a_watcher_sees_the_calls_in_reach_only(watched: Rig) -> None:
    async def body() -> None:
        stream = Stream(watched, "/v1/live/events", "grace")
        await stream.until(lambda text: "retry" in text)
        publish(watched, 0, 2, number=1, called="+492")
        publish(watched, 0, 2, number=2, called="+491")
        text = await stream.until(lambda text: text.count("event:") == 2)
        assert '"call_id":"c2"' in text and '"call_id":"c1"' not in text
        await stream.leave()

    watched.run(body())


def test_one_call_can_be_watched_alone(watched: Rig) -> None:
    async def body() -> None:
        stream = Stream(watched, "/v1/live/events?call_id=c2", "ada")
        await stream.until(lambda text: "retry" in text)
        publish(watched, 0, 1, number=1)
        publish(watched, 0, 1, number=2)
        text = await stream.until(lambda text: "event:" in text)
        assert '"call_id":"c2"' in text and '"call_id":"c1"' not in text
        await stream.leave()

    watched.run(body())


def test_whose_key_is_revoked_sees_no_more(watched: Rig) -> None:
    async def body() -> None:
        stream = Stream(watched, "/v1/live/events", "grace")
        await stream.until(lambda text: "retry" in text)
        async with watched.parts.store.write() as unit:
            await unit.users.delete("u_grace")
        watched.clock.advance(streams.RIGHTS_S)
        publish(watched, 0, 1, number=2, called="+491")
        text = await stream.until(lambda text: "event: end" in text)
        assert "may not watch" in text
        await stream.task

    watched.run(body())


def test_streams_end_when_the_server_stops(watched: Rig) -> None:
    async def body() -> None:
        stream = Stream(watched, "/v1/live/events", "ada")
        await stream.until(lambda text: "retry" in text)
        watched.parts.hub.detach()
        assert "stopping" in await stream.until(lambda text: "event: end" in text)
        await stream.task

    watched.run(body())


def test_a_slow_watcher_is_dropped_and_delays_nobody() -> None:
    async def body() -> None:
        counters = Counters()
        hub = EventHub(LiveCalls(), counters, ring=100, backlog=5, boot="b")
        hub.attach(asyncio.get_running_loop())
        slow, _ = hub.watch(EVERYTHING, None, None)
        quick, _ = hub.watch(EVERYTHING, None, None)
        seen = 0
        for entry in sample_call(0):
            hub.publish(CallId("c0"), entry)
            await asyncio.sleep(0)
            seen += len(await quick.next(1.0))
        assert slow.reason == TOO_SLOW and await slow.next(1.0) == []
        assert seen == len(sample_call(0)) and quick.reason == ""
        assert (counters.get("api_watchers_dropped"), hub.watchers) == (1, 1)

    asyncio.run(body())


def test_the_ring_is_bounded_and_says_so() -> None:
    async def body() -> None:
        hub = EventHub(LiveCalls(), Counters(), ring=3, backlog=50, boot="b")
        hub.attach(asyncio.get_running_loop())
        for entry in sample_call(0)[:6]:
            hub.publish(CallId("c0"), entry)
        await asyncio.sleep(0)
        watcher, lost = hub.watch(EVERYTHING, None, "b-3")
        assert not lost and [event.number for event in await watcher.next(1.0)] == [4, 5, 6]
        _, lost = hub.watch(EVERYTHING, None, "b-2")
        assert lost
        hidden, _ = hub.watch(Scope(unlimited=False), None, "b-3")
        assert await hidden.next(0.0) == []

    asyncio.run(body())


def test_the_live_list_and_a_snapshot(watched: Rig) -> None:
    watched.live(1, called="+491", facts=7)
    watched.live(2, called="+492", facts=2)
    everything = watched.get("/v1/live/calls", "ada").json()
    assert [(call["id"], call["state"]) for call in everything["items"]] == [("c1", "active"), ("c2", "offered")]
    assert [call["id"] for call in watched.get("/v1/live/calls", "grace").json()["items"]] == ["c1"]
    seen = watched.get("/v1/live/calls/c1", "grace").json()
    assert seen["transcript"] and seen["last_event_id"] == everything["last_event_id"]
    assert [row["action"] for row in watched.audit()] == ["live.watch"]
    watched.live(1, called="+491", facts=99)
    assert watched.get("/v1/live/calls/c1", "ada").status_code == 404


def test_websocket_tells_the_same_and_has_the_same_rights(watched: Rig) -> None:
    watched.user("audit", "auditor")
    watched.live(1, facts=2)
    with TestClient(watched.app) as client:
        headers = {"Authorization": f"Bearer {watched.keys['ada']}"}
        with client.websocket_connect("/v1/live/ws?after=boot-0", headers=headers) as socket:
            first = socket.receive_json()
            assert (first["id"], first["data"]["fact"]) == ("boot-1", "CallWasOffered")
            assert msgspec.json.decode(socket.receive_text().encode())["id"] == "boot-2"
        for given, code in (({}, 4401), ({"Authorization": f"Bearer {watched.keys['audit']}"}, 4403)):
            with client.websocket_connect("/v1/live/ws", headers=given) as socket:
                with pytest.raises(WebSocketDisconnect) as closed:
                    socket.receive_text()
                assert closed.value.code == code


def test_events_that_came_together_can_be_had_as_one_message(watched: Rig) -> None:
    watched.live(1, facts=2)
    with TestClient(watched.app) as client:
        headers = {"Authorization": f"Bearer {watched.keys['ada']}"}
        with client.websocket_connect("/v1/live/ws?after=boot-0&together=1", headers=headers) as socket:
            assert [event["id"] for event in socket.receive_json()] == ["boot-1", "boot-2"]


def test_phones_and_trunks_are_told_of_to_those_without_limits(watched: Rig) -> None:
    async def body() -> None:
        everybody = Stream(watched, "/v1/live/events", "ada")
        limited = Stream(watched, "/v1/live/events", "grace")
        for stream in (everybody, limited):
            await stream.until(lambda text: "retry" in text)
        watched.parts.hub.publish_news(PhoneChanged("anna", registered=True, calls=1))
        watched.parts.hub.publish_news(TrunkChanged("carrier", up=False, why="not registered: 403"))
        publish(watched, 0, 1, number=2, called="+491")
        text = await everybody.until(lambda text: text.count("event:") == 3)
        assert sorted(names(text)) == ["CallWasOffered", "PhoneChanged", "TrunkChanged"]
        assert '"data":{"news":"TrunkChanged","name":"carrier","up":false,"why":"not registered: 403"}' in text
        assert '"data":{"news":"PhoneChanged","name":"anna","registered":true,"calls":1}' in text
        text = await limited.until(lambda text: text.count("event:") == 1)
        assert names(text) == ["CallWasOffered"]
        await everybody.leave()
        await limited.leave()

    watched.run(body())


def test_an_event_with_half_an_emoji_is_told_and_holds_up_no_other() -> None:
    async def body() -> None:
        hub = EventHub(LiveCalls(), Counters(), ring=100, backlog=50, boot="b")
        hub.attach(asyncio.get_running_loop())
        watcher, _ = hub.watch(EVERYTHING, None, None)
        entries = sample_call(0)
        entries[3] = Entry(3, 300.0, KeyWasPressed("\ud83d"))
        for entry in entries:
            hub.publish(CallId("c0"), entry)
        told: list[bytes] = []
        while len(told) < len(entries):
            told += [event.text for event in await watcher.next(20.0)]
        assert "\ufffd" in told[3].decode()

    asyncio.run(body())
