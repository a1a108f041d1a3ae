"""Calls of ours that are sent on by 3xx, over real sockets on loopback."""

from __future__ import annotations

import pytest

from tests.unit.gateway.nodes import Node, RawSocket, run
from tests.unit.gateway.test_sip_leg import IP, OUT, close
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegAnswered, LegEnded, LegInvited
from voicegw.gateway.servers import Servers
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.way import Way
from voicegw.sip.address import Address
from voicegw.sip.message import Request


def dial(house: Node, peer: RawSocket) -> None:
    house.gateway.dial(OUT, f"sip:desk@{IP}:{peer.port}", IP, 30_000, f"sip:us@{IP}", headers=[("Subject", "hi")])


async def refuse(peer: RawSocket, house: Node, status: int, *lines: str) -> None:
    """Answer the INVITE, and wait for the ACK of it."""
    invite = await peer.receive()
    assert isinstance(invite, Request) and invite.method == "INVITE"
    copied = [f"{name}: {invite.headers.get(name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    to = f"To: {invite.headers.get('To')};tag=p"
    head = [f"SIP/2.0 {status} Somewhere Else", *copied, to, *lines, "Content-Length: 0", "", ""]
    await peer.send("\r\n".join(head).encode(), house.address)
    ack = await peer.receive()
    assert isinstance(ack, Request) and ack.method == "ACK"


def test_a_call_is_sent_on_to_whom_the_list_allows_the_best_first() -> None:
    async def scenario() -> None:
        peer, busy, desk = RawSocket(), Node(), Node()
        house = Node(forward_to=(f"sip:desk@{IP}:*",))
        dial(house, peer)
        where = ", ".join(
            [
                f"<sip:desk@{desk.address}>;q=0.5",
                "<sip:+1900555@127.0.0.1>;q=1.0",
                f"<sip:desk@{busy.address}>;q=0.7",
            ]
        )
        await refuse(peer, house, 302, f"Contact: {where}")
        busy.gateway.reject((await busy.expect(LegInvited)).leg_id, HangupCause.BUSY)
        invited = await desk.expect(LegInvited)
        assert invited.headers["Subject"] == "hi"
        desk.gateway.accept(invited.leg_id, IP, 40_000)
        assert (await house.expect(LegAnswered)).session.remote_port == 40_000
        house.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
        await house.expect(LegEnded)
        close(house, peer, busy, desk)

    run(scenario())


@pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
def test_nobody_is_called_whom_nobody_allowed(status: int) -> None:
    async def scenario() -> None:
        peer, desk = RawSocket(), Node()
        house = Node(forward_to=(f"sip:desk@{IP}:*",) if status in (305, 380) else ())
        dial(house, peer)
        await refuse(peer, house, status, f"Contact: <sip:desk@{desk.address}>")
        ended = await house.expect(LegEnded)
        assert (ended.sip_status, house.gateway.active_legs) == (status, 0)
        assert desk.events.empty()
        close(house, peer, desk)

    run(scenario())


def test_who_sends_us_in_circles_is_left_after_one_round() -> None:
    async def scenario() -> None:
        one, two = RawSocket(), RawSocket()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        dial(house, one)
        await refuse(one, house, 302, f"Contact: <sip:desk@{IP}:{two.port}>")
        await refuse(two, house, 302, f"Contact: <sip:desk@{IP}:{one.port}>")
        assert (await house.expect(LegEnded)).sip_status == 302
        close(house, one, two)

    run(scenario())


def test_a_refusal_everywhere_and_a_hang_up_end_it() -> None:
    async def scenario() -> None:
        one, two, three = RawSocket(), RawSocket(), RawSocket()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        dial(house, one)
        await refuse(one, house, 302, f"Contact: <sip:a@{IP}:{two.port}>, <sip:b@{IP}:{three.port}>")
        await refuse(two, house, 603)
        assert (await house.expect(LegEnded)).sip_status == 603
        dial(house, one)
        house.gateway.hangup(OUT, HangupCause.TRANSFER_OFF)
        await refuse(one, house, 302, f"Contact: <sip:a@{IP}:{two.port}>")
        assert (await house.expect(LegEnded)).cause is HangupCause.TRANSFER_OFF
        close(house, one, two, three)

    run(scenario())


@pytest.mark.parametrize(
    ("node", "trunk", "followed"),
    [((), (f"sip:desk@{IP}:*",), True), ((f"sip:desk@{IP}:*",), None, True), ((f"sip:desk@{IP}:*",), (), False)],
)
def test_a_trunk_has_a_list_of_its_own(
    node: tuple[str, ...], trunk: tuple[str, ...] | None, followed: bool
) -> None:
    async def scenario() -> None:
        peer, desk = RawSocket(), Node()
        house = Node(forward_to=node)
        given = {"hosts": [IP], "port": peer.port, "carries": ["+49*"], "health": {"options_s": 0}}
        settings = TrunkSettings.model_validate(given | {"forward_to": trunk})
        house.gateway.trunks.put_in_force([Trunk("carrier", settings)])
        house.gateway.dial(OUT, "tel:+4930", IP, 30_000, f"sip:us@{IP}")
        await refuse(peer, house, 302, f"Contact: <sip:desk@{desk.address}>")
        if followed:
            desk.gateway.accept((await desk.expect(LegInvited)).leg_id, IP, 40_000)
            await house.expect(LegAnswered)
        else:
            assert (await house.expect(LegEnded)).sip_status == 302
        close(house, peer, desk)

    run(scenario())


def test_what_is_no_list() -> None:
    with pytest.raises(ValueError, match="no pattern of SIP URIs"):
        TrunkSettings.model_validate({"forward_to": ["+1900*"]})


def test_a_fault_of_ours_on_the_way_ends_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def find(_servers: Servers, _uri: str, _way: Way) -> list[Address]:
        raise ZeroDivisionError("ours")

    async def scenario() -> None:
        peer = RawSocket()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        dial(house, peer)
        monkeypatch.setattr(Servers, "find", find)
        await refuse(peer, house, 302, f"Contact: <sip:desk@{IP}:{peer.port + 1}>")
        assert (await house.expect(LegEnded)).cause is HangupCause.INTERNAL_ERROR
        close(house, peer)

    run(scenario())
    assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [True]
