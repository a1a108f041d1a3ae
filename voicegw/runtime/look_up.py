"""What an agent knows before the first word: what whoever ordered the call told it, and who is calling.

Who is calling is found out while it still rings: the line is opened, and so answered, when the agent knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from voicegw.agents.agent import Agent, CallFacts
from voicegw.call import facts as f
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.mail import CallerLookedUp
from voicegw.runtime.tasks import ChildTasks


class LookUp:
    """Of one call. ``known`` is what was told and what was found, by name."""

    def __init__(
        self,
        told: Mapping[str, str],
        tasks: ChildTasks,
        post: Callable[[CallerLookedUp], None],
        book: LogBook,
    ) -> None:
        self.known = told
        self._tasks = tasks
        self._post = post
        self._book = book

    def begin(self, agent: Agent, facts: CallFacts) -> bool:
        """True if the answer has to wait; then a :class:`CallerLookedUp` follows, whatever happens."""
        search = agent.look_up(facts)
        if search is None:
            return False

        async def report() -> None:
            self._post(CallerLookedUp(await search))

        self._tasks.spawn("look up", report(), lambda _reason: self._post(CallerLookedUp({})))
        return True

    def end(self, found: CallerLookedUp) -> None:
        """It is known now, and in the record."""
        self.known = {**self.known, **found.known}
        self._note(found.known)

    def note_told(self) -> None:
        """What the call begins with goes into its record."""
        self._note(self.known)

    def _note(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._book.note(f.SlotWasFilled(name, value, confirmed=False))
