"""What sipp answers to calls of ours that it does not want, or wants elsewhere (RFC 3326, 3261 §21.3, 8688)."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.sip_node import OUT, SipNode, hears, run, speaks_and_hears_echo
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answer, expect, expect_and_keep, pause, request_back, script, sdp
from tests.interop.sound import seconds_with, tone
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import LegEnded
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

BUSY = 'Q.850;cause=17;text="User busy"'
REFUSALS = {
    LegId("busy in the network behind"): ("480 Temporarily Unavailable", f"Reason: {BUSY}", HangupCause.PEER_BUSY),
    LegId("no circuit"): ("500 Server Internal Error", "Reason: Q.850;cause=34", HangupCause.PEER_OVERLOADED),
    LegId("in a while"): ("503 Service Unavailable", "Retry-After: 70 (lunch)", HangupCause.PEER_OVERLOADED),
    LegId("declined"): ("603 Decline", "Reason: SIP;cause=603;text=no", HangupCause.PEER_REJECTED),
    LegId("unwanted"): ("607 Unwanted", "Reason: SIP;cause=607", HangupCause.UNWANTED),
    LegId("by an analyser"): (
        "608 Rejected",
        "Call-Info: <https://why.test>;purpose=jwscard",
        HangupCause.UNWANTED,
    ),
    LegId("nonsense"): ("699 Whatever", "Reason: ;;=", HangupCause.PEER_REJECTED),
}


def test_every_refusal_has_its_cause(tmp_path: Path) -> None:
    async def scenario() -> None:
        with ExitStack() as stack:
            node = stack.enter_context(SipNode())
            media = stack.enter_context(RtpPeer())
            peers = {}
            for leg_id, (status, header, _cause) in REFUSALS.items():
                steps = expect("INVITE") + answer(status, header, tag="no") + expect("ACK")
                peers[leg_id] = stack.enter_context(Sipp(tmp_path, script(steps)))
            for leg_id, peer in peers.items():
                uri = f"sip:desk@127.0.0.1:{peer.listening().port}"
                node.gateway.dial(leg_id, uri, "127.0.0.1", media.port, "sip:us@carrier.test")
            ended = [await node.expect(LegEnded) for _ in REFUSALS]
            for peer in peers.values():
                await asyncio.to_thread(peer.passed)
            resting = [address.port for address in node.gateway.servers.listed]
        assert {one.leg_id: one.cause for one in ended} == {leg: cause for leg, (*_, cause) in REFUSALS.items()}
        said = {one.leg_id: (one.sip_status, one.reason_text) for one in ended}
        assert said[LegId("busy in the network behind")] == (480, BUSY)
        assert said[LegId("by an analyser")] == (608, "Rejected")
        assert resting == [peers[LegId("in a while")].port], "asked for no more calls for seventy seconds"

    run(scenario())


def test_the_best_of_several_new_places_is_tried_first(tmp_path: Path) -> None:
    """Contacts of a 300 by their q: one is not allowed, one busy, one cannot be called, the last answers."""
    first, busy, good = free_port(), free_port(), free_port()
    contacts = (
        f"<sip:mailbox@127.0.0.1:{good}>;q=0.2, <mailto:desk@carrier.test>;q=0.8, <sip:desk@192.0.2.1>;q=1.0, "
        f"<sip:mobile@127.0.0.1:{busy}?X-Evil=1>;q=0.9"
    )
    moved = expect("INVITE") + answer("300 Multiple Choices", tag="moved", contact=contacts) + expect("ACK")
    refusing = expect("INVITE") + answer("486 Busy Here", tag="busy") + expect("ACK")
    config = SipConfig(listen_ip="127.0.0.1", listen_port=free_port(), forward_to=("sip:*@127.0.0.1:*",))

    async def scenario() -> None:
        with (
            SipNode(config=config) as node,
            Sipp(tmp_path, script(moved), port=first) as one,
            Sipp(tmp_path, script(refusing), port=busy) as two,
            Sipp(tmp_path, "uas_echo", port=good, extra=("-rtp_echo",)) as three,
            RtpPeer() as media,
        ):
            for peer in (one, two, three):
                peer.listening()
            node.dial(f"sip:desk@127.0.0.1:{first}", media)
            await speaks_and_hears_echo(media, await node.answered())
            node.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
            await node.expect(LegEnded)
            for peer in (one, two, three):
                await asyncio.to_thread(peer.passed)
        (asked,) = two.distinct("INVITE")
        assert asked.start_line == f"INVITE sip:mobile@127.0.0.1:{busy} SIP/2.0"
        assert "X-Evil" not in asked.text

    run(scenario())


def test_a_network_says_why_it_had_to_release_a_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        with SipNode() as node, RtpPeer() as here, RtpPeer() as there:
            steps = (
                expect_and_keep("INVITE") + answer("200 OK", body=sdp(there.port), tag="desk") + expect("ACK"),
                pause(5000) + request_back("BYE", 1, "Reason: Q.850;cause=38", tag="desk") + expect(200),
            )
            with Sipp(tmp_path, script(*steps)) as desk:
                node.dial(f"sip:desk@127.0.0.1:{desk.listening().port}", here)
                session = await node.answered()
                here.start((session.remote_ip, session.remote_port), tone(1000, 20))
                there.start(("127.0.0.1", here.port), tone(1700, 20))
                await hears(here, 1700)
                ended = await node.expect(LegEnded)
                await asyncio.to_thread(desk.passed)
            assert (ended.cause, ended.reason_text) == (HangupCause.NETWORK_RELEASED, "Q.850;cause=38")
            assert seconds_with(there.heard(), 1000) >= 1

    run(scenario())
