"""Who hears whom, for every scene there can be."""

from __future__ import annotations

from itertools import product

import pytest

from voicegw.base.fsm import IllegalTransition
from voicegw.base.ids import LegId
from voicegw.call.edges import AGENT, AGENT_EAR, BRIEFER, RECORDED_IN, RECORDED_OUT, SUPERVISOR_EAR
from voicegw.call.supervision import (
    SUPERVISION,
    Near,
    Scene,
    SupervisorInput,
    SupervisorMode,
    edges_of,
)

CALLER, CALLEE, BOSS = LegId("caller"), LegId("callee"), LegId("boss")
SCENES = [
    Scene(CALLER, near, callee, briefed, boss, mode)
    for near, callee, briefed, boss, mode in product(
        Near, (None, CALLEE), (False, True), (None, BOSS), SupervisorMode
    )
]


def pairs(scene: Scene) -> set[tuple[str, str]]:
    return {(source, sink) for source, sink, _ in edges_of(scene)}


@pytest.mark.parametrize("scene", SCENES)
def test_nobody_hears_themself_and_no_edge_is_there_twice(scene: Scene) -> None:
    assert all(source != sink for source, sink in pairs(scene))
    assert len(edges_of(scene)) == len(pairs(scene))


@pytest.mark.parametrize("scene", SCENES)
def test_the_recording_is_what_the_caller_said_and_what_the_caller_was_sent(scene: Scene) -> None:
    into = {sink: {source for source, to in pairs(scene) if to == sink} for _, sink in pairs(scene)}
    assert into.get(RECORDED_OUT, set()) == into.get(CALLER, set())
    assert into[RECORDED_IN] == {CALLER}


@pytest.mark.parametrize("scene", SCENES)
def test_the_caller_hears_a_supervisor_in_barge_and_takeover_only(scene: Scene) -> None:
    speaks = scene.supervisor is not None and scene.mode in (SupervisorMode.BARGE, SupervisorMode.TAKEOVER)
    assert ((BOSS, CALLER) in pairs(scene)) is speaks


@pytest.mark.parametrize("scene", SCENES)
def test_a_supervisor_hears_all_that_the_caller_says_and_what_others_say_to_them(scene: Scene) -> None:
    present = scene.supervisor is not None and scene.mode is not SupervisorMode.NONE
    assert ((CALLER, BOSS) in pairs(scene)) is present
    if present:
        told = {source for source, sink in pairs(scene) if sink == CALLER} - {BOSS}
        assert told <= {source for source, sink in pairs(scene) if sink == BOSS}


@pytest.mark.parametrize("scene", SCENES)
def test_who_takes_over_is_alone_with_the_caller(scene: Scene) -> None:
    if scene.supervisor is not None and scene.mode is SupervisorMode.TAKEOVER:
        assert {source for source, sink in pairs(scene) if sink == CALLER} == {BOSS}
        assert (CALLER, AGENT_EAR) in pairs(scene)


@pytest.mark.parametrize("scene", SCENES)
def test_a_briefing_is_for_the_callee_alone(scene: Scene) -> None:
    assert {sink for source, sink in pairs(scene) if source == BRIEFER} <= {CALLEE}


def test_the_modes_are_the_rows_of_the_design() -> None:
    def added(mode: SupervisorMode) -> set[tuple[str, str]]:
        return pairs(Scene(CALLER, supervisor=BOSS, mode=mode)) - pairs(Scene(CALLER))

    listen = {(CALLER, BOSS), (AGENT, BOSS)}
    assert pairs(Scene(CALLER)) == {
        (CALLER, AGENT_EAR),
        (CALLER, RECORDED_IN),
        (AGENT, CALLER),
        (AGENT, RECORDED_OUT),
    }
    assert added(SupervisorMode.LISTEN) == listen
    assert added(SupervisorMode.WHISPER) == listen | {(BOSS, SUPERVISOR_EAR)}
    barge = listen | {(BOSS, SUPERVISOR_EAR), (BOSS, CALLER), (BOSS, RECORDED_OUT)}
    assert added(SupervisorMode.BARGE) == barge
    takeover = pairs(Scene(CALLER, supervisor=BOSS, mode=SupervisorMode.TAKEOVER))
    assert takeover == (pairs(Scene(CALLER)) | barge) - {(AGENT, CALLER), (AGENT, RECORDED_OUT)}


@pytest.mark.parametrize(("mode", "happened"), list(product(SupervisorMode, SupervisorInput)))
def test_every_pair_has_a_row_or_is_refused(mode: SupervisorMode, happened: SupervisorInput) -> None:
    if mode is SupervisorMode.NONE and happened is not SupervisorInput.LISTEN:
        with pytest.raises(IllegalTransition):
            SUPERVISION.next(mode, happened)
    else:
        after = SUPERVISION.next(mode, happened)
        assert (after is SupervisorMode.NONE) is (happened is SupervisorInput.LEAVE)
