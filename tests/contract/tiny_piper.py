"""A Piper voice for the real loader: a tone for every phoneme, longer when slower speech is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE_HZ = 22050
SYMBOLS = "_^$ abcdefghijklmnopqrstuvwxyzæðŋɐɑɒɔəɚɛɜɡɪɫɹɾʃʊʌʒˈˌːθ.,?!"
PHONEME_S = 0.03
"""Of a symbol; the engine puts a pause symbol behind each phoneme."""


def make_tiny_voice(folder: Path, name: str, language: str = "en_US", speakers: tuple[str, ...] = ()) -> Path:
    """Write ``NAME.onnx`` and ``NAME.onnx.json``; returns the model's path. A speaker's number shifts the tone."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    onnx.save(_model(several=bool(speakers)), path)
    said = {
        "audio": {"sample_rate": RATE_HZ},
        "espeak": {"voice": "fr" if language.startswith("fr") else "en-us"},
        "language": {"code": language},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "num_symbols": len(SYMBOLS),
        "num_speakers": max(len(speakers), 1),
        "speaker_id_map": {speaker: number for number, speaker in enumerate(speakers)},
        "phoneme_type": "espeak",
        "phoneme_id_map": {symbol: [number] for number, symbol in enumerate(SYMBOLS)},
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(said), encoding="utf-8")
    return path


def _tones() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """A row a symbol: 200 Hz and up in steps of 20."""
    times = np.arange(round(PHONEME_S * RATE_HZ)) / RATE_HZ
    rows = [0.5 * np.sin(2.0 * np.pi * (200.0 + 20.0 * number) * times) for number in range(len(SYMBOLS) + 2)]
    return np.stack(rows).astype(np.float32)


def _model(several: bool) -> onnx.ModelProto:
    """phonemes → tones → stretched by ``scales[1]``, as the pace of a real voice."""
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    symbol = "input"
    nodes = []
    if several:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
        nodes.append(helper.make_node("Add", ["input", "sid"], ["shifted"]))
        symbol = "shifted"
    nodes += [
        helper.make_node("Gather", ["tones", symbol], ["pieces"]),
        helper.make_node("Reshape", ["pieces", "row"], ["flat"]),
        helper.make_node("Slice", ["scales", "one", "two"], ["pace"]),
        helper.make_node("Concat", ["units", "pace"], ["factors"], axis=0),
        helper.make_node("Resize", ["flat", "", "factors"], ["output"], mode="linear"),
    ]
    constants = {
        "tones": _tones(),
        "row": np.array([1, 1, -1], np.int64),
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "units": np.array([1.0, 1.0], np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "tiny voice",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, "samples"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
