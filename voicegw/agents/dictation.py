"""Whether an agent has just asked for something that callers dictate: a number, a code, a spelling.

A script says so itself, by the type of what it asks for. A model only speaks; so its last sentence is looked at. A
wrong guess costs some tenths of a second of patience, and the reply is not prepared in them.
"""

from __future__ import annotations

import re
from typing import Final

_DICTATED: Final = {
    "en": r"number|digits?|code|pin|iban|spell|e-?mail|address|postcode|zip|licen[cs]e plate|serial",
    "de": r"\w*nummer|ziffern?|\w*code|pin|iban|buchstabieren\w*|e-?mail\w*|adresse|postleitzahl|kennzeichen",
    "es": r"número|cifras?|dígitos?|código|pin|iban|deletre\w+|correo|dirección|matrícula",
    "fr": r"numéro|chiffres?|code|pin|iban|épel\w+|e-?mail|adresse|plaque",
}
_ASKED: Final = {
    "en": r"please|tell|give|say|need|enter|what|which|could|can you",
    "de": r"bitte|sagen|nennen|geben|brauche|benötige|welche\w*|wie|können",
    "es": r"por favor|diga|dígame|deme|necesito|cuál|puede",
    "fr": r"s'il vous plaît|dites|donnez|besoin|quel(?:le)?|pouvez",
}


def asks_to_dictate(said: str, language: str) -> bool:
    """Whether the last sentence of ``said`` asks for it."""
    base = language.lower().split("-")[0]
    if base not in _DICTATED:
        return False
    last = re.split(r"(?<=[.!?])\s+", said.strip().lower())[-1]
    asked = "?" in last or re.search(rf"\b(?:{_ASKED[base]})\b", last) is not None
    return asked and re.search(rf"\b(?:{_DICTATED[base]})\b", last) is not None
