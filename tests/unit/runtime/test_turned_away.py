"""Calls that were refused at the door leave a brief record, and a flood of them a bounded number."""

from __future__ import annotations

from datetime import datetime

from tests.unit.runtime.test_call_manager import Hall, play
from tests.unit.runtime.test_trunk_calls import invited
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import facts as f
from voicegw.gateway.events import LegRefused
from voicegw.runtime.call_manager import REFUSED_RECORDED


def test_three_facts_tell_it() -> None:
    async def story() -> None:
        hall = Hall()
        event = LegRefused(LegId(""), invited("a", "main"), HangupCause.TRUNK_FULL, "203.0.113.5")
        hall.manager.on_leg_event(event)
        (facts,) = hall.sink.by_call.values()
        offered, introduced, ended = facts
        assert isinstance(offered, f.CallWasOffered)
        assert (offered.called, offered.calling, offered.sip_call_id) == ("100", "+1555", "a@peer")
        assert introduced == f.CallWasIntroduced(trunk="main", source="203.0.113.5")
        assert isinstance(ended, f.CallHasEnded)
        assert (ended.cause, ended.duration_ms, ended.failure) == ("trunk_full", 0.0, True)
        assert hall.manager.active == 0

    play(story())


def test_what_is_told_later_happened_when_it_did() -> None:
    async def story() -> None:
        hall = Hall()
        for ago_s in (0.0, 7.0):
            hall.manager.on_leg_event(
                LegRefused(LegId(""), invited("a", "main"), HangupCause.OVERLOADED, "203.0.113.5", ago_s)
            )
        offered = [facts[0] for facts in hall.sink.by_call.values()]
        now, then = (
            datetime.fromisoformat(fact.started_at) for fact in offered if isinstance(fact, f.CallWasOffered)
        )
        assert 6.0 < (now - then).total_seconds() <= 7.0

    play(story())


def test_a_flood_of_calls_to_nobody_is_recorded_up_to_a_limit() -> None:
    async def story() -> None:
        hall = Hall(max_calls=1000)
        many = int(REFUSED_RECORDED.burst) + 20
        for number in range(many):
            await hall.invite(f"leg{number}", "elsewhere")
        assert len(hall.sink.by_call) == REFUSED_RECORDED.burst
        assert hall.counters.get("calls_refused_unrecorded") == 20
        assert hall.signalling.said == ["reject no_route"] * many

    play(story())


def test_what_a_trunk_calls_in_vain_is_recorded_always() -> None:
    async def story() -> None:
        hall = Hall(max_calls=1000)
        many = int(REFUSED_RECORDED.burst) + 20
        for number in range(many):
            hall.manager.on_leg_event(invited(f"leg{number}", "main"))
            await hall.settle()
        assert len(hall.sink.by_call) == many

    play(story())
