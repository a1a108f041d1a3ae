"""The arithmetic of Silero VAD (version 5 and later) for 8 kHz, in numpy.

A spectrum of four frames, four small convolutions that reduce them to one vector, an LSTM cell, and one output. For
onnxruntime most of the time of a window goes into what surrounds this: some hundred graph nodes, branches and
allocations. Written out it is a dozen matrix products, with results equal to six digits.

The convolutions are matrix products of neighbouring frames side by side. The last two see fewer frames than
they are wide: what would be multiplied by zero padding is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

_Float = NDArray[np.float32]

WINDOW: Final = 256
CONTEXT: Final = 32
"""Samples of the window before that the model wants in front of each window."""
STATE: Final = 128
_PADDING: Final = 32
_FFT: Final = 128
_HOP: Final = 64
_BINS: Final = _FFT // 2 + 1
_FRAMES: Final = 4
_WIDTH: Final = 3
"""Frames that a convolution looks at."""
BATCH: Final = 32
"""Windows at once: enough for full speed, few enough for all of it to stay in the cache of a core."""
_FEW: Final = 4

SHAPES: Final = {
    "stft.forward_basis_buffer": (2 * _BINS, 1, _FFT),
    "encoder.0.reparam_conv.weight": (128, _BINS, _WIDTH),
    "encoder.0.reparam_conv.bias": (128,),
    "encoder.1.reparam_conv.weight": (64, 128, _WIDTH),
    "encoder.1.reparam_conv.bias": (64,),
    "encoder.2.reparam_conv.weight": (64, 64, _WIDTH),
    "encoder.2.reparam_conv.bias": (64,),
    "encoder.3.reparam_conv.weight": (STATE, 64, _WIDTH),
    "encoder.3.reparam_conv.bias": (STATE,),
    "decoder.rnn.weight_ih": (4 * STATE, STATE),
    "decoder.rnn.weight_hh": (4 * STATE, STATE),
    "decoder.rnn.bias_ih": (4 * STATE,),
    "decoder.rnn.bias_hh": (4 * STATE,),
    "decoder.decoder.2.weight": (1, STATE, 1),
    "decoder.decoder.2.bias": (1,),
}
"""The weights that are needed, and their shapes."""


class SileroNet:
    """The network and its scratch memory; the state of a stream is the caller's."""

    def __init__(self, weights: Mapping[str, _Float]) -> None:
        """``weights`` are those of :data:`SHAPES`."""
        self._basis = np.ascontiguousarray(weights["stft.forward_basis_buffer"][:, 0].T)
        kernels = [_kernel(weights[f"encoder.{layer}.reparam_conv.weight"]) for layer in range(4)]
        self._bias = [weights[f"encoder.{layer}.reparam_conv.bias"] for layer in range(4)]
        self._first = kernels[0].reshape(-1, 128)
        self._second = kernels[1].reshape(-1, 64)
        self._third = np.ascontiguousarray(kernels[2][1:].reshape(-1, 64))
        self._fourth = np.ascontiguousarray(kernels[3][1])
        self._gates, self._gate_bias = _lstm(weights)
        self._output = weights["decoder.decoder.2.weight"].reshape(STATE, 1)
        self._output_bias = weights["decoder.decoder.2.bias"]
        self._make_room()

    def _make_room(self) -> None:
        samples = np.zeros((BATCH, CONTEXT + WINDOW + _PADDING), np.float32)
        spectrum = np.zeros((BATCH, _FRAMES + 2, _BINS), np.float32)  # a frame of zeros at either end
        self._samples, self._spectrum = samples, spectrum
        row, item = samples.strides
        self._overlapping = as_strided(samples, (BATCH, _FRAMES, _FFT), (row, _HOP * item, item))
        row, frame, item = spectrum.strides
        self._neighbours = as_strided(spectrum, (BATCH, _FRAMES, _WIDTH * _BINS), (row, frame, item))
        self._frames = np.zeros((BATCH, _FRAMES, _FFT), np.float32)
        self._columns = np.zeros((BATCH, _FRAMES, _WIDTH * _BINS), np.float32)
        self._halves = np.zeros((BATCH, 2, 64), np.float32)
        self._cell_in = np.zeros((BATCH, 2 * STATE), np.float32)

    def forward(self, context: _Float, windows: _Float, hidden: _Float, cell: _Float) -> _Float:
        """Speech probability (n,) of ``windows`` (n, 256), n up to :data:`BATCH`.

        ``context`` (n, 32) are the samples before; ``hidden`` and ``cell`` (n, 128), the state, change in place.
        """
        count = len(windows)
        samples = self._samples[:count]
        samples[:, :CONTEXT] = context
        samples[:, CONTEXT:-_PADDING] = windows
        samples[:, -_PADDING:] = samples[:, -_PADDING - 2 : -2 * _PADDING - 2 : -1]  # mirrored at the last sample
        cell_in = self._cell_in[:count]
        cell_in[:, STATE:] = hidden
        self._encode(self._magnitudes(count), cell_in[:, :STATE])
        gates = _product(cell_in, self._gates)
        gates += self._gate_bias
        np.tanh(gates, out=gates)
        opening = gates[:, : 3 * STATE]
        opening *= 0.5
        opening += 0.5
        cell *= opening[:, STATE : 2 * STATE]
        cell += opening[:, :STATE] * gates[:, 3 * STATE :]
        np.tanh(cell, out=hidden)
        hidden *= opening[:, 2 * STATE :]
        score = np.dot(np.maximum(hidden, 0), self._output)[:, 0]
        probability: _Float = 1 / (1 + np.exp(-score - self._output_bias))
        return probability

    def _magnitudes(self, count: int) -> _Float:
        """The spectrum of each frame with its neighbours, (count * 4, 195)."""
        frames = self._frames[:count]
        frames[:] = self._overlapping[:count]
        parts = np.dot(frames.reshape(-1, _FFT), self._basis)
        parts *= parts
        power = parts[:, :_BINS]
        power += parts[:, _BINS:]
        np.sqrt(power.reshape(count, _FRAMES, _BINS), out=self._spectrum[:count, 1:-1])
        columns = self._columns[:count]
        columns[:] = self._neighbours[:count]
        return columns.reshape(-1, _WIDTH * _BINS)

    def _encode(self, columns: _Float, out: _Float) -> None:
        """Four frames to two to one, the result into ``out`` (count, 128)."""
        wide = _relu(np.dot(columns, self._first), self._bias[0]).reshape(-1, _FRAMES * 128)
        halves = self._halves[: len(wide)]
        halves[:, 0] = np.dot(wide[:, : 2 * 128], self._second[128:])
        halves[:, 1] = np.dot(wide[:, 128:], self._second)
        one = np.dot(_relu(halves, self._bias[1]).reshape(-1, 2 * 64), self._third)
        out[:] = _relu(np.dot(_relu(one, self._bias[2]), self._fourth), self._bias[3])


def _product(rows: _Float, matrix: _Float) -> _Float:
    """rows @ matrix. Of few rows each by itself: for several BLAS copies the matrix first, which takes longer."""
    few = len(rows) <= _FEW
    product: _Float = np.matmul(rows[:, np.newaxis], matrix)[:, 0] if few else np.dot(rows, matrix)
    return product


def _relu(values: _Float, bias: _Float) -> _Float:
    """max(values + bias, 0), in place."""
    values += bias
    return np.maximum(values, 0, out=values)


def _kernel(weight: _Float) -> _Float:
    """(out, in, width) as (width, in, out): what multiplies frames side by side."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0))


def _lstm(weights: Mapping[str, _Float]) -> tuple[_Float, _Float]:
    """One matrix for input and hidden state, its columns in the order input, forget, output, candidate.

    Sigmoid(x) is tanh(x / 2) / 2 + 1/2: with the first three halved here, one tanh serves all four.
    """
    both = np.concatenate([weights["decoder.rnn.weight_ih"], weights["decoder.rnn.weight_hh"]], axis=1)
    bias = weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"]
    places = np.arange(4 * STATE).reshape(4, STATE)[[0, 1, 3, 2]].ravel()  # the file has the candidate third
    scale = np.where(np.arange(4 * STATE) < 3 * STATE, np.float32(0.5), np.float32(1))
    return np.ascontiguousarray((both[places] * scale[:, np.newaxis]).T), bias[places] * scale
