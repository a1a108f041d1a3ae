"""Tools of the current reply that wait for a person: whoever is asked must know when nobody waits any more."""

from __future__ import annotations

from voicegw.agents.actions import ToolJudged, ToolWaits
from voicegw.call import facts as f
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.told import ToldAction


class ToolQueue:
    """Fed with what the reply tells; what still waits when the reply is dropped becomes a fact."""

    def __init__(self, book: LogBook) -> None:
        self._book = book
        self._waiting: dict[str, str] = {}

    def note(self, action: ToldAction) -> None:
        """The reply told this."""
        match action:
            case ToolWaits(key, tool):
                self._waiting[key] = tool
            case ToolJudged(key):
                self._waiting.pop(key, None)
            case _:
                pass

    def withdraw(self) -> None:
        """The reply is dropped."""
        waiting, self._waiting = self._waiting, {}
        for key, tool in waiting.items():
            self._book.note(f.ToolWasWithdrawn(key, tool))
