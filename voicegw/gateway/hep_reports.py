"""What is known of the audio of SIP calls, for Homer: reports of RTCP, and a summary of each leg.

Homer's QoS tab finds both by the Call-ID. Its chart of RTCP reads JSON of HEP's type 5 in the form that heplify,
rtpengine and captagent send; the MOS there is Homer's own guess at it. Its chart of RTP reads what captagent's
RTP agent calls a report, type 34: that has our MOS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.hep_packet import Captured, HepKind
from voicegw.gateway.hep_sender import HepSender
from voicegw.rtp.rtcp import ReceiverReport, ReportBlock, SenderReport, parse_compound
from voicegw.sip.address import Address

_SR: Final = 200
_RR: Final = 201


class _Block(msgspec.Struct, frozen=True):
    """What its sender received of ``source_ssrc``, as it is on the wire (RFC 3550 §6.4.1)."""

    source_ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_seq_no: int
    ia_jitter: int
    lsr: int
    dlsr: int


class _Sender(msgspec.Struct, frozen=True):
    """``ntp_timestamp_usec`` is no microseconds, whatever it is called, but the lower half of the NTP time."""

    ntp_timestamp_sec: int
    ntp_timestamp_usec: int
    rtp_timestamp: int
    packets: int
    octets: int


class _Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """``sender_information`` is left out of a receiver report."""

    ssrc: int
    type: int
    report_count: int
    report_blocks: list[_Block]
    sender_information: _Sender | None = None


class _Summary(msgspec.Struct, frozen=True, rename="upper"):
    """``jitter`` is in ms; a ``mos`` from 1 to 5."""

    correlation_id: str
    rtp_sip_call_id: str
    total_pk: int
    expected_pk: int
    packet_loss: int
    jitter: float
    mos: float


@dataclass(frozen=True, slots=True)
class MediaPath:
    """Between the ``port`` of ours and a peer's address."""

    leg_id: LegId
    port: int
    remote_ip: str
    remote_port: int


@dataclass(frozen=True, slots=True)
class Received:
    """What came of a stream: packets, the jitter in ms, and how it sounded (ITU-T G.107)."""

    packets: int
    lost: int
    jitter_ms: float
    mos: float


class HepReports:
    """``call_id_of`` names the SIP call behind a leg, "" for one of another kind, of which nothing is told;
    ``our_host`` is our address for media as a peer's host sees it."""

    def __init__(
        self, sender: HepSender, call_id_of: Callable[[LegId], str], our_host: Callable[[str], str]
    ) -> None:
        self._sender = sender
        self._call_id_of = call_id_of
        self._our_host = our_host

    def rtcp(self, path: MediaPath, data: bytes, wall: float, *, sent: bool) -> None:
        """A compound packet passed at ``wall``, Unix time: each report in it is a packet of HEP."""
        try:
            packets = parse_compound(data)
        except RemoteProtocolError:
            return
        for packet in packets:
            if isinstance(packet, SenderReport | ReceiverReport):
                self._send(path, msgspec.json.encode(_report(packet)), wall, HepKind.RTCP, sent=sent)

    def summary(self, path: MediaPath, received: Received, wall: float) -> None:
        """A leg is over, of which so much came; nothing where nothing did."""
        call_id = self._call_id_of(path.leg_id)
        if not received.packets or not call_id:
            return
        summary = _Summary(
            correlation_id=call_id,
            rtp_sip_call_id=call_id,
            total_pk=received.packets,
            expected_pk=received.packets + received.lost,
            packet_loss=received.lost,
            jitter=round(received.jitter_ms, 3),
            mos=round(received.mos, 2),
        )
        self._send(path, msgspec.json.encode(summary), wall, HepKind.RTP_SUMMARY, sent=False)

    def _send(self, path: MediaPath, message: bytes, wall: float, kind: HepKind, *, sent: bool) -> None:
        call_id = self._call_id_of(path.leg_id)
        if not call_id:
            return
        try:
            here = Address(self._our_host(path.remote_ip), path.port)
        except LocalError:  # no way there any more
            return
        there = Address(path.remote_ip, path.remote_port)
        source, destination = (here, there) if sent else (there, here)
        self._sender.send(Captured(source, destination, wall, call_id, message, kind))


def _report(packet: SenderReport | ReceiverReport) -> _Report:
    blocks = [_block(block) for block in packet.blocks]
    if isinstance(packet, ReceiverReport):
        return _Report(packet.ssrc, _RR, len(blocks), blocks)
    sender = _Sender(packet.ntp >> 32, packet.ntp & 0xFFFFFFFF, packet.timestamp, packet.packets, packet.octets)
    return _Report(packet.ssrc, _SR, len(blocks), blocks, sender)


def _block(block: ReportBlock) -> _Block:
    """Duplicates make more packets than were expected (RFC 3550 §6.4.1): fewer than none lost is none to Homer."""
    return _Block(
        block.ssrc,
        block.fraction_lost,
        max(0, block.cumulative_lost),
        block.highest_sequence,
        block.jitter,
        block.last_sr,
        block.delay_since_sr,
    )
