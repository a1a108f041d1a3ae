"""What all systems do in the comparison: the same words, the same delays, the same voice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegw.testing.stub_speech import MS_PER_CHARACTER, voice_like

ASR_S: Final = 0.15
"""From the moment a system tells its recogniser that the speech is over to the final text."""
LLM_S: Final = 0.3
"""To the first token."""
TTS_S: Final = 0.1
"""To the first audio."""
HEARD: Final = "what are your opening hours"
GREETING: Final = "Good morning."
REPLY: Final = "Answer {number} is that we are open from nine to six."
"""Never the same twice: a cache of what was said before would make one system faster than the others."""
_LONGEST_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Work:
    """Given to the drivers as JSON. ``voice`` is a file of 8 kHz PCM, played for ``ms_per_character``."""

    voice: Path

    def json(self) -> str:
        """One object."""
        return json.dumps(
            {
                "asr_s": ASR_S,
                "llm_s": LLM_S,
                "tts_s": TTS_S,
                "heard": HEARD,
                "reply": REPLY,
                "greeting": GREETING,
                "voice": str(self.voice),
                "ms_per_character": MS_PER_CHARACTER,
            }
        )


def make_work(home: Path) -> Work:
    """Write the voice into ``home``."""
    voice = home / "voice.pcm"
    voice.write_bytes(voice_like(_LONGEST_MS))
    return Work(voice)
