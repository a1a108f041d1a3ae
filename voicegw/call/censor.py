"""What of a fact may be written down: nothing before consent, no card numbers, no value that is declared sensitive.

Everything that stores, shows or sends facts stands behind this; it is the only way into the log of a call.
"""

from __future__ import annotations

from typing import Final

import msgspec

from voicegw.call.facts import (
    AgentSpoke,
    AnyFact,
    AudioWasMissing,
    CallerSpoke,
    CallHasEnded,
    ConsentWasGiven,
    ConsentWasRefused,
    DisclosureWasMade,
    KeysWereSent,
    KeyWasPressed,
    MessageWasReceived,
    SlotWasFilled,
)
from voicegw.call.redaction import HIDDEN, KEY, Redactor

WITHHELD: Final = "[not recorded]"
SPOKEN_FIELDS: Final = frozenset(["text", "heard", "digits", "digit", "value", "summary", "url", "arguments"])
"""Fields that repeat the conversation; not written down without consent."""
_SIGNALLING: Final = ("call_id", "sip_call_id", "called", "calling", "remote", "codec", "uri", "target", "method")
_HOUSE: Final = (
    "started_at",
    "route",
    "agent",
    "utterance_id",
    "path",
    "step",
    "cause",
    "side",
    "kind",
    "mode",
    "by",
    "language",
    "key",
    "tool",
    "leg",
    "party",
)
PLAIN_FIELDS: Final = frozenset([*_SIGNALLING, *_HOUSE, "name", "to"])
"""Fields that hold no speech: numbers of the signalling stay, or a caller's data could not be found and erased."""
_ALWAYS: Final = (DisclosureWasMade, ConsentWasGiven, ConsentWasRefused, CallHasEnded, AudioWasMissing)


class Censor:
    """Stands before the log of one call and keeps what its facts must not say."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor()
        self._disclosures: list[str] = []
        self._hidden: set[str] = set()
        self.withheld = False
        """Whether what is said may not be written down now."""
        self.sensitive = False
        """Whether the caller is being asked for something sensitive now."""

    def disclosing(self, text: str) -> None:
        """The agent is about to say this, and it is a disclosure: how much of it was heard becomes a fact."""
        self._disclosures.append(text)

    def conceal(self, text: str) -> None:
        """The agent is about to say this, and it repeats something sensitive."""
        self._hidden.add(text)

    def take(self, fact: AnyFact) -> list[AnyFact]:
        """The fact as it may be written down, and what follows from it."""
        facts: list[AnyFact] = [self._censored(fact)]
        if isinstance(fact, AgentSpoke) and fact.text in self._disclosures:
            self._disclosures.remove(fact.text)
            facts.append(self._censored(DisclosureWasMade(fact.text, fact.heard, fact.interrupted)))
        return facts

    def _censored(self, fact: AnyFact) -> AnyFact:
        if isinstance(fact, AgentSpoke) and fact.text in self._hidden:
            fact = msgspec.structs.replace(fact, text=HIDDEN, heard=HIDDEN if fact.heard else "")
        changes = {
            name: self._field(fact, name, value)
            for name, value in msgspec.structs.asdict(fact).items()
            if isinstance(value, str) and value and name not in PLAIN_FIELDS
        }
        if isinstance(fact, SlotWasFilled) and fact.sensitive:
            self._redactor.conceal(fact.value)
        return msgspec.structs.replace(fact, **changes)

    def _field(self, fact: AnyFact, name: str, value: str) -> str:
        clean = self._redacted(fact, name, value)
        if self.withheld and name in SPOKEN_FIELDS and not isinstance(fact, _ALWAYS):
            return WITHHELD
        return clean

    def _redacted(self, fact: AnyFact, name: str, value: str) -> str:
        """Also while nothing is written down: what is found now must be known later."""
        match fact:
            case CallerSpoke():
                clean = self._redactor.caller(value)
                return HIDDEN if fact.sensitive else clean
            case SlotWasFilled() if name == "value":
                return HIDDEN if fact.sensitive else self._redactor.value(value)
            case MessageWasReceived() if name == "text":
                clean = self._redactor.caller(value)
                return HIDDEN if self.sensitive and fact.leg == "caller" else clean
            case KeysWereSent() if name == "digits":
                return HIDDEN if self.sensitive else self._redactor.text(value)
            case KeyWasPressed():
                return KEY if self.sensitive else self._redactor.key(value)
            case _:
                return self._redactor.text(value)
