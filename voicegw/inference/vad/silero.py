"""Silero VAD at 8 kHz by onnxruntime, batched over rows.

The weights come with the ``silero-vad`` package. The package itself imports torch, several hundred megabytes that
nothing here needs, so that it is located but never imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile

from voicegw.base.errors import ConfigError

_RATE: Final = 8000
_CONTEXT: Final = 32
"""Samples of the window before that the model wants in front of each window."""
_STATE: Final = 128
_SETTLING_WINDOWS: Final = 32
_SETTLING_RMS: Final = 10 ** (-50 / 20)
_FIX: Final = "pip install --no-deps silero-vad, or set the path of a silero_vad.onnx (version 5 or later)"


def find_model(file_name: str = "silero_vad.onnx") -> Path:
    """The ONNX file in the installed ``silero-vad`` package; raises :class:`ConfigError` with the fix if none."""
    spec = find_spec("silero_vad")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / file_name
        if path.is_file():
            return path
    raise ConfigError(f"the Silero VAD model {file_name} is not installed", fix=_FIX)


class SileroVad:
    """:class:`voicegw.ports.vad.VadModel` with ``capacity`` rows.

    One thread: the media worker has one core, and a pool would wake and spin inside every tick.
    """

    window_samples: int = 256

    def __init__(self, capacity: int, path: Path | None = None) -> None:
        """Load the model; :class:`ConfigError` if the file is missing or is not Silero VAD for 8 kHz."""
        self._session = _load(path or find_model())
        self._state = np.zeros((2, capacity, _STATE), np.float32)
        self._context = np.zeros((capacity, _CONTEXT), np.float32)
        self._rate = np.array(_RATE, np.int64)
        self._settled = self._settle()
        self._state[:] = self._settled

    def probabilities(self, rows: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Speech probability (len(rows),) of the next window (len(rows), 256) of each row, each row once."""
        if not len(rows):
            return np.empty(0, np.float32)
        feed = {
            "input": np.concatenate([self._context[rows], windows], axis=1, dtype=np.float32),
            "state": self._state[:, rows],
            "sr": self._rate,
        }
        probability, state = self._session.run(["output", "stateN"], feed)
        self._state[:, rows] = state
        self._context[rows] = windows[:, -_CONTEXT:]
        result: NDArray[np.float32] = probability[:, 0]
        return result

    def reset(self, row: int) -> None:
        """Forget the past of a row: it belongs to another leg now."""
        self._state[:, row] = self._settled[:, 0]
        self._context[row] = 0

    def _settle(self) -> NDArray[np.float32]:
        """The state after a second of a quiet line, (2, 1, 128): what a new row begins with.

        From a state of zeros the model needs a window more for the first word of a call, because a row whose line
        is quiet is not run before it (:meth:`voicegw.turn.vad_gate.VadGate.needs_model`). What it settles on
        matters: after digital silence or white noise it takes the first hiss of another colour for speech; after
        pink noise of -50 dBov it takes no noise from -75 to -30 dBov for speech.
        """
        size = _SETTLING_WINDOWS * self.window_samples
        spectrum = np.fft.rfft(np.random.default_rng(5).standard_normal(size))
        pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), size)
        pink *= _SETTLING_RMS / np.sqrt(np.mean(pink**2))
        for window in pink.reshape(_SETTLING_WINDOWS, -1).astype(np.float32):
            self.probabilities(np.zeros(1, np.intp), window[np.newaxis])
        self._context[0] = 0
        return self._state[:, :1].copy()


def _load(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # the file carries unused initialisers; a warning for each helps nobody
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (NoSuchFile, InvalidProtobuf, InvalidGraph, Fail) as error:  # they have no root of their own
        raise ConfigError(f"cannot load the Silero VAD model: {error}", file=str(path), fix=_FIX) from error
    if {node.name for node in session.get_inputs()} != {"input", "state", "sr"}:
        raise ConfigError("this is not the Silero VAD model for 8 and 16 kHz", file=str(path), fix=_FIX)
    return session
