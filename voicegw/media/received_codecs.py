"""Which codec each leg receives: the one of the payload type that comes, among those that were agreed.

After a re-INVITE the peer goes on with the old codec for a while, and one with which several codecs were agreed may
change at any time (RFC 3264 §5.1, §8.3.2). So what was received before stays valid until something else comes, and
what waits in the jitter buffer is still decoded as what it is: a change counts from the place of its first packet.
"""

from __future__ import annotations

from voicegw.media.messages import ConfigureLeg
from voicegw.media.opus_stream import CLOCK as OPUS_CLOCK
from voicegw.media.wide import OPUS
from voicegw.rtp.jitter import JitterBank


def clock_of(codec: str) -> int:
    """Ticks of its RTP clock in a sample at 8 kHz."""
    return OPUS_CLOCK if codec == OPUS else 1


class ReceivedCodecs:
    """By row. A change is announced by a packet, gets its place when that is stored, and falls due when that is
    played."""

    def __init__(self, jitter: JitterBank) -> None:
        self._jitter = jitter
        self._formats: dict[int, dict[int, str]] = {}
        self.current: dict[int, str] = {}
        """What is decoded now."""
        self._coming: dict[int, str] = {}
        self._waiting: dict[int, tuple[str, int]] = {}

    def forget(self, row: int) -> None:
        """The leg is over."""
        for known in (self._formats, self.current, self._coming, self._waiting):
            known.pop(row, None)

    def agree(self, row: int, settings: ConfigureLeg) -> None:
        """A session was negotiated."""
        own = settings.receive_payload_type if settings.receive_payload_type >= 0 else settings.payload_type
        current = self.current.get(row)
        keys = (settings.dtmf_payload_type, settings.dtmf_receive_payload_type)
        before = {
            number: name
            for number, name in self._formats.get(row, {}).items()
            if name == current and number not in keys
        }
        agreed = {settings.payload_type: settings.codec, **dict(settings.other_codecs), own: settings.codec}
        self._formats[row] = before | agreed

    def payload_type(self, row: int) -> int:
        """Under which the current codec comes; -1 where its number means something else now."""
        current = self.current.get(row)
        return next((number for number, name in reversed(self._formats[row].items()) if name == current), -1)

    def codec_of(self, row: int, payload_type: int) -> str | None:
        """What comes under this number, None for nothing that was agreed."""
        return self._formats.get(row, {}).get(payload_type)

    def expected(self, row: int) -> str | None:
        """What the next packet is, unless it says otherwise."""
        waiting = self._waiting.get(row)
        return self._coming.get(row) or (waiting[0] if waiting else self.current.get(row))

    def announce(self, row: int, codec: str) -> bool:
        """A packet of another codec came. True where its clock is another one, too: then nothing joins, and the
        change is due at once."""
        at_once = clock_of(codec) != clock_of(self.current[row])
        self._coming.pop(row, None)
        self._waiting.pop(row, None)
        if not at_once and codec != self.current[row]:
            self._coming[row] = codec
        return at_once

    @property
    def busy(self) -> bool:
        """Whether any row is about to change."""
        return bool(self._coming or self._waiting)

    def placed(self) -> None:
        """The packets that announced something are stored now."""
        for row, codec in self._coming.items():
            self._waiting[row] = codec, self._jitter.mark_seam(row)
        self._coming.clear()

    def due(self) -> list[tuple[int, str]]:
        """Rows that play the first packet of another codec in this tick, and that codec."""
        found = [(row, codec) for row, (codec, at) in self._waiting.items() if self._jitter.plays(row, at)]
        for row, _ in found:
            del self._waiting[row]
        return found
