"""What is understood at every question: a wish for a person, for a repetition, for the end of the call."""

from __future__ import annotations

from enum import Enum

from voicegw.agents.entities.words import tokens
from voicegw.agents.flow_model import Globals
from voicegw.agents.similarity import content, strict_similarity

SURE = 0.9
"""At this likeness a global phrase goes before the answer to the question."""
LIKELY = 0.72
"""At this likeness it counts where the answer made no sense."""


class GlobalIntent(Enum):
    """The three of them."""

    HUMAN = "human"
    REPEAT = "repeat"
    GOODBYE = "goodbye"


_DEFAULTS = {
    GlobalIntent.HUMAN: (
        "i want to speak to a human",
        "speak to a person",
        "talk to a human",
        "human please",
        "let me talk to someone",
        "can i speak to someone",
        "can i talk to a person",
        "i want to talk to a real person",
        "operator",
        "operator please",
    ),
    GlobalIntent.REPEAT: (
        "repeat",
        "repeat that please",
        "can you repeat that",
        "could you repeat that please",
        "say that again",
        "say that again please",
        "say it again",
        "pardon",
        "what did you say",
    ),
    GlobalIntent.GOODBYE: (
        "goodbye",
        "good bye",
        "bye",
        "bye bye",
        "thanks bye",
        "thank you goodbye",
        "hang up",
        "i want to hang up",
        "end the call",
    ),
}


class GlobalMatcher:
    """Immutable; made from the ``globals`` of a file."""

    __slots__ = ("_contents", "phrases")

    def __init__(self, settings: Globals) -> None:
        own = {
            GlobalIntent.HUMAN: settings.human.phrases,
            GlobalIntent.REPEAT: settings.repeat.phrases,
            GlobalIntent.GOODBYE: settings.goodbye.phrases,
        }
        examples = {intent: own[intent] or _DEFAULTS[intent] for intent in GlobalIntent}
        self._contents = tuple((intent, content(text)) for intent, texts in examples.items() for text in texts)
        self.phrases = tuple(" ".join(tokens(text)) for texts in examples.values() for text in texts)

    def match(self, text: str, least: float) -> GlobalIntent | None:
        """The one meant by ``text`` with a likeness of at least ``least``; None if none."""
        if not tokens(text):
            return None
        said = content(text)
        best, intent = max(
            ((strict_similarity(said, phrase), intent) for intent, phrase in self._contents),
            key=lambda pair: pair[0],
        )
        return intent if best >= least else None
