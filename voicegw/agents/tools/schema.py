"""JSON Schema, compiled once per tool and used both ways: for what a model asks and for what a tool returns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import jsonschema_rs

from voicegw.agents.tools.canonical import Json

MAX_REPORTED = 5
"""Errors told to the model at once; it repairs the first few and asks again."""


class SchemaError(ValueError):
    """The schema itself is wrong."""


class Schema:
    """A schema of any draft that its ``$schema`` names, 2020-12 without it. ``format`` is checked.

    Schemas come from MCP servers too, so nothing is fetched for a ``$ref`` and a ``pattern`` runs in linear time;
    one that cannot (look-around, back references) is refused when the schema is read.
    """

    def __init__(self, schema: Mapping[str, object]) -> None:
        self.text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
        try:
            self._validator = jsonschema_rs.validator_for(
                dict(schema), validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise SchemaError(str(error).partition("\n")[0]) from None

    def problems(self, value: Json) -> list[str]:
        """What is wrong with ``value``, in words with the place; empty if it fits."""
        if self._validator.is_valid(value):
            return []
        found = []
        for error in self._validator.iter_errors(value):
            found.append(_at(error.instance_path) + error.message)
            if len(found) == MAX_REPORTED:
                break
        return found


def _at(path: Iterable[str | int]) -> str:
    place = "/".join(str(part) for part in path)
    return f"{place}: " if place else ""
