"""WebRTC's audio processing (AEC3, noise suppression, AGC2) for one telephone: docs/decisions/0015.

It works in frames of 10 ms, and inside at 16 kHz: what comes out is 6 to 11 ms late.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pywebrtc_audio import AudioProcessor

_Pcm = NDArray[np.int16]

Suppression = Literal["off", "low", "moderate", "high", "very_high"]
_LEVELS: Final[dict[Suppression, int]] = {"low": 0, "moderate": 1, "high": 2, "very_high": 3}
_MOST_GAIN_DB: Final = 18.0
"""As much as recognisers' levelling raises a quiet caller: more would lift the line's noise to speech."""


class WebRtcLine:
    """See :class:`voicegw.ports.line.LineProcessor`."""

    def __init__(self, rate_hz: int, *, echo_cancel: bool, suppression: Suppression, gain_control: bool) -> None:
        """``rate_hz``: 8000 or 16000."""
        self._echo_cancel = echo_cancel
        self._processor = AudioProcessor(
            sample_rate=rate_hz,
            echo_cancellation=echo_cancel,
            noise_suppression=suppression in _LEVELS,
            ns_level=_LEVELS.get(suppression, 0),
            auto_gain_control=gain_control,
            agc_max_gain_db=_MOST_GAIN_DB,
        )

    def process(self, heard: _Pcm, sent: _Pcm) -> _Pcm:
        """See :meth:`voicegw.ports.line.LineProcessor.process`."""
        return self._processor.process(heard, sent if self._echo_cancel else None)
