"""Calls that come and go by trunks, seen by the runtime: routes, variables, the record, limits and refusals."""

from __future__ import annotations

from tests.unit.runtime.test_call_manager import Hall, play
from tests.unit.runtime.test_control import ControlledHall
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import facts as f
from voicegw.call.call_config import CallConfig
from voicegw.gateway.events import LegInvited, LegTrunkFailed
from voicegw.gateway.trunk_table import RouteRefused
from voicegw.runtime.introduction import limited, signalled
from voicegw.sip.parties import NOBODY, Parties

BY_TRUNK = """\
routes:
  - name: fax
    match: {trunk: fax}
    reject: busy
  - name: sent on
    match: {original_called: {prefix: "+4930"}, trunk: {present: true}}
    agent: scripted
"""
SENT_ON = Parties(
    "+1555", "Ada", "100", withheld=True, asserted=True, original_called="+493055", diversion_reason="no-answer"
)


def invited(leg: str, trunk: str, parties: Parties = NOBODY, max_call_s: int = 0) -> LegInvited:
    return LegInvited(
        LegId(leg), "100", "+1555", "", {}, f"{leg}@peer", True, trunk=trunk, parties=parties, max_call_s=max_call_s
    )


def test_the_dialplan_knows_the_trunk_and_the_number_dialled_at_first() -> None:
    async def story() -> None:
        hall = Hall()
        hall.source = BY_TRUNK
        hall.store.reload()
        hall.manager.on_leg_event(invited("a", "fax"))
        hall.manager.on_leg_event(invited("b", "main", SENT_ON))
        hall.manager.on_leg_event(invited("c", "", SENT_ON))
        await hall.settle()
        routed = [
            one.route for facts in hall.sink.by_call.values() for one in facts if isinstance(one, f.CallWasRouted)
        ]
        assert routed == ["fax", "sent on", ""]
        told = [
            one for facts in hall.sink.by_call.values() for one in facts if isinstance(one, f.CallWasIntroduced)
        ]
        assert told[0] == f.CallWasIntroduced(trunk="fax")
        assert told[1] == f.CallWasIntroduced(
            trunk="main", withheld=True, asserted=True, original_called="+493055", diversion_reason="no-answer"
        )

    play(story())


def test_a_trunk_that_fails_is_in_the_record() -> None:
    async def story() -> None:
        hall = Hall()
        call_id = hall.manager.originate("+4930123", "scripted")
        await hall.settle()
        (leg_id,) = hall.manager.calls()[0].leg_ids
        for trunk, other in (("cheap", "dear"), ("dear", "last")):
            hall.manager.on_leg_event(
                LegTrunkFailed(leg_id, trunk, HangupCause.PEER_OVERLOADED, 503, "full", other)
            )
        await hall.settle()
        told = [one for one in hall.sink.by_call[call_id] if isinstance(one, f.TrunkHasFailed)]
        assert told == [
            f.TrunkHasFailed("caller", "cheap", "peer_overloaded", 503, "full", "dear"),
            f.TrunkHasFailed("caller", "dear", "peer_overloaded", 503, "full", "last"),
        ]

    play(story())


def test_agents_know_what_was_signalled() -> None:
    told = signalled("main", "Ada", SENT_ON)
    assert (told["trunk"], told["caller_name"], told["withheld"]) == ("main", "Ada", "yes")
    assert (told["original_called"], told["diversion_reason"]) == ("+493055", "no-answer")
    assert signalled("", "", NOBODY)["withheld"] == ""


def test_a_trunk_may_allow_less_than_the_house() -> None:
    house = CallConfig(max_duration_s=600.0)
    assert limited(house, 0) is house
    assert limited(house, 900) is house
    assert limited(house, 60).max_duration_s == 60.0


def test_a_call_that_no_trunk_carries_ends_with_that_cause() -> None:
    async def story() -> None:
        hall = ControlledHall()

        async def refused(target_uri: str) -> tuple[str, str]:
            raise RouteRefused(HangupCause.NOT_ALLOWED, f"no trunk carries {target_uri}")

        hall.signalling.media_route = refused  # type: ignore[method-assign]
        hall.control.originate("+49900123", "scripted")
        await hall.settle()
        assert hall.signalling.said == []
        assert hall.causes() == ["not_allowed"]

    play(story())
