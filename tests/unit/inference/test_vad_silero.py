from __future__ import annotations

import subprocess
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from voicegw.audio import g711, wav
from voicegw.audio.levels import to_float
from voicegw.audio.resample import resample
from voicegw.base.errors import ConfigError
from voicegw.inference.vad import silero
from voicegw.inference.vad.silero import SileroVad, find_model

Pcm = NDArray[np.int16]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Pcm:
    """Three seconds of a synthetic man as a telephone hears him: 8 kHz, μ-law there and back."""
    path = tmp_path_factory.mktemp("speech") / "rms.wav"
    text = "Good morning, I would like to make an appointment for Tuesday afternoon."
    subprocess.run(["flite", "-voice", "rms", "-t", text, "-o", str(path)], check=True, timeout=60)
    audio = wav.parse(path.read_bytes())
    return over_the_line(resample(audio.samples[:, 0], audio.rate, 8000))


def over_the_line(pcm: Pcm) -> Pcm:
    return g711.decode(g711.encode(pcm, g711.Law.ULAW), g711.Law.ULAW)


def windows(pcm: Pcm) -> NDArray[np.float32]:
    return to_float(pcm[: len(pcm) // 256 * 256].reshape(-1, 256))


def run(model: SileroVad, pcm: Pcm, row: int = 0) -> NDArray[np.float32]:
    model.reset(row)
    rows = np.array([row])
    return np.concatenate([model.probabilities(rows, window[np.newaxis]) for window in windows(pcm)])


def test_speech_is_high_and_everything_else_is_low(speech: Pcm) -> None:
    model = SileroVad(2)
    assert np.median(run(model, speech)) > 0.9
    rng = np.random.default_rng(3)
    at = np.arange(16000) / 8000
    others = {
        "silence": np.zeros(16000),
        "line noise": rng.normal(0, 60, 16000),
        "loud noise": rng.normal(0, 2000, 16000),
        "dial tone": 5000 * (np.sin(2 * np.pi * 350 * at) + np.sin(2 * np.pi * 440 * at)),
    }
    for name, other in others.items():
        probabilities = run(model, over_the_line(other.astype(np.int16)))
        assert np.quantile(probabilities, 0.9) < 0.3, name


def test_the_results_are_those_of_onnxruntime(speech: Pcm) -> None:
    reference = onnxruntime.InferenceSession(str(find_model()), providers=["CPUExecutionProvider"])
    model, row = SileroVad(1), np.zeros(1, np.intp)
    noise = np.random.default_rng(2).normal(0, 3000, 16000).astype(np.int16)
    state, context = np.stack(model.state(0))[:, np.newaxis], np.zeros((1, 32), np.float32)
    for window in windows(np.concatenate([speech, noise])):
        feed = {"input": np.append(context, window[np.newaxis], axis=1), "state": state, "sr": np.array(8000)}
        expected, state = reference.run(["output", "stateN"], feed)
        context = window[np.newaxis, -32:]
        assert model.probabilities(row, window[np.newaxis])[0] == pytest.approx(expected[0, 0], abs=1e-4)


@pytest.mark.parametrize("count", [31, 32, 33, 70])
def test_large_batches_are_run_in_parts(speech: Pcm, count: int) -> None:
    whole, single = SileroVad(count), SileroVad(count)
    together = windows(speech)[:count]
    got = whole.probabilities(np.arange(count), together)
    alone = [single.probabilities(np.array([row]), together[row : row + 1])[0] for row in range(count)]
    assert got == pytest.approx(np.array(alone), abs=1e-5)


def test_a_batch_gives_what_single_windows_give(speech: Pcm) -> None:
    """Each row hears the same voice at another offset; rows come in any order and not all come every time."""
    batch, single = SileroVad(8), SileroVad(1)
    streams = [windows(speech[row * 1000 :])[:40] for row in range(8)]
    alone = [run(single, speech[row * 1000 :])[:40] for row in range(8)]
    rng, position = np.random.default_rng(5), [0] * 8
    for _ in range(40):
        rows = rng.permutation(8)[: rng.integers(1, 9)]
        got = batch.probabilities(rows, np.stack([streams[row][position[row]] for row in rows]))
        for row, probability in zip(rows.tolist(), got.tolist(), strict=True):
            assert probability == pytest.approx(alone[row][position[row]], abs=1e-5)
            position[row] += 1
    assert min(position) > 5


def test_reset_makes_a_row_new(speech: Pcm) -> None:
    model = SileroVad(3)
    first = run(model, speech, row=1)
    assert np.array_equal(run(model, speech, row=1), first)
    assert np.allclose(run(model, speech, row=2), first, atol=1e-5)


def test_no_rows_is_no_work() -> None:
    assert SileroVad(1).probabilities(np.empty(0, np.intp), np.empty((0, 256), np.float32)).shape == (0,)


def test_missing_or_wrong_files_are_named_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(ConfigError, match=r"broken\.onnx(.|\n)*fix:"):
        SileroVad(1, broken)
    with pytest.raises(ConfigError, match=r"absent\.onnx(.|\n)*fix:"):
        SileroVad(1, tmp_path / "absent.onnx")
    whole = find_model().read_bytes()
    for size in (1, 20, 5000, len(whole) // 2, len(whole) - 1):
        broken.write_bytes(whole[:size])
        with pytest.raises(ConfigError, match="Silero VAD"):
            SileroVad(1, broken)
    with pytest.raises(ConfigError, match="8 and 16 kHz"):
        SileroVad(1, find_model("silero_vad_half.onnx"))
    monkeypatch.setattr(silero, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"not installed(.|\n)*silero-vad"):
        find_model()
    spec = ModuleSpec("silero_vad", None)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(silero, "find_spec", lambda name: spec)
    with pytest.raises(ConfigError, match="not installed"):
        find_model()
