"""What an administrator says about Piper voices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PiperConfig:
    """Which voices are loaded, and what they may use."""

    voices: tuple[str, ...] = ()
    """Names of voices, which are files ``NAME.onnx`` with ``NAME.onnx.json`` in the folder of models or a folder of
    it. The first is the default and loaded at the start, the others when they are first needed. Empty: all that
    are there, in alphabetical order."""
    threads: int = 1
    """Threads of one synthesis. More shorten a sentence a little; more workers serve more callers."""
    max_loaded: int = 4
    """Voices in memory at once, 60 to 120 MB each; the one used longest ago is dropped."""
