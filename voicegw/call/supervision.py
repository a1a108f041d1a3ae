"""Who hears whom in one call: a pure function from the state of the call to the edges of its mix (DESIGN §4).

Everything that changes who hears whom, a transfer or a supervisor's mode, is one new :class:`Scene` and one
command to the media worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voicegw.base.fsm import TransitionTable
from voicegw.base.ids import LegId
from voicegw.call.edges import (
    AGENT,
    AGENT_EAR,
    ANNOUNCER,
    BRIEFER,
    RECORDED_IN,
    RECORDED_OUT,
    SUPERVISOR_EAR,
    Edge,
)


class SupervisorMode(Enum):
    """What a supervisor does in a call. *Barge* is the supervisor, *barge-in* is the caller."""

    NONE = "none"
    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"
    TAKEOVER = "takeover"


class SupervisorInput(Enum):
    """What moves a supervisor from mode to mode."""

    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"
    LEAVE = "leave"


_M, _I = SupervisorMode, SupervisorInput
_PRESENT = (_M.LISTEN, _M.WHISPER, _M.BARGE, _M.TAKEOVER)

SUPERVISION: TransitionTable[SupervisorMode, SupervisorInput] = TransitionTable(
    "supervision",
    {
        (_M.NONE, _I.LISTEN): _M.LISTEN,
        **{(mode, _I.LISTEN): _M.LISTEN for mode in _PRESENT},
        **{(mode, _I.WHISPER): _M.WHISPER for mode in _PRESENT},
        **{(mode, _I.BARGE): _M.BARGE for mode in _PRESENT},
        **{(mode, _I.TAKE_OVER): _M.TAKEOVER for mode in _PRESENT},
        **{(mode, _I.HAND_BACK): _M.LISTEN for mode in _PRESENT},
        **{(mode, _I.LEAVE): _M.NONE for mode in _PRESENT},
    },
)
"""A supervisor comes in listening. Handing back ends in LISTEN: they stay and hear whether it goes well."""


class Near(Enum):
    """Whom the caller hears when no supervisor interferes."""

    AGENT = "agent"
    ANNOUNCER = "announcer"
    CALLEE = "callee"


@dataclass(frozen=True, slots=True)
class Scene:
    """Who is in the call. ``briefed``: the callee is told what it is about while the caller waits."""

    caller: LegId
    near: Near = Near.AGENT
    callee: LegId | None = None
    briefed: bool = False
    supervisor: LegId | None = None
    mode: SupervisorMode = SupervisorMode.NONE


def edges_of(scene: Scene) -> tuple[Edge, ...]:
    """The whole matrix of a call, every edge once, at unity gain."""
    pairs = [*_base(scene), *_supervised(scene)]
    if scene.supervisor is not None and scene.mode is SupervisorMode.TAKEOVER:
        pairs = [(source, sink) for source, sink in pairs if not _silenced(scene, source, sink)]
    return tuple((source, sink, 1.0) for source, sink in pairs)


def _base(scene: Scene) -> list[tuple[str, str]]:
    caller, callee = scene.caller, scene.callee
    pairs: list[tuple[str, str]] = [(caller, RECORDED_IN)]
    match scene.near:
        case Near.AGENT:
            pairs += [(caller, AGENT_EAR), (AGENT, caller), (AGENT, RECORDED_OUT)]
        case Near.ANNOUNCER:
            pairs += [(ANNOUNCER, caller), (ANNOUNCER, RECORDED_OUT)]
            if callee is not None and scene.briefed:
                pairs.append((BRIEFER, callee))
        case Near.CALLEE if callee is not None:
            pairs += [(caller, callee), (callee, caller), (callee, RECORDED_OUT)]
        case Near.CALLEE:
            pass
    return pairs


def _supervised(scene: Scene) -> list[tuple[str, str]]:
    supervisor, caller, callee = scene.supervisor, scene.caller, scene.callee
    mode = scene.mode
    if supervisor is None or mode is SupervisorMode.NONE:
        return []
    pairs: list[tuple[str, str]] = [(caller, supervisor), *((voice, supervisor) for voice in _voices(scene))]
    if mode is SupervisorMode.LISTEN:
        return pairs
    pairs.append((supervisor, SUPERVISOR_EAR))
    bridged = callee if scene.near is Near.CALLEE else None
    if bridged is not None:
        pairs.append((supervisor, bridged))  # a whisper to a human, who also hears what the caller hears
    if mode in (SupervisorMode.BARGE, SupervisorMode.TAKEOVER):
        pairs += [(supervisor, caller), (supervisor, RECORDED_OUT)]
    if mode is SupervisorMode.TAKEOVER and (caller, AGENT_EAR) not in _base(scene):
        pairs.append((caller, AGENT_EAR))  # transcription goes on for whoever takes the call back
    return pairs


def _voices(scene: Scene) -> tuple[str, ...]:
    """What the caller hears of others."""
    match scene.near:
        case Near.AGENT:
            return (AGENT,)
        case Near.ANNOUNCER:
            return (ANNOUNCER,)
        case Near.CALLEE:
            return (scene.callee,) if scene.callee is not None else ()


def _silenced(scene: Scene, source: str, sink: str) -> bool:
    """Whether a take-over takes this edge away: nobody but the supervisor talks with the caller."""
    return source in _voices(scene) and sink in (scene.caller, RECORDED_OUT)
