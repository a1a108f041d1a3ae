"""What the ledger keeps of a tool's arguments: it must know that a wish was granted, not the caller's card."""

from __future__ import annotations

import json
from collections.abc import Collection

from voicegw.agents.tools.canonical import parse_arguments
from voicegw.call.redaction import HIDDEN, Redactor


def written_arguments(arguments_json: str, sensitive: Collection[str]) -> str:
    """The arguments with ``sensitive`` ones masked by name and card numbers wherever they are."""
    redactor = Redactor()
    kept = {
        name: HIDDEN if name in sensitive else _clean(value, redactor)
        for name, value in parse_arguments(arguments_json).items()
    }
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def _clean(value: object, redactor: Redactor) -> object:
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        masked = redactor.text(str(value))
        return value if masked == str(value) else masked
    if isinstance(value, list):
        return [_clean(item, redactor) for item in value]
    if isinstance(value, dict):
        return {name: _clean(item, redactor) for name, item in value.items()}
    return value
