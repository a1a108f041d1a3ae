"""Who hears whom changes without a click: no step between two samples where all who speak are steady."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import Peer, Rig
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.call.edges import AGENT
from voicegw.call.supervision import Near, Scene, SupervisorMode, edges_of
from voicegw.media import messages as m

CALL = CallId("call")
CALLER, BOSS, DESK = LegId("caller"), LegId("boss"), LegId("desk")
LEVELS = {CALLER: 2000, BOSS: 6000, DESK: -6000}
AGENT_LEVEL = -7000
STEADY = 900
"""More than a step of G.711 at the sum of these levels, or than a twentieth of it in a sample of 20 ms."""
M = SupervisorMode


class Line:
    """Everybody sounds one level all the time: each change of it is a change of who is heard."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.peers: dict[str, Peer] = {name: self.rig.open(name) for name in (CALLER, BOSS, DESK)}
        self.rig.do(m.StartRecording(CALL, "x.wav"))
        said = np.full(160 * 400, AGENT_LEVEL, np.int16)
        self.rig.do(m.QueueAudio(CALL, UtteranceId("u"), said.tobytes(), final=True, interruptible=False))

    def show(self, scene: Scene, ticks: int = 12) -> None:
        self.rig.do(m.SetMix(CALL, edges_of(scene)))
        self.go_on(ticks)

    def go_on(self, ticks: int) -> None:
        for _ in range(ticks):
            for name, peer in self.peers.items():
                peer.say(np.full(160, LEVELS[name], np.int16))
            self.rig.tick()

    def steps(self, heard: np.ndarray, ticks: int) -> int:
        """The largest difference of two samples in the last ``ticks``."""
        return int(np.abs(np.diff(heard[-160 * ticks :].astype(np.int32))).max())


@pytest.mark.parametrize("near", [Near.AGENT, Near.CALLEE])
def test_modes_of_a_supervisor(near: Near) -> None:
    line = Line()
    line.show(Scene(CALLER, near, DESK), ticks=40)
    modes = (M.LISTEN, M.BARGE, M.TAKEOVER, M.WHISPER, M.TAKEOVER, M.NONE, M.BARGE, M.NONE)
    for mode in modes:
        line.show(Scene(CALLER, near, DESK, supervisors=((BOSS, mode),)))
    for name in (CALLER, DESK, BOSS):
        assert line.steps(line.peers[name].heard(), 12 * len(modes)) < STEADY, name
    recorded = np.concatenate(line.rig.recorder.right[CALL])
    assert line.steps(recorded, 12 * len(modes)) < STEADY, "nor in the recording"


def test_an_agent_who_is_heard_no_more_and_heard_again() -> None:
    line = Line()
    alone = Scene(CALLER)
    line.show(alone, ticks=40)
    line.show(Scene(CALLER, supervisors=((BOSS, M.TAKEOVER),)))
    line.show(alone)
    heard = line.peers[CALLER].heard()
    assert line.steps(heard, 24) < STEADY
    assert abs(int(heard[-1]) - AGENT_LEVEL) < STEADY


def test_two_changes_before_one_frame_and_one_that_changes_nothing() -> None:
    line = Line()
    line.show(Scene(CALLER), ticks=40)
    line.rig.do(m.SetMix(CALL, ((BOSS, CALLER, 1.0),)))
    line.show(Scene(CALLER, Near.CALLEE, DESK))
    assert line.steps(line.peers[CALLER].heard(), 13) < STEADY
    before = len(line.rig.of(m.MixChanged))
    line.show(Scene(CALLER, Near.CALLEE, DESK))
    assert line.steps(line.peers[CALLER].heard(), 12) < STEADY
    assert len(line.rig.of(m.MixChanged)) == before + 1


def test_the_first_edges_of_a_call_are_there_at_once() -> None:
    rig = Rig()
    peer = rig.open(CALLER)
    rig.do(m.SetMix(CALL, ((AGENT, CALLER, 1.0),)))
    said = np.full(1600, AGENT_LEVEL, np.int16)
    rig.do(m.QueueAudio(CALL, UtteranceId("u"), said.tobytes(), final=True))
    rig.tick(2)
    assert abs(int(peer.heard()[0]) - AGENT_LEVEL) < STEADY, "nothing of the first word is taken away"
