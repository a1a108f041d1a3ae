"""RTCP: sender and receiver reports, CNAME and BYE in compound packets (RFC 3550 §6).

Packet types that we do not know (APP, feedback, XR) are skipped, as §6.1 asks of a receiver.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError

_SR, _RR, _SDES, _BYE = 200, 201, 202, 203
_CNAME = 1
_HEADER = struct.Struct(">BBH")
_SENDER = struct.Struct(">IIIII")
_BLOCK = struct.Struct(">IIIIII")
_U32 = struct.Struct(">I")
_NTP_EPOCH_OFFSET_S = 2_208_988_800


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What its sender received from ``ssrc`` (RFC 3550 §6.4.1).

    ``fraction_lost`` is in 1/256 since the last report; ``jitter`` in timestamp units; ``last_sr`` is the middle
    32 bits of an NTP time and ``delay_since_sr`` in 1/65536 s, both 0 when no sender report arrived yet.
    """

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int = 0
    delay_since_sr: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR: ``ntp`` is a 64-bit NTP time, ``timestamp`` the RTP time of the same moment."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR: from someone who sends nothing now."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SDES with the one item that is mandatory (§6.5.1)."""

    ssrc: int
    cname: str


@dataclass(frozen=True, slots=True)
class Bye:
    """The sources leave (§6.6)."""

    sources: tuple[int, ...]
    reason: str = ""


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Bye


def is_report(packet: memoryview | bytes) -> bool:
    """Whether what came to a port for both is RTCP: these types no RTP payload may have (RFC 5761 §4)."""
    return len(packet) > 1 and packet[0] >> 6 == 2 and 192 <= packet[1] <= 223


def to_ntp(wall_s: float) -> int:
    """Seconds since 1970 as a 64-bit NTP time (§4)."""
    return round((wall_s + _NTP_EPOCH_OFFSET_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle_32(ntp: int) -> int:
    """The part of an NTP time that reports echo."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip_s(block: ReportBlock, arrived_ntp: int) -> float | None:
    """Round-trip time from a report about us (§6.4.1); None if the peer has not heard a report of ours yet.

    Negative values, which a peer with a wrong clock rate can cause, are 0.
    """
    if not block.last_sr:
        return None
    elapsed = (middle_32(arrived_ntp) - block.last_sr - block.delay_since_sr) & 0xFFFFFFFF
    return 0.0 if elapsed & 0x80000000 else elapsed / 65536


def build_compound(packets: list[RtcpPacket]) -> bytes:
    """Serialise; the caller puts a report first, as §6.1 demands."""
    return b"".join(_build(packet) for packet in packets)


def _build(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport(ssrc, ntp, timestamp, sent, octets, blocks):
            info = _SENDER.pack(
                ntp >> 32, ntp & 0xFFFFFFFF, timestamp & 0xFFFFFFFF, sent & 0xFFFFFFFF, octets & 0xFFFFFFFF
            )
            return _wrap(_SR, len(blocks), _U32.pack(ssrc) + info + b"".join(map(_build_block, blocks)))
        case ReceiverReport(ssrc, blocks):
            return _wrap(_RR, len(blocks), _U32.pack(ssrc) + b"".join(map(_build_block, blocks)))
        case SourceDescription(ssrc, cname):
            text = cname.encode()[:255]
            chunk = _U32.pack(ssrc) + bytes([_CNAME, len(text)]) + text
            return _wrap(_SDES, 1, chunk + bytes(4 - len(chunk) % 4))
        case Bye(sources, reason):
            body = b"".join(map(_U32.pack, sources))
            if reason:
                text = reason.encode()[:255]
                body += bytes([len(text)]) + text
            return _wrap(_BYE, len(sources), body + bytes(-len(body) % 4))


def _wrap(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body


def _build_block(block: ReportBlock) -> bytes:
    lost = max(-0x800000, min(0x7FFFFF, block.cumulative_lost)) & 0xFFFFFF
    return _BLOCK.pack(
        block.ssrc,
        block.fraction_lost << 24 | lost,
        block.highest_sequence & 0xFFFFFFFF,
        block.jitter & 0xFFFFFFFF,
        block.last_sr,
        block.delay_since_sr & 0xFFFFFFFF,  # 18 hours; round trips are counted modulo that (§6.4.1)
    )


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Read a compound packet with the validity checks of RFC 3550 §A.2; raises RemoteProtocolError only.

    A lone report without SDES (reduced size, RFC 5506) is accepted: it does no harm.
    """
    if len(data) < 8:
        raise RemoteProtocolError(f"RTCP packet of {len(data)} bytes")
    packets: list[RtcpPacket] = []
    start = 0
    while start < len(data):
        if start + _HEADER.size > len(data):
            raise RemoteProtocolError("RTCP compound ends inside a header")
        first, packet_type, words = _HEADER.unpack_from(data, start)
        end = start + _HEADER.size + 4 * words
        if first >> 6 != 2 or end > len(data) or not 192 <= packet_type <= 223:
            raise RemoteProtocolError(f"RTCP packet of type {packet_type} breaks the compound")
        body = _strip_padding(data[start + _HEADER.size : end], padded=bool(first & 0x20))
        packet = _parse(packet_type, first & 31, body)
        if packet is not None:
            packets.append(packet)
        start = end
    return packets


def _strip_padding(body: bytes, *, padded: bool) -> bytes:
    if not padded:
        return body
    if not body or not 0 < body[-1] <= len(body):
        raise RemoteProtocolError("RTCP padding longer than its packet")
    return body[: -body[-1]]


def _parse(packet_type: int, count: int, body: bytes) -> RtcpPacket | None:
    try:
        if packet_type == _SR:
            ssrc, high, low, timestamp, sent, octets = struct.unpack_from(">IIIIII", body)
            return SenderReport(ssrc, high << 32 | low, timestamp, sent, octets, _parse_blocks(body, 24, count))
        if packet_type == _RR:
            return ReceiverReport(_U32.unpack_from(body)[0], _parse_blocks(body, 4, count))
        if packet_type == _SDES:
            return _parse_sdes(body) if count else None
        if packet_type == _BYE:
            return _parse_bye(body, count)
    except (struct.error, IndexError) as torn:
        raise RemoteProtocolError(f"RTCP packet of type {packet_type} is too short") from torn
    return None


def _parse_blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for index in range(count):
        ssrc, lost, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, start + index * _BLOCK.size)
        cumulative = lost & 0xFFFFFF
        signed = cumulative - 0x1000000 if cumulative & 0x800000 else cumulative
        blocks.append(ReportBlock(ssrc, lost >> 24, signed, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _parse_sdes(body: bytes) -> SourceDescription | None:
    """The CNAME of the first chunk, if it has one."""
    (ssrc,) = _U32.unpack_from(body)
    position = 4
    while position < len(body) and body[position]:
        length = body[position + 1]
        if position + 2 + length > len(body):
            raise IndexError
        if body[position] == _CNAME:
            return SourceDescription(ssrc, body[position + 2 : position + 2 + length].decode(errors="replace"))
        position += 2 + length
    return None


def _parse_bye(body: bytes, count: int) -> Bye:
    sources = struct.unpack_from(f">{count}I", body)
    rest = body[4 * count :]
    reason = rest[1 : 1 + rest[0]].decode(errors="replace") if rest else ""
    return Bye(sources, reason)
