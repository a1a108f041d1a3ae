"""G.722 at 64 kbit/s (ITU-T G.722): 16 kHz PCM in and out, one byte for two samples.

Its sub-band ADPCM predicts each sample from the one before, so it cannot be done for many legs at once in numpy:
each direction of a stream is an object of the C library (docs/decisions/0013), with its own state.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.libraries import has_g722
from voicegw.base.errors import LocalError

RATE_HZ: Final = 16_000
_BIT_RATE: Final = 64_000


Encode = Callable[[NDArray[np.int16]], bytes]
"""16-bit PCM of an even number of samples to half as many bytes."""
Decode = Callable[[bytes], memoryview]
"""Codes to twice as many 16-bit samples."""


class _Coder(Protocol):
    """An object of the library. It is told the sample rate and the bit rate."""

    def __call__(self, sample_rate: int, bit_rate: int, /) -> _Coder: ...

    def encode(self, pcm: NDArray[np.int16], /) -> bytes: ...

    def decode(self, codes: bytes, /) -> memoryview: ...


def _coder() -> _Coder:
    if not has_g722():
        raise LocalError("G.722 needs the package G722, which is not installed")
    make = cast(_Coder, import_module("G722").G722)
    return make(RATE_HZ, _BIT_RATE)


class Encoder:
    """One stream on its way out; LocalError where the library is not installed."""

    def __init__(self) -> None:
        self.encode: Encode = _coder().encode


class Decoder:
    """One stream on its way in; LocalError where the library is not installed."""

    def __init__(self) -> None:
        self.decode_bytes: Decode = _coder().decode
        """What :meth:`decode` makes an array of."""

    def decode(self, codes: bytes) -> NDArray[np.int16]:
        """Twice as many samples as there are bytes."""
        return np.frombuffer(self.decode_bytes(codes), np.int16)
