"""Keys as tones, both ways, through the whole engine."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import Peer, Rig, tone
from voicegw.audio.progress import progress_tone
from voicegw.audio.tones import DtmfDetector, dtmf
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media import messages as m


def talk(rig: Rig, peer: Peer, samples: object) -> None:
    pcm = np.asarray(samples, np.int16)
    for start in range(0, len(pcm) - 159, 160):
        peer.say(pcm[start : start + 160])
        rig.tick()
    for _ in range(10):
        peer.say(np.zeros(160, np.int16))
        rig.tick()


def digits_in(pcm: np.ndarray[tuple[int], np.dtype[np.int16]]) -> str:
    detector, row = DtmfDetector(1), np.array([0], np.intp)
    frames = np.concatenate([pcm[: len(pcm) // 160 * 160], np.zeros(480, np.int16)]).reshape(-1, 1, 160)
    return "".join(press.digit for frame in frames for press in detector.process(row, frame))


def test_keys_are_heard_as_tones_where_that_was_agreed() -> None:
    rig = Rig()
    peer = rig.open("a", dtmf_payload_type=-1, inband_keys=True)
    talk(rig, peer, dtmf("1290*#", 80, 60))
    pressed = rig.of(m.DtmfReceived)
    assert "".join(press.digit for press in pressed) == "1290*#"
    assert all(60 <= press.duration_ms <= 110 for press in pressed)


def test_nobody_listens_for_tones_where_events_were_agreed() -> None:
    rig = Rig()
    peer = rig.open("a")
    talk(rig, peer, dtmf("12", 80, 60))
    assert rig.of(m.DtmfReceived) == []


@pytest.mark.parametrize("digits", ["5", "0123456789*#ABCD"])
def test_keys_are_sent_as_tones_and_the_playout_waits_for_them(digits: str) -> None:
    rig = Rig()
    peer = rig.open("a", dtmf_payload_type=-1, inband_keys=True)
    rig.mix(("agent", "a"))
    rig.do(m.SendDtmf(LegId("a"), digits, 100))
    rig.do(m.QueueAudio(CallId("call"), UtteranceId("u"), tone(500, 800).tobytes(), final=True))
    rig.tick(len(digits) * 11 + 20)
    assert rig.of(m.DtmfSent) == [m.DtmfSent(LegId("a"), digits)]
    assert digits_in(peer.heard()) == digits
    finished = rig.of(m.PlayoutFinished)
    assert [event.sent_samples for event in finished] == [800], "not a sample of it was lost under the tones"


def test_two_orders_follow_one_another() -> None:
    rig = Rig()
    peer = rig.open("a", dtmf_payload_type=-1, inband_keys=True)
    rig.do(m.SendDtmf(LegId("a"), "12", 80), m.SendDtmf(LegId("a"), "3", 80))
    rig.tick(60)
    assert [event.digits for event in rig.of(m.DtmfSent)] == ["12", "3"]
    assert digits_in(peer.heard()) == "123"


def test_the_network_is_heard_on_legs_that_we_called_and_on_no_others() -> None:
    rig = Rig()
    called, caller = rig.open("called", progress=True), rig.open("caller", "other")
    busy = np.frombuffer(progress_tone("busy", 4000), np.int16)
    for start in range(0, len(busy), 160):
        called.say(busy[start : start + 160])
        caller.say(busy[start : start + 160])
        rig.tick()
    assert [(event.leg_id, event.tone) for event in rig.of(m.ToneHeard)] == [("called", "busy")]
