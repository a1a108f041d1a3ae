"""Reports on audio for Homer, and by which Call-ID it finds them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.call_ids import CallIds
from voicegw.gateway.hep_config import HepConfig
from voicegw.gateway.hep_packet import Captured, HepKind
from voicegw.gateway.hep_reports import HepReports, MediaPath, Received
from voicegw.gateway.hep_sender import HepSender
from voicegw.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_compound,
)
from voicegw.sip.address import Address

LEG = LegId("leg")
PATH = MediaPath(LEG, 16385, "192.0.2.7", 4001)
HERE, THERE = Address("198.51.100.1", 16385), Address("192.0.2.7", 4001)
BLOCK = ReportBlock(22, 64, -1, 65_600, 159, 0x8000_0001, 65536)
SENDER = SenderReport(11, 0xE000_0000_8000_0000, 4_000_000_000, 500, 80_000, (BLOCK,))


class Collector(HepSender):
    """Keeps what it is to send."""

    def __init__(self) -> None:
        super().__init__(HepConfig(), Counters())
        self.got: list[Captured] = []

    def send(self, captured: Captured) -> None:
        self.got.append(captured)


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def reports(collector: Collector) -> HepReports:
    call_ids = {LEG: "one@two"}
    return HepReports(collector, lambda leg_id: call_ids.get(leg_id, ""), lambda _host: HERE.host)


def message(captured: Captured) -> Any:
    return json.loads(captured.message)


def test_a_sender_report_that_came(reports: HepReports, collector: Collector) -> None:
    data = build_compound([SENDER, SourceDescription(11, "somebody@somewhere")])
    reports.rtcp(PATH, data, 1_700_000_000.5, sent=False)
    (got,) = collector.got
    assert (got.kind, got.call_id, got.wall) == (HepKind.RTCP, "one@two", 1_700_000_000.5)
    assert (got.source, got.destination) == (THERE, HERE)
    assert message(got) == {
        "ssrc": 11,
        "type": 200,
        "report_count": 1,
        "report_blocks": [
            {
                "source_ssrc": 22,
                "fraction_lost": 64,
                "packets_lost": 0,
                "highest_seq_no": 65_600,
                "ia_jitter": 159,
                "lsr": 0x8000_0001,
                "dlsr": 65536,
            }
        ],
        "sender_information": {
            "ntp_timestamp_sec": 0xE000_0000,
            "ntp_timestamp_usec": 0x8000_0000,
            "rtp_timestamp": 4_000_000_000,
            "packets": 500,
            "octets": 80_000,
        },
    }


def test_a_receiver_report_of_ours_says_nothing_of_a_sender(reports: HepReports, collector: Collector) -> None:
    reports.rtcp(PATH, build_compound([ReceiverReport(11), Bye((11,))]), 1.0, sent=True)
    (got,) = collector.got
    assert (got.source, got.destination) == (HERE, THERE)
    assert message(got) == {"ssrc": 11, "type": 201, "report_count": 0, "report_blocks": []}


def test_a_summary_has_our_mos(reports: HepReports, collector: Collector) -> None:
    reports.summary(PATH, Received(980, 20, 1.23456, 4.12345), 9.0)
    (got,) = collector.got
    assert (got.kind, got.source, got.destination, got.call_id) == (HepKind.RTP_SUMMARY, THERE, HERE, "one@two")
    assert message(got) == {
        "CORRELATION_ID": "one@two",
        "RTP_SIP_CALL_ID": "one@two",
        "TOTAL_PK": 980,
        "EXPECTED_PK": 1000,
        "PACKET_LOSS": 20,
        "JITTER": 1.235,
        "MOS": 4.12,
    }


def test_of_what_nothing_is_told(reports: HepReports, collector: Collector) -> None:
    other = MediaPath(LegId("browser"), 16385, "127.0.0.1", 4001)
    reports.rtcp(other, build_compound([SENDER]), 1.0, sent=False)
    reports.summary(other, Received(980, 20, 1.0, 4.0), 1.0)
    reports.summary(PATH, Received(0, 0, 0.0, 0.0), 1.0)
    reports.rtcp(PATH, b"nonsense", 1.0, sent=False)
    assert not collector.got


def test_without_a_way_to_the_peer_nothing_is_told(collector: Collector) -> None:
    def nowhere(host: str) -> str:
        raise LocalError(f"no way to {host}")

    HepReports(collector, lambda _leg_id: "one@two", nowhere).rtcp(PATH, build_compound([SENDER]), 1.0, sent=True)
    assert not collector.got


def test_call_ids_outlive_their_legs_but_not_for_ever() -> None:
    known = CallIds()
    known.follow(LEG, "first")
    known.follow(LEG, "next trunk")
    known.rename(LEG, LegId("device"))
    known.rename(LegId("nobody"), LegId("somebody"))
    assert (known.of(LEG), known.of(LegId("device")), known.of(LegId("somebody"))) == ("", "next trunk", "")
    known.ended(LegId("device"))
    known.ended(LegId("nobody"))
    for number in range(511):
        end_another(known, number)
    assert known.of(LegId("device")) == "next trunk"
    end_another(known, 511)
    assert (known.of(LegId("device")), known.of(LegId("other 0"))) == ("", "x")


def end_another(known: CallIds, number: int) -> None:
    """A leg that comes and goes."""
    known.follow(LegId(f"other {number}"), "x")
    known.ended(LegId(f"other {number}"))


def test_the_call_id_of_a_leg_that_lasts_stays_known_and_one_that_begins_again_lasts() -> None:
    known = CallIds()
    known.follow(LEG, "first")
    known.ended(LEG)
    known.follow(LEG, "next trunk")
    for number in range(2000):
        end_another(known, number)
    assert known.of(LEG) == "next trunk"
