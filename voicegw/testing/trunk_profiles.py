"""What is known of carriers and PBXs: the table in ``docs/trunks/profiles.yaml``, typed.

The pages are written from it (:mod:`voicegw.testing.trunk_pages`), and tests load and play what it says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

TABLE: Final = Path("docs/trunks/profiles.yaml")


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an engineer asks of each; none may be left out."""

    sign_in: str
    addresses: str
    codecs: str
    dtmf: str
    hold: str
    transfer: str
    encryption: str
    caller_id: str
    timers: str
    quirks: str


class Plays(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An INVITE as it comes from there, and what we make of it.

    In its lines ``{here}`` is our HOST:PORT and ``{there}`` theirs. ``header``: one that the dialplan must see.
    """

    uri: str
    sender: str
    receiver: str
    headers: tuple[str, ...]
    called: str
    calling: str
    diverted_by: str = ""
    header: str = ""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One carrier or PBX.

    ``checked``: how and when. ``theirs``: what to enter there (Markdown). ``trunk``: our file, which the server's
    loader takes. ``sources``: where the peer itself says what holds today.
    """

    title: str
    kind: Literal["carrier", "pbx"]
    checked: str
    theirs: str
    trunk: str
    facts: Facts
    sources: tuple[str, ...]
    plays: Plays | None = None


def profiles(root: Path) -> dict[str, Profile]:
    """All, by name. Raises :class:`msgspec.ValidationError` where the table says too little or too much."""
    return msgspec.convert(yaml.safe_load((root / TABLE).read_text(encoding="utf-8")), dict[str, Profile])
