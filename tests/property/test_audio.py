"""Properties of the sample-level code that hold for any signal and any way of cutting it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.audio import g711, wav
from voicegw.audio.resample import Resampler, resample
from voicegw.audio.windows import WindowAssembler

RATES = st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000])
BUDGET = settings(max_examples=40, deadline=None)


@BUDGET
@given(seed=st.integers(0, 2**32 - 1), source=RATES, target=st.sampled_from([8000, 16000]), data=st.data())
def test_resampling_does_not_depend_on_the_cut(seed: int, source: int, target: int, data: st.DataObject) -> None:
    pcm = np.random.default_rng(seed).integers(-32768, 32768, 1500).astype(np.int16)
    cuts = sorted(data.draw(st.lists(st.integers(0, 1500), max_size=8)))
    resampler = Resampler(source, target)
    parts = [resampler.process(part) for part in np.split(pcm, cuts)]
    whole = Resampler(source, target)
    assert np.array_equal(
        np.concatenate([*parts, resampler.flush()]), np.concatenate([whole.process(pcm), whole.flush()])
    )


@BUDGET
@given(seed=st.integers(0, 2**32 - 1), law=st.sampled_from(list(g711.Law)))
def test_companding_twice_is_companding_once(seed: int, law: g711.Law) -> None:
    pcm = np.random.default_rng(seed).integers(-32768, 32768, (3, 160)).astype(np.int16)
    once = g711.decode(g711.encode(pcm, law), law)
    assert np.array_equal(g711.decode(g711.encode(once, law), law), once)


@BUDGET
@given(data=st.binary(max_size=200))
def test_any_bytes_parse_as_wav_or_raise_its_error(data: bytes) -> None:
    for candidate in (
        data,
        b"RIFF\x00\x00\x00\x00WAVE" + data,
        b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + data,
    ):
        try:
            assert wav.parse(candidate).samples.ndim == 2
        except wav.WavFormatError as error:
            assert str(error)


@BUDGET
@given(position=st.integers(0, 43), value=st.integers(0, 255))
def test_a_damaged_header_never_breaks_the_reader(position: int, value: int) -> None:
    data = bytearray(wav.make(8000, np.arange(100).astype(np.int16)))
    data[position] = value
    try:
        wav.parse(bytes(data))
    except wav.WavFormatError as error:
        assert str(error)


@BUDGET
@given(window=st.integers(160, 700), frames=st.integers(1, 30), row=st.integers(0, 5))
def test_windows_tile_the_stream(window: int, frames: int, row: int) -> None:
    assembler, rows = WindowAssembler(6, window), np.array([row])
    assembler.reset(row)
    stream = np.arange(1, frames * 160 + 1).astype(np.int16)
    pieces, last = [], 0
    for frame in stream.reshape(frames, 160):
        _, windows, ends = assembler.push(rows, frame[np.newaxis])
        pieces += [piece[window - (end - last) :] for piece, end in zip(windows, ends.tolist(), strict=True)]
        last = ends[-1] if len(ends) else last
    tiled = np.concatenate([np.empty(0, np.int16), *pieces])
    assert np.array_equal(tiled, stream[: len(tiled)]) and len(stream) - len(tiled) < window


def test_resample_is_the_resampler() -> None:
    pcm = np.random.default_rng(1).integers(-3000, 3000, 999).astype(np.int16)
    streaming = Resampler(44100, 8000)
    assert np.array_equal(resample(pcm, 44100, 8000), np.concatenate([streaming.process(pcm), streaming.flush()]))
