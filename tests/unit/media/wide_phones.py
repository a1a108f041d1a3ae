"""Telephones for the media rig whose codec samples at 16 kHz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.unit.media.rig import Peer, Rig
from voicegw.audio import g722
from voicegw.rtp.packet import RtpPacket

Pcm = NDArray[np.int16]
G722 = {"codec": "G722", "payload_type": 9}


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
