"""Write RTP packets as a capture file that sipp can play (``play_pcap_audio``)."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.interop.rtp import PCMU, digit_packets, packet
from tests.interop.sound import FRAME

_LINK_ETHERNET = 1
_FRAME_US = 20_000
_GAP_FRAMES = 10
_QUIET = b"\xff" * FRAME


def write_pcap(path: Path, packets: list[tuple[int, bytes]]) -> Path:
    """``packets`` are (time in µs, UDP payload); sipp replaces the addresses and ports by those of the call."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _LINK_ETHERNET))
        for time_us, payload in packets:
            frame = _ethernet(payload)
            file.write(struct.pack("<IIII", time_us // 1_000_000, time_us % 1_000_000, len(frame), len(frame)))
            file.write(frame)
    return path


def write_dtmf_pcap(path: Path, digits: str) -> Path:
    """Key presses of 120 ms each (RFC 4733, payload type 101), each followed by 200 ms of silence.

    The silence matters: a jitter buffer may hold the end of the last key until later packets push it out.
    """
    packets: list[tuple[int, bytes]] = []
    sequence, time_us = 1, 0
    for digit in digits:
        for data in digit_packets(digit, sequence, time_us * FRAME // _FRAME_US):
            packets.append((time_us, data))
            sequence, time_us = sequence + 1, time_us + _FRAME_US
        for _ in range(_GAP_FRAMES):
            packets.append((time_us, packet(PCMU, sequence, time_us * FRAME // _FRAME_US, _QUIET)))
            sequence, time_us = sequence + 1, time_us + _FRAME_US
    return write_pcap(path, packets)


def _ethernet(payload: bytes) -> bytes:
    udp = struct.pack("!HHHH", 6000, 6000, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
    return bytes(12) + b"\x08\x00" + ip + udp
