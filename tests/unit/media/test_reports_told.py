"""Reports of RTCP are told as events where somebody asked for them, and only there."""

from __future__ import annotations

import pytest

from tests.unit.media.rig import SERVER_IP, Peer, Rig
from voicegw.base.ids import CallId, LegId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.rtp.rtcp import Bye, ReceiverReport, SenderReport, build_compound, parse_compound

REPORT = build_compound([ReceiverReport(1)])


def talk(rig: Rig, peer: Peer) -> None:
    for _ in range(100):
        peer.say_tone(440)
        rig.tick()


@pytest.mark.parametrize("mux", [False, True])
def test_what_is_sent_and_what_comes(mux: bool) -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    rig.engine.tell_reports()
    peer = rig.open("a", rtcp_mux=mux)
    talk(rig, peer)
    above = 0 if mux else 1
    rig.network.deliver(REPORT, (peer.address[0], peer.address[1] + above), (SERVER_IP, peer.server[1] + above))
    rig.network.deliver(b"nonsense", peer.address, (SERVER_IP, peer.server[1] + 1))
    rig.network.deliver(REPORT, ("198.51.100.66", 6666), (SERVER_IP, peer.server[1] + 1))
    rig.tick()
    (came,) = [passed for passed in rig.of(m.RtcpPassed) if not passed.sent]
    assert came == m.RtcpPassed(
        peer.leg_id,
        rig.clock.wall(),
        False,
        peer.server[1] + above,
        peer.address[0],
        peer.address[1] + above,
        REPORT,
    )
    sent = [passed for passed in rig.of(m.RtcpPassed) if passed.sent]
    assert isinstance(parse_compound(sent[0].data)[0], SenderReport)
    assert {(one.port, one.remote_port) for one in sent} == {(peer.server[1] + above, peer.address[1] + above)}


def test_the_last_one_and_the_places_of_the_audio_come_before_the_leg_is_over() -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    rig.engine.tell_reports()
    peer = rig.open("a")
    talk(rig, peer)
    rig.do(m.CloseLeg(peer.leg_id))
    *_, last, closed = rig.events
    assert isinstance(last, m.RtcpPassed) and isinstance(parse_compound(last.data)[-1], Bye)
    assert isinstance(closed, m.LegClosed)
    assert (closed.port, closed.remote_ip, closed.remote_port) == (peer.server[1], *peer.address)


def test_nobody_asked() -> None:
    rig = Rig(MediaConfig(max_legs=4, rtcp_interval_ms=1000))
    peer = rig.open("a")
    talk(rig, peer)
    rig.do(m.CloseLeg(peer.leg_id))
    assert not rig.of(m.RtcpPassed)


def test_a_leg_that_was_never_agreed_has_no_peer() -> None:
    rig = Rig()
    rig.do(m.OpenLeg(LegId("b"), CallId("call"), SERVER_IP), m.CloseLeg(LegId("b")))
    (closed,) = rig.of(m.LegClosed)
    assert (closed.remote_ip, closed.remote_port) == ("", 0)
