"""Telephones for the media rig whose codec samples at 16 kHz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.unit.media.rig import Peer, Rig
from voicegw.audio import g722, opus
from voicegw.rtp.packet import RtpPacket

Pcm = NDArray[np.int16]
G722 = {"codec": "G722", "payload_type": 9}
OPUS = {"codec": "opus", "payload_type": 96, "dtmf_clock_hz": 48_000}
DEFAULT = opus.EncoderSettings()


def tone16(hz: float, samples: int = 320, start: int = 0, amplitude: float = 8000.0) -> Pcm:
    """A sine at 16 kHz."""
    return np.rint(amplitude * np.sin(2 * np.pi * hz * (np.arange(samples) + start) / 16000)).astype(np.int16)


def amplitude_at(pcm: Pcm, hz: float, rate_hz: int) -> float:
    """Of one frequency, with a window so that a strong neighbour does not leak in."""
    window = np.hanning(len(pcm))
    return float(
        2 * abs(np.dot(pcm * window, np.exp(-2j * np.pi * hz * np.arange(len(pcm)) / rate_hz))) / window.sum()
    )


class G722Phone:
    """Says and hears G.722 through a peer of the rig."""

    def __init__(self, rig: Rig, leg_id: str, call_id: str = "call", **settings: object) -> None:
        self.peer: Peer = rig.open(leg_id, call_id, **(G722 | settings))
        self._encoder = g722.Encoder()
        self._said = 0

    def say(self, pcm: Pcm, *, drop: bool = False) -> None:
        """One packet."""
        packet = self.peer.packet(self._encoder.encode(pcm), 9)
        self.peer.timestamp = (self.peer.timestamp + len(pcm) // 2) & 0xFFFFFFFF
        if not drop:
            self.peer.send_raw(packet.to_bytes())

    def say_tone(self, hz: float, samples: int = 320) -> None:
        """The next piece of a sine."""
        self.say(tone16(hz, samples, self._said))
        self._said += samples

    @property
    def audio_packets(self) -> list[RtpPacket]:
        return [packet for packet in self.peer.packets if packet.payload_type == 9]

    def heard(self) -> Pcm:
        """All audio received so far, at 16 kHz."""
        return g722.Decoder().decode(b"".join(packet.payload for packet in self.audio_packets))


class OpusPhone:
    """Says and hears Opus through a peer of the rig."""

    def __init__(
        self,
        rig: Rig,
        leg_id: str = "caller",
        call_id: str = "call",
        wish: opus.EncoderSettings = DEFAULT,
        **settings: object,
    ) -> None:
        self.peer: Peer = rig.open(leg_id, call_id, **(OPUS | settings))
        self._encoder = opus.Encoder(wish)
        self._said = 0
        self.silent = 0
        """Packets that the encoder found not worth sending."""

    def say(self, pcm: Pcm, *, drop: bool = False) -> None:
        """One packet; where the encoder has nothing to say, only time goes by."""
        payload = self._encoder.encode(pcm)
        if payload:
            packet = self.peer.packet(payload, 96)
            if not drop:
                self.peer.send_raw(packet.to_bytes())
        else:
            self.silent += 1
        self.peer.timestamp = (self.peer.timestamp + 3 * len(pcm)) & 0xFFFFFFFF

    def say_tone(self, hz: float, samples: int = 320, *, drop: bool = False) -> None:
        """The next piece of a sine."""
        self.say(tone16(hz, samples, self._said), drop=drop)
        self._said += samples

    @property
    def audio_packets(self) -> list[RtpPacket]:
        return [packet for packet in self.peer.packets if packet.payload_type == 96]

    def heard(self) -> Pcm:
        """All audio received so far, at 16 kHz, in the places that its timestamps say; silence between."""
        packets, decoder = self.audio_packets, opus.Decoder()
        begin = packets[0].timestamp
        places = [(packet.timestamp - begin & 0xFFFFFFFF) // 3 for packet in packets]
        heard = np.zeros(places[-1] + 960, np.int16)
        for place, packet in zip(places, packets, strict=True):
            pcm = np.zeros(round(opus.duration_ms(packet.payload) * 16), np.int16)
            decoder.decode(packet.payload, pcm)
            heard[place : place + len(pcm)] = pcm
        return heard
