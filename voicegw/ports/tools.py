"""Tools as agents and their providers see them: what a model asks for, what became of it, the ledger between."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import NewType, Protocol, TypeAlias

from voicegw.base.ids import CallId
from voicegw.base.texts import whole
from voicegw.ports.llm import ToolCallRequested, ToolSpec

__all__ = [
    "Claim",
    "IdempotencyKey",
    "LedgerEntry",
    "Recovery",
    "ToolCall",
    "ToolEffect",
    "ToolIntent",
    "ToolLedger",
    "ToolRequest",
    "ToolResult",
    "ToolRunner",
    "ToolSpec",
    "ToolStatus",
]

IdempotencyKey = NewType("IdempotencyKey", str)
"""Names one wish: the same wish asked again (interruption, retry) has the same key, a second wish another one."""


ToolCall: TypeAlias = ToolCallRequested
"""What a model asks for. Its ``arguments_json`` is the model's text, not checked yet."""


class ToolStatus(Enum):
    """What is known of a call of a tool that is over."""

    DONE = "done"
    """It took effect."""
    FAILED = "failed"
    """It did not take effect, and that is certain."""
    UNKNOWN = "unknown"
    """It may have taken effect: no answer, a crash, a dead server."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The end of a call of a tool. ``content_json`` is what the model reads, always valid JSON, and text that
    can be written anywhere."""

    status: ToolStatus
    content_json: str

    @classmethod
    def done(cls, content: object) -> ToolResult:
        """It took effect; ``content`` must be serialisable as JSON."""
        return cls(ToolStatus.DONE, whole(json.dumps(content, ensure_ascii=False, separators=(",", ":"))))

    @classmethod
    def failed(cls, reason: str) -> ToolResult:
        """It certainly had no effect; ``reason`` is written for the model and for people."""
        return cls(ToolStatus.FAILED, whole(json.dumps({"error": reason}, ensure_ascii=False)))

    @classmethod
    def unknown(cls, reason: str) -> ToolResult:
        """Nobody can tell whether it had an effect."""
        return cls(ToolStatus.UNKNOWN, whole(json.dumps({"unknown": reason}, ensure_ascii=False)))


class ToolEffect(Enum):
    """What running a tool's body twice would do: the one property that exactly-once rests on."""

    NONE = "none"
    """It only reads: may run for a reply that nobody may ever hear, and never ends as UNKNOWN."""
    IDEMPOTENT = "idempotent"
    """Twice with one key is the same as once (RFC 9110 §9.2.2, or a server that honours the key)."""
    ONCE = "once"
    """Twice is wrong: the body runs at most once per key, whatever happens."""

    @property
    def repeatable(self) -> bool:
        """Whether the body may run again with the same key."""
        return self is not ToolEffect.ONCE


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """One run of a body. The arguments of ``call`` are canonical JSON that fits the schema.

    ``calling`` and ``called`` are the call's own numbers, which a model cannot make up. ``timeout_s`` is how long
    the body may take; its caller gives it up a little later.
    """

    call: ToolCall
    key: IdempotencyKey
    timeout_s: float
    call_id: CallId
    calling: str = ""
    called: str = ""


class ToolRunner(Protocol):
    """The body of a tool."""

    async def run(self, request: ToolRequest) -> ToolResult:
        """Do it. A service that fails is a result, not an exception.

        FAILED only where it is certain that nothing happened; when in doubt UNKNOWN. Cancelled when it takes much
        longer than ``request.timeout_s``.
        """
        ...


@dataclass(frozen=True, slots=True)
class ToolIntent:
    """What is written down before a body may run. ``at_wall`` is seconds since 1970 UTC; ``calling`` the caller's
    number, by which all that is known of them can be erased."""

    key: IdempotencyKey
    call_id: CallId
    tool: str
    effect: ToolEffect
    arguments_json: str
    at_wall: float
    calling: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger. ``result`` is None while the end is open; ``attempts`` counts runs of the body."""

    intent: ToolIntent
    attempts: int = 1
    result: ToolResult | None = None
    ended_wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The ledger's answer to an intent: the entry, and whether the body may run now."""

    granted: bool
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the last process left open: ``unknown`` are closed as UNKNOWN, ``repeatable`` may run again."""

    unknown: tuple[LedgerEntry, ...] = ()
    repeatable: tuple[LedgerEntry, ...] = ()


class ToolLedger(Protocol):
    """Durable memory of intents and results. Never blocks the event loop; raises LocalError when the disk fails."""

    async def claim(self, intent: ToolIntent) -> Claim:
        """Write the intent to disk, atomically with the look whether its key is there already.

        Only a granted claim allows the body to run, and then it is on the disk.
        """
        ...

    async def conclude(self, key: IdempotencyKey, result: ToolResult, at_wall: float) -> None:
        """Write the result of a granted claim. LocalError if the key is not open."""
        ...

    async def recover(self, at_wall: float) -> Recovery:
        """Close what an earlier process left open. Call it once, before the first claim."""
        ...

    async def close(self) -> None:
        """Finish writing."""
        ...
