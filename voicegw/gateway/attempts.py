"""What a call of ours says to every server that it is tried at, and the servers that are left (RFC 3263 §4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.gateway.way import Way
from voicegw.sip.address import Address
from voicegw.sip.headers import NameAddr
from voicegw.sip.reply import Pairs


@dataclass(frozen=True, slots=True)
class Dialled:
    """What every attempt of a call says, but for its branch."""

    target_uri: str
    sender: NameAddr
    headers: Pairs
    way: Way


@dataclass(slots=True)
class Attempts:
    """A call without an answer: the servers that are left, and what makes the next INVITE the same request."""

    dialled: Dialled
    servers: list[Address]
    sender: str
    call_id: str
