"""JSON from a model, read strictly, and the one text that all equal arguments share."""

from __future__ import annotations

import json
from typing import TypeAlias, cast

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = dict[str, Json]

MAX_ARGUMENTS_CHARS = 16_384
"""A model that writes more has lost its way."""
_EXACT = 2**53
"""Beyond it a float is no longer exactly the integer that it looks like."""


class ArgumentsError(ValueError):
    """The text is not a JSON object that has one meaning; the message is for the model."""


def parse_arguments(text: str) -> JsonObject:
    """The object in ``text``, empty for an empty text; raises :class:`ArgumentsError`.

    NaN, Infinity and repeated names are refused: readers disagree on them (RFC 8259 §4, §6), and the server that
    gets the arguments must see what was checked here.
    """
    if len(text) > MAX_ARGUMENTS_CHARS:
        raise ArgumentsError(f"the arguments are longer than {MAX_ARGUMENTS_CHARS} characters")
    try:
        value = json.loads(text or "{}", object_pairs_hook=_object, parse_constant=_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent to anyone
    except ArgumentsError:
        raise
    except (ValueError, RecursionError) as error:
        raise ArgumentsError(f"the arguments are not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ArgumentsError("the arguments are not a JSON object")
    return cast(JsonObject, value)


def canonical_json(value: Json) -> str:
    """Compact, names sorted, ``1.0`` as ``1`` (equal for JSON Schema too), text as it is."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ArgumentsError("a name is in an object twice")
    return found


def _constant(word: str) -> Json:
    raise ArgumentsError(f"{word} is not JSON")


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value
