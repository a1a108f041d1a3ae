"""libflite through ctypes: only what streaming synthesis with word times needs.

Structures follow flite 2.2 (``cst_wave.h``, ``cst_audio.h``, ``cst_synth.h``); the library has kept them since 2.0.
Loaded in the worker process only: a fault in the C code must not end the gateway.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, POINTER, RTLD_GLOBAL, Structure, c_char_p, c_float, c_int, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import ProviderError
from voicegw.inference.worker import ParentGone

VOICES = ("slt", "rms", "awb", "kal16", "kal")
MIN_BUFFER_SAMPLES = 640
"""40 ms at 16 kHz a callback: two packets."""
_SAMPLE_BYTES = 2
_CONTINUE, _STOP = 0, -1
_WORD_START = b"R:Token.daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
"""The path from a token to the end of the sound before its first one, which is when the word begins."""


class _Wave(Structure):
    _fields_ = [
        ("type", c_char_p),
        ("sample_rate", c_int),
        ("num_samples", c_int),
        ("num_channels", c_int),
        ("samples", c_void_p),
    ]


class _StreamingInfo(Structure):
    pass


_Callback = CFUNCTYPE(c_int, POINTER(_Wave), c_int, c_int, c_int, POINTER(_StreamingInfo))
_StreamingInfo._fields_ = [
    ("min_buffsize", c_int),
    ("asc", _Callback),
    ("utt", c_void_p),
    ("item", c_void_p),
    ("userdata", c_void_p),
]


class _Voice(Structure):
    _fields_ = [("name", c_char_p), ("features", c_void_p)]


Words = list[tuple[str, float]]
OnAudio = Callable[[NDArray[np.int16], int, Words | None], bool]
"""Takes samples, their rate in Hz and, with the first piece, the words and their times in seconds.
Returns whether to go on."""


class FliteLibrary:
    """All voices that are installed, one utterance at a time."""

    def __init__(self) -> None:
        self._flite = _load("libflite.so.1")
        self._declare()
        self._flite.flite_init()
        # The library keeps a pointer to the callback: it must live as long as the voices.
        self._callback = _Callback(self._on_chunk)
        self._voices = {name: voice for name in VOICES if (voice := self._register(name))}
        if not self._voices:
            raise _missing("no voice of flite is installed")
        self._on_audio: OnAudio | None = None
        self._error: ParentGone | None = None

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of the installed voices, the default first."""
        return tuple(self._voices)

    def speak(self, text: str, voice: str, rate: float, on_audio: OnAudio) -> None:
        """Synthesise and hand out audio as it is made. A ParentGone out of ``on_audio`` is raised here."""
        chosen = self._voices[voice]
        self._flite.flite_feat_set_float(chosen.features, b"duration_stretch", 1.0 / rate)
        self._on_audio, self._error = on_audio, None
        utterance = self._flite.flite_synth_text(text.encode("utf-8", "replace"), chosen)
        if utterance:
            self._flite.delete_utterance(utterance)
        self._on_audio = None
        if self._error is not None:
            raise self._error

    def _on_chunk(
        self,
        wave: ctypes._Pointer[_Wave],
        start: int,
        size: int,
        _last: int,
        info: ctypes._Pointer[_StreamingInfo],
    ) -> int:
        """Runs inside the library. An exception cannot cross C code: it is kept for :meth:`speak`."""
        if self._on_audio is None or self._error is not None:
            return _STOP
        try:
            made = wave.contents
            # Not as an array of ctypes: it would keep a type for each length there ever was.
            data = ctypes.string_at(made.samples + start * _SAMPLE_BYTES, size * _SAMPLE_BYTES)
            samples = np.frombuffer(data, np.int16)
            words = list(self._words(info.contents.utt)) if start == 0 else None
            return _CONTINUE if self._on_audio(samples, made.sample_rate, words) else _STOP
        except ParentGone as error:
            self._error = error
            return _STOP

    def _words(self, utterance: int) -> Iterator[tuple[str, float]]:
        relation = self._flite.utt_relation(utterance, b"Token")
        item = self._flite.relation_head(relation) if relation else None
        while item:
            name = self._flite.flite_ffeature_string(item, b"name").decode("utf-8", "replace")
            yield name, self._flite.flite_ffeature_float(item, _WORD_START)
            item = self._flite.item_next(item)

    def _register(self, name: str) -> _Voice | None:
        try:
            register = getattr(_load(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
        except ProviderError:
            return None
        register.restype, register.argtypes = POINTER(_Voice), [c_char_p]
        voice: _Voice = register(None).contents
        info = self._flite.new_audio_streaming_info()
        info.contents.min_buffsize = MIN_BUFFER_SAMPLES
        info.contents.asc = self._callback
        self._flite.feat_set(voice.features, b"streaming_info", self._flite.audio_streaming_info_val(info))
        return voice

    def _declare(self) -> None:
        for name, result, arguments in _SIGNATURES:
            function = getattr(self._flite, name)
            function.restype, function.argtypes = result, arguments


def _load(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name, mode=RTLD_GLOBAL)
    except OSError as error:
        raise _missing(str(error)) from error


def _missing(reason: str) -> ProviderError:
    return ProviderError(
        "flite", f"{reason}; install the package libflite1 (apt install libflite1)", retryable=False
    )


_SIGNATURES: tuple[tuple[str, Any, list[Any]], ...] = (
    ("flite_init", c_int, []),
    ("new_audio_streaming_info", POINTER(_StreamingInfo), []),
    ("audio_streaming_info_val", c_void_p, [c_void_p]),
    ("feat_set", None, [c_void_p, c_char_p, c_void_p]),
    ("flite_feat_set_float", None, [c_void_p, c_char_p, c_float]),
    ("flite_synth_text", c_void_p, [c_char_p, POINTER(_Voice)]),
    ("delete_utterance", None, [c_void_p]),
    ("utt_relation", c_void_p, [c_void_p, c_char_p]),
    ("relation_head", c_void_p, [c_void_p]),
    ("item_next", c_void_p, [c_void_p]),
    ("flite_ffeature_float", c_float, [c_void_p, c_char_p]),
    ("flite_ffeature_string", c_char_p, [c_void_p, c_char_p]),
)
