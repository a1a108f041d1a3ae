"""Facts of packet captures: that somebody wrote down what passed the wire, and what became of the file."""

from __future__ import annotations

from voicegw.call.fact import Fact


class CaptureHasStarted(Fact, frozen=True):
    """From here on the packets of all legs are written to ``path``. ``audio``: with what is said, where that may be
    kept; else the headers alone."""

    by: str
    path: str
    audio: bool


class CaptureHasEnded(Fact, frozen=True):
    """The capture is over; an empty ``path``: nothing of it was kept. ``size`` is in bytes.

    ``dropped`` packets found no room on the way to the disk.
    """

    path: str
    packets: int
    size: int
    dropped: int
    reason: str
