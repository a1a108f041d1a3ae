"""Far ends that are exchanged under a leg: REFER followed and refused, Replaces, over real sockets on loopback."""

from __future__ import annotations

import pytest

from tests.unit.gateway.nodes import Node, run
from tests.unit.gateway.test_sip_leg import IP, OUT, close, connected
from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.base.ids import LegId
from voicegw.gateway.events import (
    LegAnswered,
    LegConfirmed,
    LegEnded,
    LegInvited,
    LegMediaChanged,
    LegReferAnswered,
    LegReferNotified,
    LegReferralFailed,
    LegReferred,
    LegReplaced,
)
from voicegw.gateway.target_policy import TargetPolicy
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings

DESK = LegId("desk")
PBX = {"allowed_addresses": [IP], "health": {"options_s": 0}}


def uri(node: Node, user: str = "desk") -> str:
    return f"sip:{user}@{node.address}"


def test_a_refer_is_followed_under_the_same_leg() -> None:
    async def scenario() -> None:
        pbx, desk = Node(), Node()
        house = Node(forward_to=(f"sip:*@{IP}:{desk.address.port}",))
        leg_id = await connected(pbx, house)
        pbx.gateway.refer(OUT, uri(desk))
        assert await house.expect(LegReferred) == LegReferred(leg_id, uri(desk), True)
        assert (await pbx.expect(LegReferAnswered)).status == 202
        assert await pbx.expect(LegReferNotified) == LegReferNotified(OUT, 100, False)
        invited = await desk.expect(LegInvited)
        assert invited.headers["Referred-By"] == f"<sip:alice@{IP}>"
        desk.gateway.ring(invited.leg_id)
        assert await pbx.expect(LegReferNotified) == LegReferNotified(OUT, 180, False)
        desk.gateway.accept(invited.leg_id, IP, 50_000)
        assert await house.expect(LegReplaced) == LegReplaced(leg_id, uri(desk))
        changed = await house.expect(LegMediaChanged)
        assert (changed.leg_id, changed.session.remote_port) == (leg_id, 50_000)
        assert await pbx.expect(LegReferNotified) == LegReferNotified(OUT, 200, True)
        assert (await pbx.expect(LegEnded)).cause is HangupCause.CALLER_HANGUP
        await desk.expect(LegConfirmed)
        house.gateway.hangup(leg_id, HangupCause.AGENT_HANGUP)
        assert (await house.expect(LegEnded)).leg_id == leg_id
        await desk.expect(LegEnded)
        assert house.gateway.active_legs == 0
        close(pbx, house, desk)

    run(scenario())


def test_whom_nobody_allowed_is_not_called() -> None:
    async def scenario() -> None:
        pbx, house, desk = Node(), Node(forward_to=("sip:*@192.0.2.9",)), Node()
        leg_id = await connected(pbx, house)
        pbx.gateway.refer(OUT, uri(desk))
        assert await house.expect(LegReferred) == LegReferred(leg_id, uri(desk), False)
        assert (await pbx.expect(LegReferAnswered)).status == 603
        pbx.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
        await house.expect(LegEnded)
        assert desk.events.empty()
        close(pbx, house, desk)

    run(scenario())


def test_a_target_that_refuses_leaves_everything_as_it_was() -> None:
    async def scenario() -> None:
        pbx, desk = Node(), Node()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        leg_id = await connected(pbx, house)
        pbx.gateway.refer(OUT, uri(desk))
        await house.expect(LegReferred)
        desk.gateway.reject((await desk.expect(LegInvited)).leg_id, HangupCause.BUSY)
        assert await house.expect(LegReferralFailed) == LegReferralFailed(leg_id, uri(desk), 486)
        await pbx.expect(LegReferAnswered)
        await pbx.expect(LegReferNotified)
        assert await pbx.expect(LegReferNotified) == LegReferNotified(OUT, 486, True)
        pbx.gateway.hangup(OUT, HangupCause.AGENT_HANGUP)
        assert (await house.expect(LegEnded)).leg_id == leg_id
        close(pbx, house, desk)

    run(scenario())


@pytest.mark.parametrize("answers", [True, False])
def test_who_hangs_up_as_soon_as_we_agree_leaves_a_leg_that_waits(answers: bool) -> None:
    async def scenario() -> None:
        pbx, desk = Node(), Node()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        leg_id = await connected(pbx, house)
        pbx.gateway.refer(OUT, uri(desk))
        await house.expect(LegReferred)
        invited = await desk.expect(LegInvited)
        pbx.gateway.hangup(OUT, HangupCause.TRANSFERRED)
        waiting = await house.expect(LegMediaChanged)
        assert not waiting.session.send and not waiting.session.receive
        if answers:
            desk.gateway.accept(invited.leg_id, IP, 50_000)
            await house.expect(LegReplaced)
            assert (await house.expect(LegMediaChanged)).session.send
            desk.gateway.hangup(invited.leg_id, HangupCause.AGENT_HANGUP)
        else:
            desk.gateway.reject(invited.leg_id, HangupCause.BUSY)
            await house.expect(LegReferralFailed)
        ended = await house.expect(LegEnded)
        assert (ended.leg_id, house.gateway.active_legs) == (leg_id, 0)
        close(pbx, house, desk)

    run(scenario())


def test_a_leg_that_waited_in_vain_gives_its_line_back() -> None:
    async def scenario() -> None:
        pbx, desk = Node(), Node()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        house.gateway.trunks.put_in_force([Trunk("pbx", TrunkSettings.model_validate(PBX))])
        leg_id = await connected(pbx, house)
        assert [one.calls for one in house.gateway.trunks.snapshot()] == [1]
        pbx.gateway.refer(OUT, uri(desk))
        await house.expect(LegReferred)
        invited = await desk.expect(LegInvited)
        pbx.gateway.hangup(OUT, HangupCause.TRANSFERRED)
        await house.expect(LegMediaChanged)
        desk.gateway.reject(invited.leg_id, HangupCause.BUSY)
        await house.expect(LegReferralFailed)
        assert (await house.expect(LegEnded)).leg_id == leg_id
        assert [one.calls for one in house.gateway.trunks.snapshot()] == [0]
        close(pbx, house, desk)

    run(scenario())


@pytest.mark.parametrize("orphan", [True, False])
def test_a_leg_that_is_hung_up_calls_nobody_any_more(orphan: bool) -> None:
    async def scenario() -> None:
        pbx, desk = Node(), Node()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        leg_id = await connected(pbx, house)
        pbx.gateway.refer(OUT, uri(desk))
        await house.expect(LegReferred)
        await desk.expect(LegInvited)
        if orphan:
            pbx.gateway.hangup(OUT, HangupCause.TRANSFERRED)
            await house.expect(LegMediaChanged)
        house.gateway.hangup(leg_id, HangupCause.AGENT_HANGUP)
        events = [await house.events.get(), await house.events.get()]
        assert leg_id in [event.leg_id for event in events if isinstance(event, LegEnded)]
        assert (await desk.expect(LegEnded)).cause is HangupCause.CALLER_CANCELLED
        close(pbx, house, desk)

    run(scenario())


def test_an_attended_transfer_replaces_the_far_end_of_a_running_leg() -> None:
    """A PBX phones us and, on another line, its own desk; then it asks the desk to take its place (RFC 5589 §7)."""

    async def scenario() -> None:
        pbx, house = Node(), Node()
        desk = Node(forward_to=(f"sip:*@{IP}:*",))
        leg_id = await connected(pbx, house)
        pbx.gateway.dial(DESK, uri(desk), IP, 30_002, f"sip:alice@{IP}")
        invited = await desk.expect(LegInvited)
        desk.gateway.accept(invited.leg_id, IP, 50_000)
        await desk.expect(LegConfirmed)
        await pbx.expect(LegAnswered)
        pbx.gateway.refer(DESK, "", OUT)
        await desk.expect(LegReferred)
        replaced = await house.expect(LegReplaced)
        assert replaced == LegReplaced(leg_id, f"sip:desk@{IP}:{desk.address.port}") or replaced.leg_id == leg_id
        changed = await house.expect(LegMediaChanged)
        assert (changed.leg_id, changed.session.remote_port) == (leg_id, 50_000)
        assert (await desk.expect(LegReplaced)).leg_id == invited.leg_id
        await desk.expect(LegMediaChanged)
        ended = {(await pbx.events.get()) for _ in range(5)}
        assert {event.leg_id for event in ended if isinstance(event, LegEnded)} == {OUT, DESK}
        house.gateway.hangup(leg_id, HangupCause.AGENT_HANGUP)
        assert (await desk.expect(LegEnded)).leg_id == invited.leg_id
        close(pbx, house, desk)

    run(scenario())


def test_replacing_can_be_switched_off() -> None:
    async def scenario() -> None:
        pbx, house = Node(), Node(replaceable=False)
        desk = Node(forward_to=(f"sip:*@{IP}:*",))
        await connected(pbx, house)
        pbx.gateway.dial(DESK, uri(desk), IP, 30_002, f"sip:alice@{IP}")
        invited = await desk.expect(LegInvited)
        desk.gateway.accept(invited.leg_id, IP, 50_000)
        await pbx.expect(LegAnswered)
        pbx.gateway.refer(DESK, "", OUT)
        await desk.expect(LegConfirmed)
        await desk.expect(LegReferred)
        assert (await desk.expect(LegReferralFailed)).status == 603
        assert house.events.empty() or isinstance(house.events.get_nowait(), LegConfirmed)
        close(pbx, house, desk)

    run(scenario())


@pytest.mark.parametrize(
    ("pattern", "target", "allowed"),
    [
        ("sip:*@10.0.0.7", "sip:200@10.0.0.7", True),
        ("sip:*@10.0.0.7", "sip:200@10.0.0.7:5060;transport=tcp", True),
        ("sip:*@10.0.0.7", "sip:200@10.0.0.7:5070", False),
        ("sip:*@10.0.0.7:*", "sip:200@10.0.0.7:5070", True),
        ("sip:2*@pbx.example.com", "sip:%32%300@PBX.example.com", True),
        ("sip:2*@pbx.example.com", "sip:300@pbx.example.com", False),
        ("sip:2?@h", "sip:20@h", False),
        ("sip:*@[2001:db8::1]", "sip:a@[2001:db8::1]", True),
        ("sip:*@*.example.com", "sip:a@evil.example.com.net", False),
        ("sip:*@h", "tel:+15551234", False),
        ("sip:*@h", "no uri", False),
    ],
)
def test_whom_a_pattern_allows(pattern: str, target: str, allowed: bool) -> None:
    assert TargetPolicy((pattern,)).allows(target) is allowed


def test_a_pattern_that_is_none() -> None:
    for pattern in ("200@10.0.0.7", "sip:", "tel:*", "sip:a b@c"):
        with pytest.raises(ConfigError):
            TargetPolicy((pattern,))


def test_what_a_leg_had_goes_to_its_successor_and_what_it_has_not_is_given_back() -> None:
    """Lines of trunks are counted once, and the ladder of the leg has the messages of both dialogs."""

    async def scenario() -> None:
        pbx, desk = Node(), Node()
        house = Node(forward_to=(f"sip:*@{IP}:*",))
        leg_id = await connected(pbx, house)
        pbx.gateway.refer(OUT, uri(desk))
        await house.expect(LegReferred)
        invited = await desk.expect(LegInvited)
        desk.gateway.accept(invited.leg_id, IP, 50_000)
        await house.expect(LegReplaced)
        await house.expect(LegMediaChanged)
        await desk.expect(LegConfirmed)
        desk.gateway.hangup(invited.leg_id, HangupCause.AGENT_HANGUP)
        assert (await house.expect(LegEnded)).leg_id == leg_id
        trace = house.gateway.take_trace(leg_id)
        assert trace is not None
        methods = [line.cseq.partition(" ")[2] for line in trace.messages if not line.start_line.startswith("SIP")]
        assert methods[0] == "INVITE" and methods.count("INVITE") == 2
        assert {"REFER", "NOTIFY", "BYE"} <= set(methods)
        assert [message.at for message in trace.messages] == sorted(message.at for message in trace.messages)
        close(pbx, house, desk)

    run(scenario())
