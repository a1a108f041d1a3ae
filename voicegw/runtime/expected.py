"""What the agent has asked the caller for: words of a grammar, keys, or whatever they like to say."""

from __future__ import annotations

from voicegw.agents.actions import Gather
from voicegw.agents.agent import Agent
from voicegw.ports.asr import AsrOptions
from voicegw.turn.keypad import Keypad, KeypadPolicy


class Expected:
    """The question of the reply that is being said, and the keys that were pressed for its answer."""

    def __init__(self, agent: Agent, caller: str) -> None:
        """``caller``: whom the recogniser may learn to know, for as long as the call lasts."""
        self._agent = agent
        self._caller = caller
        self._gather: Gather | None = None
        self._keypad = Keypad()

    def forget(self) -> None:
        """Another reply begins."""
        self._gather = None
        self._keypad.ignore()

    def ask(self, gather: Gather, now: float) -> str | None:
        """A question is being put; returns the keys of an answer that was typed before it was heard."""
        self._gather = gather
        policy = gather.dtmf
        return self._keypad.expect(KeypadPolicy(policy.max_digits, policy.terminator, policy.inter_digit_ms), now)

    # ------------------------------------------------------------ keys

    @property
    def takes_keys(self) -> bool:
        """Whether the question may be answered by keypad."""
        return self._gather is not None and bool(self._gather.dtmf.max_digits)

    def press(self, digit: str, now: float) -> str | None:
        """A key; returns all of them once the answer is complete."""
        return self._keypad.press(digit, now)

    def clear(self) -> None:
        """What was pressed so far answers nothing."""
        self._keypad.clear()

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due, or None."""
        return self._keypad.get_timer()

    def handle_timer(self, now: float) -> str | None:
        """Return the keys if nobody pressed another one in time."""
        return self._keypad.handle_timer(now)

    # ------------------------------------------------------------ words

    def is_complete(self, text: str) -> bool:
        """Whether these words are a whole answer already."""
        grammar = self._gather.grammar if self._gather else None
        return grammar is not None and grammar.is_complete(text)

    @property
    def takes_any_word(self) -> bool:
        """Whether there is a question, and one that a "yes" may answer; one with a grammar has judged it itself."""
        return self._gather is not None and self._gather.grammar is None

    def asr_options(self, language: str) -> AsrOptions:
        """What the recogniser should listen for, in ``language``."""
        gather = self._gather
        phrases = gather.phrases if gather and gather.phrases else self._agent.phrases()
        boost = gather.boost if gather else ()
        return AsrOptions(language, phrases, boost, caller=self._caller)
