"""Silero VAD at 8 kHz, batched over rows.

The weights come with the ``silero-vad`` package. The package itself imports torch, several hundred megabytes that
nothing here needs, so that it is located but never imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import ConfigError
from voicegw.base.installing import pip_install
from voicegw.inference.vad.onnx_weights import read_graphs
from voicegw.inference.vad.silero_net import BATCH, CONTEXT, SHAPES, STATE, WINDOW, SileroNet

_SETTLING_WINDOWS: Final = 32
_SETTLING_RMS: Final = 10 ** (-50 / 20)
_FIX: Final = f"{pip_install('--no-deps', 'silero-vad')}, or set the path of a silero_vad.onnx (version 5 or later)"


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

    Best on one thread: the media worker is started with OPENBLAS_NUM_THREADS=1.
    """

    window_samples: int = WINDOW

    def __init__(self, capacity: int, path: Path | None = None) -> None:
        """Load the model; :class:`ConfigError` if the file is missing or is not Silero VAD for 8 kHz."""
        self._net = SileroNet(_load(path or find_model()))
        self._hidden = np.zeros((capacity, STATE), np.float32)
        self._cell = np.zeros((capacity, STATE), np.float32)
        self._context = np.zeros((capacity, CONTEXT), np.float32)
        self._settled = self._settle()
        self._hidden[:], self._cell[:] = self._settled

    def probabilities(self, rows: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Speech probability (len(rows),) of the next window (len(rows), 256) of each row, each row once."""
        if len(rows) <= BATCH:
            return self._run(rows, windows)
        parts = [slice(start, start + BATCH) for start in range(0, len(rows), BATCH)]
        return np.concatenate([self._run(rows[part], windows[part]) for part in parts])

    def _run(self, rows: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        hidden, cell = self._hidden[rows], self._cell[rows]
        result = self._net.forward(self._context[rows], windows, hidden, cell)
        self._hidden[rows], self._cell[rows] = hidden, cell
        self._context[rows] = windows[:, -CONTEXT:]
        return result

    def reset(self, row: int) -> None:
        """Forget the past of a row: it belongs to another leg now."""
        self._hidden[row], self._cell[row] = self._settled
        self._context[row] = 0

    def state(self, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Copies of the hidden and the cell state (128,) of a row: all that it remembers, but for 32 samples."""
        return self._hidden[row].copy(), self._cell[row].copy()

    def _settle(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The state after a second of a quiet line: what a new row begins with.

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
        return self.state(0)


def _load(path: Path) -> dict[str, NDArray[np.float32]]:
    """The weights for 8 kHz: the file has the network twice, and the names of both end alike."""
    try:
        graphs = read_graphs(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load the Silero VAD model: {error}", file=str(path), fix=_FIX) from error
    for graph in graphs:
        weights = {name: value for name in SHAPES for full, value in graph.items() if full.endswith(name)}
        if {name: value.shape for name, value in weights.items()} == SHAPES:
            return weights
    raise ConfigError("this is not the Silero VAD model for 8 and 16 kHz", file=str(path), fix=_FIX)
