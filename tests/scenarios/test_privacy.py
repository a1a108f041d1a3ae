"""Disclosure, consent, sensitive answers and card numbers in whole calls: what is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.house import CALL, LEG, FakeSpeaker, House, OneSession
from tests.unit.agents.talk import FakeHttp
from voicegw.agents.actions import Gather, Hangup, Say
from voicegw.agents.agent import CallFacts
from voicegw.agents.flow_agent import FlowAgent
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.agents.load import parse_flow
from voicegw.agents.preface import Preface, PrefaceSession
from voicegw.call import facts as f
from voicegw.call.censor import WITHHELD
from voicegw.call.consent import RecordingPolicy
from voicegw.call.facts import encode_entry
from voicegw.call.record import fold
from voicegw.media import messages as m
from voicegw.ports.tts import SpokenChunk, TtsRequest

FLOW = """
name: clinic
greeting: Good morning.
{extra}
steps:
  - disclose: You are talking with a machine.
  - consent:
      prompt: May we record this call?
      refused: unrecorded
  - ask: {{save: member, type: digits, length: 6, sensitive: true, prompt: Your member number please}}
  - ask: {{save: city, type: text, prompt: Where do you live now}}
  - hangup: Goodbye.
  - id: unrecorded
    ask: {{save: wish, type: text, prompt: What can I do for you}}
  - hangup: Goodbye.
"""
AUDIBLE = {(str(LEG), "rec_in"), ("agent", "rec_out")}


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


class SlowSpeaker(FakeSpeaker):
    """A voice that a test can hold back."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = asyncio.Event()
        self.ready.set()

    async def synthesize(self, request: TtsRequest, lexicon: Lexicons = NO_WORDS) -> AsyncIterator[SpokenChunk]:
        await self.ready.wait()
        async for chunk in super().synthesize(request, lexicon):
            yield chunk


def house(extra: str = "", route: RecordingPolicy | None = None, speaker: SlowSpeaker | None = None) -> House:
    agent = FlowAgent(parse_flow(FLOW.format(extra=extra)), FakeHttp())
    made = House([], agent, speaker, recordings=Path("/recordings"))
    made.call.note_route("main", "clinic", route)
    return made


def orders(stage: House) -> list[str]:
    """What the recorder was told."""
    names = {m.StartRecording: "start", m.StopRecording: "stop"}
    found = [command for command in stage.worker.commands if type(command) in names]
    return [
        "discard" if isinstance(command, m.StopRecording) and command.discard else names[type(command)]
        for command in found
    ]


def written(stage: House) -> str:
    """The log of the call as it goes to disk."""
    return "".join(encode_entry(entry).decode() for entry in stage.facts.entries)


async def begin(stage: House) -> None:
    await stage.answer()
    await stage.run(8.0)


def test_before_a_yes_nothing_is_recorded_or_written_down_and_after_it_everything() -> None:
    async def story() -> None:
        stage = house()
        await begin(stage)
        assert orders(stage) == [] and "Good morning" not in written(stage)
        assert stage.facts.of(f.DisclosureWasMade) == [
            f.DisclosureWasMade("You are talking with a machine.", "You are talking with a machine.", False)
        ]
        await stage.caller_says("yes please")
        assert orders(stage) == ["start"]
        assert stage.facts.of(f.ConsentWasGiven) == [f.ConsentWasGiven("May we record this call?", "yes please")]
        await stage.run(3.0)
        assert [fact.text for fact in stage.facts.of(f.CallerSpoke)] == ["yes please"]  # type: ignore[attr-defined]

    play(story())


def test_after_a_no_nothing_ever_is() -> None:
    async def story() -> None:
        stage = house()
        await begin(stage)
        await stage.caller_says("no")
        await stage.run(3.0)
        await stage.caller_says("i have a very private question")
        await stage.run(4.0)
        assert orders(stage) == []
        assert stage.facts.of(f.ConsentWasRefused) == [f.ConsentWasRefused("May we record this call?", "no")]
        assert "private" not in written(stage) and "What can I do" not in written(stage)
        assert WITHHELD in written(stage)

    play(story())


def test_recorded_from_the_start_and_removed_after_a_no() -> None:
    async def story() -> None:
        stage = house("recording: always")
        await begin(stage)
        assert orders(stage) == ["start"] and "Good morning" in written(stage)
        await stage.caller_says("no")
        assert orders(stage) == ["start", "discard"]
        stage.worker.events.append(m.RecordingDiscarded(CALL, "/recordings/c.wav"))
        await stage.run(3.0)
        assert stage.facts.of(f.RecordingWasDiscarded) == [f.RecordingWasDiscarded("/recordings/c.wav")]
        await stage.caller_says("i have a very private question")
        await stage.run(3.0)
        assert "private" not in written(stage)
        assert fold(stage.facts.entries).transcript[-1].text == WITHHELD
        assert "Good morning." not in [line.text for line in fold(stage.facts.entries).transcript]

    play(story())


@pytest.mark.parametrize(
    ("route", "expected"),
    [(RecordingPolicy.NEVER, []), (RecordingPolicy.ALWAYS, ["start"]), (None, ["start"])],
)
def test_a_routes_policy_comes_before_the_agents(route: RecordingPolicy | None, expected: list[str]) -> None:
    async def story() -> None:
        stage = house(route=route)
        await begin(stage)
        assert orders(stage) == (["start"] if route is RecordingPolicy.ALWAYS else [])
        await stage.caller_says("yes")
        await stage.run(1.0)
        assert orders(stage) == expected

    play(story())


def test_silence_is_a_no() -> None:
    async def story() -> None:
        stage = house()
        await begin(stage)
        await stage.run(40.0)
        assert stage.facts.of(f.ConsentWasRefused) == [f.ConsentWasRefused("May we record this call?", "")]
        assert orders(stage) == []

    play(story())


def test_who_takes_a_yes_back_before_the_answer_is_heard_has_not_said_it() -> None:
    async def story() -> None:
        speaker = SlowSpeaker()
        stage = house(speaker=speaker)
        await begin(stage)
        speaker.ready.clear()
        await stage.caller_says("yes")
        assert orders(stage) == ["start"]
        await stage.caller_says("oh no i do not want that")
        speaker.ready.set()
        await stage.run(3.0)
        assert orders(stage) == ["start", "discard"]
        assert stage.facts.of(f.ConsentWasRefused)

    play(story())


def test_a_sensitive_answer_is_heard_by_the_agent_only() -> None:
    async def story() -> None:
        stage = house()
        await begin(stage)
        await stage.caller_says("yes")
        assert not stage.worker.edges & AUDIBLE
        assert (str(LEG), "agent_ear") in stage.worker.edges
        await stage.run(3.0)
        await stage.caller_says("four seven one one two three", 3.0)
        await stage.run(3.0)
        assert stage.worker.edges >= AUDIBLE
        slot = stage.facts.of(f.SlotWasFilled)[0]
        assert slot == f.SlotWasFilled("member", "[sensitive]", False, True)
        spoke = stage.facts.of(f.CallerSpoke)[-1]
        assert isinstance(spoke, f.CallerSpoke) and spoke.sensitive and spoke.text == "[sensitive]"
        await stage.caller_says("in 471123 town")
        await stage.run(3.0)
        assert "471123" not in written(stage) and "four seven" not in written(stage)

    play(story())


def test_no_card_number_reaches_the_log_spoken_or_keyed() -> None:
    async def story() -> None:
        stage = House([[Say("Hello."), Gather()], [Say("I have 4242 4242 4242 4242."), Gather()], [Hangup()]])
        await stage.answer()
        await stage.run(1.0)
        for key in "4242424242424242":
            stage.worker.events.append(m.DtmfReceived(LEG, key, 100))
            await stage.run(0.1)
        await stage.caller_says("my card is forty two forty two forty two forty two " + "four two " * 4)
        await stage.run(3.0)
        log = written(stage)
        assert "[card number]" in log and "forty" not in log and "4242" not in log
        keys = [json.loads(line)["data"]["digit"] for line in log.splitlines() if '"KeyWasPressed"' in line]
        assert "".join(keys) == "42424242••••••••"

    play(story())


def test_an_agent_of_a_model_begins_when_the_question_is_answered() -> None:
    async def story() -> None:
        inner = House([[Say("Hello."), Gather()]]).agent
        preface = Preface("I am a machine.", "May we record this?", "")
        agent = OneSession(PrefaceSession(preface, inner.open(CallFacts(CALL))))
        agent.recording = RecordingPolicy.AFTER_CONSENT
        stage = House([], agent, recordings=Path("/recordings"))
        await begin(stage)
        assert inner.turns == []
        await stage.caller_says("what")
        await stage.run(3.0)
        await stage.caller_says("yes")
        await stage.run(2.0)
        assert len(inner.turns) == 1 and orders(stage) == ["start"]
        assert [type(entry.data).__name__ for entry in stage.facts.entries].count("DisclosureWasMade") == 1

    play(story())


def test_a_no_may_end_the_call() -> None:
    async def story() -> None:
        inner = House([]).agent
        stage = House([], OneSession(PrefaceSession(Preface("", "May we record this?", "Goodbye then."), inner)))
        await begin(stage)
        await stage.caller_says("no")
        await stage.run(3.0)
        assert stage.signalling.said[-1] == "hangup agent_hangup" and inner.turns == []

    play(story())
