"""The rows whose codec samples at 16 kHz: each has coders of its own.

They share everything else with the other rows: what is received waits in the same jitter buffer. G.722 is one byte
for each tick of a clock of 8 kHz, like G.711 (RFC 3551 §4.5.2); for Opus see :mod:`voicegw.media.opus_stream`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import opus
from voicegw.audio.g722_rows import CompiledRows, G722Rows, LibraryRows
from voicegw.audio.plc import Concealer
from voicegw.media.config import WIDE_FRAME_SAMPLES, WIDE_HZ, MediaConfig
from voicegw.media.filling import ComfortNoise, Pcm, Rows, fill_in
from voicegw.media.fitting import Fitting
from voicegw.media.messages import ConfigureLeg
from voicegw.media.opus_stream import OpusReceiver, OpusSender, first_reference
from voicegw.rtp.jitter import JitterBank, Pulled

G722: Final = "G722"
OPUS: Final = "opus"
CODECS: Final = frozenset((G722, OPUS))
_MOST_BITRATE: Final = 24_000
"""Wide-band speech in full quality (RFC 6716 §2.1.1 says 16 to 20 kbit/s), and room for in-band FEC."""
_LEAST_BITRATE: Final = 6_000
"""Of Opus (RFC 6716 §2.1.1), whatever a peer wishes."""


class WideBank:
    """What is particular about them."""

    def __init__(self, config: MediaConfig, jitter: JitterBank, noise: ComfortNoise) -> None:
        self._jitter = jitter
        self._noise = noise
        self.complexity = config.opus_complexity
        """Of encoders that are made from now on."""
        self._concealer = Concealer(config.max_legs, WIDE_HZ)
        self._fitting = Fitting(jitter, self._concealer)
        self._g722: G722Rows = CompiledRows(config.max_legs) if config.g722_compiled else LibraryRows()
        self._encoding: set[int] = set()  # rows that send G.722
        self.receivers: dict[int, OpusReceiver] = {}
        """Of the rows that receive Opus."""
        self.senders: dict[int, OpusSender] = {}
        """Of the rows that send it."""

    def begin_receiving(self, row: int, codec: str) -> None:
        """What the row receives is ``codec`` from now on; LocalError where its library is not installed."""
        self.end_receiving(row)
        if codec == OPUS:
            self.receivers[row] = OpusReceiver()
        else:
            self._g722.begin_decoding(row)
        self._concealer.reset(row)
        self._fitting.forget(row)

    def begin_sending(self, row: int, settings: ConfigureLeg) -> None:
        """What the row sends is of these settings from now on; LocalError where its library is not installed."""
        if settings.codec == G722:
            self.senders.pop(row, None)
            if row not in self._encoding:
                self._g722.begin_encoding(row)
                self._encoding.add(row)
            return
        self._encoding.discard(row)
        wish = self._opus_settings(settings)
        if row in self.senders:
            self.senders[row].change(wish, settings.ptime_ms)
        else:
            self.senders[row] = OpusSender(wish, settings.ptime_ms)

    def _opus_settings(self, settings: ConfigureLeg) -> opus.EncoderSettings:
        wish = settings.opus
        bitrate = max(_LEAST_BITRATE, min(wish.max_bitrate or _MOST_BITRATE, _MOST_BITRATE))
        return opus.EncoderSettings(bitrate, wish.fec, wish.dtx, wish.max_playback_hz, complexity=self.complexity)

    def end_receiving(self, row: int) -> None:
        """The row receives nothing of this kind any more."""
        self.receivers.pop(row, None)

    def end_sending(self, row: int) -> None:
        """The row sends nothing of this kind any more."""
        self._encoding.discard(row)
        self.senders.pop(row, None)

    def frames(self, rows: Rows) -> Pcm:
        """What each of ``rows`` says in this tick, (n, 320): decoded, concealed, or silence without a stream."""
        pulled = self._jitter.pull(rows)
        if pulled.due is None and not self.receivers:
            frames = self._concealer.process(rows, self._g722.decode(rows, pulled.codes), None)
        else:
            frames = self._decode_each(rows, pulled)
        self._fitting.fit(rows, frames, pulled, self._following)
        return frames

    def _following(self, rows: Rows) -> Pcm:
        """One more frame of each, all of which are there."""
        pulled = self._jitter.pull(rows)
        frames = np.empty((len(rows), WIDE_FRAME_SAMPLES), np.int16)
        plain = [place for place, row in enumerate(rows.tolist()) if row not in self.receivers]
        for place, row in enumerate(rows.tolist()):
            if row in self.receivers:
                self._decode_opus(row, pulled, place, frames[place])
        if plain:
            frames[plain] = self._g722.decode(rows[plain], pulled.codes[plain])
        return frames

    def _decode_each(self, rows: Rows, pulled: Pulled) -> Pcm:
        """The same where some are Opus, or something is missing."""
        frames = np.zeros((len(rows), WIDE_FRAME_SAMPLES), np.int16)
        plain = []
        for place, row in enumerate(rows.tolist()):
            if row in self.receivers:
                self._decode_opus(row, pulled, place, frames[place])
            else:
                plain.append(place)
        if plain:
            self._decode_g722(rows, pulled, plain, frames)
            frames[plain] = self._filled(rows[plain], frames[plain], pulled, plain)
        return frames

    def _decode_g722(self, rows: Rows, pulled: Pulled, places: list[int], frames: Pcm) -> None:
        """Whole frames at once; a decoder goes on over what did not come."""
        whole = places
        if pulled.due is not None:
            whole = [place for place in places if pulled.present[place].all()]
            for place in places:
                present = pulled.present[place]
                if place not in whole and present.any():
                    some = self._g722.decode(rows[[place]], pulled.codes[place, present][np.newaxis])
                    frames[place, np.repeat(present, 2)] = some[0]
        if whole:
            frames[whole] = self._g722.decode(rows[whole], pulled.codes[whole])

    def _filled(self, rows: Rows, frames: Pcm, pulled: Pulled, places: list[int]) -> Pcm:
        if pulled.due is None:
            return self._concealer.process(rows, frames, None)
        present = np.repeat(pulled.present[places], 2, axis=1)
        return fill_in(self._concealer, rows, frames, present, pulled.due[places], self._noise)

    def _decode_opus(self, row: int, pulled: Pulled, place: int, frame: Pcm) -> None:
        present = pulled.present[place]
        if pulled.due is not None and not pulled.due[place] and not present.any():
            return
        if row in self._fitting.kept:
            return  # nothing is missing: the decoder goes on in the next tick
        self.receivers[row].decode(pulled.codes[place], present, frame, partial(self._upcoming, row))

    def _upcoming(self, row: int) -> int:
        """The packet that begins with the next frame, -1 for none."""
        codes, present = self._jitter.upcoming(row)
        return first_reference(codes) if present[0] else -1

    def encode(self, rows: Sequence[int], frames: Pcm) -> NDArray[np.uint8]:
        """A frame each of (n, 320), of rows that send G.722, as (n, 160) codes."""
        return self._g722.encode(rows, frames)

    def refer(
        self,
        rows: Rows,
        sequence: NDArray[np.int64],
        timestamp: NDArray[np.int64],
        packets: NDArray[np.uint8],
        offset: int,
        lengths: NDArray[np.int64],
    ) -> None:
        """Make the packets of a batch that are Opus fit for the jitter buffer, in place: references for their
        payloads, which are ``packets[i, offset : offset + lengths[i]]``, and timestamps and lengths at 8 kHz."""
        for place, row in enumerate(rows.tolist()):
            receiver = self.receivers.get(row)
            if receiver is None:
                continue
            payload = packets[place, offset : offset + int(lengths[place])].tobytes()
            at, references = receiver.keep(int(sequence[place]), int(timestamp[place]), payload)
            timestamp[place], lengths[place] = at, len(references)
            packets[place, offset : offset + len(references)] = references
