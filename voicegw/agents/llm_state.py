"""What an LLM conversation knows, in one immutable value: messages as they were heard, and what is under way.

A reply is written down for good when the next turn begins, from what the caller was really played. One that was cut
off is remembered as far as it was heard; tools that ran stay, because they happened. As long as nothing is cut off,
messages are only ever added, so that servers can reuse their work on the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from voicegw.agents.llm_history import trimmed
from voicegw.ports.llm import LlmMessage, LlmRole, ToolCallRequested

CUT_OFF = " …"
"""Ends an assistant message that the caller cut off: models understand it, and it is never spoken."""


@dataclass(frozen=True, slots=True)
class Round:
    """The sentences that a message of the running reply holds, as the model wrote them."""

    message: int
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LlmState:
    """``rounds`` are the messages of the running reply that asked for tools, ``pieces`` what was said after them;
    ``heard`` is what of all that was played, None where nobody told (then all of it). ``model`` is the one of the
    chain that answered last, empty as long as it is the first. ``language`` is what the call has changed to."""

    messages: tuple[LlmMessage, ...]
    turn: int = 0
    rounds: tuple[Round, ...] = ()
    pieces: tuple[str, ...] = ()
    heard: str | None = None
    no_inputs: int = 0
    model: str = ""
    notes: int = 0
    """How many of the call's notes the model has read."""
    language: str = ""

    @property
    def silent(self) -> bool:
        """Whether the running reply has said nothing yet."""
        return not self.rounds and not self.pieces

    def said(self, sentence: str) -> LlmState:
        """The reply says this too."""
        return replace(self, pieces=(*self.pieces, sentence))

    def with_tools(self, calls: tuple[ToolCallRequested, ...], results: tuple[str, ...]) -> LlmState:
        """The model asked for ``calls`` after what it said so far, and ``results`` came back."""
        asked = LlmMessage(LlmRole.ASSISTANT, " ".join(self.pieces), tool_calls=calls)
        answers = [
            LlmMessage(LlmRole.TOOL, result, tool_call_id=call.id)
            for call, result in zip(calls, results, strict=True)
        ]
        rounds = (*self.rounds, Round(len(self.messages), self.pieces))
        return replace(self, messages=(*self.messages, asked, *answers), rounds=rounds, pieces=())

    def with_turn(self, text: str, max_history_tokens: int) -> LlmState:
        """A turn of the caller begins: the reply before it becomes history, of which the oldest part may go."""
        settled = self.settled()
        messages = trimmed((*settled.messages, LlmMessage(LlmRole.USER, text)), max_history_tokens)
        return replace(settled, messages=messages, turn=self.turn + 1, no_inputs=0)

    def settled(self) -> LlmState:
        """With the last reply written down as far as it was heard."""
        words_left = _ALL if self.heard is None else len(self.heard.split())
        messages = list(self.messages)
        for done in self.rounds:
            kept, words_left = _heard_of(done.pieces, words_left)
            messages[done.message] = replace(messages[done.message], content=kept)
        kept, _ = _heard_of(self.pieces, words_left)
        if kept:
            messages.append(LlmMessage(LlmRole.ASSISTANT, kept))
        return replace(self, messages=tuple(messages), rounds=(), pieces=(), heard=None)


_ALL = 1_000_000


def _heard_of(pieces: tuple[str, ...], words_left: int) -> tuple[str, int]:
    """The first ``words_left`` words of ``pieces``, and how many are left for what follows them."""
    words = " ".join(pieces).split()
    if len(words) <= words_left:
        return " ".join(pieces), words_left - len(words)
    return (" ".join(words[:words_left]) + CUT_OFF if words_left else ""), 0
