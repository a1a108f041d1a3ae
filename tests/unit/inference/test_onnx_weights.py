from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from voicegw.inference.vad.onnx_weights import read_graphs

ONE = np.arange(6, dtype=np.float32).reshape(2, 3)
TWO = np.array([-1.5], np.float32)


def constant(name: str, value: np.ndarray) -> object:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def model() -> bytes:
    """Constants as initialiser, as node, as integers, and in both branches of an If."""
    out = [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)]
    then = helper.make_graph([constant("out", ONE)], "then", [], out)
    other = helper.make_graph([constant("out", TWO)], "else", [], out)
    nodes = [
        constant("axis", np.array([3], np.int64)),
        constant("scale", TWO),
        helper.make_node("If", ["condition"], ["out"], then_branch=then, else_branch=other),
    ]
    inputs = [helper.make_tensor_value_info("condition", TensorProto.BOOL, [])]
    graph = helper.make_graph(nodes, "main", inputs, out, [numpy_helper.from_array(ONE, "weight")])
    data: bytes = helper.make_model(graph).SerializeToString()
    return data


def test_float_constants_of_all_graphs() -> None:
    main, *branches = read_graphs(model())
    assert set(main) == {"weight", "scale"}
    assert np.array_equal(main["weight"], ONE) and np.array_equal(main["scale"], TWO)
    assert sorted(branch["out"].size for branch in branches) == [TWO.size, ONE.size]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(model())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    try:
        read_graphs(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize("data", [b"\xff", b"\xff" * 11, b"\x3a\x05ab", b"\x0b", b"\x3d\0"])
def test_what_is_no_message_is_named(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"ends inside|wire type"):
        read_graphs(data)
