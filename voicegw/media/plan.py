"""The plan of a tick: which row, source and sink is what. Made anew when a leg or a matrix changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from voicegw.base.ids import CallId, LegId
from voicegw.call.edges import ANNOUNCER, MUSIC, RECORDED_IN, RECORDED_OUT, is_ear
from voicegw.call.edges import Edge as NamedEdge
from voicegw.media.config import FRAME_MS, SAMPLE_RATE_HZ, WIDE_HZ
from voicegw.media.ducking import Beds, Duck
from voicegw.media.filling import Pcm, Rows
from voicegw.media.leg import Call, Leg, Voice
from voicegw.media.mixer import Edge, MixMatrix
from voicegw.media.playout import Playout


@dataclass(frozen=True, slots=True)
class Plane:
    """The calls of one rate. Sources: the negotiated legs, then the voices. Sinks: the sending legs, then ears and
    recordings."""

    rate_hz: int
    legs: tuple[Leg, ...]
    senders: tuple[Leg, ...]
    sources: Pcm
    mix: MixMatrix
    beds: Beds
    """Music that is put under the voices before all is mixed."""
    playouts: tuple[tuple[Playout, int, Pcm], ...]
    """Playouts that somebody can be sent now, the row of that leg, and the frame among the sources to fill."""
    taps: tuple[tuple[CallId, str, int], ...]
    """The ears that hear something, and their sinks."""
    tapped: Rows
    """The row of the leg that each of them hears."""
    recorded: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class TickPlan:
    """All negotiated legs: those whose codec samples at 8 kHz first, then those at 16 kHz."""

    rows: Rows
    legs: tuple[Leg, ...]
    narrow: int
    """How many of them are of the first kind."""
    listening: Rows
    """Positions in ``rows`` of the legs whose speech is detected."""
    toned: Rows
    """Positions of those whose keys are tones."""
    called: Rows
    """Positions of those on which the network may play something."""
    planes: tuple[Plane, ...]
    """Of the rates that there are calls of."""
    leg_of_row: dict[int, Leg]


class _Sinks:
    """Numbers for sinks, in the order in which they are asked for."""

    def __init__(self, count: int) -> None:
        self.count = count

    def take(self, *, wanted: bool) -> int:
        if not wanted:
            return -1
        self.count += 1
        return self.count - 1


def make_plan(calls: Iterable[Call]) -> TickPlan:
    """Number everything; also tells each call where its own things are."""
    calls = tuple(calls)
    planes = []
    for rate_hz in (SAMPLE_RATE_HZ, WIDE_HZ):
        alike = tuple(call for call in calls if call.rate_hz == rate_hz)
        if alike:
            planes.append(_make_plane(alike, rate_hz))
    everyone = [leg for plane in planes for leg in plane.legs]
    legs = (*(leg for leg in everyone if not leg.wide_in), *(leg for leg in everyone if leg.wide_in))
    return TickPlan(
        rows=np.array([leg.row for leg in legs], np.intp),
        legs=legs,
        narrow=sum(not leg.wide_in for leg in legs),
        listening=np.array([place for place, leg in enumerate(legs) if _listens(leg)], np.intp),
        toned=np.array([place for place, leg in enumerate(legs) if _has_toned_keys(leg)], np.intp),
        called=np.array([place for place, leg in enumerate(legs) if _may_have_progress(leg)], np.intp),
        planes=tuple(planes),
        leg_of_row={leg.row: leg for leg in legs},
    )


def _make_plane(calls: tuple[Call, ...], rate_hz: int) -> Plane:
    legs = tuple(leg for call in calls for leg in call.legs.values() if leg.settings is not None)
    senders = tuple(leg for leg in legs if leg.sending)
    source_of = {leg.leg_id: place for place, leg in enumerate(legs)}
    sink_of = {leg.leg_id: place for place, leg in enumerate(senders)}
    sinks = _Sinks(len(senders))
    changes = any(call.before is not None for call in calls)
    edges: list[Edge] = []
    before: list[Edge] = []
    beds: list[tuple[Duck, int, int]] = []
    count = len(legs)
    for call in calls:
        for voice in call.voices.values():
            voice.source, voice.mouth = count, None
            count += 1
        named = _name_sinks(call, sinks)
        edges += _call_edges(call, call.edges, named, source_of, sink_of)
        if changes:
            old = call.edges if call.before is None else call.before
            before += _call_edges(call, old, named, source_of, sink_of)
        if MUSIC in call.voices:
            beds.append(_bed(call.voices[MUSIC], call.voices[ANNOUNCER]))
    frame_samples = rate_hz * FRAME_MS // 1000
    sources = np.zeros((count, frame_samples), np.int16)
    voices = [voice for call in calls for voice in call.voices.values()]
    tapped = [call.legs[call.heard_by[ear]] for call in calls for ear in call.ears]
    return Plane(
        rate_hz=rate_hz,
        legs=legs,
        senders=senders,
        sources=sources,
        mix=MixMatrix(edges, sinks.count, frame_samples, before if changes else None),
        beds=Beds(beds, frame_samples),
        playouts=tuple(
            (voice.playout, voice.mouth.row, sources[voice.source]) for voice in voices if voice.mouth is not None
        ),
        taps=tuple((call.call_id, ear, sink) for call in calls for ear, sink in call.ears.items()),
        tapped=np.array([leg.row for leg in tapped], np.intp),
        recorded=tuple(call for call in calls if call.recording),
    )


def _bed(music: Voice, over: Voice) -> tuple[Duck, int, int]:
    """Music plays wherever the voice over it is heard."""
    music.mouth = over.mouth
    return music.duck, music.source, over.source


def _listens(leg: Leg) -> bool:
    return leg.settings is not None and leg.settings.vad and leg.settings.receive


def _may_have_progress(leg: Leg) -> bool:
    return leg.settings is not None and leg.settings.progress and leg.settings.receive


def _has_toned_keys(leg: Leg) -> bool:
    return leg.settings is not None and leg.settings.inband_keys and leg.settings.receive


def _name_sinks(call: Call, sinks: _Sinks) -> dict[str, int]:
    """Places for what hears and is no leg."""
    heard = [(sink, source) for source, sink, _ in call.edges if is_ear(sink) and _taps(call, source)]
    call.heard_by = dict(reversed(heard))
    call.ears = {ear: sinks.take(wanted=True) for ear in dict.fromkeys(ear for ear, _ in heard)}
    call.recorded_in = sinks.take(wanted=call.recording)
    call.recorded_out = sinks.take(wanted=call.recording)
    return {**call.ears, RECORDED_IN: call.recorded_in, RECORDED_OUT: call.recorded_out}


def _call_edges(
    call: Call,
    wanted: Iterable[NamedEdge],
    named: dict[str, int],
    source_of: dict[LegId, int],
    sink_of: dict[LegId, int],
) -> list[Edge]:
    """Edges of one call in numbers; those of legs that are gone or do not send are left out."""
    edges: list[Edge] = []
    for source, sink, gain in wanted:
        voice = call.voices.get(source)
        if is_ear(sink) and voice is None and not _taps(call, source):
            continue
        source_place = voice.source if voice is not None else source_of.get(LegId(source), -1)
        sink_place = named[sink] if sink in named else sink_of.get(LegId(sink), -1)
        if source_place < 0 or sink_place < 0 or (voice is None and source not in call.legs):
            continue
        if sink not in named and sink not in call.legs:
            continue
        if voice is not None and sink in call.legs and not (call.legs[sink].keying or call.legs[sink].toning):
            voice.mouth = voice.mouth or call.legs[sink]
        edges.append((source_place, sink_place, gain))
    return edges


def _taps(call: Call, source: str) -> bool:
    """Whether this is a leg that is to be heard by ears."""
    leg = call.legs.get(source)
    return leg is not None and leg.settings is not None and leg.settings.tap
