"""G.711 μ-law and A-law for arrays of any shape (ITU-T G.711, tables 1a/1b and 2a/2b).

To which step a sample on a decision value belongs the Recommendation leaves open. Here it is the outer one, below
zero the outer one of the μ-law and the inner one of the A-law. SpanDSP does the same, to the bit. The software of
ITU-T G.191 has another answer for the 127 negative decision values of the μ-law, and the same for everything else.

Both directions are one table lookup: 256 entries to decode, 65536 to encode, built when the module is imported.
Segment arithmetic on every sample would be several numpy passes a tick; a lookup is one.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

ULAW_SILENCE: Final = 0xFF
"""The μ-law code of zero. 0x7F is the other zero: what is a little below it, and decodes to 0 too."""
ALAW_SILENCE: Final = 0xD5
"""The A-law code nearest to zero: A-law has no zero, this one decodes to +8."""

_ULAW_BIAS: Final = 132
_ULAW_CLIP: Final = 32635


class Law(IntEnum):
    """The companding law; the value is the row of the combined tables."""

    ULAW = 0
    ALAW = 1


_Bytes = NDArray[np.uint8]
_Pcm = NDArray[np.int16]


def _ulaw_decode_table() -> _Pcm:
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = code >> 4 & 7, code & 15
    magnitude = ((mantissa << 3) + _ULAW_BIAS << exponent) - _ULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _ulaw_encode_table() -> _Bytes:
    pcm = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    biased = np.minimum(np.abs(pcm), _ULAW_CLIP) + _ULAW_BIAS
    exponent = np.floor(np.log2(biased)).astype(np.int32) - 7
    code = exponent << 4 | (biased >> exponent + 3 & 15) | np.where(pcm < 0, 0x80, 0)
    codes: _Bytes = (~code & 0xFF).astype(np.uint8)
    return codes


def _alaw_decode_table() -> _Pcm:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, (mantissa << 4) + 0x108 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _alaw_encode_table() -> _Bytes:
    pcm = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    # One's complement: the law has no zero, so that 0 and -1 are the innermost samples of the two halves.
    magnitude = np.where(pcm < 0, ~pcm, pcm)
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 7, 0)
    shift = np.maximum(exponent, 1) + 3
    code = exponent << 4 | (magnitude >> shift & 15) | np.where(pcm < 0, 0, 0x80)
    codes: _Bytes = (code ^ 0x55).astype(np.uint8)
    return codes


_DECODE: Final[_Pcm] = np.stack([_ulaw_decode_table(), _alaw_decode_table()])
_ENCODE: Final[_Bytes] = np.stack([_ulaw_encode_table(), _alaw_encode_table()])
_DECODE.flags.writeable = False
_ENCODE.flags.writeable = False
_DECODE_ALL: Final[_Pcm] = _DECODE.ravel()
_ENCODE_ALL: Final[_Bytes] = _ENCODE.ravel()


def decode(codes: _Bytes, law: Law) -> _Pcm:
    """Expand codes of any shape to 16-bit PCM of the same shape (μ-law peaks at ±32124, A-law at ±32256)."""
    pcm: _Pcm = _DECODE[law].take(codes)
    return pcm


def encode(pcm: _Pcm, law: Law) -> _Bytes:
    """Compress 16-bit PCM of any shape; what is beyond the peak of the law saturates."""
    codes: _Bytes = _ENCODE[law].take(np.ascontiguousarray(pcm).view(np.uint16))
    return codes


def decode_rows(codes: _Bytes, laws: NDArray[np.integer]) -> _Pcm:
    """Expand (rows, samples) where ``laws`` (rows,) names the :class:`Law` of each row: one pass for all legs."""
    pcm: _Pcm = _DECODE_ALL.take(codes + np.left_shift(laws, 8, dtype=np.intp)[:, np.newaxis])
    return pcm


def encode_rows(pcm: _Pcm, laws: NDArray[np.integer]) -> _Bytes:
    """Compress (rows, samples) where ``laws`` (rows,) names the :class:`Law` of each row."""
    codes: _Bytes = _ENCODE_ALL.take(pcm.view(np.uint16) + np.left_shift(laws, 16, dtype=np.intp)[:, np.newaxis])
    return codes
