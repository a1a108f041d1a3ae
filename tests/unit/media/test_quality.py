"""How a leg sounds while the call goes on: spans, what is news, what is poor."""

from __future__ import annotations

from tests.unit.media.rig import SERVER_IP, Peer, Rig, tone
from voicegw.media import messages as m
from voicegw.media.quality import POOR_MOS, QualitySpan, Totals
from voicegw.rtp.rtcp import ReceiverReport, ReportBlock, build_compound

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
