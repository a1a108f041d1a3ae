"""Whole calls with ``log.personal: drop``: nothing that was said, dialled or keyed is anywhere in the log."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.scenarios.house import House, ScriptedAgent
from voicegw.agents.actions import AgentAction, Say, Transfer
from voicegw.agents.agent import AgentContext, CallerTurn
from voicegw.base.errors import LocalError
from voicegw.base.log import JsonFormatter, TextFormatter
from voicegw.base.personal import Disclosure, Personal, PersonalView
from voicegw.call import facts as f
from voicegw.call.transfer import TargetConfig, TransferConfig

SAID, KEYS, DESK = "my secret garden", "8642097", "sip:+4940777888@desk.example"
PERSONAL = (SAID, "secret garden", KEYS, "+4940777888", "4940777888", "+15550100", "15550100", "We heard")


class Breaks(ScriptedAgent):
    """Raises what it was told, as careless code does."""

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncIterator[AgentAction]:
        if turn.text:
            raise ValueError(f"cannot understand {turn.text!r}, and {KEYS} neither")
        yield Say("We heard you.")


@pytest.fixture(params=[JsonFormatter, TextFormatter])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """All that a log at its most talkative would say, people left out."""
    written, root = io.StringIO(), logging.getLogger("voicegw")
    handler = logging.StreamHandler(written)
    handler.setFormatter(request.param())
    level, before = root.level, Personal.view
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    Personal.view = PersonalView(Disclosure.DROP)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    Personal.view = before


def nobody_is_in(log: io.StringIO, *events: str) -> None:
    text = log.getvalue()
    for event in events:
        assert event in text
    for personal in PERSONAL:
        assert personal not in text


def test_a_broken_agent_does_not_quote_the_caller(log: io.StringIO) -> None:
    async def call() -> None:
        house = House([], Breaks([]))
        await house.answer()
        await house.run(2.0)
        await house.caller_says(SAID)
        await house.hang_up()

    asyncio.run(call())
    nobody_is_in(log, "child task failed", "ValueError")


def refuse(*_: object, **__: object) -> None:
    raise LocalError(f"no trunk carries calls to {DESK}")


def test_a_desk_that_cannot_be_called_is_not_named(log: io.StringIO) -> None:
    async def call() -> None:
        desks = TransferConfig(targets=(TargetConfig("desk", DESK),))
        house = House(
            [[Say("We heard you."), Transfer("desk", "Nobody is there.")], [Say("Nobody there.")]], transfers=desks
        )
        house.signalling.dial = refuse  # type: ignore[method-assign]
        await house.answer()
        await house.run(5.0)
        await house.hang_up()
        assert house.facts.of(f.TransferHasBegun)

    asyncio.run(call())
    nobody_is_in(log, "cannot call")
