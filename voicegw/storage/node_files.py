"""What a node keeps of calls beside the database: recordings, plain logs, the ledger of tools, refused facts.

Erasing a call reaches them all. Where nodes share a database, each sees to the files on its own disk.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from glob import escape
from pathlib import Path

from voicegw.ports.tools import LedgerEntry
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.spool import SpooledFact
from voicegw.storage.tool_ledger import entries_in_ledger, erase_in_ledger, forget_in_ledger

_RECORDED = tuple(kind + sealed for kind in (".wav", ".opus") for sealed in ("", ".sealed"))
_KEPT = re.compile(
    r"(.+?)(?:\.recovered-\d+)?\.(wav|opus|pcap)(?:\.recovered-\d+)?(?:\.sealed)?(\.part)?"  # recovery renames
)
_PART = re.compile(r"-\d+(?:-heads)?$")
"""Behind a call in the name of a file: captures are several, and recordings where a media worker has failed."""
_CAPTURED = (".pcap", ".pcap.sealed")


class Scope(Enum):
    """What of a call is erased."""

    EVERYTHING = "everything"
    SPOKEN = "spoken"
    RECORDING = "recording"
    BEFORE_REFUSAL = "before_refusal"
    """What was said and keyed in before the caller refused to be recorded."""


@dataclass(frozen=True, slots=True)
class ErasedFiles:
    """How much of each class was there."""

    recording_files: int = 0
    log_files: int = 0
    tool_entries: int = 0
    rejected_facts: int = 0


@dataclass(slots=True)
class NodeFiles:
    """Where they are; None: this node keeps none. ``remove`` takes a recording away for good (OSError)."""

    spool: Path
    recordings: Path | None = None
    logs: Path | None = None
    tools: Path | None = None
    remove: Callable[[Path], None] = Path.unlink
    _left: tuple[tuple[Path, ...], tuple[Path, ...]] = field(default=((), ()), init=False)
    """Where recordings and logs were kept before."""

    def move(self, recordings: Path | None, logs: Path | None) -> None:
        """Calls to come leave theirs there; what is elsewhere is found as before."""
        left_recordings, left_logs = self._left
        self._left = (
            _added(left_recordings, self.recordings, recordings),
            _added(left_logs, self.logs, logs),
        )
        self.recordings, self.logs = recordings, logs

    @property
    def recording_folders(self) -> tuple[Path, ...]:
        """All that there are recordings in, the one of calls to come first."""
        return (*filter(None, (self.recordings,)), *self._left[0])

    @property
    def _log_folders(self) -> tuple[Path, ...]:
        return (*filter(None, (self.logs,)), *self._left[1])

    async def erase(
        self, scope: Scope, call_ids: Sequence[str], number: str = "", recorded: Iterable[str] = ()
    ) -> ErasedFiles:
        """Erase these calls here, and what is known of a number besides; repeating it does no harm.

        ``recorded`` are paths of recordings. Raises OSError and LocalError: then not all is gone, begin again.
        """
        return await asyncio.to_thread(self._erase, scope, call_ids, number, tuple(map(Path, recorded)))

    async def tool_entries(self, call_ids: Sequence[str], number: str = "") -> tuple[LedgerEntry, ...]:
        """What this node's ledger of tools keeps of these calls and of a number; raises LocalError."""
        if self.tools is None:
            return ()
        return await asyncio.to_thread(entries_in_ledger, self.tools, call_ids, number)

    async def forget(
        self, *, tools_before: float, logs_before: float, recordings_before: float, captures_before: float
    ) -> ErasedFiles:
        """Remove what is older than its class allows, moments in seconds since 1970; 0 keeps it.

        It finds what no record of a call leads to: a recording that a crash left, a log of before the store.
        """
        audio = (_RECORDED, recordings_before), (_CAPTURED, max(captures_before, recordings_before))
        return await asyncio.to_thread(self._forget, tools_before, logs_before, audio)

    def _erase(self, scope: Scope, call_ids: Sequence[str], number: str, recorded: Sequence[Path]) -> ErasedFiles:
        audio = logs = tools = rejected = 0
        if scope in (Scope.EVERYTHING, Scope.RECORDING):
            audio = self._remove(dict.fromkeys([*recorded, *self._kept_of(call_ids)]))
        if scope in (Scope.EVERYTHING, Scope.SPOKEN):
            logs = _unlink(_beside(folder, id, ".jsonl") for folder in self._log_folders for id in call_ids)
        if scope is not Scope.RECORDING:
            tools = erase_in_ledger(self.tools, call_ids, number) if self.tools else 0
            rejected = RejectedFacts(self.spool).remove(_about(call_ids, number))
        return ErasedFiles(audio, logs, tools, rejected)

    def _forget(
        self, tools_before: float, logs_before: float, audio_before: Iterable[tuple[tuple[str, ...], float]]
    ) -> ErasedFiles:
        folders = self.recording_folders
        old_audio = (_older(folder, *kind) for kind in audio_before for folder in folders)
        audio = self._remove(path for paths in old_audio for path in paths)
        logs = _unlink(path for folder in self._log_folders for path in _older(folder, (".jsonl",), logs_before))
        tools = forget_in_ledger(self.tools, tools_before) if self.tools and tools_before else 0
        old = RejectedFacts(self.spool).remove(lambda fact: fact.wall_ms < logs_before * 1000)
        return ErasedFiles(audio, logs, tools, old)

    def recordings_of(self, call_id: str) -> list[Path]:
        """Its finished recordings, also those of which no fact tells: what a crash left, and was recovered."""
        names = {path: _KEPT.fullmatch(path.name) for path in self._kept_of([call_id])}
        return sorted(path for path, name in names.items() if name and name[2] != "pcap" and not name[3])

    def _kept_of(self, call_ids: Iterable[str]) -> list[Path]:
        """Recordings and captures of these calls, also what is not finished and never will be. Each folder, of a
        hundred thousand files, is looked through once, however many calls there are."""
        ids = frozenset(call_ids)
        return [path for folder in self.recording_folders for path in _files(folder) if _owners(path.name) & ids]

    def captures_of(self, call_id: str) -> list[Path]:
        """The packet captures of a call, in the order of their beginnings."""
        if Path(call_id).name != call_id:
            return []
        folders, name = self.recording_folders, f"{escape(call_id)}-[0-9]*.pcap*"
        found = (path for folder in folders for path in folder.glob(name))
        return sorted((path for path in found if path.name.endswith(_CAPTURED)), key=_part_of)

    def _remove(self, paths: Iterable[Path]) -> int:
        return _each(paths, self.remove)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [folder / entry.name for entry in entries]


def _owners(name: str) -> frozenset[str]:
    """Whose recording or capture a file is, by its name; nobody's for all others."""
    kept = _KEPT.fullmatch(name)
    return frozenset({kept[1], _PART.sub("", kept[1])}) if kept else frozenset()


def _part_of(capture: Path) -> int:
    """Its number; 0 for one whose name is not ours."""
    number = capture.name.partition(".")[0].removesuffix("-heads").rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _added(left: tuple[Path, ...], folder: Path | None, now: Path | None) -> tuple[Path, ...]:
    """Folders that were left, with one more; that which is used now is none of them."""
    return tuple(path for path in dict.fromkeys((*filter(None, (folder,)), *left)) if path != now)


def _beside(folder: Path, call_id: str, suffix: str) -> Path | None:
    """The file of a call. Ids come from the database: one that leads elsewhere has no file here."""
    return folder / f"{call_id}{suffix}" if Path(call_id).name == call_id else None


def _unlink(paths: Iterable[Path | None]) -> int:
    return _each(filter(None, paths), Path.unlink)


def _each(paths: Iterable[Path], remove: Callable[[Path], object]) -> int:
    """How many were there. One that stays keeps no other; then the first such error is raised at the end."""
    removed, fault = 0, None
    for path in paths:
        try:
            remove(path)
            removed += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return removed


def _older(folder: Path, suffixes: tuple[str, ...], before: float) -> list[Path]:
    if not before or not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name.endswith(suffixes) and path.stat().st_mtime < before]


def _about(call_ids: Sequence[str], number: str) -> Callable[[SpooledFact], bool]:
    ids, needle = frozenset(call_ids), number.encode()
    return lambda fact: fact.call_id in ids or (bool(needle) and needle in fact.content)
