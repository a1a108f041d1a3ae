"""What changes every tick, for all legs: a leg is a row of these arrays.

Positions count samples at 8 kHz, also for legs whose codec has more of them. G.711 is decoded and encoded here, for
all rows at once; for the other codecs see :mod:`voicegw.media.wide`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio.g711 import Law, decode, decode_rows, encode, encode_rows
from voicegw.audio.plc import Concealer
from voicegw.base.errors import LocalError
from voicegw.base.ids import RandomBytes
from voicegw.media.config import FRAME_MS, FRAME_SAMPLES, MediaConfig
from voicegw.media.filling import ComfortNoise, Pcm, Rows, fill_in
from voicegw.media.fitting import Fitting
from voicegw.media.messages import ConfigureLeg
from voicegw.media.received_codecs import ReceivedCodecs, clock_of
from voicegw.media.wide import CODECS, WideBank
from voicegw.rtp.jitter import JitterBank, JitterLimits, Pulled
from voicegw.rtp.packet import plain_kind
from voicegw.rtp.stats import ReceptionStats

LAWS: Final = {"PCMU": Law.ULAW, "PCMA": Law.ALAW}
_NEVER: Final = -1


class LegBank:
    """Rows of up to ``config.max_legs`` legs."""

    def __init__(self, config: MediaConfig, random: RandomBytes) -> None:
        capacity = config.max_legs
        self._random = random
        self._free = list(range(capacity - 1, -1, -1))
        self.jitter = JitterBank(capacity, FRAME_SAMPLES, _limits(config))
        self.reception = ReceptionStats(capacity)
        self.noise = ComfortNoise(capacity)
        self.wide = WideBank(config, self.jitter, self.noise)
        self.clock = np.ones(capacity, np.int64)
        """Ticks of the RTP clock in a sample at 8 kHz, for what the row sends."""
        self.clock_in = np.ones(capacity, np.int64)
        """The same for what it receives."""
        self._concealer = Concealer(capacity)
        self._fitting = Fitting(self.jitter, self._concealer)
        self._codec: dict[int, str] = {}
        self.received = ReceivedCodecs(self.jitter)
        self.law = np.zeros(capacity, np.uint8)
        """Of what the row sends."""
        self.law_in = np.zeros(capacity, np.uint8)
        self._changed: list[int] = []
        self._ulaw_only = True
        self.payload_type = np.full(capacity, _NEVER, np.int64)
        self.receiving = np.zeros(capacity, np.bool_)
        self.accepts = np.full(capacity, _NEVER, np.int64)
        """The :func:`~voicegw.rtp.packet.plain_kind` of the audio that is taken now."""
        self.awaited = np.zeros((capacity, 3), np.uint32)
        """The header, as words, of the packet that comes next if nothing happens; zeros match no packet."""
        self.heard_at = np.zeros(capacity, np.float64)
        """When the locked source was last heard; the time of the negotiation before that."""
        self.reported_at = np.zeros(capacity, np.float64)
        """When the peer's last RTCP came."""
        self.ssrc_in = np.full(capacity, _NEVER, np.int64)
        self.ssrc = np.zeros(capacity, np.int64)
        self.sequence = np.zeros(capacity, np.int64)
        """Of the next packet, counted on past 16 bits."""
        self.elapsed = 0
        """Media time of all legs, samples. It goes on whether or not a leg sends (RFC 3550 §5.1)."""
        self.first_timestamp = np.zeros(capacity, np.int64)
        """The RTP timestamp at which ``elapsed`` was 0."""
        self.marker = np.zeros(capacity, np.bool_)
        self.marking = False
        """Whether any row's next packet is to carry the marker."""
        self._first_sequence = np.zeros(capacity, np.int64)
        self.extra_octets = np.zeros(capacity, np.int64)
        """Payload bytes sent beyond one frame a packet; negative where packets are shorter."""

    def use(self, config: MediaConfig) -> None:
        """Other delays from now on, and another effort of encoders that are made from now on."""
        self.jitter.use(_limits(config))
        self.wide.complexity = config.opus_complexity

    def take(self) -> int:
        """A fresh row with random SSRC, sequence number and timestamp (RFC 3550 §5.1); LocalError when full."""
        if not self._free:
            raise LocalError("every row of the media worker is taken")
        row = self._free.pop()
        numbers = self._random(10)
        self.ssrc[row] = int.from_bytes(numbers[:4], "big")
        self.first_timestamp[row] = int.from_bytes(numbers[4:8], "big")
        self.sequence[row] = int.from_bytes(numbers[8:], "big")
        self.jitter.reset(row)
        self.reception.reset(row)
        self._concealer.reset(row)
        self._fitting.forget(row)
        self.receiving[row] = False
        self.payload_type[row] = self.ssrc_in[row] = self.accepts[row] = _NEVER
        self._first_sequence[row] = self.sequence[row]
        self.extra_octets[row] = self.awaited[row] = self.law[row] = self.law_in[row] = 0
        return row

    def begin_keystream(self, row: int) -> None:
        """SRTP begins, or goes on under another key: the peer takes the next packet's rollover counter for 0.

        A first sequence number in the lower half keeps it right when the first packets are lost (RFC 3711 §3.3.1).
        Where the numbers have begun anew since, only another SSRC makes sure that both sides count alike.
        """
        sent = self.packets_sent(row)
        if sent and not self.sequence[row] >> 16:
            return
        numbers = self._random(6)
        if sent:
            self.ssrc[row] = int.from_bytes(numbers[:4], "big")
        self.sequence[row] = int.from_bytes(numbers[4:], "big") >> 1
        self._first_sequence[row] = self.sequence[row] - sent

    def give_back(self, row: int) -> None:
        """The leg is over."""
        self._free.append(row)
        self.jitter.restart(row)
        self._concealer.reset(row)
        self._codec.pop(row, None)
        self.received.forget(row)
        self.noise.end(row)
        self.wide.end_receiving(row)
        self.wide.end_sending(row)

    def configure(self, row: int, settings: ConfigureLeg, now: float) -> None:
        """Apply a negotiated session; raises LocalError for a codec that we do not have."""
        if settings.codec not in CODECS and settings.codec not in LAWS:
            raise LocalError(f"there is no codec {settings.codec!r}")
        self._send(row, settings)
        self.received.agree(row, settings)
        if row not in self.received.current or self.received.payload_type(row) < 0:
            self.receive(row, settings.codec)
        if settings.receive != bool(self.receiving[row]):
            # On hold there is nothing to conceal; after it the peer's clock may have gone on or not.
            self.jitter.restart(row)
        self.payload_type[row] = settings.payload_type
        self.receiving[row] = settings.receive
        self.accepts[row] = plain_kind(self.received.payload_type(row)) if settings.receive else _NEVER
        self.awaited[row] = 0
        self.heard_at[row] = self.reported_at[row] = now
        self.marker[row] = self.marking = True

    def _send(self, row: int, settings: ConfigureLeg) -> None:
        """Encode what the settings say from now on."""
        codec, before = settings.codec, self._codec.get(row)
        if codec in CODECS:
            self.wide.begin_sending(row, settings)
        else:
            self.law[row] = LAWS[codec]
            self.wide.end_sending(row)
            self._note_laws()
        self._codec[row] = codec
        clock = clock_of(codec)
        if before is not None and clock != self.clock[row]:
            # Another clock in one stream would confuse its timing (RFC 7160 §4.1): it is another stream.
            self.ssrc[row] = int.from_bytes(self._random(4), "big")
        self.clock[row] = clock

    def receive(self, row: int, codec: str) -> None:
        """Decode this from now on."""
        before = self.received.current.get(row)
        self.received.current[row] = codec
        self.clock_in[row] = clock_of(codec)
        if codec in CODECS:
            self.wide.begin_receiving(row, codec)
        else:
            self.law_in[row] = LAWS[codec]
            self.wide.end_receiving(row)
            self._note_laws()
        if before is None or clock_of(before) != clock_of(codec):
            self.jitter.restart(row)
        if before is not None:
            self._changed.append(row)

    def announce(self, row: int, payload_type: int) -> None:
        """A good packet has another payload type than the one that is accepted at a glance."""
        codec = self.received.codec_of(row, payload_type)
        if codec is None or codec == self.received.expected(row):
            return
        if self.received.announce(row, codec):
            self.receive(row, codec)
        self.accepts[row] = plain_kind(payload_type)

    def take_changes(self) -> list[int]:
        """Rows that decode another codec since the last call; to be asked once a tick."""
        if self.received.busy:
            for row, codec in self.received.due():
                self.receive(row, codec)
        changed, self._changed = self._changed, []
        return changed

    def _note_laws(self) -> None:
        self._ulaw_only = not (self.law.any() or self.law_in.any())

    def new_source(self, row: int, ssrc: int) -> None:
        """Another synchronisation source was believed: its numbers have nothing to do with the old ones."""
        self.ssrc_in[row] = ssrc
        self.awaited[row] = 0
        if row in self.wide.receivers:
            self.wide.receivers[row].restart()
        self.reception.restart(row)
        self.jitter.restart(row)

    def lose_source(self, row: int) -> None:
        """The source said goodbye: nothing of it is missing from now on. It may think better of it."""
        self.ssrc_in[row] = _NEVER
        self.awaited[row] = 0
        self.jitter.restart(row)

    def expect_next(self, rows: Rows) -> None:
        """After packets of ``rows`` that were not :attr:`awaited`: await what follows the newest of each now."""
        timestamp = self.jitter.next_timestamp(rows)
        words = (self.accepts[rows] << 16 | self.reception.next_sequence(rows), timestamp, self.ssrc_in[rows])
        # Opus is never awaited: its packets have no length that could be foretold.
        self.awaited[rows] = np.where((timestamp < 0) | (self.clock_in[rows] > 1), 0, words).T

    def frames(self, rows: Rows) -> Pcm:
        """What each of ``rows``, all G.711, says in this tick: decoded, concealed, or silence when there is no
        stream."""
        pulled = self.jitter.pull(rows)
        frames = self._decoded(rows, pulled)
        if pulled.due is None:
            frames = self._concealer.process(rows, frames, None)
        else:
            frames = fill_in(self._concealer, rows, frames, pulled.present, pulled.due, self.noise)
        self._fitting.fit(rows, frames, pulled, self._following)
        return frames

    def _following(self, rows: Rows) -> Pcm:
        """One more frame of each, all of which are there."""
        return self._decoded(rows, self.jitter.pull(rows))

    def _decoded(self, rows: Rows, pulled: Pulled) -> Pcm:
        codes = pulled.codes
        return decode(codes, Law.ULAW) if self._ulaw_only else decode_rows(codes, self.law_in[rows])

    def encode(self, rows: Rows, frames: Pcm) -> NDArray[np.uint8]:
        """One code a sample, in the law of each row."""
        return encode(frames, Law.ULAW) if self._ulaw_only else encode_rows(frames, self.law[rows])

    def packets_sent(self, row: int) -> int:
        """Packets of the leg so far."""
        return int(self.sequence[row] - self._first_sequence[row])

    def octets_sent(self, row: int) -> int:
        """Payload bytes of the leg so far (RFC 3550 §6.4.1)."""
        return self.packets_sent(row) * FRAME_SAMPLES + int(self.extra_octets[row])

    def timestamp(self, row: int, later: int = 0) -> int:
        """The RTP timestamp of this tick, or of so many samples ``later``, 32 bits."""
        return (int(self.first_timestamp[row]) + (self.elapsed + later) * int(self.clock[row])) & 0xFFFFFFFF


def _limits(config: MediaConfig) -> JitterLimits:
    return JitterLimits(
        start=config.jitter_start_ms // FRAME_MS,
        least=config.jitter_min_ms // FRAME_MS,
        most=config.jitter_max_ms // FRAME_MS,
    )
