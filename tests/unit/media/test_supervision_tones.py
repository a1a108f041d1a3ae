"""Every mode of a supervisor in packets: each party has a pitch of its own, and nobody hears too much."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import Peer, Rig, power_at, tone
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.call.edges import AGENT, AGENT_EAR, BRIEFER, ear_of
from voicegw.call.supervision import Near, Scene, SupervisorMode, edges_of
from voicegw.media import messages as m

CALL = CallId("call")
CALLER, BOSS, DESK = LegId("caller"), LegId("boss"), LegId("desk")
HZ = {CALLER: 400.0, BOSS: 700.0, AGENT: 1100.0, DESK: 1700.0}
M = SupervisorMode


class Stage:
    """A call in which everybody speaks all the time."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.peers = {name: self.rig.open(name) for name in (CALLER, BOSS, DESK)}
        self.rig.do(m.StartRecording(CALL, "x.wav"))
        said = np.concatenate([tone(HZ[AGENT], 160, start=160 * i) for i in range(3000)])
        self.rig.do(m.QueueAudio(CALL, UtteranceId("u"), said.tobytes(), final=True, interruptible=False))

    def show(self, scene: Scene) -> None:
        self.rig.do(m.SetMix(CALL, edges_of(scene)))

    def play(self, ticks: int) -> None:
        for _ in range(ticks):
            for name, peer in self.peers.items():
                peer.say_tone(HZ[name])
            self.rig.tick()

    def heard(self, peer: Peer, ticks: int = 20) -> set[str]:
        """Whose pitch the peer heard lately."""
        return pitches(peer.heard()[-160 * ticks :])

    def tapped(self, ear: str, ticks: int = 20) -> set[str]:
        frames = [frame.pcm for batch in self.rig.of(m.AudioBatch) for frame in batch.frames if frame.ear == ear]
        audio = np.frombuffer(b"".join(frames), np.int16)
        return pitches(audio[-160 * ticks :])

    def recorded_out(self, ticks: int = 20) -> set[str]:
        return pitches(np.concatenate(self.rig.recorder.right[CALL][-ticks:]))


def pitches(pcm: np.ndarray) -> set[str]:
    return {name for name, hz in HZ.items() if len(pcm) and power_at(pcm, hz) > 500}


@pytest.mark.parametrize(
    ("mode", "caller", "boss", "written"),
    [
        (M.NONE, {AGENT}, set(), set()),
        (M.LISTEN, {AGENT}, {CALLER, AGENT}, set()),
        (M.WHISPER, {AGENT}, {CALLER, AGENT}, {BOSS}),
        (M.BARGE, {AGENT, BOSS}, {CALLER, AGENT}, {BOSS}),
        (M.TAKEOVER, {BOSS}, {CALLER, AGENT}, {BOSS}),
    ],
)
def test_who_hears_whom_with_an_agent(mode: M, caller: set[str], boss: set[str], written: set[str]) -> None:
    stage = Stage()
    stage.show(Scene(CALLER, supervisors=((BOSS, mode),)))
    stage.play(30)
    assert stage.heard(stage.peers[CALLER]) == caller == stage.recorded_out()
    assert stage.heard(stage.peers[BOSS]) == boss
    assert stage.tapped(ear_of(BOSS)) == written
    assert stage.tapped(AGENT_EAR) == {CALLER}


@pytest.mark.parametrize(
    ("mode", "caller", "boss", "desk"),
    [
        (M.NONE, {DESK}, set(), {CALLER}),
        (M.LISTEN, {DESK}, {CALLER, DESK}, {CALLER}),
        (M.WHISPER, {DESK}, {CALLER, DESK}, {CALLER, BOSS}),
        (M.BARGE, {DESK, BOSS}, {CALLER, DESK}, {CALLER, BOSS}),
        (M.TAKEOVER, {BOSS}, {CALLER, DESK}, {CALLER, BOSS}),
    ],
)
def test_who_hears_whom_on_a_bridged_call(mode: M, caller: set[str], boss: set[str], desk: set[str]) -> None:
    stage = Stage()
    stage.show(Scene(CALLER, Near.CALLEE, DESK, supervisors=((BOSS, mode),)))
    stage.play(30)
    assert stage.heard(stage.peers[CALLER]) == caller == stage.recorded_out()
    assert stage.heard(stage.peers[BOSS]) == boss
    assert stage.heard(stage.peers[DESK]) == desk


def test_the_caller_hears_no_whisper_in_any_packet_while_the_modes_go_round() -> None:
    stage = Stage()
    for mode in (M.LISTEN, M.WHISPER, M.LISTEN, M.WHISPER, M.NONE) * 3:
        stage.show(Scene(CALLER, supervisors=((BOSS, mode),)))
        stage.play(5)
    heard = stage.peers[CALLER].heard()
    for start in range(0, len(heard) - 400, 400):
        assert power_at(heard[start : start + 400], HZ[BOSS]) < 200


def test_a_change_is_in_force_with_the_next_tick_and_told() -> None:
    stage = Stage()
    stage.show(Scene(CALLER))
    stage.play(10)
    asked_at = stage.rig.clock.monotonic()
    scene = Scene(CALLER, supervisors=((BOSS, M.TAKEOVER),))
    stage.show(scene)
    stage.play(1)
    told = stage.rig.of(m.MixChanged)[-1]
    assert told.edges == edges_of(scene)
    assert told.at - asked_at == pytest.approx(0.02)
    stage.play(4)
    assert stage.heard(stage.peers[CALLER], ticks=4) == {BOSS}


def test_a_briefing_is_heard_by_the_desk_and_waits_until_somebody_hears_it() -> None:
    stage = Stage()
    words = tone(2300.0, 160 * 20)
    stage.show(Scene(CALLER, Near.ANNOUNCER, DESK))
    told = m.QueueAudio(CALL, UtteranceId("b"), words.tobytes(), final=True, interruptible=False, voice=BRIEFER)
    stage.rig.do(told)
    stage.play(10)
    assert not [event for event in stage.rig.of(m.PlayoutStarted) if event.utterance_id == "b"]
    stage.show(Scene(CALLER, Near.ANNOUNCER, DESK, briefed=True))
    stage.play(22)
    assert [event for event in stage.rig.of(m.PlayoutFinished) if event.utterance_id == "b"]
    assert power_at(stage.peers[DESK].heard()[-160 * 18 :], 2300.0) > 500
    assert power_at(stage.peers[CALLER].heard()[-160 * 18 :], 2300.0) < 100


def test_cutting_one_voice_leaves_the_others_alone() -> None:
    stage = Stage()
    stage.show(Scene(CALLER))
    stage.play(5)
    told = m.QueueAudio(CALL, UtteranceId("b"), bytes(3200), final=True, voice=BRIEFER)
    stage.rig.do(told, m.CutPlayout(CALL, BRIEFER), m.PausePlayout(CALL, "nobody"), m.ResumePlayout(CALL, "nobody"))
    assert [event.utterance_id for event in stage.rig.of(m.PlayoutCut)] == ["b"]
    stage.play(5)
    assert stage.heard(stage.peers[CALLER], ticks=5) == {AGENT}
