"""How the process of :mod:`voicegw.server_media` is started; who starts it needs none of what it imports."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from voicegw.media.commands import ChangeSettings
from voicegw.media.config import MediaConfig
from voicegw.recording.config import RecordingConfig
from voicegw.recording.seal_keys import SealPublicKey

UNLIMITED: Final = RecordingConfig(keep_free_mb=0)


def command_lines(
    config: MediaConfig,
    *,
    log_level: str = "info",
    log_personal: str = "keep",
    seal_to: Sequence[SealPublicKey] = (),
    recording: RecordingConfig = UNLIMITED,
    tell_reports: bool = False,
) -> list[list[str]]:
    """What starts each of ``config.workers``: see :class:`voicegw.media.pool.MediaPool`.

    Several are each pinned to a core, from the last one down: what else runs here has the first ones.
    """
    cores = sorted(os.sched_getaffinity(0), reverse=True)
    lines = []
    for index in range(config.workers):
        line = command_line(
            config.of_worker(index),
            log_level=log_level,
            log_personal=log_personal,
            seal_to=seal_to,
            recording=recording,
            tell_reports=tell_reports,
        )
        pinned = ["--core", str(cores[index % len(cores)])] if config.workers > 1 else []
        lines.append([*line, *pinned])
    return lines


def changed_settings(
    config: MediaConfig,
    log_level: str,
    log_personal: str,
    seal_to: Sequence[SealPublicKey],
    recording: RecordingConfig,
    *,
    tell_reports: bool,
) -> list[ChangeSettings]:
    """The same for workers that run."""
    keys, seen = tuple(key.to_bytes() for key in seal_to), _seen(log_personal)
    free, total = recording.keep_free_mb, recording.max_total_mb
    return [
        ChangeSettings(log_level, seen, free, total, keys, config.of_worker(index), tell_reports=tell_reports)
        for index in range(config.workers)
    ]


def command_line(
    config: MediaConfig,
    *,
    vad: bool = True,
    log_level: str = "info",
    log_personal: str = "keep",
    seal_to: Sequence[SealPublicKey] = (),
    recording: RecordingConfig = UNLIMITED,
    tell_reports: bool = False,
) -> list[str]:
    """What starts a worker, but for ``--fd``: see :class:`voicegw.media.client.MediaClient`.

    ``seal_to`` are the keys to which recordings are sealed; they go along, so that a worker which starts later
    needs no file that may be gone by then. Of ``recording`` the limits of the disk count. ``tell_reports``: of
    every report of RTCP there is an event.
    """
    settings = msgspec.json.encode(config).decode()
    line = [sys.executable, "-m", "voicegw.server_media", "--settings", settings, "--log-level", log_level]
    line += ["--log-personal", _seen(log_personal)]
    line += ["--keep-free-mb", str(recording.keep_free_mb), "--max-total-mb", str(recording.max_total_mb)]
    line += ["--tell-reports"] if tell_reports else []
    for key in seal_to:
        line += ["--seal-to", key.to_bytes().hex()]
    return line if vad else [*line, "--no-vad"]


def _seen(log_personal: str) -> str:
    return "keep" if log_personal == "keep" else "drop"  # a worker has no key for pseudonyms
