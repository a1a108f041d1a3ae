"""Toll rules as a call meets them: the reason is in its record, and who talks is parted from politely."""

from __future__ import annotations

from tests.unit.runtime.test_call_manager import play
from tests.unit.runtime.test_control import ControlledHall
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import facts as f
from voicegw.call.states import CallState
from voicegw.call.transfer_request import TransferFailure, failure_of
from voicegw.gateway.events import LegBarred
from voicegw.gateway.toll_desk import refused
from voicegw.gateway.tolls.calls import Barred, Payer
from voicegw.runtime.house_texts import HouseTexts

FOREIGN = Barred("world", "countries", "+1876 is in JM")
SPENT = Barred("world", "spend_per_day", "the 5 EUR for 2026-11-23 are spent")


def test_a_call_that_is_refused_where_it_is_placed_says_which_rule_it_was() -> None:
    async def story() -> None:
        hall, asked = ControlledHall(), []

        def dial(_leg: LegId, *_place: object, payer: Payer, **_named: object) -> None:
            asked.append(payer)
            raise refused(FOREIGN)

        hall.signalling.dial = dial  # type: ignore[assignment]
        call_id = hall.control.originate("tel:+18765551234", "scripted", payer=Payer("scripted", "ada", "k1"))
        await hall.settle()
        assert asked == [Payer("scripted", "ada", "k1")]
        barred = [one for one in hall.sink.by_call[call_id] if isinstance(one, f.CallWasBarred)]
        assert barred == [f.CallWasBarred("caller", "world", "countries", FOREIGN.why, running=False, ended=True)]
        assert hall.manager.calls()[0].machine.state is CallState.ENDED

    play(story())


def test_a_call_that_nobody_pays_for_ends_with_that_cause() -> None:
    async def story() -> None:
        hall = ControlledHall()
        call_id = hall.control.originate("tel:+4930123", "scripted")
        await hall.settle()
        (leg_id,) = hall.manager.calls()[0].leg_ids
        hall.manager.on_leg_event(LegBarred(leg_id, SPENT, running=True, ends=False))
        await hall.settle()
        assert hall.causes() == []
        hall.manager.on_leg_event(LegBarred(leg_id, SPENT, running=True))
        await hall.settle()
        told = [one.ended for one in hall.sink.by_call[call_id] if isinstance(one, f.CallWasBarred)]
        assert told == [False, True]
        assert "hangup budget_spent" in hall.signalling.said

    play(story())


def test_a_caller_whose_transfer_is_refused_is_told_that_it_is_not_possible() -> None:
    for cause in (HangupCause.TOLL_BARRED, HangupCause.TOLL_LIMIT, HangupCause.BUDGET_SPENT):
        assert failure_of(cause, 0) is TransferFailure.NOT_POSSIBLE
    words = HouseTexts().of("en-US")
    assert words.parting(HangupCause.BUDGET_SPENT) == words.too_long
