"""``voicegw settings [NAME]``: every key of the file, with default, meaning and when a change counts."""

from __future__ import annotations

import argparse
import textwrap
from typing import Final

from voicegw.base.errors import ConfigError
from voicegw.settings_listed import sections, settings

_WIDTH: Final = 100
_CHANGED: Final = {
    "at once": "A reload changes it at once.",
    "new calls": "A reload changes it for new calls.",
    "restart": "A change needs a restart.",
}


def run(arguments: argparse.Namespace) -> int:
    """The sections without a name, else all that the name covers."""
    if not arguments.name:
        for name, text in sections():
            print(f"{name:<14} {text}")
        return 0
    found = list(settings(arguments.name))
    if not found:
        raise ConfigError(f"there is no setting {arguments.name!r}", fix="voicegw settings lists the sections")
    for one in found:
        print(f"{one.name}: {one.default or '(has to be there)'}")
        text = f"{one.text} {_CHANGED[one.effect]}"
        print(textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="    "))
    return 0
