"""The streams of a recording session at other ports: what the client is told, and what its word means."""

from __future__ import annotations

import os

import pytest

from tests.unit.gateway.nodes import Node, run
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.events import LegEvent
from voicegw.gateway.leg_media import LegMedia
from voicegw.gateway.recording_leg import RecordingLeg
from voicegw.gateway.recording_media import RecordingMedia
from voicegw.gateway.trunk_calls import Speech
from voicegw.sdp import description as sdp
from voicegw.sdp.negotiate import DEFAULT_PREFERENCES
from voicegw.sip import events as ua
from voicegw.sip.events import SipCallHandle

LEG, HANDLE = LegId("leg"), SipCallHandle(1)


def offer(*ports: int) -> bytes:
    sections = "".join(
        f"m=audio {port} RTP/AVP 0\r\na=sendonly\r\na=label:{place}\r\n" for place, port in enumerate(ports)
    )
    return f"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{sections}".encode()


def recorded() -> RecordingLeg:
    """Three streams were offered, and there was no port for the second."""
    leg = Speech(DEFAULT_PREFERENCES).leg(LEG, os.urandom, offer(5000, 5002, 5004), recording=True)
    assert isinstance(leg, RecordingLeg)
    leg.answer_streams("192.0.2.1", {0: 40_000, 2: 40_004})
    return leg


def test_one_description_moves_all_streams_and_what_was_refused_stays_so() -> None:
    leg = recorded()
    before = leg.streams
    moved = sdp.parse(leg.moved_streams("192.0.2.1", {0: 50_000, 2: 50_004}))
    assert [media.port for media in moved.media] == [50_000, 0, 50_004]
    assert [media.attribute("label") for media in moved.media] == ["0", None, "2"]
    assert moved.origin.version == "2"
    assert leg.accept_streams(offer(5000, 0, 5004)) == before


def test_who_never_agreed_anything_is_told_nothing() -> None:
    leg = Speech(DEFAULT_PREFERENCES).leg(LEG, os.urandom, offer(5000), recording=True)
    assert isinstance(leg, RecordingLeg)
    assert leg.moved_streams("192.0.2.1", {0: 50_000}) == b""


def handled(leg: RecordingLeg, event: ua.UserAgentEvent) -> tuple[list[LegEvent], list[HangupCause]]:
    """What the runtime is told of an event of the client, and why the leg is hung up on."""
    told, ended = list[LegEvent](), list[HangupCause]()

    async def scenario() -> None:
        node = Node()
        media = LegMedia(node.gateway._driver, told.append, lambda _leg_id, cause: ended.append(cause))
        RecordingMedia(node.gateway._driver, told.append, {LEG: leg}, media).handle(leg, event)
        node.gateway.close()

    run(scenario())
    return told, ended


@pytest.mark.parametrize("moving", [True, False])
def test_a_client_that_refuses_the_move_is_hung_up_on(moving: bool) -> None:
    leg = recorded()
    leg.moving = moving
    told, ended = handled(leg, ua.ReinviteRefused(HANDLE, 488))
    assert (told, ended) == ([], [HangupCause.MEDIA_LOST] if moving else [])


def test_a_client_that_takes_it_goes_on() -> None:
    leg = recorded()
    leg.moving = True
    assert handled(leg, ua.ReinviteAnswered(HANDLE, offer(5000, 0, 5004))) == ([], [])
    assert not leg.moving
