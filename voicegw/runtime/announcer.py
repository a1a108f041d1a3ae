"""A voice of the call that is not the agent's: for a waiting caller, or for somebody who is to take the call.

What it says is no part of the conversation: nobody can interrupt it, and nobody needs to know how much was heard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.agents.agent import Agent
from voicegw.agents.sentences import split_sentences
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId, RandomBytes, UtteranceId, token
from voicegw.media import messages as m
from voicegw.ports.tts import TtsAudio, TtsRequest
from voicegw.runtime.services import MediaControl, Speaker
from voicegw.runtime.tasks import ChildTasks

BYTES_PER_S = 16_000
LEAST_S = 0.02
"""An announcement that could not be spoken is a frame of silence: its end is told all the same."""


@dataclass(frozen=True, slots=True)
class AnnouncerLinks:
    """Where announcements go. ``voice``: the playout queue in the media worker."""

    call_id: CallId
    voice: str
    agent: Agent
    speaker: Speaker
    media: MediaControl
    random: RandomBytes
    rate_hz: int = 8000
    """At which the call is mixed."""


class Announcer:
    """One announcement at a time; the next replaces it. ``finished`` is called when one was played to its end."""

    def __init__(self, links: AnnouncerLinks, tasks: ChildTasks) -> None:
        self._links = links
        self._tasks = tasks
        self._current: UtteranceId | None = None
        self._finished: Callable[[], None] = _nothing

    def say(self, text: str, finished: Callable[[], None], *, then_quiet_s: float = 0.0) -> None:
        """Speak ``text`` in the agent's voice, with silence after it that counts as part of it."""
        utterance_id = self._begin(finished)
        tail = bytes(round(max(then_quiet_s, LEAST_S) * BYTES_PER_S) & ~1)
        work = self._speak(utterance_id, text, tail)
        self._tasks.spawn("announcement", work, lambda _reason: self._queue(utterance_id, tail, final=True))

    def play(self, pcm: bytes, finished: Callable[[], None], rate_hz: int = 8000) -> None:
        """Play audio of ``rate_hz``."""
        self._queue(self._begin(finished), pcm, final=True, rate_hz=rate_hz)

    @property
    def busy(self) -> bool:
        """Whether something is being said or played."""
        return self._current is not None

    def stop(self) -> None:
        """Fall silent now."""
        if self._current is not None:
            self._current, self._finished = None, _nothing
            self._links.media.send(m.CutPlayout(self._links.call_id, self._links.voice))

    def ended(self, utterance_id: UtteranceId) -> bool:
        """An utterance of the call was played to its end; False if it was not ours."""
        if utterance_id != self._current:
            return False
        finished, self._current, self._finished = self._finished, None, _nothing
        finished()
        return True

    def _begin(self, finished: Callable[[], None]) -> UtteranceId:
        self.stop()
        self._current, self._finished = UtteranceId(token(self._links.random)), finished
        return self._current

    async def _speak(self, utterance_id: UtteranceId, text: str, tail: bytes) -> None:
        agent = self._links.agent
        try:
            for sentence in split_sentences(text, agent.language):
                request = TtsRequest(sentence, agent.voice, agent.language, sample_rate_hz=self._links.rate_hz)
                async for chunk in self._links.speaker.synthesize(request, agent.lexicon):
                    if isinstance(chunk, TtsAudio):
                        self._queue(
                            utterance_id, chunk.pcm, final=False, rate_hz=chunk.rate_hz or request.sample_rate_hz
                        )
        except ProviderError:
            pass  # the tail says that it is over; whoever waits goes on without having heard it all
        self._queue(utterance_id, tail, final=True)

    def _queue(self, utterance_id: UtteranceId, pcm: bytes, *, final: bool, rate_hz: int = 8000) -> None:
        if utterance_id == self._current:
            links = self._links
            links.media.send(
                m.QueueAudio(
                    links.call_id,
                    utterance_id,
                    pcm,
                    final=final,
                    interruptible=False,
                    voice=links.voice,
                    rate_hz=rate_hz,
                )
            )


def _nothing() -> None:
    """Nobody waits."""
