"""What nodes tell one another."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from voicegw.base.ids import CallId
from voicegw.call.facts import Entry


class Message(msgspec.Struct, frozen=True, tag_field="is"):
    """Root of them. ``origin``: the run of a node that says it, as ``str`` of its Owner."""

    origin: str


class FactTold(Message, frozen=True, tag="fact"):
    """A fact of a call of ``origin``."""

    call_id: CallId
    entry: Entry


class CallsLost(Message, frozen=True, tag="lost"):
    """``owner`` is gone, and ``origin`` has ended its calls. ``ended`` has the last fact of each."""

    owner: str
    ended: tuple[tuple[CallId, Entry], ...]


class ConfigChanged(Message, frozen=True, tag="config"):
    """Something of this ``part`` is published. ``digest``: of all that is in force now, where there is one."""

    part: str
    digest: str = ""


class Asked(Message, frozen=True, tag="asked"):
    """A request to one node, answered with the same ``number``. ``until_wall``: nobody waits for it after that."""

    number: int
    what: str
    body: bytes
    until_wall: float


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    NO_SUCH_CALL = "no such call"
    REFUSED = "refused"


class Answered(Message, frozen=True, tag="answered"):
    """The answer. ``text`` says why, where it was not done."""

    number: int
    outcome: Outcome
    text: str = ""
    body: bytes = b""


AnyMessage: TypeAlias = FactTold | CallsLost | ConfigChanged | Asked | Answered

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[AnyMessage]] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """For the wire."""
    return _encoder.encode(message)


def decode(data: bytes) -> AnyMessage | None:
    """None for what a later version says and this one does not understand."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
