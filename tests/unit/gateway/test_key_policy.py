"""By which way keys come and go: what is offered and taken, whether tones and INFO count, and who sends."""

from __future__ import annotations

import os

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from tests.unit.gateway.test_sip_leg import close, up_by_hand
from voicegw.base.errors import ConfigError
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegInfo, LegKeysSent
from voicegw.gateway.key_policy import KeyPolicy
from voicegw.gateway.recording_leg import RecordingLeg
from voicegw.gateway.trunk_calls import Speech
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.sdp.negotiate import DEFAULT_PREFERENCES, MediaSession
from voicegw.sip.message import Request

LEG = LegId("leg")
EVENTS = {KeyPolicy.AUTO: True, KeyPolicy.RFC4733: True, KeyPolicy.INFO: False, KeyPolicy.INBAND: False}
TONES = {KeyPolicy.AUTO: True, KeyPolicy.RFC4733: False, KeyPolicy.INFO: False, KeyPolicy.INBAND: True}


def agreed(policy: KeyPolicy, *, offered: bool, with_events: bool) -> tuple[str, MediaSession]:
    """What we said, and what was agreed with a peer that has telephone events, or none."""
    leg = Speech(DEFAULT_PREFERENCES, keys=policy).leg(LEG, os.urandom)
    leg.place_media("127.0.0.1", 40_000)
    theirs = sdp(5000, formats="0 101" if with_events else "0")
    if offered:
        said, session = leg.answer(theirs)
        return said.decode(), session
    return leg.offer().decode(), leg.accept_answer(theirs)


@pytest.mark.parametrize("policy", KeyPolicy)
@pytest.mark.parametrize("offered", [True, False])
def test_events_are_offered_and_taken_and_tones_count_as_it_is_set(policy: KeyPolicy, offered: bool) -> None:
    said, session = agreed(policy, offered=offered, with_events=True)
    assert ("telephone-event" in said) is EVENTS[policy]
    assert (session.dtmf_payload_type >= 0) is EVENTS[policy]
    assert (session.key_tones, session.tones) == (TONES[policy], True)


@pytest.mark.parametrize("policy", KeyPolicy)
def test_a_peer_without_events_has_tones_where_they_are_allowed(policy: KeyPolicy) -> None:
    _, session = agreed(policy, offered=True, with_events=False)
    assert (session.dtmf_payload_type, session.key_tones) == (-1, TONES[policy])


@pytest.mark.parametrize("policy", KeyPolicy)
@pytest.mark.parametrize("with_events", [True, False])
def test_the_streams_of_a_recording_session_obey_it_too(policy: KeyPolicy, with_events: bool) -> None:
    offer = sdp(5000, formats="0 101" if with_events else "0")
    leg = Speech(DEFAULT_PREFERENCES, keys=policy).leg(LEG, os.urandom, offer, recording=True)
    assert isinstance(leg, RecordingLeg)
    said, (stream,) = leg.answer_streams("127.0.0.1", {0: 40_000})
    taken = with_events and EVENTS[policy]
    assert (b"telephone-event" in said) is taken
    assert (stream.session.dtmf_payload_type >= 0, stream.session.key_tones) == (taken, TONES[policy])
    leg.repeat_offer()
    (again,) = leg.accept_streams(sdp(5000, formats="0 101" if taken else "0"))
    assert again.session.key_tones is TONES[policy]


def test_a_trunk_says_or_the_node_does() -> None:
    assert TrunkSettings().key_policy(KeyPolicy.INBAND) is KeyPolicy.INBAND
    assert TrunkSettings(dtmf="info").key_policy(KeyPolicy.INBAND) is KeyPolicy.INFO
    assert SipConfig(dtmf="rfc4733").keys is KeyPolicy.RFC4733
    with pytest.raises(ConfigError, match="dtmf"):
        SipConfig(dtmf="pulse")


def node(policy: KeyPolicy) -> Node:
    return Node(config=SipConfig(listen_ip="127.0.0.1", listen_port=0, t1_ms=50, dtmf=policy.value))


def test_keys_go_by_info_and_their_end_is_told() -> None:
    async def scenario() -> None:
        here, peer = node(KeyPolicy.INFO), RawSocket()
        leg, _, _ = await up_by_hand(here, peer, sdp(5000))
        assert here.gateway.send_keys(leg, "7#")
        for digit in "7#":
            request = await peer.receive()
            assert isinstance(request, Request)
            assert (request.method, request.body) == ("INFO", f"Signal={digit}\r\nDuration=160\r\n".encode())
            lines = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
            status = "200 OK" if digit == "7" else "415 No"
            data = "\r\n".join([f"SIP/2.0 {status}", *lines, "Content-Length: 0", "", ""]).encode()
            await peer.send(data, here.address)
        assert await here.expect(LegKeysSent) == LegKeysSent(leg, "7", 415)
        assert here.gateway.send_keys(leg, "no key")
        assert await here.expect(LegKeysSent) == LegKeysSent(leg, "", 481)
        close(here, peer)

    run(scenario())


@pytest.mark.parametrize("policy", KeyPolicy)
def test_info_is_answered_and_counts_where_it_may(policy: KeyPolicy) -> None:
    async def scenario() -> None:
        here, peer = node(policy), RawSocket()
        leg, to, _ = await up_by_hand(here, peer, sdp(5000))
        await peer.send(peer.request("INFO", "Content-Type: application/dtmf", to=to), here.address)
        await peer.response(200)
        counts = policy in (KeyPolicy.AUTO, KeyPolicy.INFO)
        assert here.events.empty() is not counts
        if counts:
            assert await here.expect(LegInfo) == LegInfo(leg, "application/dtmf", b"")
        assert here.gateway.send_keys(leg, "1") is (policy is KeyPolicy.INFO)
        assert not here.gateway.send_keys(LegId("another"), "1")
        close(here, peer)

    run(scenario())
