"""Names that cannot be mixed up: every id is its own type to the checker and a plain string at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NewType

CallId = NewType("CallId", str)
"""voicegw's own name of a call, not the SIP Call-ID: one call may have several dialogs."""
LegId = NewType("LegId", str)
UtteranceId = NewType("UtteranceId", str)
"""One piece of agent speech. A result that carries a dead utterance id is refused."""
GenerationId = NewType("GenerationId", str)
GuessId = NewType("GuessId", str)
"""One question to an end-of-turn model."""
StreamId = NewType("StreamId", str)
"""One recognition or synthesis job in an inference worker."""

RandomBytes = Callable[[int], bytes]
"""The injected source of randomness: ``os.urandom`` in production, a seeded generator in tests."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def token(random: RandomBytes, length: int = 12) -> str:
    """Return ``length`` characters of Crockford base 32 (5 bits each), safe in any SIP token and file name."""
    return "".join(_ALPHABET[byte & 31] for byte in random(length))
