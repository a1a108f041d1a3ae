"""Why a call ends that we made, where a network or a machine answers in place of a person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from voicegw.base.causes import HangupCause

TONE_CAUSES: Final[Mapping[str, HangupCause]] = MappingProxyType(
    {
        "busy": HangupCause.PEER_BUSY,
        "congestion": HangupCause.PEER_OVERLOADED,
        "special_information": HangupCause.NUMBER_UNKNOWN,
        "fax_calling": HangupCause.FAX_ANSWERED,
        "fax_answering": HangupCause.FAX_ANSWERED,
    }
)
"""By the name of the tone (:class:`voicegw.audio.progress_detect.Tone`); a ringing tone ends nothing."""
