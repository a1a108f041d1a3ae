"""Facts into several places at once: the store, and a plain log where one is wished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from voicegw.base.ids import CallId
from voicegw.call.facts import Entry
from voicegw.storage.config import StoreConfig


class Sink(Protocol):
    """What takes facts: :class:`~voicegw.storage.writer.StoreWriter`, ``EventLog``."""

    def append(self, call_id: CallId, entry: Entry) -> None:
        """Take one fact; never blocks."""
        ...

    def finish(self, call_id: CallId) -> None:
        """No more facts of this call."""
        ...

    def flush(self) -> None:
        """Wait until everything appended so far is on disk."""
        ...

    def close(self) -> None:
        """Write what is queued and stop."""
        ...


class Sinks:
    """Passes everything on to each of its sinks, in their order. ``levels``: theirs, for metrics. ``use``: who is
    told of other settings of the store; ``move``: where plain logs of calls to come are kept, if they are."""

    def __init__(
        self,
        *sinks: Sink,
        levels: Callable[[], dict[str, float]] = dict,
        use: Callable[[StoreConfig], None] = lambda _config: None,
        move: Callable[[Path | None], None] = lambda _directory: None,
    ) -> None:
        self._sinks = sinks
        self.gauges = levels
        self.use = use
        self.move = move

    def append(self, call_id: CallId, entry: Entry) -> None:
        """Take one fact."""
        for sink in self._sinks:
            sink.append(call_id, entry)

    def finish(self, call_id: CallId) -> None:
        """No more facts of this call."""
        for sink in self._sinks:
            sink.finish(call_id)

    def flush(self) -> None:
        """Wait until everything appended so far is on disk, everywhere."""
        for sink in self._sinks:
            sink.flush()

    def close(self) -> None:
        """Stop each."""
        for sink in self._sinks:
            sink.close()
