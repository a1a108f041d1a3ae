"""Which of the codecs' libraries are installed; asked by who offers codecs, too, and so without numpy."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import lru_cache
from importlib.util import find_spec


@lru_cache(maxsize=1)
def libopus() -> ctypes.CDLL | None:
    """The system's libopus, None where it is not installed."""
    try:
        return ctypes.CDLL("libopus.so.0")  # the search below starts a process or two
    except OSError:
        name = ctypes.util.find_library("opus")
        return None if name is None else ctypes.CDLL(name)


def has_opus() -> bool:
    """Whether Opus can be spoken."""
    return libopus() is not None


def has_g722() -> bool:
    """Whether G.722 can be spoken."""
    return find_spec("G722") is not None


def has_numba() -> bool:
    """Whether G.722 of many streams can be compiled."""
    return find_spec("numba") is not None
