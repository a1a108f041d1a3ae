"""End-of-turn models of a few numbers, as real ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WORDS = ("", "please", "and", "bye", "?")
"""The vocabulary, by number; 0 is unknown."""
WEIGHTS = np.array([0.0, 1.0, -3.0, 4.0, 2.0], np.float32)
"""What each word adds to the logit."""


def save(folder: Path, name: str, sidecar: str, nodes: list[Any], inputs: list[Any], **constants: Any) -> None:
    """A model with one output ``y``, and its sidecar."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, name, inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / f"{name}.onnx"))
    patient = "" if "deadline_ms" in sidecar else "deadline_ms: 2000\n"
    (folder / f"{name}.yaml").write_text(sidecar + patient)


def tokens_input(name: str = "input_ids") -> Any:
    """int64 (1, tokens)."""
    return helper.make_tensor_value_info(name, TensorProto.INT64, [1, None])


def floats_input(name: str, *shape: int) -> Any:
    """float32 of exactly that shape: ONNX Runtime refuses another one."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def reader(folder: Path, name: str = "reader", sidecar: str = "") -> None:
    """The logit is the sum of the words' weights; the mask must be there and counts too."""
    (folder).mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("\n".join(WORDS))
    text = "text: {tokenizer: words, vocabulary: words.txt, mask: attention_mask, max_tokens: 4}\n"
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["each", "mask"], ["heard"]),
        helper.make_node("ReduceSum", ["heard"], ["y"], keepdims=0),
    ]
    save(
        folder,
        name,
        text + "output: {name: y, kind: logit}\n" + sidecar,
        nodes,
        [tokens_input(), tokens_input("attention_mask")],
        weights=WEIGHTS,
    )


def listener(folder: Path, name: str, sidecar: str, *shape: int) -> None:
    """The probability is the mean of what it is fed, kept between 0 and 1."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Clip", ["mean", "zero", "one"], ["y"]),
    ]
    save(folder, name, sidecar, nodes, [floats_input("x", *shape)], zero=np.float32(0), one=np.float32(1))


def voter(folder: Path, name: str, kind: str, index: int) -> None:
    """A row of logits for every token: its word's weight, and zero."""
    (folder).mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("\n".join(WORDS))
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["y"])]
    table = np.stack([np.zeros_like(WEIGHTS), WEIGHTS], axis=1)
    sidecar = f"""
text: {{tokenizer: words, vocabulary: words.txt, template: "{{asked}} {{text}}"}}
output: {{name: y, kind: {kind}, index: {index}}}
"""
    save(folder, name, sidecar, nodes, [tokens_input()], table=table)


def brooder(folder: Path, rounds: int) -> None:
    """Counts to ``rounds`` for every token it reads before it says 0.5."""
    (folder).mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("\n".join(WORDS))
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still"]),
            helper.make_node("Add", ["count", "nothing"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("count", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, []),
        ],
    )
    nodes = [
        helper.make_node("Size", ["input_ids"], ["tokens"]),
        helper.make_node("Mul", ["tokens", "rounds"], ["trips"]),
        helper.make_node("Loop", ["trips", "yes", "half"], ["y"], body=body),
    ]
    sidecar = (
        "text: {tokenizer: words, vocabulary: words.txt}\noutput: {name: y, kind: probability}\ndeadline_ms: 30\n"
    )
    constants = {"rounds": np.int64(rounds), "yes": np.bool_(True), "half": np.float32(0.5)}
    save(folder, "brooder", sidecar, nodes, [tokens_input()], nothing=np.float32(0), **constants)
