"""Who hears whom, for every scene there can be."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from voicegw.base.fsm import IllegalTransition
from voicegw.base.ids import LegId
from voicegw.call.edges import AGENT, AGENT_EAR, BRIEFER, RECORDED_IN, RECORDED_OUT, ear_of
from voicegw.call.supervision import (
    SUPERVISION,
    Near,
    Scene,
    SupervisorInput,
    SupervisorMode,
    edges_of,
)

CALLER, CALLEE, BOSS, CHIEF = LegId("caller"), LegId("callee"), LegId("boss"), LegId("chief")
PRESENT = [
    (),
    *(((BOSS, mode),) for mode in SupervisorMode),
    *(
        ((BOSS, boss), (CHIEF, chief))
        for boss, chief in product(SupervisorMode, SupervisorMode)
        if (boss, chief) != (SupervisorMode.TAKEOVER, SupervisorMode.TAKEOVER)
    ),
]
SCENES = [
    Scene(CALLER, near, callee, briefed, transcribed, supervisors)
    for near, callee, briefed, transcribed, supervisors in product(
        Near, (None, CALLEE), (False, True), (False, True), PRESENT
    )
]
ALOUD = (SupervisorMode.BARGE, SupervisorMode.TAKEOVER)


def every_scene(check: Callable[[Scene], None]) -> Callable[[], None]:
    """A test of all of them: a thousand, too many for a test each."""

    def test() -> None:
        for scene in SCENES:
            check(scene)

    return test


def pairs(scene: Scene) -> set[tuple[str, str]]:
    return {(source, sink) for source, sink, _ in edges_of(scene)}


def sources_of(scene: Scene, sink: str) -> set[str]:
    return {source for source, to in pairs(scene) if to == sink}


@every_scene
def test_nobody_hears_themself_and_no_edge_is_there_twice(scene: Scene) -> None:
    assert all(source != sink for source, sink in pairs(scene))
    assert len(edges_of(scene)) == len(pairs(scene))


@every_scene
def test_the_recording_is_what_the_caller_said_and_what_the_caller_was_sent(scene: Scene) -> None:
    assert sources_of(scene, RECORDED_OUT) == sources_of(scene, CALLER)
    assert sources_of(scene, RECORDED_IN) == {CALLER}


@every_scene
def test_the_caller_hears_a_supervisor_in_barge_and_takeover_only(scene: Scene) -> None:
    for leg_id, mode in scene.supervisors:
        assert ((leg_id, CALLER) in pairs(scene)) is (mode in ALOUD)


@every_scene
def test_a_supervisor_hears_all_that_the_caller_says_and_what_others_say_to_them(scene: Scene) -> None:
    for leg_id, mode in scene.supervisors:
        present = mode is not SupervisorMode.NONE
        assert ((CALLER, leg_id) in pairs(scene)) is present
        if present:
            assert sources_of(scene, CALLER) - {leg_id} <= sources_of(scene, leg_id)


@every_scene
def test_a_whisper_is_for_the_agent_or_the_callee_and_for_no_other_supervisor(scene: Scene) -> None:
    for leg_id, mode in scene.supervisors:
        if mode is SupervisorMode.WHISPER:
            hears = {sink for source, sink in pairs(scene) if source == leg_id}
            assert hears <= {ear_of(leg_id), CALLEE}


@every_scene
def test_each_supervisor_has_an_ear_of_their_own_and_listening_is_not_heard(scene: Scene) -> None:
    for leg_id, mode in scene.supervisors:
        speaks = mode not in (SupervisorMode.NONE, SupervisorMode.LISTEN)
        assert sources_of(scene, ear_of(leg_id)) == ({leg_id} if speaks else set())


@every_scene
def test_who_takes_over_leaves_the_caller_to_supervisors_alone(scene: Scene) -> None:
    if SupervisorMode.TAKEOVER in dict(scene.supervisors).values():
        aloud = {leg_id for leg_id, mode in scene.supervisors if mode in ALOUD}
        assert sources_of(scene, CALLER) == aloud
        assert (CALLER, AGENT_EAR) in pairs(scene)


@every_scene
def test_a_bridged_call_is_written_down_where_that_is_wished(scene: Scene) -> None:
    bridged = scene.near is Near.CALLEE and scene.callee is not None
    assert sources_of(scene, ear_of(CALLEE)) == ({CALLEE} if bridged and scene.transcribed else set())
    if bridged and scene.transcribed:
        assert sources_of(scene, AGENT_EAR) == {CALLER}


@every_scene
def test_a_briefing_is_for_the_callee_alone(scene: Scene) -> None:
    assert {sink for source, sink in pairs(scene) if source == BRIEFER} <= {CALLEE}


def test_the_modes_are_the_rows_of_the_design() -> None:
    def added(mode: SupervisorMode) -> set[tuple[str, str]]:
        return pairs(Scene(CALLER, supervisors=((BOSS, mode),))) - pairs(Scene(CALLER))

    listen = {(CALLER, BOSS), (AGENT, BOSS)}
    assert pairs(Scene(CALLER)) == {
        (CALLER, AGENT_EAR),
        (CALLER, RECORDED_IN),
        (AGENT, CALLER),
        (AGENT, RECORDED_OUT),
    }
    assert added(SupervisorMode.LISTEN) == listen
    assert added(SupervisorMode.WHISPER) == listen | {(BOSS, ear_of(BOSS))}
    barge = listen | {(BOSS, ear_of(BOSS)), (BOSS, CALLER), (BOSS, RECORDED_OUT)}
    assert added(SupervisorMode.BARGE) == barge
    takeover = pairs(Scene(CALLER, supervisors=((BOSS, SupervisorMode.TAKEOVER),)))
    assert takeover == (pairs(Scene(CALLER)) | barge) - {(AGENT, CALLER), (AGENT, RECORDED_OUT)}


@pytest.mark.parametrize(("mode", "happened"), list(product(SupervisorMode, SupervisorInput)))
def test_every_pair_has_a_row_or_is_refused(mode: SupervisorMode, happened: SupervisorInput) -> None:
    if mode is SupervisorMode.NONE and happened is not SupervisorInput.LISTEN:
        with pytest.raises(IllegalTransition):
            SUPERVISION.next(mode, happened)
    else:
        after = SUPERVISION.next(mode, happened)
        assert (after is SupervisorMode.NONE) is (happened is SupervisorInput.LEAVE)
