"""What is kept of a phone's password: its hashes for one realm, as text that somebody else seals."""

from __future__ import annotations

import msgspec

from voicegw.base.errors import LocalError
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.sip.grammar import to_wire


class _Secret(msgspec.Struct, frozen=True):
    realm: str
    ha1: dict[str, str]


def hashes_of(name: str, realm: str, password: str) -> dict[Algorithm, str]:
    """HA1 with every algorithm: which of them a phone will use is not known when its password is set."""
    return {kind: make_ha1(kind, to_wire(name), to_wire(realm), password) for kind in Algorithm}


def write_secret(name: str, realm: str, password: str) -> str:
    """The text to seal; the password itself is not in it."""
    ha1 = {kind.value: digits for kind, digits in hashes_of(name, realm, password).items()}
    return msgspec.json.encode(_Secret(realm, ha1)).decode()


def read_secret(text: str, realm: str) -> dict[Algorithm, str]:
    """The hashes; LocalError where they were made for another realm, in which they are worth nothing."""
    secret = msgspec.json.decode(text, type=_Secret)
    if secret.realm != realm:
        raise LocalError(f"its password was set for the realm {secret.realm!r}: set it anew")
    return {Algorithm(name): digits for name, digits in secret.ha1.items()}
