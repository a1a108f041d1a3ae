"""What a call of ours says to every server that it is tried at, and the servers that are left (RFC 3263 §4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from voicegw.gateway.tolls.calls import NOBODY, Payer
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


@dataclass(slots=True)
class Trip:
    """A call out by trunks, without an answer so far: what was asked for, and who has tried."""

    target_uri: str
    sender: NameAddr
    headers: Sequence[tuple[str, str]]
    withheld: bool
    media_port: int
    payer: Payer = NOBODY
    tried: list[str] = field(default_factory=list)
    bound: str = ""
    """This machine's address that the media socket has, once the first INVITE is out."""
    has_rung: bool = False
    may_go_on: bool = False
    """Whether another trunk stands by: then nobody waits for a silent one for as long as a call may ring."""
