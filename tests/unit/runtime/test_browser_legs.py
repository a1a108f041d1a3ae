"""Legs that end in a browser, between calls on one side and the API on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.gateway.events import LegAnswered, LegEnded, LegEvent
from voicegw.runtime.browser_legs import BrowserLegs, SignallingWithBrowsers, browser_uri
from voicegw.runtime.services import Signalling

LEG = LegId("leg")
URI = browser_uri(CallId("call"), "u_ada")


class FakePhone:
    """A browser that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def dial(self, leg_id: LegId, worker_port: int) -> None:
        self.asked.append((leg_id, worker_port))

    def hang_up(self) -> None:
        self.asked.append("hang up")


class FakeSip:
    """The gateway: notes what reaches it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_args, **_named: self.asked.append(name)

    async def media_route(self, target_uri: str) -> tuple[str, str]:
        self.asked.append(f"route {target_uri}")
        return "192.0.2.1", "0.0.0.0"


class House:
    """Both sides, and the events that came out."""

    def __init__(self) -> None:
        self.events: list[LegEvent] = []
        self.sip, self.phone, self.legs = FakeSip(), FakePhone(), BrowserLegs()
        self.legs.on_event = self.events.append
        self.signalling = SignallingWithBrowsers(cast(Signalling, self.sip), self.legs)

    def dial(self, uri: str = URI) -> None:
        self.signalling.dial(LEG, uri, "127.0.0.1", 4000, "sip:demo@127.0.0.1")


def play(story: Callable[[House], Coroutine[Any, Any, None]]) -> House:
    house = House()

    async def whole() -> None:
        await story(house)
        await asyncio.sleep(0)

    asyncio.run(whole())
    return house


def test_a_browser_that_is_dialled_answers_and_leaves() -> None:
    async def story(house: House) -> None:
        await house.legs.plug(URI, house.phone)
        assert await house.signalling.media_route(URI) == ("127.0.0.1", "127.0.0.1")
        house.dial()
        await house.legs.answered(LEG, 5000)
        await house.legs.ended(LEG, HangupCause.NO_MEDIA)
        await house.legs.ended(LEG, HangupCause.NO_MEDIA)

    house = play(story)
    answered, ended = house.events
    assert house.phone.asked == [(LEG, 4000)]
    assert isinstance(answered, LegAnswered)
    assert (answered.session.remote_ip, answered.session.remote_port) == ("127.0.0.1", 5000)
    assert (answered.session.codec, answered.session.dtmf_payload_type) == ("PCMU", -1)
    assert ended == LegEnded(LEG, HangupCause.NO_MEDIA)
    assert house.sip.asked == []


def test_a_call_that_hangs_up_is_told_the_end_later_and_once() -> None:
    async def story(house: House) -> None:
        await house.legs.plug(URI, house.phone)
        house.dial()
        house.signalling.hangup(LEG, HangupCause.SUPERVISION_OVER)
        assert house.events == []
        await house.legs.answered(LEG, 5000)
        await house.legs.ended(LEG, HangupCause.CALLER_HANGUP)

    house = play(story)
    assert house.phone.asked == [(LEG, 4000), "hang up"]
    assert house.events == [LegEnded(LEG, HangupCause.SUPERVISION_OVER)]


def test_nobody_is_dialled_who_is_not_there() -> None:
    async def story(house: House) -> None:
        for unknown in (URI, browser_uri(CallId("other"), "u_ada")):
            with pytest.raises(LocalError, match="no browser"):
                await house.signalling.media_route(unknown)
            with pytest.raises(LocalError, match="no browser"):
                house.dial(unknown)
            await house.legs.plug(URI, house.phone)
            await house.legs.unplug(URI, house.phone)

    assert play(story).phone.asked == []


def test_a_page_that_was_loaded_anew_is_not_unplugged_by_the_old_one() -> None:
    async def story(house: House) -> None:
        old, house.phone = house.phone, FakePhone()
        await house.legs.plug(URI, old)
        await house.legs.plug(URI, house.phone)
        await house.legs.unplug(URI, old)
        house.dial()

    assert play(story).phone.asked == [(LEG, 4000)]


def test_telephones_are_the_gateways() -> None:
    async def story(house: House) -> None:
        assert await house.signalling.media_route("sip:201@192.0.2.9") == ("192.0.2.1", "0.0.0.0")
        house.dial("sip:201@192.0.2.9")
        house.signalling.hangup(LEG, HangupCause.SUPERVISION_OVER)
        house.signalling.ring(LEG)

    assert play(story).sip.asked == ["route sip:201@192.0.2.9", "dial", "hangup", "ring"]
