"""An agent that goes on and on, and a recogniser that knows what its callers say.

The recogniser is what the best one could be that is 300 ms behind the speaker: each word is understood that long
after it was spoken. What is wrong with the verdicts on its words is the policy's fault, and the rest of what is
wrong with another recogniser is that recogniser's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegw.agents.llm_agent import LlmAgent
from voicegw.agents.llm_model import LimitsModel, LlmAgentFile, TextsModel
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.config import Config
from voicegw.ports.asr import AsrOptions, AsrProvider
from voicegw.runtime.node import Node
from voicegw.runtime.services import FactListener
from voicegw.testing.interjections import INTERRUPTIONS, Sound
from voicegw.testing.stub_house import AGENT, OneModel, assemble
from voicegw.testing.stub_llm import StubLlm
from voicegw.testing.stub_speech import StubAsr, StubLine, StubTts

BEHIND_S: Final = 0.3
_FORGOTTEN_S: Final = 2.0
"""After the end of a sound, another one that is heard is not it."""
_UNEXPECTED: Final = frozenset(
    {"what was that", "that is not what i asked", "actually i changed my mind", "sorry i did not get that"}
)
HINTS: Final = (
    *(text for text in INTERRUPTIONS if text not in _UNEXPECTED),
    "what are your opening hours",
    "where are you located",
    "i would like to make an appointment",
    "on monday morning",
    "at half past three",
    "yes please",
    "yes that is right",
    "no thank you",
)
"""What the agent's author expects callers to say; nearly all interruptions, and no back-channel but "yes"."""
_LECTURE: Final = " ".join(
    f"This is sentence number {number} of a lecture that nobody has asked for, and it goes on."
    for number in range(1, 13)
)
"""A minute."""


@dataclass(frozen=True, slots=True)
class Uttered:
    """A sound on its way; ``onset_at`` and ``end_at`` in monotonic seconds."""

    sound: Sound
    onset_at: float
    end_at: float


class Truth:
    """What is being said in which call."""

    def __init__(self) -> None:
        self._by_call: dict[str, Uttered] = {}

    def say(self, call_id: CallId, uttered: Uttered) -> None:
        """From now on this is what is said."""
        self._by_call[call_id] = uttered

    def line(self, call_id: str, now: float) -> StubLine:
        """What a recogniser will understand that begins to listen now."""
        uttered = self._by_call.get(call_id)
        if uttered is None or now > uttered.end_at + _FORGOTTEN_S:
            return StubLine("")
        words = uttered.sound.text.split()
        word_s = (uttered.end_at - uttered.onset_at) / max(len(words), 1)
        partials = tuple(
            (uttered.onset_at + count * word_s + BEHIND_S - now, " ".join(words[:count]))
            for count in range(1, len(words) + 1)
        )
        return StubLine(uttered.sound.text, partials)


class OracleAsr(StubAsr):
    """A recogniser that is told the truth, and tells it late."""

    def __init__(self, truth: Truth) -> None:
        super().__init__([], final_after_s=BEHIND_S)
        self.name = "oracle"
        self._truth = truth

    def line_of(self, options: AsrOptions) -> StubLine:
        """See the stub."""
        return self._truth.line(options.caller, time.monotonic())


def lecture_node(config: Config, asr: AsrProvider, home: Path, on_fact: FactListener) -> Node:
    """A node whose agent lectures whoever calls, and begins anew whenever it is stopped."""
    counters = Counters()
    models = OneModel(StubLlm(lambda _request: _LECTURE, tokens_per_s=50), home / "tools.sqlite", counters)
    file = LlmAgentFile(
        kind="llm",
        name=AGENT,
        models=("stub",),
        instructions="Lecture.",
        greeting=_LECTURE,
        texts=TextsModel(no_input=_LECTURE),
        limits=LimitsModel(max_no_input=10, no_input_ms=1000),
        hints=HINTS,
    )
    return assemble(
        config, asr, StubTts(real_time_factor=0.1), models, LlmAgent(file, models, None), counters, on_fact
    )
