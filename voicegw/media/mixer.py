"""Who hears whom, for all calls in a few array operations.

Edges (source row, sink row, gain) are sorted into layers in which every sink occurs once: a layer is one gather,
one multiplication and one addition. Almost every sink has one source, so there is almost always one layer.

Where the edges have changed, the first frame goes from what was heard to what is heard by a straight line: a voice
that came or went from one sample to the next would be a click.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Pcm = NDArray[np.int16]

Edge = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class _Layer:
    sources: NDArray[np.intp]
    sinks: NDArray[np.intp]
    gains: NDArray[np.float32] | None


class MixMatrix:
    """One plan of all edges; made anew when a leg or a matrix changes, used every tick."""

    def __init__(
        self, edges: Iterable[Edge], sinks: int, frame_samples: int, before: Iterable[Edge] | None = None
    ) -> None:
        """``before``: all edges as they were, where this is the plan of one frame in which some change."""
        self._before = None if before is None else MixMatrix(before, sinks, frame_samples)
        self._layers = _layers(edges)
        self._sum = np.zeros((sinks, frame_samples), np.int32)
        self._out = np.zeros((sinks, frame_samples), np.int16)

    def mix(self, sources: _Pcm) -> _Pcm:
        """Add up (sources, samples) to (sinks, samples), saturated; valid until the next call."""
        mixed = self._mix(sources)
        return mixed if self._before is None else _crossed(self._before.mix(sources), mixed)

    def _mix(self, sources: _Pcm) -> _Pcm:
        if len(self._layers) == 1 and self._layers[0].gains is None:
            layer = self._layers[0]
            self._out[layer.sinks] = sources[layer.sources]
            return self._out
        total = self._sum
        total[:] = 0
        for layer in self._layers:
            block = sources[layer.sources]
            if layer.gains is None:
                total[layer.sinks] += block
            else:
                total[layer.sinks] += np.rint(block * layer.gains[:, np.newaxis]).astype(np.int32)
        np.clip(total, -32768, 32767, out=total)
        self._out[:] = total
        return self._out


def _crossed(before: _Pcm, after: _Pcm) -> _Pcm:
    """From the one to the other; what is the same in both is not touched."""
    rise = (np.arange(after.shape[1], dtype=np.float32) + 1) / after.shape[1]
    change = (after.astype(np.int32) - before) * rise
    crossed: _Pcm = (before + np.rint(change).astype(np.int32)).astype(np.int16)
    return crossed


def _layers(edges: Iterable[Edge]) -> list[_Layer]:
    """Put the k-th edge of every sink into layer k; unity gains need no multiplication."""
    by_depth: list[list[Edge]] = []
    depth: dict[int, int] = {}
    for edge in edges:
        level = depth.get(edge[1], 0)
        depth[edge[1]] = level + 1
        if level == len(by_depth):
            by_depth.append([])
        by_depth[level].append(edge)
    layers = []
    for level_edges in by_depth:
        unity = all(gain == 1.0 for _, _, gain in level_edges)
        layers.append(
            _Layer(
                sources=np.array([source for source, _, _ in level_edges], np.intp),
                sinks=np.array([sink for _, sink, _ in level_edges], np.intp),
                gains=None if unity else np.array([gain for _, _, gain in level_edges], np.float32),
            )
        )
    return layers
