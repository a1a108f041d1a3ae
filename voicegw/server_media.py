"""The media worker's process: names the concrete parts, then runs. ``python -m voicegw.server_media --fd N``."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from voicegw.base.clock import SystemClock
from voicegw.base.errors import VoicegwError
from voicegw.base.heaps import give_back, keep_large_apart
from voicegw.base.ids import CallId
from voicegw.base.log import configure
from voicegw.base.personal import Disclosure, PersonalView
from voicegw.inference.vad.silero import SileroVad
from voicegw.media.config import SAMPLE_RATE_HZ, MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.media.line_config import LineConfig
from voicegw.media.messages import ChangeSettings
from voicegw.media.rehearsal import rehearse
from voicegw.media.sockets import UdpNetwork
from voicegw.media.worker import run_worker
from voicegw.ports.line import LineProcessors
from voicegw.ports.recorder import (
    RecorderDiscarded,
    RecorderEnded,
    RecorderEvent,
    RecorderFailed,
    RecorderStarted,
)
from voicegw.recording.capture_writer import CaptureWriter
from voicegw.recording.opus_file import SUFFIX, StereoOpusFile
from voicegw.recording.part_file import PartFile, PlainPart
from voicegw.recording.quota import DiskQuota
from voicegw.recording.seal_format import Content
from voicegw.recording.seal_keys import SealPublicKey
from voicegw.recording.seal_writer import SealedPart, SealedWavFile
from voicegw.recording.wav_file import StereoWavFile
from voicegw.recording.writer import (
    Discarded,
    Ended,
    Failed,
    RecordingEvent,
    RecordingFile,
    RecordingWriter,
    Started,
)

_log = logging.getLogger(__name__)

_LARGE_BYTES = 768 * 1024
"""Larger than the arrays of a tick: these would be mapped anew fifty times a second. Smaller than the table of
Python's interned strings (940 kB; file names come and go in it), which is made anew every 7,000 calls, and left a
hole in the heap each time."""


class DiskRecorder:
    """The recording writer as the port that the engine knows; sealed to these keys, if there are any."""

    def __init__(self, seal_to: Sequence[SealPublicKey] = (), quota: DiskQuota | None = None) -> None:
        self.seal_to = seal_to
        """May be changed, for recordings that begin from then on."""
        self._writer = RecordingWriter(open_file=self._open, quota=quota)

    def _open(self, path: str, rate_hz: int) -> RecordingFile:
        is_opus, keys = path.endswith(SUFFIX), self.seal_to
        if not keys:
            return StereoOpusFile(path, rate_hz) if is_opus else StereoWavFile(path, rate_hz)
        if not is_opus:
            return SealedWavFile(path, keys, rate_hz)
        return StereoOpusFile(path, rate_hz, lambda final: SealedPart(final, keys, rate_hz, Content.OGG))

    def start(self, call_id: CallId, path: str, rate_hz: int = 8000) -> bool:
        return self._writer.start(call_id, path, rate_hz)

    def write(self, call_id: CallId, left: NDArray[np.int16], right: NDArray[np.int16]) -> bool:
        return self._writer.write(call_id, left, right)

    def skip(self, call_id: CallId, samples: int) -> None:
        self._writer.skip(call_id, samples)

    def stop(self, call_id: CallId, *, discard: bool = False) -> None:
        self._writer.stop(call_id, discard=discard)

    def poll(self) -> list[RecorderEvent]:
        return [_translate(event) for event in self._writer.poll()]

    def close(self) -> None:
        self._writer.close()


def capture_writer(recorder: DiskRecorder, quota: DiskQuota) -> CaptureWriter:
    """Writes packet captures; sealed to the keys of recordings, if there are any."""

    def open_part(path: str) -> PartFile:
        keys = recorder.seal_to
        return SealedPart(path, keys, SAMPLE_RATE_HZ, Content.PCAP) if keys else PlainPart(path)

    return CaptureWriter(quota=quota, open_part=open_part)


def changer(
    recorder: DiskRecorder,
    quota: DiskQuota,
    tell_reports: Callable[[bool], None],
    use: Callable[[MediaConfig], None],
) -> Callable[[ChangeSettings], None]:
    """Puts other settings in force while the worker runs."""

    def change(settings: ChangeSettings) -> None:
        configure(settings.log_level, view=PersonalView(Disclosure(settings.log_personal)))
        quota.change(settings.keep_free_mb, settings.max_total_mb)
        tell_reports(settings.tell_reports)
        recorder.seal_to = [SealPublicKey.from_bytes(key) for key in settings.seal_to]
        use(settings.media)

    return change


def _translate(event: RecordingEvent) -> RecorderEvent:
    match event:
        case Started(call_id, path):
            return RecorderStarted(call_id, path)
        case Ended(call_id, path, samples, dropped, rate_hz):
            return RecorderEnded(call_id, path, samples, dropped, rate_hz)
        case Discarded(call_id, path):
            return RecorderDiscarded(call_id, path)
        case Failed(call_id, path, reason):
            return RecorderFailed(call_id, path, reason)


def line_processors(config: LineConfig) -> LineProcessors | None:
    """What cleans the sound of telephones; None where nothing is to be done."""
    if not config.on:
        return None
    from voicegw.audio.webrtc import WebRtcLine  # an extra: asked for by its configuration alone

    return partial(
        WebRtcLine,
        echo_cancel=config.echo_cancel != "off",
        suppression=config.noise_suppression,
        gain_control=config.gain_control != "off",
    )


def use(engine: MediaEngine, config: MediaConfig) -> None:
    """Other settings for an engine that runs."""
    wanted = config.line_processing
    if wanted != engine.config.line_processing:
        try:
            engine.line.use(line_processors(wanted), cancels=wanted.echo_cancel != "off")
        except ImportError as error:  # half an installation: calls go on as before
            _log.error("lines are cleaned as before: %s", error)
    engine.use(config)


def _give_back_memory() -> None:
    """Return to the kernel what loading and the rehearsal used up (glibc keeps it): the worker stays for weeks."""
    gc.collect()
    give_back()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker on an inherited socket; 0 when it ended as told, 1 when it could not begin."""
    parser = argparse.ArgumentParser(prog="voicegw.server_media", description="The media worker of voicegw.")
    parser.add_argument("--fd", type=int, required=True, help="inherited stream socket to the gateway")
    parser.add_argument("--settings", default="{}", help="a MediaConfig as JSON")
    parser.add_argument("--seal-to", action="append", default=[], help="public key of recordings, in hex")
    parser.add_argument("--keep-free-mb", type=int, default=0, help="room on the disk that is not for recordings")
    parser.add_argument("--max-total-mb", type=int, default=0, help="what recordings may take together")
    parser.add_argument("--no-vad", action="store_true", help="detect no speech")
    parser.add_argument("--tell-reports", action="store_true", help="tell of every report of RTCP")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-personal", default="keep", choices=[one.value for one in Disclosure])
    parser.add_argument("--core", type=int, default=None, help="run on this core only")
    arguments = parser.parse_args(argv)
    configure(arguments.log_level, view=PersonalView(Disclosure(arguments.log_personal)))
    keep_large_apart(_LARGE_BYTES)
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    for number in (signal.SIGINT, signal.SIGTERM):
        # Whoever stops all processes of a service at once (systemd, a terminal) means the gateway: it drains its
        # calls, which need this worker, and then ends it by Shutdown or by closing the socket.
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=arguments.fd) as sock:
        try:
            config = msgspec.json.decode(arguments.settings, type=MediaConfig)
            seal_to = [SealPublicKey.from_bytes(bytes.fromhex(key)) for key in arguments.seal_to]
            quota = DiskQuota(arguments.keep_free_mb, arguments.max_total_mb)
            vad = None if arguments.no_vad else SileroVad(config.max_legs)
        except (VoicegwError, msgspec.MsgspecError, ValueError) as error:
            _log.error("the media worker cannot begin: %s", error)
            return 1
        clock = SystemClock()
        rehearsal = replace(config, max_legs=1)
        line = line_processors(config.line_processing)
        first = MediaEngine(rehearsal, UdpNetwork(), clock, os.urandom, DiskRecorder(), vad, line)
        rehearse(first, clock.monotonic())
        _give_back_memory()
        recorder = DiskRecorder(seal_to, quota)
        captures = capture_writer(recorder, quota)
        engine = MediaEngine(config, UdpNetwork(), clock, os.urandom, recorder, vad, line, captures)
        engine.on_settings = changer(recorder, quota, engine.tell_reports, partial(use, engine))
        if arguments.tell_reports:
            engine.tell_reports()
        run_worker(sock, engine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
