"""The constants of an ONNX file, read without an ONNX runtime.

An ONNX file is one protocol buffer message; of its schema (``onnx.proto``) only the way to the tensors is needed:
a model has a graph, a graph has nodes and initialisers, a node has attributes, an attribute may hold a tensor (of a
``Constant`` node) or a graph (a branch of an ``If`` node).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Constants = dict[str, NDArray[np.float32]]

_MODEL_GRAPH: Final = 7
_GRAPH_NODE: Final = 1
_GRAPH_INITIALIZER: Final = 5
_NODE_OUTPUT: Final = 2
_NODE_ATTRIBUTE: Final = 5
_ATTRIBUTE_TENSOR: Final = 5
_ATTRIBUTE_GRAPH: Final = 6
_TENSOR_DIMS: Final = 1
_TENSOR_TYPE: Final = 2
_TENSOR_NAME: Final = 8
_TENSOR_RAW: Final = 9
_FLOAT: Final = 1

_VARINT: Final = 0
_FIXED_64: Final = 1
_BYTES: Final = 2
_FIXED_32: Final = 5


def read_graphs(data: bytes) -> list[Constants]:
    """The float constants of each graph of the model, by name, branches included; ValueError if it is no model."""
    graphs: list[Constants] = []
    for graph in _messages(memoryview(data), _MODEL_GRAPH):
        _read_graph(graph, graphs)
    return graphs


def _read_graph(graph: memoryview, graphs: list[Constants]) -> None:
    constants: Constants = {}
    graphs.append(constants)
    for tensor in _messages(graph, _GRAPH_INITIALIZER):
        names = [bytes(name).decode(errors="replace") for name in _messages(tensor, _TENSOR_NAME)]
        _keep(constants, names, tensor)
    for node in _messages(graph, _GRAPH_NODE):
        outputs = [bytes(name).decode(errors="replace") for name in _messages(node, _NODE_OUTPUT)]
        for attribute in _messages(node, _NODE_ATTRIBUTE):
            for tensor in _messages(attribute, _ATTRIBUTE_TENSOR):
                _keep(constants, outputs, tensor)
            for branch in _messages(attribute, _ATTRIBUTE_GRAPH):
                _read_graph(branch, graphs)


def _keep(constants: Constants, names: list[str], tensor: memoryview) -> None:
    """Add a tensor of 32-bit floats; the others (shapes, axes) are not asked for."""
    dims: list[int] = []
    kind, raw = 0, memoryview(b"")
    for number, value in _fields(tensor):
        if number == _TENSOR_DIMS and isinstance(value, int):
            dims.append(value)
        elif number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number == _TENSOR_RAW and isinstance(value, memoryview):
            raw = value
    if kind == _FLOAT and len(names) == 1:
        constants[names[0]] = np.frombuffer(raw, "<f4").reshape(dims)


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The values of one field that are messages, strings or bytes."""
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values in the encoding of protocol buffers; numbers of fixed width are left as bytes."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, position = _varint(message, position)
        elif kind in (_FIXED_32, _FIXED_64):
            size = 4 if kind == _FIXED_32 else 8
        else:
            raise ValueError(f"unknown wire type {kind}")
        end = position + size
        if end > len(message):
            raise ValueError("the file ends inside a field")
        yield tag >> 3, message[position:end]
        position = end


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of 7 bits a byte, lowest first, and the position after it."""
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError("the file ends inside a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
