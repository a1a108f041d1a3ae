"""Legs before the answer, between two gateways on loopback: early media, late offers, changes of either."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run, sdp
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.base.ids import LegId
from voicegw.gateway.config import SipConfig
from voicegw.gateway.events import (
    LegAnswered,
    LegConfirmed,
    LegEarlyMedia,
    LegEnded,
    LegInvited,
    LegMediaChanged,
    LegRinging,
)
from voicegw.gateway.way import Way
from voicegw.sdp import description
from voicegw.sdp.negotiate import NotAcceptable
from voicegw.sip.message import Request

OUT = LegId("out")
IP = "127.0.0.1"


async def dialled(caller: Node, called: Node, *, delayed_offer: bool = False) -> LegId:
    way = Way(delayed_offer=delayed_offer)
    caller.gateway.dial(OUT, f"sip:demo@{called.address}", IP, 30_000, "sip:alice@127.0.0.1", way=way)
    return (await called.expect(LegInvited)).leg_id


def test_media_flow_before_the_answer_and_stay_as_they_are() -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        leg = await dialled(caller, called)
        ours = called.gateway.early(leg, IP, 40_000)
        assert ours is not None
        assert (ours.remote_ip, ours.remote_port) == (IP, 30_000)
        assert await caller.expect(LegRinging) == LegRinging(OUT, 183)
        early = await caller.expect(LegEarlyMedia)
        assert (early.session.remote_port, early.session.codec) == (40_000, "PCMU")
        assert called.gateway.accept(leg, IP, 40_000) == ours
        assert await caller.expect(LegAnswered) == LegAnswered(OUT, early.session)
        await called.expect(LegConfirmed)
        assert called.gateway.early(leg, IP, 40_000) is None, "too late"
        caller.gateway.close()
        called.gateway.close()

    run(scenario())


@pytest.mark.parametrize("early", [True, False])
def test_a_call_without_an_offer_of_ours(early: bool) -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        leg = await dialled(caller, called, delayed_offer=True)
        if early:
            assert called.gateway.early(leg, IP, 40_000) is None
            await caller.expect(LegRinging)
            theirs = (await caller.expect(LegEarlyMedia)).session
            ours = (await called.expect(LegEarlyMedia)).session
            assert called.gateway.accept(leg, IP, 40_000) == ours
            assert (await caller.expect(LegAnswered)).session == theirs
            await called.expect(LegConfirmed)
        else:
            assert called.gateway.accept(leg, IP, 40_000) is None
            theirs = (await caller.expect(LegAnswered)).session
            await called.expect(LegConfirmed)
            ours = (await called.expect(LegAnswered)).session
        assert (theirs.remote_port, ours.remote_port) == (40_000, 30_000)
        caller.gateway.close()
        called.gateway.close()

    run(scenario())


def test_answering_before_the_early_offer_is_acknowledged() -> None:
    async def scenario() -> None:
        caller, called = Node(), Node()
        leg = await dialled(caller, called, delayed_offer=True)
        called.gateway.early(leg, IP, 40_000)
        assert called.gateway.accept(leg, IP, 40_000) is None, "the 200 waits for the PRACK"
        answered = await called.expect(LegAnswered)
        assert answered.session.remote_port == 30_000
        await called.expect(LegConfirmed)
        caller.gateway.close()
        called.gateway.close()

    run(scenario())


def test_an_early_answer_that_suits_nobody_is_refused() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        await peer.send(peer.request("INVITE", body=sdp(5000, formats="18")), node.address)
        invited = await node.expect(LegInvited)
        with pytest.raises(NotAcceptable):
            node.gateway.early(invited.leg_id, IP, 40_000)
        await peer.response(488)
        assert (await node.expect(LegEnded)).cause is HangupCause.NOT_ACCEPTABLE
        node.gateway.close()
        peer.close()

    run(scenario())


def test_without_an_offer_and_without_100rel_there_is_no_early_media() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        await peer.send(peer.request("INVITE"), node.address)
        invited = await node.expect(LegInvited)
        assert node.gateway.early(invited.leg_id, IP, 40_000) is None
        assert node.gateway.accept(invited.leg_id, IP, 40_000) is None
        assert description.parse((await peer.response(200)).body).media[0].port == 40_000
        node.gateway.close()
        peer.close()

    run(scenario())


def test_an_offer_that_cannot_be_answered_ends_a_call_without_an_offer() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        way = Way(delayed_offer=True)
        node.gateway.dial(OUT, f"sip:x@127.0.0.1:{peer.port}", IP, 30_000, "sip:a@127.0.0.1", way=way)
        invite = await peer.receive()
        assert isinstance(invite, Request)
        assert invite.body == b""
        await peer.send(answer_to(invite, sdp(5000, formats="18")), node.address)
        ack, bye = await peer.receive(), await peer.receive()
        assert isinstance(ack, Request)
        assert isinstance(bye, Request)
        assert (ack.method, ack.body, bye.method) == ("ACK", b"", "BYE")
        assert (await node.expect(LegEnded)).cause is HangupCause.NOT_ACCEPTABLE
        node.gateway.close()
        peer.close()

    run(scenario())


def test_update_changes_a_leg_and_one_that_does_not_suit_leaves_it() -> None:
    async def scenario() -> None:
        node, peer = Node(), RawSocket()
        await peer.send(peer.request("INVITE", body=sdp(5000)), node.address)
        leg = (await node.expect(LegInvited)).leg_id
        node.gateway.accept(leg, IP, 40_000)
        answer = await peer.response(200)
        to = f"To: {answer.headers.get('To')}"
        await peer.send(peer.request("ACK", to=to, cseq="CSeq: 1 ACK"), node.address)
        await node.expect(LegConfirmed)
        await peer.send(peer.request("UPDATE", to=to, body=sdp(5000, "a=sendonly")), node.address)
        held = await peer.response(200)
        assert (await node.expect(LegMediaChanged)).session.on_hold
        before = description.parse(held.body).origin.version
        await peer.send(peer.request("UPDATE", to=to, body=sdp(5000, formats="18")), node.address)
        await peer.response(488)
        await peer.send(peer.request("UPDATE", to=to, body=sdp(5000, "a=sendonly")), node.address)
        assert description.parse((await peer.response(200)).body).origin.version == before
        node.gateway.close()
        peer.close()

    run(scenario())


def test_the_policy_has_three_words() -> None:
    assert replace(SipConfig(), reliable_1xx="always").reliable_1xx == "always"
    with pytest.raises(ConfigError):
        SipConfig(reliable_1xx="sometimes")


def answer_to(invite: Request, body: bytes) -> bytes:
    """A 200 as a peer writes it by hand."""
    headers = [f"{name}: {invite.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    lines = ["SIP/2.0 200 OK", *headers, f"To: {invite.headers.get('To')};tag=t"]
    lines += ["Contact: <sip:127.0.0.1>", "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).replace("<sip:127.0.0.1>", f"<{invite.uri}>").encode() + body
