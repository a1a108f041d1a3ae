"""What provisional responses leave behind: early dialogs where we call, numbers to acknowledge where we answer.

RFC 3261 §12.1, RFC 3262 §3, §4 and §7.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.dialog import Dialog
from voicegw.sip.exchange import Exchange
from voicegw.sip.message import Headers, Response

RELIABLE: Final = "100rel"
"""The option tag of reliable provisional responses."""
MAX_FORKS: Final = 16
"""Early dialogs of one INVITE that are kept. A ring group rings fewer phones; more is an attack or a loop."""
MAX_QUEUED: Final = 4
"""Reliable responses that wait until the one before them is acknowledged."""
_FIRST_RSEQ_BELOW: Final = 2**31
_RSEQ = re.compile(r"[0-9]{1,10}")
_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+([!-~]+)")


class ReliablePolicy(Enum):
    """Which provisional responses go out reliably to a caller that supports it. One that requires it gets all."""

    REQUIRED = "required"
    MEDIA = "media"
    ALWAYS = "always"


class EarlyDialog:
    """One fork of our INVITE before its 2xx. The dialog has its own CSeq, its own RSeq and its own exchange."""

    __slots__ = ("dialog", "exchange", "rseq", "offer_rseq", "answer", "ours")

    def __init__(self, dialog: Dialog, exchange: Exchange) -> None:
        self.dialog = dialog
        self.exchange = exchange
        self.rseq: int | None = None
        """The number of the last reliable response; the next has to be one more (RFC 3262 §4)."""
        self.offer_rseq: int | None = None
        """The response whose offer the owner has to answer in a PRACK."""
        self.answer = b""
        """The answer that came in a reliable response: what the 2xx says about media does not count any more."""
        self.ours = b""
        """Our latest description in this dialog, where it is not that of the INVITE."""

    def expects(self, rseq: int) -> bool:
        """Whether a reliable response is new and next in order; others are repeated, or come again in order."""
        return self.rseq is None or rseq == self.rseq + 1


class Unpracked:
    """A reliable response of ours, repeated until its PRACK (RFC 3262 §3)."""

    __slots__ = ("rseq", "response", "interval", "described", "offered")

    def __init__(self, rseq: int, response: Response, interval: float, *, described: bool, offered: bool) -> None:
        self.rseq = rseq
        self.response = response
        self.interval = interval
        self.described = described
        """It carries a session description: the 2xx has to wait for the PRACK."""
        self.offered = offered
        """The description is our offer: the PRACK carries its answer."""


class ReliableState:
    """The numbering of our reliable responses to one INVITE. ``first`` is random (RFC 3262 §3)."""

    __slots__ = ("next_rseq", "waiting", "queue", "acknowledged")

    def __init__(self, first: int) -> None:
        self.next_rseq = 1 + first % (_FIRST_RSEQ_BELOW - 1)
        self.waiting: Unpracked | None = None
        self.queue: deque[tuple[int, bytes]] = deque(maxlen=MAX_QUEUED)
        self.acknowledged = False
        """A PRACK came: the caller has the dialog."""

    def take_number(self) -> int:
        """The RSeq of the next response."""
        self.next_rseq += 1
        return self.next_rseq - 1


@dataclass(frozen=True, slots=True)
class RAck:
    """``response number, CSeq number, method`` (RFC 3262 §7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, value: str) -> RAck:
        """Parse the header; RemoteProtocolError for anything else."""
        match = _RACK.fullmatch(value.strip())
        if match is None:
            raise RemoteProtocolError(f"bad RAck {value[:40]!r}")
        return cls(int(match.group(1)), int(match.group(2)), match.group(3))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


def rseq_of(response: Response) -> int | None:
    """The number of a reliable response: 101-199 that requires 100rel and has an RSeq; else None."""
    if response.status <= 100 or response.status >= 200 or not requires(response.headers, RELIABLE):
        return None
    value = (response.headers.get("RSeq") or "").strip()
    return int(value) if _RSEQ.fullmatch(value) and int(value) > 0 else None


def requires(headers: Headers, option: str) -> bool:
    """Whether Require names ``option``."""
    return option in (value.lower() for value in headers.values("Require"))


def supports(headers: Headers, option: str) -> bool:
    """Whether Supported or Require names ``option``."""
    return requires(headers, option) or option in (value.lower() for value in headers.values("Supported"))
