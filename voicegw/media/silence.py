"""Silence that is not sent: comfort noise packets (RFC 3389) in place of frames that hold nothing.

Only to peers with which comfort noise was agreed. A pause begins after 200 ms of silence with a packet that tells
its level; another one follows when the level changes, and once a second, so that neither a NAT nor a watch for dead
media takes us for gone. The first packet of the talk after it carries the marker (RFC 3551 §4.1), sequence numbers
go on without a gap, and timestamps count the time that went by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voicegw.audio.levels import SILENCE_DBOV, level_dbov
from voicegw.media.filling import Pcm
from voicegw.media.leg import Leg
from voicegw.media.wide import OPUS

_QUIET_DBOV: Final = -60.0
"""A frame of this level is silence: what is spoken is 20 dB above it, the noise of a good line about as loud."""
_HANG_OVER_TICKS: Final = 10
_AGAIN_TICKS: Final = 50
_SPACING_TICKS: Final = 5
_CHANGE_DB: Final = 3.0


class _Pause:
    """Of one leg."""

    __slots__ = ("_level_dbov", "_quiet_ticks", "_since", "_told_dbov", "silent")

    def __init__(self) -> None:
        self.silent = False
        self._quiet_ticks = 0
        self._level_dbov = self._told_dbov = SILENCE_DBOV
        self._since = 0

    def hear(self, level_dbov: float, *, may_begin: bool) -> bool:
        """The next frame. True when talk begins with it."""
        if level_dbov > _QUIET_DBOV:
            resumed, self.silent, self._quiet_ticks = self.silent, False, 0
            return resumed
        self._level_dbov = level_dbov
        self._quiet_ticks += 1
        self._since += 1
        if not self.silent and may_begin and self._quiet_ticks > _HANG_OVER_TICKS:
            self.silent, self._since = True, _AGAIN_TICKS
        return False

    def due(self) -> bytes:
        """What a packet of this tick is to say (RFC 3389 §3.1), b"" for none."""
        changed = abs(self._level_dbov - self._told_dbov) >= _CHANGE_DB and self._since >= _SPACING_TICKS
        if not changed and self._since < _AGAIN_TICKS:
            return b""
        self._told_dbov, self._since = self._level_dbov, 0
        return bytes([min(127, max(0, round(-self._level_dbov)))])


class Silences:
    """The pauses of all legs with which comfort noise was agreed."""

    def __init__(self) -> None:
        self._pauses: dict[int, _Pause] = {}
        self._groups: tuple[tuple[Leg, ...], ...] = ()
        self._places: tuple[list[int], ...] = ()

    def plan(self, *groups: Sequence[Leg]) -> None:
        """The legs that are sent to from now on; one that is in a pause stays in it."""
        self._groups = tuple(tuple(leg for leg in legs if _may_pause(leg)) for legs in groups)
        self._places = tuple([place for place, leg in enumerate(legs) if _may_pause(leg)] for legs in groups)
        before = self._pauses
        rows = [leg.row for legs in self._groups for leg in legs]
        self._pauses = {row: before.get(row) or _Pause() for row in rows}

    def listen(self, *frames: Pcm) -> tuple[dict[int, bytes], list[int]]:
        """What is to be sent to the groups of :meth:`plan` in this tick.

        Returns the rows to which no audio is sent, each with the comfort noise that is due or b"", and the rows
        whose talk begins.
        """
        silent: dict[int, bytes] = {}
        begun: list[int] = []
        for legs, places, group in zip(self._groups, self._places, frames, strict=True):
            if not legs:
                continue
            for leg, level in zip(legs, level_dbov(group[places]).tolist(), strict=True):
                pause = self._pauses[leg.row]
                # What waits for the rest of its packet is sent before the pause begins.
                if pause.hear(level, may_begin=not leg.odd_codes):
                    begun.append(leg.row)
                if pause.silent:
                    silent[leg.row] = b"" if leg.keying else pause.due()
        return silent, begun


def _may_pause(leg: Leg) -> bool:
    """Opus has a silence of its own (RFC 7587 §3.1.3)."""
    settings = leg.settings
    return settings is not None and settings.noise_payload_type >= 0 and settings.codec != OPUS
