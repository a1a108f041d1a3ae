"""The agent's ear: the caller's audio into a recognition stream, from shortly before they began to speak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from voicegw.base.clock import Clock
from voicegw.base.ids import RandomBytes, StreamId, token
from voicegw.ports.asr import AsrFailed, AsrOptions, AsrProvider, AsrStream
from voicegw.runtime.mail import AsrReported
from voicegw.runtime.tape import Tape
from voicegw.runtime.tasks import ChildTasks

KEPT_S = 2.0
"""More than detection, a late mailbox and a long protected ending take together."""
TURN_S = 20.0
"""The longest turn."""
PRE_ROLL_S = 0.24
"""Audio before the detected onset: soft first consonants lie there."""


class Ear:
    """At most one open recognition stream of one call."""

    def __init__(
        self,
        provider: AsrProvider,
        tasks: ChildTasks,
        post: Callable[[AsrReported], None],
        clock: Clock,
        random: RandomBytes,
    ) -> None:
        self._provider = provider
        self._tasks = tasks
        self._post = post
        self._clock = clock
        self._random = random
        self.rate_hz = 8000
        """Of what is heard: one and the same as long as a call lasts."""
        self._kept = Tape(KEPT_S)
        self._stream: AsrStream | None = None
        self._stream_id: StreamId | None = None
        self._finishing = False
        self._asked_early = False
        self._turn = Tape(TURN_S)

    @property
    def is_open(self) -> bool:
        """Whether a stream is being fed or finished."""
        return self._stream is not None

    @property
    def asked_early(self) -> bool:
        """Whether the final text was asked for before the turn is over."""
        return self._asked_early

    def hear(self, pcm: bytes, rate_hz: int = 8000) -> None:
        """Take the caller's next audio. Runs outside the mailbox: it moves data and decides nothing."""
        if rate_hz != self.rate_hz:
            self.rate_hz = rate_hz
            self._kept, self._turn = Tape(KEPT_S, rate_hz), Tape(TURN_S, rate_hz)
        self._kept.add(pcm)
        if self._asked_early or self._stream is not None:
            self._turn.add(pcm)
        if self._stream is not None and not self._finishing:
            self._stream.push(pcm)

    def begin(self, options: AsrOptions, onset_at: float) -> bool:
        """Open a stream with the audio since just before ``onset_at``; False if one is open: it goes on.

        Where the final text was asked for and the turn goes on all the same, the new stream hears all of it: the
        text that is on its way, or came early, is not the turn any more.
        """
        if self._stream is not None and not self._finishing:
            return False
        again = self._turn.whole() if self._asked_early or self._finishing else b""
        self.drop()
        stream_id = StreamId(token(self._random))
        stream = self._provider.open(replace(options, sample_rate_hz=self.rate_hz))
        self._stream, self._stream_id, self._finishing = stream, stream_id, False
        missed = again or self._kept.last(self._clock.monotonic() - onset_at + PRE_ROLL_S)
        if missed:
            stream.push(missed)
            self._turn.add(missed)
        self._tasks.spawn("asr", self._pump(stream, stream_id), lambda reason: self._lost(stream_id, reason))
        return True

    def ask_for_final(self) -> None:
        """The turn is probably over: a recogniser whose final text takes long is asked for it now."""
        if self._stream is None or self._finishing or not self._provider.capabilities.slow_final:
            return
        self._asked_early = self._finishing = True
        self._stream.finish()

    def finish(self) -> bool:
        """Ask for the final text, unless it has come or is on its way; False if nothing was being heard."""
        if self._asked_early:
            self._asked_early = False
            if self._stream is None:
                self._turn.clear()
            return True
        if self._stream is None or self._finishing:
            return False
        self._finishing = True
        self._stream.finish()
        return True

    def drop(self) -> None:
        """Throw the open stream away."""
        if self._stream is not None:
            self._stream.close()
        self._asked_early = False
        self._turn.clear()
        self.forget()

    def forget(self) -> None:
        """The stream has ended by itself."""
        self._stream, self._stream_id, self._finishing = None, None, False
        if not self._asked_early:
            self._turn.clear()

    def recent(self, milliseconds: int) -> bytes:
        """The newest audio, up to two seconds of it."""
        return self._kept.last(milliseconds / 1000)

    def accepts(self, stream_id: StreamId) -> bool:
        """Whether a report is about the stream that is open now."""
        return stream_id == self._stream_id

    def _lost(self, stream_id: StreamId, reason: str) -> None:
        self._post(AsrReported(stream_id, AsrFailed(reason, retryable=True)))

    async def _pump(self, stream: AsrStream, stream_id: StreamId) -> None:
        async for event in stream.events():
            self._post(AsrReported(stream_id, event))
