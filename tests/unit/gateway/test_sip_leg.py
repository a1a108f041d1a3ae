"""Legs over real sockets on loopback: two gateways, or one and a peer written by hand."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.events import (
    LegAnswered,
    LegConfirmed,
    LegEnded,
    LegInfo,
    LegInvited,
    LegMediaChanged,
    LegRefused,
    LegRinging,
)
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.sdp import description
from voicegw.sdp.negotiate import MediaSession, NotAcceptable
from voicegw.sip.message import Request, Response

OUT = LegId("out")
IP = "127.0.0.1"


def dial(caller: Node, called: Node, user: str = "demo") -> None:
    uri = f"sip:{user}@{called.address}"
    caller.gateway.dial(OUT, uri, IP, 30_000, "sip:alice@127.0.0.1", display_name="Älice", headers=[("X-A", "1")])


async def connected(caller: Node, called: Node) -> LegId:
    """Set a call up and return the called leg."""
    dial(caller, called)
    invited = await called.expect(LegInvited)
    called.gateway.accept(invited.leg_id, IP, 40_000)
    await caller.expect(LegAnswered)
    await called.expect(LegConfirmed)
    return invited.leg_id


def close(*nodes: Node | RawSocket) -> None:
    for node in nodes:
        if isinstance(node, Node):
            node.gateway.close()
        else:
            node.close()


def test_a_call_between_two_gateways() -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        dial(caller, called)
        invited = await called.expect(LegInvited)
        assert (invited.called, invited.calling, invited.display_name) == ("demo", "alice", "Älice")
        assert (invited.headers["X-A"], invited.has_offer) == ("1", True)
        assert called.gateway.media_address(invited.leg_id) == IP
        called.gateway.ring(invited.leg_id)
        assert await caller.expect(LegRinging) == LegRinging(OUT, 180)
        session = called.gateway.accept(invited.leg_id, IP, 40_000)
        assert isinstance(session, MediaSession)
        assert (session.remote_ip, session.remote_port, session.codec) == (IP, 30_000, "PCMU")
        answered = await caller.expect(LegAnswered)
        assert (answered.session.remote_port, answered.session.dtmf_payload_type) == (40_000, 101)
        await called.expect(LegConfirmed)
        called.gateway.hangup(invited.leg_id, HangupCause.AGENT_HANGUP)
        assert (await called.expect(LegEnded)).cause is HangupCause.AGENT_HANGUP
        ended = await caller.expect(LegEnded)
        assert ended.cause is HangupCause.CALLER_HANGUP
        assert ended.reason_text == HangupCause.AGENT_HANGUP.reason_header
        assert caller.gateway.active_legs == called.gateway.active_legs == 0
        close(caller, called)

    run(scenario())


@pytest.mark.parametrize(
    ("cause", "status", "there"),
    [
        (HangupCause.BUSY, 486, HangupCause.PEER_BUSY),
        (HangupCause.NO_ROUTE, 404, HangupCause.NUMBER_UNKNOWN),
        (HangupCause.OVERLOADED, 503, HangupCause.PEER_OVERLOADED),
        (HangupCause.AGENT_HANGUP, 480, HangupCause.NO_ANSWER),
    ],
)
def test_rejections(cause: HangupCause, status: int, there: HangupCause) -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        dial(caller, called)
        invited = await called.expect(LegInvited)
        called.gateway.reject(invited.leg_id, cause)
        called.gateway.reject(invited.leg_id, cause)
        called.gateway.hangup(invited.leg_id, cause)
        assert await called.expect(LegEnded) == LegEnded(invited.leg_id, cause, status)
        ended = await caller.expect(LegEnded)
        assert (ended.cause, ended.sip_status, ended.reason_text) == (there, status, cause.reason_header)
        close(caller, called)

    run(scenario())


def test_hanging_up_while_it_rings_cancels() -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        dial(caller, called)
        invited = await called.expect(LegInvited)
        called.gateway.ring(invited.leg_id)
        await caller.expect(LegRinging)
        caller.gateway.hangup(OUT, HangupCause.NO_ANSWER)
        assert (await caller.expect(LegEnded)).cause is HangupCause.NO_ANSWER
        assert (await called.expect(LegEnded)).cause is HangupCause.CALLER_CANCELLED
        assert called.gateway.accept(invited.leg_id, IP, 40_000) is None
        close(caller, called)

    run(scenario())


def test_a_draining_gateway_refuses_new_calls_and_keeps_running_ones() -> None:
    async def scenario() -> None:
        caller, called, late = Node(), Node(), Node()
        leg = await connected(caller, called)
        called.gateway.drain()
        dial(late, called)
        ended = await late.expect(LegEnded)
        assert (ended.cause, ended.sip_status) == (HangupCause.PEER_OVERLOADED, 503)
        assert called.gateway.active_legs == 1
        assert (await called.expect(LegRefused)).cause is HangupCause.DRAINING
        caller.gateway.hangup(OUT, HangupCause.CALLER_HANGUP)
        assert (await called.expect(LegEnded)).leg_id == leg
        close(caller, called, late)

    run(scenario())


def test_closing_ends_every_leg_and_tells_the_peers() -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        await connected(caller, called)
        called.gateway.close()
        assert (await called.expect(LegEnded)).cause is HangupCause.DRAINING
        assert (await caller.expect(LegEnded)).reason_text == HangupCause.DRAINING.reason_header
        close(caller)

    run(scenario())


def test_a_name_is_resolved_and_an_unknown_one_ends_the_leg() -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        caller.gateway.dial(OUT, f"sip:demo@localhost:{called.address.port}", IP, 30_000, "sip:a@b")
        await called.expect(LegInvited)
        gone, unresolvable = LegId("gone"), f"sip:x@{'a' * 64}.invalid"  # refused before any query
        caller.gateway.dial(gone, unresolvable, IP, 30_002, "sip:a@b")
        assert (await caller.expect(LegEnded)).cause is HangupCause.NAME_NOT_FOUND
        caller.gateway.dial(gone, unresolvable, IP, 30_002, "sip:a@b")
        caller.gateway.hangup(gone, HangupCause.NO_ANSWER)
        caller.gateway.hangup(gone, HangupCause.NO_ANSWER)
        assert await caller.expect(LegEnded) == LegEnded(gone, HangupCause.NO_ANSWER)
        close(caller, called)

    run(scenario())


def test_a_target_or_header_that_is_none_is_refused_before_anything_is_sent() -> None:
    async def scenario() -> None:
        caller = Node()
        with pytest.raises(RemoteProtocolError):
            caller.gateway.dial(OUT, "mailto:ada", IP, 30_000, "sip:a@b")
        with pytest.raises(RouteRefused):
            caller.gateway.dial(OUT, "tel:+4930", IP, 30_000, "sip:a@b")
        with pytest.raises(LocalError):
            caller.gateway.dial(OUT, "sip:x@127.0.0.1", IP, 30_000, "sip:a@b", headers=[("X-A", "1\r\nX-B: 2")])
        with pytest.raises(LocalError):
            caller.gateway.media_address(OUT)
        assert caller.gateway.active_legs == 0
        close(caller)

    run(scenario())


# ---------------------------------------------------------------- against a peer written by hand


async def called_by_hand(node: Node, peer: RawSocket, body: bytes) -> tuple[LegInvited, bytes]:
    invite = peer.request("INVITE", body=body)
    await peer.send(invite, node.address)
    return await node.expect(LegInvited), invite


async def up_by_hand(node: Node, peer: RawSocket, body: bytes) -> tuple[LegId, str, Response]:
    """Answer and acknowledge; returns the leg, our To line and the 200."""
    invited, _ = await called_by_hand(node, peer, body)
    node.gateway.accept(invited.leg_id, IP, 40_000)
    answer = await peer.response(200)
    to = f"To: {answer.headers.get('To')}"
    await peer.send(peer.request("ACK", to=to, cseq="CSeq: 1 ACK"), node.address)
    await node.expect(LegConfirmed)
    return invited.leg_id, to, answer


def test_an_offer_without_a_common_codec_gets_488() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        invited, _ = await called_by_hand(node, peer, sdp(5000, formats="18"))
        with pytest.raises(NotAcceptable):
            node.gateway.accept(invited.leg_id, IP, 40_000)
        response = await peer.response(488)
        assert "305" in (response.headers.get("Warning") or "")
        assert (await node.expect(LegEnded)).cause is HangupCause.NOT_ACCEPTABLE
        close(node, peer)

    run(scenario())


def test_a_body_that_is_no_description_gets_400() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        invited, _ = await called_by_hand(node, peer, b"not sdp at all")
        with pytest.raises(NotAcceptable):
            node.gateway.accept(invited.leg_id, IP, 40_000)
        await peer.response(400)
        await node.expect(LegEnded)
        close(node, peer)

    run(scenario())


def test_without_an_offer_ours_is_in_the_200_and_the_session_comes_with_the_ack() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        invited, _ = await called_by_hand(node, peer, b"")
        assert not invited.has_offer
        assert node.gateway.accept(invited.leg_id, IP, 40_000) is None
        answer = await peer.response(200)
        assert description.parse(answer.body).media[0].port == 40_000
        ack = peer.request(
            "ACK", to=f"To: {answer.headers.get('To')}", cseq="CSeq: 1 ACK", body=sdp(5000, formats="8")
        )
        await peer.send(ack, node.address)
        await node.expect(LegConfirmed)
        answered = await node.expect(LegAnswered)
        assert (answered.session.codec, answered.session.remote_port) == ("PCMA", 5000)
        close(node, peer)

    run(scenario())


def test_an_ack_without_the_answer_that_is_due_ends_the_call() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        invited, _ = await called_by_hand(node, peer, b"")
        node.gateway.accept(invited.leg_id, IP, 40_000)
        answer = await peer.response(200)
        ack = peer.request("ACK", to=f"To: {answer.headers.get('To')}", cseq="CSeq: 1 ACK")
        await peer.send(ack, node.address)
        await node.expect(LegConfirmed)
        assert (await node.expect(LegEnded)).cause is HangupCause.NOT_ACCEPTABLE
        bye = await peer.receive()
        assert isinstance(bye, Request)
        assert (bye.method, "Q.850;cause=65" in (bye.headers.get("Reason") or "")) == ("BYE", True)
        close(node, peer)

    run(scenario())


def test_hold_resume_and_a_refused_change() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        leg, to, answer = await up_by_hand(node, peer, sdp(5000))
        version = description.parse(answer.body).origin.version
        for line, sends in [("a=sendonly", False), ("a=inactive", False), ("a=sendrecv", True)]:
            await peer.send(peer.request("INVITE", to=to, body=sdp(5000, line)), node.address)
            again = await peer.response(200)
            cseq = f"CSeq: {(again.headers.get('CSeq') or '').split()[0]} ACK"
            await peer.send(peer.request("ACK", to=to, cseq=cseq), node.address)
            changed = await node.expect(LegMediaChanged)
            assert (changed.leg_id, changed.session.send) == (leg, sends)
        await peer.send(peer.request("INVITE", to=to, body=sdp(5000)), node.address)
        unchanged = await peer.response(200)
        assert description.parse(unchanged.body).media == description.parse(answer.body).media
        assert (
            description.parse(unchanged.body).origin.session_id == description.parse(answer.body).origin.session_id
        )
        assert int(description.parse(unchanged.body).origin.version) >= int(version)
        await node.expect(LegMediaChanged)
        t38 = b"v=0\r\no=x 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 6000 udptl t38\r\n"
        cseq = f"CSeq: {(unchanged.headers.get('CSeq') or '').split()[0]} ACK"
        await peer.send(peer.request("ACK", to=to, cseq=cseq), node.address)
        await peer.send(peer.request("INVITE", to=to, body=t38), node.address)
        await peer.response(488)
        await peer.send(peer.request("INFO", "Content-Type: application/dtmf", to=to), node.address)
        await peer.response(200)
        assert await node.expect(LegInfo) == LegInfo(leg, "application/dtmf", b"")
        await peer.send(peer.request("BYE", 'Reason: SIP;cause=200;text="bye"', to=to), node.address)
        await peer.response(200)
        ended = await node.expect(LegEnded)
        assert (ended.cause, ended.reason_text) == (HangupCause.CALLER_HANGUP, 'SIP;cause=200;text="bye"')
        close(node, peer)

    run(scenario())


def test_a_reinvite_without_an_offer_gets_our_unchanged_one() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        leg, to, _ = await up_by_hand(node, peer, sdp(5000))
        await peer.send(peer.request("INVITE", to=to), node.address)
        offered = await peer.response(200)
        assert description.parse(offered.body).media[0].port == 40_000
        cseq = f"CSeq: {(offered.headers.get('CSeq') or '').split()[0]} ACK"
        await peer.send(peer.request("ACK", to=to, cseq=cseq, body=sdp(5002, formats="8")), node.address)
        changed = await node.expect(LegMediaChanged)
        assert (changed.leg_id, changed.session.remote_port, changed.session.codec) == (leg, 5002, "PCMA")
        close(node, peer)

    run(scenario())


def test_our_timers_run_on_the_loop() -> None:
    """The answer that nobody acknowledges is repeated, and after 64*T1 the call is over."""

    async def scenario() -> None:
        node, peer = Node(t1_ms=10), RawSocket()
        invited, _ = await called_by_hand(node, peer, sdp(5000))
        node.gateway.accept(invited.leg_id, IP, 40_000)
        assert (await peer.response(200)) == (await peer.response(200)) == (await peer.response(200))
        ended = await node.expect(LegEnded)
        assert ended.cause is HangupCause.NO_ACK
        close(node, peer)

    run(scenario())


def test_every_event_is_delivered_from_the_loop_and_never_from_within_a_command() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        invited, _ = await called_by_hand(node, peer, sdp(5000))
        node.gateway.reject(invited.leg_id, HangupCause.BUSY)
        assert node.events.empty()
        await asyncio.sleep(0)
        assert not node.events.empty()
        close(node, peer)

    run(scenario())
