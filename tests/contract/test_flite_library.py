"""What libflite leaves in the process that uses it."""

from __future__ import annotations

import ctypes
import gc

import numpy as np
from numpy.typing import NDArray

from voicegw.inference.tts.flite_library import FliteLibrary, Words


def array_types() -> int:
    """Array types of ctypes: each length has one, and none ever goes."""
    gc.collect()
    return sum(isinstance(thing, type) and issubclass(thing, ctypes.Array) for thing in gc.get_objects())


def speak(library: FliteLibrary, text: str) -> NDArray[np.int16]:
    pieces: list[NDArray[np.int16]] = []

    def take(samples: NDArray[np.int16], _rate_hz: int, _words: Words | None) -> bool:
        pieces.append(samples)
        return True

    library.speak(text, library.voices[-1], 1.0, take)
    return np.concatenate(pieces)


def test_sentences_of_all_lengths_leave_nothing_behind() -> None:
    library = FliteLibrary()
    speak(library, "one")
    before = array_types()
    lengths = {len(speak(library, " and ".join(["two"] * count))) for count in range(1, 9)}
    assert len(lengths) == 8
    assert array_types() == before


def test_the_same_sentence_sounds_the_same() -> None:
    library = FliteLibrary()
    first, second = speak(library, "good morning"), speak(library, "good morning")
    assert np.array_equal(first, second)
    assert np.abs(first.astype(np.int32)).max() > 1000
