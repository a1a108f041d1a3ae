"""Between the rates of legs and those of calls: in a call all is heard at one rate, whatever its telephones have.

While all legs are G.711 and all calls are of 8 kHz, as almost everywhere, nothing is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voicegw.audio.rate_change import RateChanger
from voicegw.media.bank import LegBank
from voicegw.media.config import FRAME_SAMPLES, SAMPLE_RATE_HZ, WIDE_FRAME_SAMPLES, WIDE_HZ
from voicegw.media.filling import Pcm, Rows
from voicegw.media.leg import Leg
from voicegw.media.line import LineStage
from voicegw.media.plan import Plane, TickPlan


@dataclass(frozen=True, slots=True)
class _Ways:
    """Of the legs of a plane that have one rate: their rows, and where they are on either side."""

    rows: Rows
    inside: Rows
    """Places among the sources, or the sinks, of the plane."""
    outside: Rows
    """Places among the legs of that rate."""


@dataclass(frozen=True, slots=True)
class _Routes:
    """How the legs of 8 and of 16 kHz come into a plane, and out of it."""

    plane: Plane
    narrow_in: _Ways
    wide_in: _Ways
    narrow_out: _Ways
    wide_out: _Ways


class Crossing:
    """Brings what the legs say into the sources of the planes, and their sinks to the legs."""

    def __init__(self, capacity: int, bank: LegBank, line: LineStage) -> None:
        """``line``: what legs say is cleaned by it first."""
        self._bank = bank
        self._line = line
        self._down_as_came = RateChanger(capacity, WIDE_HZ, SAMPLE_RATE_HZ)
        self._down_in = RateChanger(capacity, WIDE_HZ, SAMPLE_RATE_HZ)
        self._down_out = RateChanger(capacity, WIDE_HZ, SAMPLE_RATE_HZ)
        self._up_in = RateChanger(capacity, SAMPLE_RATE_HZ, WIDE_HZ)
        self._up_out = RateChanger(capacity, SAMPLE_RATE_HZ, WIDE_HZ)
        self._routes: list[_Routes] = []
        self._only: Plane | None = None
        self._seams: dict[int, Pcm] = {}
        self._narrow_rows = self._wide_rows = np.empty(0, np.intp)
        self.narrow: tuple[Leg, ...] = ()
        """The legs to send to at 8 kHz, in the order of the frames of :meth:`speak`."""
        self.wide: tuple[Leg, ...] = ()
        """The same at 16 kHz."""
        self.as_came: Pcm = np.empty((0, FRAME_SAMPLES), np.int16)
        """What :meth:`hear` returned last, before it was cleaned: tones are noise to who cleans speech."""

    def reset(self, row: int) -> None:
        """The row belongs to another leg."""
        for changer in (self._down_in, self._down_out, self._up_in, self._up_out, self._down_as_came):
            changer.reset(row)
        self._seams.pop(row, None)

    def plan(self, plan: TickPlan) -> None:
        """Work by this plan from now on."""
        self._narrow_rows, self._wide_rows = plan.rows[: plan.narrow], plan.rows[plan.narrow :]
        place_of = {leg.row: place for place, leg in enumerate(plan.legs)}
        self.narrow = tuple(leg for plane in plan.planes for leg in plane.senders if not leg.wide_out)
        self.wide = tuple(leg for plane in plan.planes for leg in plane.senders if leg.wide_out)
        out_of = {leg.row: place for legs in (self.narrow, self.wide) for place, leg in enumerate(legs)}
        self._routes = [
            _Routes(
                plane,
                narrow_in=_ways([not leg.wide_in for leg in plane.legs], plane.legs, place_of, 0),
                wide_in=_ways([leg.wide_in for leg in plane.legs], plane.legs, place_of, plan.narrow),
                narrow_out=_ways([not leg.wide_out for leg in plane.senders], plane.senders, out_of, 0),
                wide_out=_ways([leg.wide_out for leg in plane.senders], plane.senders, out_of, 0),
            )
            for plane in plan.planes
        ]
        plain = len(plan.planes) == 1 and plan.narrow == len(plan.legs) and not self.wide
        self._only = plan.planes[0] if plain and plan.planes[0].rate_hz == SAMPLE_RATE_HZ else None

    def hear(self) -> Pcm:
        """Decode a frame of every leg into the sources of its plane. Returns all of them at 8 kHz."""
        narrow = self.as_came = self._bank.frames(self._narrow_rows)
        if self._line.busy:
            narrow = self._line.clean(self._narrow_rows, narrow)
        if self._only is not None:
            self._only.sources[: len(narrow)] = narrow
            if self._seams:
                self._join()
            return narrow
        wide = self._hear_wide()
        lowered = self._down_in.process(self._wide_rows, wide)
        for routes in self._routes:
            sources, narrow_in, wide_in = routes.plane.sources, routes.narrow_in, routes.wide_in
            if routes.plane.rate_hz == WIDE_HZ:
                sources[narrow_in.inside] = self._up_in.process(narrow_in.rows, narrow[narrow_in.outside])
                sources[wide_in.inside] = wide[wide_in.outside]
            else:
                sources[narrow_in.inside] = narrow[narrow_in.outside]
                sources[wide_in.inside] = lowered[wide_in.outside]
        if self._seams:
            self._join()
        heard = np.concatenate([narrow, lowered])
        if not self._line.busy:
            self.as_came = heard
        return heard

    def _hear_wide(self) -> Pcm:
        wide = self._bank.wide.frames(self._wide_rows)
        if not self._line.busy:
            return wide
        lowered = self._down_as_came.process(self._wide_rows, wide)
        self.as_came = np.concatenate([self.as_came, lowered])
        return self._line.clean(self._wide_rows, wide)

    def leave(self, row: int) -> None:
        """What the row says comes by another codec from the next frame on: it will join what was heard last.

        The last 5 ms, mirrored, fade out while what follows fades in, at once or when it begins: there is no step,
        and so no click.
        """
        for plane, place in self._sources_of(row):
            self._seams[row] = plane.sources[place, -_seam(plane) :].copy()
        for changer in (self._down_in, self._up_in, self._down_as_came):
            changer.reset(row)

    def _join(self) -> None:
        for row, tail in tuple(self._seams.items()):
            for plane, place in self._sources_of(row):
                frame = plane.sources[place]
                if frame.any():
                    del self._seams[row]
                else:
                    self._seams[row] = np.zeros_like(tail)
                head = frame[: len(tail)]
                rise = (np.arange(len(tail)) + 0.5) / len(tail)
                head[:] = np.rint(tail[::-1] * (1 - rise) + head * rise)

    def _sources_of(self, row: int) -> list[tuple[Plane, int]]:
        """Where a row is among the sources."""
        planes = [routes.plane for routes in self._routes]
        return [(plane, place) for plane in planes for place, leg in enumerate(plane.legs) if leg.row == row]

    def speak(self, mixed: Sequence[Pcm]) -> tuple[Pcm, Pcm]:
        """What is to be sent to :attr:`narrow` and to :attr:`wide`, from what was mixed in each plane."""
        if self._only is not None:
            return mixed[0][: len(self.narrow)], np.empty((0, WIDE_FRAME_SAMPLES), np.int16)
        narrow = np.empty((len(self.narrow), FRAME_SAMPLES), np.int16)
        wide = np.empty((len(self.wide), WIDE_FRAME_SAMPLES), np.int16)
        for routes, sinks in zip(self._routes, mixed, strict=True):
            narrow_out, wide_out = routes.narrow_out, routes.wide_out
            if routes.plane.rate_hz == WIDE_HZ:
                narrow[narrow_out.outside] = self._down_out.process(narrow_out.rows, sinks[narrow_out.inside])
                wide[wide_out.outside] = sinks[wide_out.inside]
            else:
                narrow[narrow_out.outside] = sinks[narrow_out.inside]
                wide[wide_out.outside] = self._up_out.process(wide_out.rows, sinks[wide_out.inside])
        return narrow, wide


def _seam(plane: Plane) -> int:
    """5 ms."""
    return plane.rate_hz // 200


def _ways(wanted: Sequence[bool], legs: Sequence[Leg], place_of: dict[int, int], first: int) -> _Ways:
    """Of those ``legs`` that are ``wanted``; ``first`` is the place from which the outside counts."""
    chosen = [(place, leg) for place, leg in enumerate(legs) if wanted[place]]
    return _Ways(
        rows=np.array([leg.row for _, leg in chosen], np.intp),
        inside=np.array([place for place, _ in chosen], np.intp),
        outside=np.array([place_of[leg.row] - first for _, leg in chosen], np.intp),
    )
