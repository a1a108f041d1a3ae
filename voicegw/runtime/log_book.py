"""The one writer of a call's facts."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.base.clock import Clock
from voicegw.base.ids import CallId
from voicegw.call.censor import Censor
from voicegw.call.facts import AnyFact, Entry
from voicegw.runtime.services import FactListener, FactSink


class LogBook:
    """Numbers and dates the facts of one call and passes them on, as far as ``censor`` lets them."""

    def __init__(
        self, call_id: CallId, clock: Clock, sink: FactSink, listener: FactListener, censor: Censor | None = None
    ) -> None:
        self.censor = censor or Censor()
        self._call_id = call_id
        self._monotonic: Callable[[], float] = clock.monotonic
        self._sink = sink
        self._listener = listener
        self._started = clock.monotonic()
        self._seq = 0

    def position_ms(self, at: float) -> float:
        """A monotonic time as milliseconds since the call was offered."""
        return round((at - self._started) * 1000, 1)

    def now_ms(self) -> float:
        """The present in milliseconds since the call was offered."""
        return self.position_ms(self._monotonic())

    def note(self, fact: AnyFact) -> None:
        """Append a fact."""
        for written in self.censor.take(fact):
            entry = Entry(self._seq, self.position_ms(self._monotonic()), written)
            self._seq += 1
            self._sink.append(self._call_id, entry)
            self._listener(self._call_id, entry)

    def close(self) -> None:
        """That was the last one."""
        self._sink.finish(self._call_id)
