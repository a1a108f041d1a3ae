from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from tests.scenarios.house import CALL, FakeSpeaker, FakeWorker, ManualClock
from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.base.errors import ProviderError
from voicegw.base.ids import UtteranceId
from voicegw.media import messages as m
from voicegw.ports.tts import SpokenChunk, TtsAudio, TtsRequest, WordMark
from voicegw.runtime.mail import SentenceBegun, SpeechDone, SpeechMade
from voicegw.runtime.mouth import Mouth
from voicegw.runtime.tasks import ChildTasks


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


class Rig:
    """A mouth whose mail is handled as a call handles it."""

    def __init__(self) -> None:
        self.tasks = ChildTasks()
        self.speaker = FakeSpeaker()
        self.worker = FakeWorker(ManualClock())
        self.mail: list[SentenceBegun | SpeechMade | SpeechDone] = []
        self.never_played: list[str] = []
        self.mouth = Mouth(
            CALL, self.speaker, self.worker, self.tasks, self.mail.append, random.Random(1).randbytes
        )

    def say(self, text: str, *, interruptible: bool = True) -> UtteranceId:
        return self.mouth.say(TtsRequest(text), interruptible=interruptible)

    async def settle(self, *, protected: bool = False, tail_ms: int = 0) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            waiting, self.mail[:] = list(self.mail), []
            for mail in waiting:
                match mail:
                    case SentenceBegun():
                        self.mouth.begin_sentence(mail)
                    case SpeechMade():
                        self.mouth.add_audio(mail, protected=protected)
                    case SpeechDone():
                        silent = self.mouth.finish_audio(mail, tail_ms=tail_ms)
                        self.never_played += [silent.failure] if silent else []

    @property
    def queued(self) -> list[m.QueueAudio]:
        return [command for command in self.worker.commands if isinstance(command, m.QueueAudio)]


def test_utterances_are_queued_in_their_order_each_with_its_end() -> None:
    async def story() -> None:
        rig = Rig()
        first, second = rig.say("One. Two."), rig.say("Three.", interruptible=False)
        await rig.settle()
        assert [(q.utterance_id, q.final, q.interruptible) for q in rig.queued] == [
            (first, False, True),
            (first, False, True),
            (first, True, True),
            (second, False, False),
            (second, True, False),
        ]
        assert rig.mouth.busy
        await rig.tasks.close()

    play(story())


def test_protected_speech_is_not_interruptible_and_a_tail_is_silence() -> None:
    async def story() -> None:
        rig = Rig()
        rig.say("Goodbye.")
        await rig.settle(protected=True, tail_ms=400)
        assert not any(q.interruptible for q in rig.queued)
        assert rig.queued[-1].pcm == bytes(2 * 8 * 400)
        await rig.tasks.close()

    play(story())


def test_what_was_heard_comes_from_the_samples_that_were_sent() -> None:
    async def story() -> None:
        rig = Rig()
        utterance_id = rig.say("One two three.")
        await rig.settle()
        ended = rig.mouth.end(utterance_id, 400 * len("One two three."))
        assert ended is not None
        assert ended[1].heard_text == "One two three."
        assert not rig.mouth.busy
        assert rig.mouth.end(utterance_id, 0) is None
        await rig.tasks.close()

    play(story())


def test_a_cut_kills_what_is_queued_and_what_is_still_to_be_made() -> None:
    async def story() -> None:
        rig = Rig()
        first = rig.say("One two three four.")
        await rig.settle()
        second = rig.say("Five.")
        rig.mouth.cut()
        assert not rig.mouth.busy
        assert isinstance(rig.worker.commands[-1], m.CutPlayout)
        queued = len(rig.queued)
        await rig.settle()
        assert len(rig.queued) == queued, "audio of the dead is refused"
        ended = rig.mouth.end(first, 400 * 3)
        assert ended is not None
        assert ended[1].heard_text.startswith("One")
        assert len(ended[1].heard_text) < len("One two three four.")
        assert rig.mouth.end(second, 0) is None, "it never reached the worker"
        await rig.tasks.close()

    play(story())


def test_a_cut_of_nothing_says_nothing_to_the_worker() -> None:
    async def story() -> None:
        rig = Rig()
        rig.mouth.cut()
        assert rig.worker.commands == []

    play(story())


def test_speech_goes_on_after_a_cut() -> None:
    async def story() -> None:
        rig = Rig()
        rig.say("Old.")
        rig.mouth.cut()
        new = rig.say("New.")
        await rig.settle()
        assert {q.utterance_id for q in rig.queued} == {new}
        await rig.tasks.close()

    play(story())


def test_an_utterance_without_a_voice_never_plays_and_says_why() -> None:
    async def story() -> None:
        rig = Rig()
        rig.speaker.dead = True
        rig.say("One.")
        await rig.settle()
        assert rig.never_played == ["fake: no voice"]
        assert not rig.mouth.busy
        assert rig.queued == []
        await rig.tasks.close()

    play(story())


def test_a_voice_that_fails_in_mid_sentence_ends_the_utterance_where_it_is() -> None:
    class Breaking(FakeSpeaker):
        async def synthesize(self, request: TtsRequest, lexicon: Lexicons = NO_WORDS) -> AsyncIterator[SpokenChunk]:
            yield WordMark(0, 0, 3)
            yield TtsAudio(bytes(3200))
            raise ProviderError("fake", "broken", retryable=True)

    async def story() -> None:
        rig = Rig()
        rig.mouth = Mouth(CALL, Breaking(), rig.worker, rig.tasks, rig.mail.append, random.Random(1).randbytes)
        utterance_id = rig.say("One two.")
        await rig.settle()
        assert [q.final for q in rig.queued] == [False, True]
        ended = rig.mouth.end(utterance_id, 1600)
        assert ended is not None
        assert ended[0].failure == "fake: broken"
        await rig.tasks.close()

    play(story())


def test_pause_and_resume_reach_the_worker() -> None:
    async def story() -> None:
        rig = Rig()
        rig.mouth.pause()
        rig.mouth.resume()
        assert [type(command) for command in rig.worker.commands] == [m.PausePlayout, m.ResumePlayout]

    play(story())


def test_in_a_wide_call_speech_is_made_at_16_khz_and_counted_at_8() -> None:
    async def story() -> None:
        rig = Rig()
        utterance_id = rig.mouth.say(TtsRequest("One two three.", sample_rate_hz=16000), interruptible=True)
        await rig.settle()
        audio = [queued for queued in rig.queued if not queued.final]
        assert {queued.rate_hz for queued in audio} == {16000}
        samples = sum(len(queued.pcm) // 2 for queued in audio)
        ended = rig.mouth.end(utterance_id, samples // 2)
        assert ended is not None and ended[1].heard_text == "One two three."
        await rig.tasks.close()

    play(story())
