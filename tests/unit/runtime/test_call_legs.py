"""Early media of a caller, as the runtime asks for it."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.house import LEG, House
from voicegw.base.errors import LocalError
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.gateway.events import LegKeysSent
from voicegw.media import messages as m
from voicegw.runtime.call_legs import CallLegs, configuration_of
from voicegw.sdp.negotiate import MediaSession, NotAcceptable


def early(house: House) -> list[m.ConfigureLeg]:
    """Ask for early media on a leg that has its port; what the media worker is told."""

    async def story() -> None:
        legs: CallLegs = house.call._legs
        posted = asyncio.Event()
        legs._post = lambda event: posted.set() if isinstance(event, e.MediaOpened) else None
        legs.open(LEG)
        await posted.wait()
        legs.early(LEG)

    asyncio.run(story())
    return [command for command in house.worker.commands if isinstance(command, m.ConfigureLeg)]


def test_a_caller_hears_us_before_the_answer() -> None:
    house = House([[]])
    (configured,) = early(house)
    assert house.signalling.said == ["early"]
    assert (configured.leg_id, configured.remote_port) == (LEG, 4000)
    assert not (configured.vad or configured.tap), "nobody listens to it yet"


def test_where_it_is_to_be_agreed_yet_nothing_happens() -> None:
    house = House([[]])
    house.signalling.session = None
    assert early(house) == []


def test_where_it_cannot_be_somebody_is_told() -> None:
    house = House([[]])
    house.signalling.hears_early = False
    with pytest.raises(LocalError):
        early(house)
    assert house.signalling.said == []


def test_media_that_suit_nobody_are_left_to_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> MediaSession | None:
        raise NotAcceptable("no common codec")

    house = House([[]])
    monkeypatch.setattr(house.signalling, "early", refuse)
    assert early(house) == []


def test_keys_are_pressed_by_signalling_where_they_go_that_way_else_with_the_audio() -> None:
    house = House([[]])
    legs: CallLegs = house.call._legs
    legs.press(LEG, "12")
    assert house.worker.commands[-1] == m.SendDtmf(LEG, "12")
    house.signalling.presses = True
    legs.press(LEG, "34")
    assert house.signalling.said == ["press 34"]
    assert house.worker.commands[-1] == m.SendDtmf(LEG, "12")


def test_the_record_says_which_keys_were_sent_and_how_far_they_came() -> None:
    house = House([[]])
    house.call.handle(e.CallOffered(LEG))
    house.call.handle(m.DtmfSent(LEG, "12#"))
    house.call.handle(m.DtmfSent(LEG, ""))  # of a worker that died: nobody knows
    house.call.handle(LegKeysSent(LEG, "7", 415))
    sent = house.facts.of(f.KeysWereSent)
    assert sent == [f.KeysWereSent("caller", "12#", "audio"), f.KeysWereSent("caller", "7", "info", 415)]


@pytest.mark.parametrize(("events", "may", "expected"), [(-1, True, True), (-1, False, False), (101, True, False)])
def test_keys_are_tones_where_no_events_are_agreed_and_they_may(events: int, may: bool, expected: bool) -> None:
    session = MediaSession("192.0.2.1", 4000, "PCMU", 0, 0, dtmf_payload_type=events, key_tones=may)
    configured = configuration_of(LEG, session, listens=True, called=True)
    assert (configured.inband_keys, configured.progress) == (expected, True)
