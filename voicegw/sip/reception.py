"""Who may open something here: registrations, and calls of people who have to say who they are first.

The user agent asks before it makes anything of a request outside a call. Deciding must be quick and must not fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from voicegw.sip.incoming import Incoming
from voicegw.sip.reply import Pairs


@dataclass(frozen=True, slots=True)
class Welcome:
    """The request may go on. ``phone``: who has proven to be its sender; empty where nobody had to."""

    phone: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The request ends here. ``kept``: its copies get the same answer, from a transaction. ``is_final``: the sender
    has shown who they say they are, and was not believed; else this is a question, or no call's business."""

    status: int
    headers: Pairs = ()
    kept: bool = False
    is_final: bool = False


Decision: TypeAlias = Welcome | Answer


class Reception(Protocol):
    """Decides; its answers to strangers must not tell who exists."""

    @property
    def registers(self) -> bool:
        """Whether REGISTER is understood at all (RFC 3261 §10.3)."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """Event packages that may be subscribed to (RFC 6665)."""
        ...

    def register(self, incoming: Incoming, now: float) -> Answer:
        """Follow or refuse a REGISTER."""
        ...

    def identify(self, incoming: Incoming, now: float) -> Decision:
        """Who sends this INVITE or SUBSCRIBE."""
        ...

    def records(self, incoming: Incoming) -> bool:
        """Whether its sender may have us record what others say to each other (RFC 7866)."""
        ...


class OpenReception:
    """No registrar, and nobody has to say who they are."""

    registers = False
    packages: tuple[str, ...] = ()

    def register(self, _incoming: Incoming, _now: float) -> Answer:
        return Answer(405)

    def identify(self, _incoming: Incoming, _now: float) -> Decision:
        return Welcome()

    def records(self, _incoming: Incoming) -> bool:
        return False


OPEN_RECEPTION: Final = OpenReception()
