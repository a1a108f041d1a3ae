"""Who hears whom in one call: a pure function from the state of the call to the edges of its mix (DESIGN §4).

Everything that changes who hears whom, a transfer or a supervisor's mode, is one new :class:`Scene` and one
command to the media worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voicegw.base.errors import ConfigError
from voicegw.base.fsm import TransitionTable
from voicegw.base.ids import LegId
from voicegw.call.edges import (
    AGENT,
    AGENT_EAR,
    ANNOUNCER,
    BRIEFER,
    RECORDED_IN,
    RECORDED_OUT,
    Edge,
    ear_of,
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


@dataclass(frozen=True, slots=True)
class SupervisionConfig:
    """How supervisors take part by telephone."""

    prefix: str = "supervise"
    """A phone that dials ``prefix+CODE`` joins the call that the code was given out for."""
    code_s: float = 120.0
    """How long such a code can be used, once."""
    listen_key: str = "1"
    """Keys of the supervisor's phone."""
    whisper_key: str = "2"
    """The agent hears the supervisor, the caller does not."""
    barge_key: str = "3"
    """All three talk."""
    takeover_key: str = "4"
    """The supervisor alone talks with the caller."""
    hand_back_key: str = "5"
    """The agent goes on; the supervisor listens."""
    recording_key: str = "6"
    """From here on silence is recorded; once more: what is heard again."""
    max_per_call: int = 4
    """So many supervisors may take part in one call; one at a time can have taken it over."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        keys = self.keys
        if len(keys) < len(SupervisorInput) - 1 or not set(keys) <= set("0123456789*#"):
            raise ConfigError("the keys of a supervisor are not five different ones", fix="take 1, 2, 3, 4 and 5")
        if len(self.recording_key) != 1 or self.recording_key in keys or self.recording_key not in "0123456789*#":
            raise ConfigError("recording_key is no key of its own", fix="take 6")
        if self.max_per_call < 1:
            raise ConfigError(f"max_per_call is {self.max_per_call}", fix="take 4; at least 1")
        if not self.prefix or "+" in self.prefix:
            raise ConfigError(f"prefix is {self.prefix!r}", fix="take supervise")

    @property
    def keys(self) -> dict[str, SupervisorInput]:
        """What each key does."""
        return {
            self.listen_key: SupervisorInput.LISTEN,
            self.whisper_key: SupervisorInput.WHISPER,
            self.barge_key: SupervisorInput.BARGE,
            self.takeover_key: SupervisorInput.TAKE_OVER,
            self.hand_back_key: SupervisorInput.HAND_BACK,
        }


_ALOUD = (SupervisorMode.BARGE, SupervisorMode.TAKEOVER)
"""Modes in which the caller hears the supervisor."""


class Near(Enum):
    """Whom the caller hears when no supervisor interferes."""

    AGENT = "agent"
    ANNOUNCER = "announcer"
    CALLEE = "callee"
    CALLEE_EARLY = "callee_early"
    """The callee has not answered: the caller hears what its network plays, and is not heard yet."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Who is in the call, and which supervisors in which modes.

    ``briefed``: the callee is told what it is about while the caller waits.
    """

    caller: LegId
    near: Near = Near.AGENT
    callee: LegId | None = None
    briefed: bool = False
    transcribed: bool = False
    """What caller and callee say to each other is put down in writing."""
    supervisors: tuple[tuple[LegId, SupervisorMode], ...] = ()
    parting: bool = False
    """Caller and callee talk, and are told that this has to end."""


def edges_of(scene: Scene) -> tuple[Edge, ...]:
    """The whole matrix of a call, every edge once, at unity gain.

    Each supervisor adds the edges of their own mode, whoever else is there.
    """
    pairs = dict.fromkeys(_base(scene))
    for supervisor, mode in scene.supervisors:
        pairs |= dict.fromkeys(_supervised(scene, supervisor, mode))
    if any(mode is SupervisorMode.TAKEOVER for _, mode in scene.supervisors):
        pairs = {pair: None for pair in pairs if not _silenced(scene, *pair)}
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
            if scene.parting:
                pairs += [(AGENT, caller), (AGENT, callee), (AGENT, RECORDED_OUT)]
            if scene.transcribed:
                pairs += [(caller, AGENT_EAR), (callee, ear_of(callee))]
        case Near.CALLEE_EARLY if callee is not None:
            pairs += [(callee, caller), (callee, RECORDED_OUT)]
        case Near.CALLEE | Near.CALLEE_EARLY:
            pass
    return pairs


def _supervised(scene: Scene, supervisor: LegId, mode: SupervisorMode) -> list[tuple[str, str]]:
    caller, callee = scene.caller, scene.callee
    if mode is SupervisorMode.NONE:
        return []
    others = [other for other, theirs in scene.supervisors if other != supervisor and theirs in _ALOUD]
    pairs: list[tuple[str, str]] = [(caller, supervisor)]
    pairs += [(voice, supervisor) for voice in (*_voices(scene), *others)]
    if mode is SupervisorMode.LISTEN:
        return pairs
    pairs.append((supervisor, ear_of(supervisor)))
    bridged = callee if scene.near is Near.CALLEE else None
    if bridged is not None:
        pairs.append((supervisor, bridged))  # a whisper to a human, who also hears what the caller hears
    if mode in _ALOUD:
        pairs += [(supervisor, caller), (supervisor, RECORDED_OUT)]
    if mode is SupervisorMode.TAKEOVER:
        pairs.append((caller, AGENT_EAR))  # transcription goes on for whoever takes the call back
    return pairs


def _voices(scene: Scene) -> tuple[str, ...]:
    """What the caller hears of others."""
    match scene.near:
        case Near.AGENT:
            return (AGENT,)
        case Near.ANNOUNCER:
            return (ANNOUNCER,)
        case Near.CALLEE | Near.CALLEE_EARLY:
            others = (scene.callee,) if scene.callee is not None else ()
            return (*others, AGENT) if scene.parting else others


def _silenced(scene: Scene, source: str, sink: str) -> bool:
    """Whether a take-over takes this edge away: nobody but supervisors talk with the caller."""
    return source in _voices(scene) and sink in (scene.caller, RECORDED_OUT)
