"""What our reports say about time: the peer finds its round trip from it."""

from __future__ import annotations

from tests.unit.media.rig import SERVER_IP, Rig
from voicegw.media.config import MediaConfig
from voicegw.rtp.rtcp import SenderReport, build_compound, middle_32, parse_compound, to_ntp


def test_a_report_that_came_in_the_middle_of_a_tick_has_not_waited_since_its_beginning() -> None:
    """Else the peer would find less than no time for the way there and back (RFC 3550 §6.4.1)."""
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    peer = rig.open("a")
    peer.say_tone(400)
    rig.tick()
    began = rig.clock.monotonic()
    rig.clock.advance(0.01)
    report = build_compound([SenderReport(peer.ssrc, to_ntp(rig.clock.wall()), 0, 1, 1)])
    reporter = (peer.address[0], peer.address[1] + 1)
    rig.network.deliver(report, reporter, (SERVER_IP, peer.server[1] + 1))
    rig.engine.tick(began)
    rig.tick(100)
    answers = [parse_compound(data)[0] for data in rig.network.outbox[reporter]]
    delays = [(one.ntp, block) for one in answers if isinstance(one, SenderReport) for block in one.blocks]
    assert delays and all(block.last_sr for _, block in delays)
    for ntp, block in delays:
        assert abs(middle_32(ntp) - block.last_sr - block.delay_since_sr) <= 1, "no time has passed on the way"
