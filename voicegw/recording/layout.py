"""What all recordings have in common."""

from __future__ import annotations

from typing import Final

RATES: Final = (8000, 16000)
"""At which calls are mixed, hertz."""
CHANNELS: Final = 2
"""The caller on the left, the agent on the right."""
FRAME_BYTES: Final = 2 * CHANNELS
