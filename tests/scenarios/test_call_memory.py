"""A call that is over is free at once, however it went, and whatever still comes for it touches nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.house import CALL, LEG, TICK_S, House
from tests.scenarios.test_recording_session import Session
from tests.scenarios.test_supervision import BOSS, speaks, talking
from tests.scenarios.test_transfers import answered, ended, moving
from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.edges import AGENT_EAR, ear_of
from voicegw.call.supervision import SupervisorInput
from voicegw.media import messages as m
from voicegw.runtime.call_runtime import CallRuntime
from voicegw.runtime.orders import Supervise


@contextmanager
def uncollected() -> Iterator[None]:
    """Only what nobody refers to goes. (pytest keeps what is logged, and with an error all frames it came by.)"""
    was_on = gc.isenabled()
    gc.disable()
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        if was_on:
            gc.enable()


async def _plain(_folder: Path) -> House:
    house = await talking()
    await house.caller_says("my phone is dead")
    await house.hang_up()
    return house


async def _refused(_folder: Path) -> House:
    """It never got as far as an agent."""
    house = House([])
    house.worker.ports = False
    house.call.post(e.CallOffered(LEG))
    house.call.post(e.RouteChosen("scripted"))
    await house.settle()
    house.call.post(e.LegEnded(LEG, HangupCause.OVERLOADED))
    await house.settle()
    return house


async def _busy(_folder: Path) -> House:
    """The caller talks with somebody else, who is supervised, and all that is said is written down."""
    house = await moving("desk")
    leg = await answered(house)
    house.call.post(e.SupervisorOffered(BOSS, "Ada"))
    await house.settle()
    house.call.post(e.LegConfirmed(BOSS))
    await house.settle()
    house.call.post(e.SupervisorChose(BOSS, SupervisorInput.BARGE))
    for who in (LEG, leg, BOSS):
        await speaks(house, who, f"this is {who}")
        house.call.hear(bytes(320), AGENT_EAR)
        house.call.hear(bytes(320), ear_of(who))
    house.call.post(m.SpeechStarted(LEG, house.clock.monotonic(), house.clock.monotonic(), False))
    await house.hang_up()
    for other in (leg, BOSS):
        await ended(house, other, HangupCause.CALLER_HANGUP)
    return house


async def _recorded(folder: Path) -> House:
    session = Session(folder)
    await session.begin()
    await session.speak(0, "good morning")
    await session.house.hang_up()
    session.house.call.post(m.RecordingEnded(CALL, str(folder / "call.wav"), 8000, 0))
    await session.house.settle()
    return session.house


async def _over(house: House) -> None:
    """To the end of its task. (Once a record may be closed it is always due: time does not move any more.)"""
    for _ in range(50):
        if not house.call.closed:
            await house.run(TICK_S)
    assert house.call.closed
    await house.call.run()
    assert house.gone == [CALL] and house.facts.finished


STORIES = (_plain, _refused, _busy, _recorded)


@pytest.mark.parametrize("story", STORIES)
def test_its_memory_is_free_with_its_last_fact(story: Callable[[Path], Awaitable[House]], tmp_path: Path) -> None:
    async def whole() -> None:
        house = await story(tmp_path)
        await _over(house)
        call = weakref.ref(house.call)
        del house.call
        assert call() is None, gc.get_referrers(call())

    with uncollected():
        asyncio.run(whole())


@pytest.mark.parametrize("story", STORIES)
def test_what_comes_too_late_touches_nothing(story: Callable[[Path], Awaitable[House]], tmp_path: Path) -> None:
    async def whole() -> None:
        house = await story(tmp_path)
        await _over(house)
        told, said = len(house.facts.entries), list(house.signalling.said)
        call, legs = house.call, house.call.leg_ids
        for leg in legs:
            for ear in (AGENT_EAR, ear_of(leg)):
                call.hear(bytes(320), ear)
            call.post(m.SpeechStarted(leg, 0.0, 0.0, False))
            call.post(m.LegMoved(leg, 4000))
            call.post(m.LegClosed(leg, m.LegStats()))
            call.post(e.LegEnded(leg, HangupCause.CALLER_HANGUP))
        call.post(e.MediaLost())
        call.post(e.ShutdownRequested())
        await asyncio.sleep(0)
        assert call.machine.legs.keys() <= set(legs)
        assert (len(house.facts.entries), house.signalling.said) == (told, said)

    asyncio.run(whole())


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("where", ["_begin", "handle"])
def test_a_call_whose_task_fails_is_over_as_well(
    where: str, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first mail, and in the middle of it."""

    def broken(*_: object) -> None:
        raise LocalError("a fault of ours")

    async def whole() -> None:
        house = House([], recorded=recorded)
        monkeypatch.setattr(CallRuntime, where, broken)
        order = Supervise("Ada", SupervisorInput.LISTEN, BOSS, "sip:201@192.0.2.8")
        house.call.post(e.CallOffered(LEG))
        answer = house.call.ask(order)
        await house.call.run()
        assert "hangup internal_error" in house.signalling.said and m.CloseLeg(LEG) in house.worker.commands
        assert house.facts.of(f.CallHasEnded) and house.gone == [CALL]
        assert "ended" in str(answer.exception()), "who waits for it gets an answer"
        call = weakref.ref(house.call)
        del house.call, answer, order
        assert call() is None, gc.get_referrers(call())

    with uncollected():
        asyncio.run(whole())
