"""How a leg sounds while the call goes on: spans, what is news, what is poor."""

from __future__ import annotations

from tests.unit.media.rig import SERVER_IP, Peer, Rig, tone
from voicegw.base.ids import LegId
from voicegw.media import messages as m
from voicegw.media.quality import POOR_MOS, PeerEar, QualitySpan, Totals
from voicegw.rtp.rtcp import ReceiverReport, ReportBlock, build_compound
from voicegw.rtp.stats import mos

SPAN_TICKS = 250


def talk(rig: Rig, peer: Peer, spans: int, *, lose_every: int = 0) -> list[m.QualityRated]:
    """Audio for so many spans; every so-manieth packet is lost on the way."""
    before = len(rig.of(m.QualityRated))
    for number in range(spans * SPAN_TICKS):
        peer.say(tone(400), drop=bool(lose_every) and number % lose_every == 0)
        rig.tick()
    return rig.of(m.QualityRated)[before:]


def test_a_good_leg_is_told_once_and_a_poor_one_again_and_again() -> None:
    rig = Rig()
    peer = rig.open("a")
    good = talk(rig, peer, 5)
    assert len(good) == 1 and good[0].mos > 4.2 and good[0].loss == 0.0
    poor = talk(rig, peer, 3, lose_every=5)
    assert 2 <= len(poor) <= 3 and all(one.mos < POOR_MOS for one in poor)
    assert abs(poor[-1].loss - 0.2) < 0.02
    again = talk(rig, peer, 3)
    assert again[-1].mos == good[0].mos and len(again) <= 2


def test_a_leg_that_sends_nothing_is_not_rated() -> None:
    rig = Rig()
    peer = rig.open("a")
    talk(rig, peer, 2)
    rated = len(rig.of(m.QualityRated))
    for _ in range(3 * SPAN_TICKS):
        rig.tick()
    assert len(rig.of(m.QualityRated)) <= rated + 1


def test_what_the_peer_hears_of_us_counts_as_long_as_it_is_told() -> None:
    span = QualitySpan()
    span.rate(Totals(0, 0), 40.0, 0.0)
    assert (first := span.rate(Totals(250, 0), 40.0, 5.0)) is not None and first.peer_mos == 0.0
    span.peer_reports(77, 9.0)  # three in ten
    assert (told := span.rate(Totals(500, 0), 40.0, 10.0)) is not None
    assert told.mos > 4.0 and told.peer_mos < 2.2
    assert span.rate(Totals(750, 0), 40.0, 15.0) is not None, "poor is told again"
    silent = span.rate(Totals(1750, 0), 40.0, 35.0)
    assert silent is not None and silent.peer_mos == 0.0


def test_report_blocks_of_the_peer_reach_the_rating() -> None:
    rig = Rig()
    peer = rig.open("a")
    assert talk(rig, peer, 2)[0].peer_mos == 0.0
    block = ReportBlock(peer.packets[0].ssrc, 128, 100, 500, 0, 0, 0)
    report = build_compound([ReceiverReport(peer.ssrc, (block,))])
    rig.network.deliver(report, peer.address, (SERVER_IP, peer.server[1] + 1))
    told = talk(rig, peer, 1)[-1]
    assert told.mos > 4.0 and told.peer_mos < POOR_MOS


def test_the_peer_counts_from_nothing_when_our_stream_is_another_one() -> None:
    ear = PeerEar()
    assert ear.mos(40.0) == 0.0
    ear.hear(ReportBlock(7, 0, 10, 0, 80), 1000, 8000)
    ear.hear(ReportBlock(8, 0, -3, 0, 480), 1500, 48_000)
    assert (ear.lost, ear.sent, ear.jitter_ms) == (10, 1500, 10.0)
    ear.hear(ReportBlock(8, 0, 5, 0, 0), 2000, 48_000)
    assert ear.lost == 15
    assert ear.mos(40.0) == mos(15 / 2000, 40.0)


def test_the_final_delay_is_that_of_the_whole_call_without_what_could_not_be_rated() -> None:
    span = QualitySpan()
    assert span.mean_delay_ms(30.0) == 30.0, "nothing was rated: as it is now"
    for second, (received, delay_ms) in enumerate([(0, 40.0), (250, 60.0), (500, 100.0), (501, 900.0)]):
        span.rate(Totals(received, 0), delay_ms, 5.0 * second)
    assert span.mean_delay_ms(400.0) == 80.0


def test_the_last_counters_of_a_leg_have_what_its_peer_heard() -> None:
    rig = Rig()
    peer, silent = rig.open("a"), rig.open("b")
    talk(rig, peer, 2)
    block = ReportBlock(peer.packets[0].ssrc, 20, 40, 500, 80, 0, 0)
    report = build_compound([ReceiverReport(peer.ssrc, (block,))])
    rig.network.deliver(report, peer.address, (SERVER_IP, peer.server[1] + 1))
    talk(rig, peer, 1)
    rig.do(m.CloseLeg(LegId("a")), m.CloseLeg(silent.leg_id))
    heard, unheard = (event.stats for event in rig.of(m.LegClosed))
    assert (heard.peer_lost, heard.peer_jitter_ms) == (40, 10.0)
    assert 3.0 < heard.peer_mos < 4.0 < heard.mos
    assert (unheard.peer_lost, unheard.peer_jitter_ms, unheard.peer_mos) == (0, -1.0, 0.0)
