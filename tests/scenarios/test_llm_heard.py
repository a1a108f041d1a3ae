"""What was heard of a reply counts for that reply, however late it is told."""

from __future__ import annotations

import asyncio

from tests.scenarios.house import LEG, House
from tests.scenarios.test_llm_conversation import SteppedModel, house, spoken
from voicegw.agents.actions import DtmfPolicy, Gather, Hangup, Say
from voicegw.agents.agent import TurnKind
from voicegw.media import messages as m
from voicegw.ports.llm import TextDelta
from voicegw.testing.manual_clock import ManualClock
from voicegw.testing.manual_loop import run_by

LONG = "One two three four five six seven eight nine ten"
ASK = Gather(dtmf=DtmfPolicy(max_digits=1), no_input_ms=60_000)


class SlowToTell:
    """Holds back what the worker tells of utterances that were cut."""

    def __init__(self, stage: House) -> None:
        self._worker = stage.worker
        self._send = stage.worker.send
        self.held: list[m.Event] = []
        stage.worker.send = self.send  # type: ignore[method-assign]

    def send(self, command: m.Command) -> None:
        self._send(command)
        if isinstance(command, m.CutPlayout):
            cut = [event for event in self._worker.events if isinstance(event, m.PlayoutCut)]
            self.held += cut
            self._worker.events = [event for event in self._worker.events if event not in cut]

    def tell(self) -> None:
        self._worker.events += self.held
        self.held = []


async def press(stage: House, key: str) -> None:
    stage.call.post(m.DtmfReceived(LEG, key, 100))
    await stage.settle()


def story_of(stage: House) -> list[tuple[str, str]]:
    """The history as the agent was given it last."""
    return [(line.speaker, line.text) for line in stage.agent.contexts[-1].history]


def test_a_key_over_the_agents_words_waits_until_it_is_known_what_was_heard() -> None:
    async def story() -> None:
        stage = House([[Say(LONG), ASK], [Say("Fine."), Hangup()]])
        worker = SlowToTell(stage)
        await stage.answer()
        await stage.run(0.8)
        await press(stage, "4")
        assert len(stage.agent.turns) == 1, "the agent waits"
        worker.tell()
        await stage.settle()
        assert stage.agent.turns[-1].kind is TurnKind.DTMF
        assert stage.agent.heard_texts == ["One two three"]
        assert story_of(stage) == [("agent", "One two three"), ("caller", "4")], "in the order in which it was said"
        await stage.run(2.0)
        assert stage.agent.heard_texts[-1] == "Fine.", "nothing of the old reply is heard of the new one"

    asyncio.run(story())


def test_what_is_never_told_keeps_nobody_waiting_and_is_not_taken_for_the_new_reply() -> None:
    clock = ManualClock()

    async def story() -> None:
        stage = House([[Say(LONG), ASK], [Say("And now a second long sentence."), ASK], [Hangup()]], clock=clock)
        worker = SlowToTell(stage)
        await stage.answer()
        await stage.run(0.8)
        await press(stage, "4")
        await stage.run(0.2)
        assert len(stage.agent.turns) == 1
        await stage.run(0.3)
        assert len(stage.agent.turns) == 2, "after a quarter of a second the agent goes on"
        worker.tell()
        await stage.run(0.5)
        assert stage.agent.heard_texts == []
        await press(stage, "5")
        worker.tell()
        await stage.run(0.5)
        assert stage.agent.heard_texts == ["And now a"]
        said = [("agent", "One two three"), ("caller", "4"), ("agent", "And now a"), ("caller", "5")]
        assert story_of(stage) == said, "each in its place"

    run_by(clock, story())


def test_an_answer_that_was_taken_back_before_it_was_audible_takes_nothing_with_it() -> None:
    async def story() -> None:
        model = SteppedModel(*[[TextDelta("It is on Tuesday.")]] * 3)
        stage = house(model)
        await stage.answer()
        await stage.run(1.0)
        worker = SlowToTell(stage)
        await stage.caller_starts()
        await stage.run(0.6)
        await stage.hears("when is it")
        await stage.caller_stops()
        while not stage.worker.queue:
            stage.clock.advance(0.02)
            await stage.settle()
        await stage.caller_starts()
        worker.tell()
        await stage.run(0.5)
        await stage.hears("in spring")
        await stage.caller_stops()
        await stage.run(3.0)
        told = [message.content for message in model.requests[-1].messages]
        assert told[1] == "Hello.", "the reply before it is still known as heard"
        assert told[2].endswith("when is it in spring")
        assert spoken(stage)[-1] == ("It is on Tuesday.", False)

    asyncio.run(story())
