"""G.722 of many streams at once against the library, which is FFmpeg's to the bit (``test_codec_quality``)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.audio.g722 import Decoder, Encoder
from voicegw.audio.g722_rows import CompiledRows, G722Rows, LibraryRows
from voicegw.testing.probe_sounds import voice

FRAMES = 25
STREAMS = 37
"""More than one set of lanes, and less than two."""


@pytest.fixture(scope="module")
def compiled() -> CompiledRows:
    return CompiledRows(64)


def sounds() -> NDArray[np.int16]:
    """A stream a row: speech, and noise and tones from silence to far beyond full scale."""
    random, size = np.random.default_rng(7), FRAMES * 320
    noise = random.standard_normal((STREAMS, size))
    tones = np.sin(np.arange(size) * np.linspace(0.01, 3.1, STREAMS)[:, np.newaxis])
    loud = np.geomspace(0.3, 200_000, STREAMS)[:, np.newaxis]
    pcm = np.where(np.arange(STREAMS)[:, np.newaxis] % 2, noise, tones) * loud
    pcm[0] = 0
    pcm[1] = np.resize(voice(16000), size)
    return np.clip(pcm, -32768, 32767).astype(np.int16)


def begin(coders: G722Rows, rows: NDArray[np.intp]) -> None:
    for row in rows.tolist():
        coders.begin_encoding(row)
        coders.begin_decoding(row)


def test_each_stream_is_that_of_the_library_to_the_bit(compiled: CompiledRows) -> None:
    pcm, rows = sounds(), np.random.default_rng(3).permutation(64)[:STREAMS]
    begin(compiled, rows)
    codes = [compiled.encode(rows, frame) for frame in np.split(pcm, FRAMES, axis=1)]
    heard = [compiled.decode(rows, some) for some in codes]
    for place, sound in enumerate(pcm):
        expected = Encoder().encode(sound)
        assert np.concatenate([some[place] for some in codes]).tobytes() == expected
        assert np.array_equal(np.concatenate([some[place] for some in heard]), Decoder().decode(expected))


def test_every_code_in_any_order_is_decoded_as_by_the_library(compiled: CompiledRows) -> None:
    codes = np.random.default_rng(11).integers(0, 256, (STREAMS, 4000)).astype(np.uint8)
    rows = np.arange(STREAMS)
    begin(compiled, rows)
    heard = compiled.decode(rows, codes)
    for place, some in enumerate(codes):
        assert np.array_equal(heard[place], Decoder().decode(some.tobytes()))


@pytest.mark.parametrize("kind", ["compiled", "library"])
def test_rows_that_rest_go_on_where_they_were_and_a_row_that_begins_anew_knows_nothing(
    kind: str, compiled: CompiledRows
) -> None:
    coders: G722Rows = compiled if kind == "compiled" else LibraryRows()
    pcm = sounds()[:3, :960]
    begin(coders, np.arange(3))
    said = dict.fromkeys(range(3), b"")
    for turn in ((0, 1, 2), (1,), (2, 0), (0,), (2, 1)):
        frames = np.stack([pcm[row, len(said[row]) * 2 :][:320] for row in turn])
        for row, some in zip(turn, coders.encode(turn, frames), strict=True):
            said[row] += some.tobytes()
    for row, codes in said.items():
        assert codes == Encoder().encode(pcm[row])
    half = coders.decode(np.array([1]), np.frombuffer(said[1][:77], np.uint8)[np.newaxis])
    rest = coders.decode(np.array([1]), np.frombuffer(said[1][77:], np.uint8)[np.newaxis])
    assert np.array_equal(np.concatenate([half, rest], axis=1)[0], Decoder().decode(said[1]))
    coders.begin_encoding(1)
    assert coders.encode((1,), pcm[1:2, :320]).tobytes() == Encoder().encode(pcm[1, :320])
