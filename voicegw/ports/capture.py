"""Packet captures as the media worker sees them: packets in, never a wait, what became of the file by polling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from voicegw.base.ids import CallId


class CapturedPacket(NamedTuple):  # made for every packet: a third of the cost of a frozen dataclass
    """A datagram. ``wall_us``: Unix time in µs. ``size``: bytes on the wire, of which ``data`` may be the first."""

    wall_us: int
    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes
    size: int


@dataclass(frozen=True, slots=True)
class CaptureBegun:
    """The file of a call is open."""

    call_id: CallId
    path: str


@dataclass(frozen=True, slots=True)
class CaptureOver:
    """The file that was to be ``wish`` has its final name, ``path``; an empty one: nothing was kept.

    ``dropped`` packets found no room on the way to the disk. ``reason`` is for people: a limit, the disk, an order.
    """

    call_id: CallId
    wish: str
    path: str
    packets: int
    size: int
    dropped: int
    reason: str


CaptureReport = CaptureBegun | CaptureOver


class PacketSink(Protocol):
    """Writes captures of several calls. No method blocks or raises for a disk: that is told by :meth:`poll`."""

    def start(self, call_id: CallId, path: str, max_bytes: int, max_s: float) -> bool:
        """Open ``path + '.part'``; False if the call is being captured already."""
        ...

    def add(self, call_id: CallId, packet: CapturedPacket) -> bool:
        """False if it was dropped, which is counted, because the disk is behind."""
        ...

    def stop(self, call_id: CallId, *, discard: bool = False, reason: str = "it was stopped") -> None:
        """Close the file of a call and give it its final name, or remove it."""
        ...

    def poll(self) -> Sequence[CaptureReport]:
        """What happened since the last poll."""
        ...

    def close(self) -> None:
        """Finish all files; may take as long as the disk needs."""
        ...
