"""The agent's mouth: texts into audio into the media worker, and the truth about what of it was heard.

Texts are written ones ("$24.50"), on the way in and in what was heard; only the engines get them in spoken words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from voicegw.agents.lexicon import NO_WORDS, Lexicons
from voicegw.agents.sentences import split_sentences
from voicegw.agents.speakable.heard import heard_source
from voicegw.base.errors import ProviderError
from voicegw.base.ids import CallId, GenerationId, RandomBytes, UtteranceId, token
from voicegw.media import messages as m
from voicegw.ports.tts import Reading, TtsAudio, TtsRequest, WordMark
from voicegw.runtime.mail import SentenceBegun, SpeechDone, SpeechMade
from voicegw.runtime.services import MediaControl, Speaker
from voicegw.runtime.tasks import ChildTasks
from voicegw.turn.playout import Playout, PlayoutLedger

BYTES_PER_SAMPLE = 2
LEDGER_HZ = 8000
"""What was heard is counted in samples at 8 kHz, whatever the rate of the call."""
SAMPLES_PER_MS = 8
SETTLING_S = 0.25
"""The worker tells within two of its ticks how much was heard of what was cut; who waits for it waits no longer."""
MOST_PREPARED = 2
"""Utterances made before it is certain that they are wanted: the first to be heard at once, the second to go on."""

SpeechMail: TypeAlias = SentenceBegun | SpeechMade | SpeechDone


@dataclass(slots=True)
class Utterance:
    """One piece of agent speech on its way. ``started_at`` is set when its first sample has left."""

    id: UtteranceId
    ledger: PlayoutLedger
    request: TtsRequest
    interruptible: bool
    hurried: bool = False
    """Nothing is being said when it begins: its first words must come fast."""
    queued: bool = False
    started_at: float | None = None
    failure: str = ""
    waiting: list[SpeechMail] = field(default_factory=list)
    """What is made of it before it is wanted."""
    reply: GenerationId | None = None
    """The reply of the agent that it is a part of; None for the words of the house."""


class Mouth:
    """The utterances of one call, spoken in the order in which they were given."""

    def __init__(
        self,
        call_id: CallId,
        speaker: Speaker,
        media: MediaControl,
        tasks: ChildTasks,
        post: Callable[[SpeechMail], None],
        random: RandomBytes,
        lexicon: Lexicons = NO_WORDS,
    ) -> None:
        self._call_id = call_id
        self._speaker = speaker
        self._media = media
        self._tasks = tasks
        self._post = post
        self._random = random
        self._lexicon = lexicon
        self._live: dict[UtteranceId, Utterance] = {}
        self._dying: dict[UtteranceId, Utterance] = {}
        self._held = False
        self._known = asyncio.Event()
        self._known.set()
        self._prepared: list[Utterance] = []
        self._to_make: asyncio.Queue[Utterance] = asyncio.Queue()
        self._maker: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is still to be heard."""
        return bool(self._live)

    @property
    def unsettled(self) -> bool:
        """Whether it is not known yet how much of something was heard."""
        return bool(self._dying)

    async def settled(self) -> None:
        """Until it is known of everything how much was heard, or nobody is going to tell."""
        if not self._known.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLING_S):
                    await self._known.wait()

    def get(self, utterance_id: UtteranceId) -> Utterance | None:
        """A live utterance."""
        return self._live.get(utterance_id)

    def playing(self) -> Utterance | None:
        """The utterance the caller is hearing, paused or not."""
        return next((u for u in self._live.values() if u.started_at is not None), None)

    def say(self, request: TtsRequest, *, interruptible: bool, reply: GenerationId | None = None) -> UtteranceId:
        """Speak ``request.text`` after everything said before; see :meth:`take_made`."""
        if self._prepared and self._prepared[0].request == request:
            utterance = self._prepared.pop(0)
        else:
            self.forget_prepared()
            utterance = self._begin(request, hurried=not self._live)
        utterance.interruptible, utterance.reply = interruptible, reply
        self._live[utterance.id] = utterance
        return utterance.id

    def take_made(self, utterance_id: UtteranceId) -> list[SpeechMail]:
        """What was made of an utterance before it was wanted, to be dealt with as if it came now."""
        utterance = self._live[utterance_id]
        made, utterance.waiting = utterance.waiting, []
        return made

    def _begin(self, request: TtsRequest, *, hurried: bool) -> Utterance:
        utterance_id = UtteranceId(token(self._random))
        utterance = Utterance(utterance_id, PlayoutLedger(utterance_id, heard_source), request, True, hurried)
        self._to_make.put_nowait(utterance)
        if self._maker is None or self._maker.done():
            self._maker = self._tasks.spawn("tts", self._make_all(), self._maker_failed)
        return utterance

    # ------------------------------------------------------------ speech that may be wanted

    def prepare(self, request: TtsRequest) -> None:
        """Make audio that :meth:`say` may ask for soon; nothing of it is heard before. Bounded."""
        if not self.busy and len(self._prepared) < MOST_PREPARED:
            self._prepared.append(self._begin(request, hurried=not self._prepared))

    def keep(self, mail: SpeechMail) -> bool:
        """Put aside what was made for an utterance that is not wanted yet; False if it is not for one of those."""
        utterance = next((u for u in self._prepared if u.id == mail.utterance_id), None)
        if utterance is None:
            return False
        utterance.waiting.append(mail)
        return True

    def forget_prepared(self) -> None:
        """None of it is wanted."""
        if not self._prepared:
            return
        self._prepared = []
        if not self._live:
            self._stop_making()

    # ------------------------------------------------------------ speech on its way

    def begin_sentence(self, mail: SentenceBegun) -> None:
        """The synthesiser starts on the next sentence."""
        if utterance := self._live.get(mail.utterance_id):
            utterance.ledger.begin(mail.text)

    def add_audio(self, mail: SpeechMade, *, protected: bool) -> bool:
        """Pass audio on to the worker; True for the first of its utterance. Audio of the dead is refused."""
        utterance = self._live.get(mail.utterance_id)
        if utterance is None:
            return False
        if isinstance(mail.chunk, Reading):
            utterance.ledger.read_as(mail.chunk.text)
            return False
        if isinstance(mail.chunk, WordMark):
            at_sample = mail.chunk.at_sample * LEDGER_HZ // utterance.request.sample_rate_hz
            utterance.ledger.add_mark(at_sample, mail.chunk.end_char)
            return False
        first = not utterance.queued
        if first:
            utterance.queued = True
            utterance.interruptible = utterance.interruptible and not protected
        rate_hz = mail.chunk.rate_hz or utterance.request.sample_rate_hz
        utterance.ledger.add_audio(len(mail.chunk.pcm) // BYTES_PER_SAMPLE * LEDGER_HZ // rate_hz)
        self._queue(utterance, mail.chunk.pcm, rate_hz, final=False)
        return first

    def finish_audio(self, mail: SpeechDone, *, tail_ms: int) -> Utterance | None:
        """All audio is made; ``tail_ms`` of silence follow. Returns an utterance that will never play, or None."""
        utterance = self._live.get(mail.utterance_id)
        if utterance is None:
            return None
        utterance.ledger.close()
        utterance.failure = mail.failure
        if not utterance.queued:
            return self._live.pop(mail.utterance_id)
        self._queue(utterance, bytes(tail_ms * SAMPLES_PER_MS * BYTES_PER_SAMPLE), LEDGER_HZ, final=True)
        return None

    def pause(self) -> None:
        """Hold the playout, and whatever is said from now on."""
        self._held = True
        self._media.send(m.PausePlayout(self._call_id))

    def resume(self) -> None:
        """Go on from where it was held."""
        self._held = False
        self._media.send(m.ResumePlayout(self._call_id))

    def cut(self) -> None:
        """Everything still to be said is dead; the worker will tell how much of the running one was heard."""
        self._prepared = []
        self._stop_making()
        self._dying |= {key: value for key, value in self._live.items() if value.queued}
        if self._dying:
            self._known.clear()
        if self._live or self._held:
            self._media.send(m.CutPlayout(self._call_id))
        self._live, self._held = {}, False

    def end(self, utterance_id: UtteranceId, sent_samples: int) -> tuple[Utterance, Playout] | None:
        """An utterance finished or was cut; None if nobody knows it any more."""
        utterance = self._live.pop(utterance_id, None) or self._dying.pop(utterance_id, None)
        if not self._dying:
            self._known.set()
        if utterance is None:
            return None
        return utterance, utterance.ledger.heard(sent_samples)

    def _queue(self, utterance: Utterance, pcm: bytes, rate_hz: int, *, final: bool) -> None:
        self._media.send(
            m.QueueAudio(
                self._call_id,
                utterance.id,
                pcm,
                final=final,
                interruptible=utterance.interruptible,
                rate_hz=rate_hz,
            )
        )

    def _stop_making(self) -> None:
        if self._maker is not None:
            self._maker.cancel()
            self._maker = None
        self._to_make = asyncio.Queue()

    def _maker_failed(self, reason: str) -> None:
        for utterance_id in [*self._live, *(utterance.id for utterance in self._prepared)]:
            self._post(SpeechDone(utterance_id, reason))

    async def _make_all(self) -> None:
        queue = self._to_make
        while not queue.empty():
            await self._make(queue.get_nowait())

    async def _make(self, utterance: Utterance) -> None:
        request = utterance.request
        try:
            for sentence in split_sentences(request.text, request.language, hurried=utterance.hurried):
                self._post(SentenceBegun(utterance.id, sentence))
                part = TtsRequest(sentence, request.voice, request.language, request.rate, request.sample_rate_hz)
                async for chunk in self._speaker.synthesize(part, self._lexicon):
                    if not isinstance(chunk, TtsAudio) or chunk.pcm:
                        self._post(SpeechMade(utterance.id, chunk))
        except ProviderError as error:
            self._post(SpeechDone(utterance.id, str(error)))
            return
        self._post(SpeechDone(utterance.id))
