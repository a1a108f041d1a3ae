"""What an agent of a language model says before the model has the call: the disclosure, and the consent question.

Scripted, so that it is said word for word and the answer means what it means whatever a model makes of it. Once it
is answered the agent behind it begins as if the call had just been answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from voicegw.agents.actions import AgentAction, ConsentAnswered, Disclosing, DtmfPolicy, Gather, Hangup, Say
from voicegw.agents.agent import AgentContext, AgentSession, CallerTurn, Expectation, TurnKind
from voicegw.agents.entities.yes_no import COMMON, YesNoSlot

ATTEMPTS: Final = 3
"""Answers that are none, or silences, until it counts as a no."""
NO_MATCH: Final = "Sorry, I didn't catch that."
_YES_NO: Final = YesNoSlot()
_BEGIN: Final = CallerTurn(TurnKind.CALL_STARTED)
CONSENT: Final = Expectation(COMMON, COMMON)
"""What the question for consent listens for."""


@dataclass(frozen=True, slots=True)
class Preface:
    """What the file says. An empty ``question``: no consent is asked for."""

    disclosure: str
    question: str
    goodbye: str
    """Said before the call is ended after a no; empty to go on."""
    no_match: str = NO_MATCH
    no_input_ms: int = 7000


@dataclass(frozen=True, slots=True)
class _Progress:
    asking: bool = False
    over: bool = False
    failures: int = 0


class PrefaceSession:
    """An :class:`~voicegw.agents.agent.AgentSession` in front of another one."""

    def __init__(self, preface: Preface, inner: AgentSession) -> None:
        self._preface = preface
        self._inner = inner
        self._progress = _Progress()

    @property
    def speculative(self) -> bool:
        """See the protocol. An answer to the question for consent costs nothing."""
        return self._progress.over and self._inner.speculative

    @property
    def tools_version(self) -> int:
        """See the protocol."""
        return self._inner.tools_version

    @property
    def collected(self) -> Mapping[str, str]:
        """See the protocol."""
        return self._inner.collected

    def heard(self, text: str) -> None:
        """See the protocol."""
        if self._progress.over:
            self._inner.heard(text)

    def checkpoint(self) -> object:
        """See the protocol."""
        return self._progress, self._inner.checkpoint()

    def restore(self, checkpoint: object) -> None:
        """See the protocol."""
        assert isinstance(checkpoint, tuple)
        self._progress, inner = checkpoint
        self._inner.restore(inner)

    async def reply(self, turn: CallerTurn, context: AgentContext) -> AsyncIterator[AgentAction]:
        """See the protocol."""
        actions = [] if self._progress.over else self._own(turn, context.now)
        for action in actions:
            yield action
        if not self._progress.over or (actions and isinstance(actions[-1], Hangup)):
            return
        async for action in self._inner.reply(_BEGIN if actions else turn, context):
            yield action

    def _own(self, turn: CallerTurn, now: datetime) -> list[AgentAction]:
        """The scripted part of the reply; the agent behind goes on where it has come to its end."""
        preface = self._preface
        if not self._progress.asking:
            said: list[AgentAction] = []
            if preface.disclosure:
                said = [Disclosing(preface.disclosure), Say(preface.disclosure, interruptible=False)]
            if not preface.question:
                self._progress = replace(self._progress, over=True)
                return said
            self._progress = replace(self._progress, asking=True)
            return [*said, *self._ask()]
        given = _verdict(turn, now)
        if given is None:
            self._progress = replace(self._progress, failures=self._progress.failures + 1)
            if self._progress.failures < ATTEMPTS:
                sorry = [Say(preface.no_match)] if turn.kind is TurnKind.SPEECH else []
                return [*sorry, *self._ask()]
        return self._answered(turn.text or turn.dtmf if given is not None else "", given=bool(given))

    def _ask(self) -> list[AgentAction]:
        keys = DtmfPolicy(max_digits=_YES_NO.keypad.max_digits)
        gather = Gather(COMMON, COMMON, _YES_NO, keys, no_input_ms=self._preface.no_input_ms)
        return [Say(self._preface.question), gather]

    def _answered(self, words: str, *, given: bool) -> list[AgentAction]:
        self._progress = replace(self._progress, over=True)
        answer = ConsentAnswered(self._preface.question, words, given)
        if given or not self._preface.goodbye:
            return [answer]
        return [answer, Say(self._preface.goodbye), Hangup()]


def _verdict(turn: CallerTurn, now: datetime) -> bool | None:
    if turn.kind is TurnKind.DTMF:
        value = _YES_NO.parse_keys(turn.dtmf, now)
        return None if value is None else bool(value)
    parsed = _YES_NO.parse(turn.text, now) if turn.kind is TurnKind.SPEECH else None
    return None if parsed is None else bool(parsed.value)
