"""Writes the recordings of all calls of a media worker, without ever making its tick wait for a disk.

The tick only appends to a bounded queue; one thread empties it a few times a second. There is no lock between the
two: appending to a deque and taking from its other end are atomic. What finds the queue full is dropped, counted
and later replaced by silence, so that the two sides of the conversation stay where they were in time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId
from voicegw.recording.quota import DiskQuota, QuotaExceeded
from voicegw.recording.wav_file import StereoWavFile

_CHECKPOINT_S: Final = 1.0
"""A kill loses at most this much to readers that believe the header; recovery gets the rest back as well."""


@dataclass(frozen=True, slots=True)
class Started:
    """The file is open."""

    call_id: CallId
    path: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The file has its final name. ``samples`` includes the ``dropped_samples``, which are silence in it."""

    call_id: CallId
    path: str
    samples: int
    dropped_samples: int
    rate_hz: int = 8000


@dataclass(frozen=True, slots=True)
class Discarded:
    """The recording was removed as it was wished; nothing of it is left."""

    call_id: CallId
    path: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The recording stopped too early; what was written is kept, under its final name if that still worked."""

    call_id: CallId
    path: str
    reason: str


RecordingEvent: TypeAlias = Started | Ended | Discarded | Failed


class RecordingFile(Protocol):
    """An open recording. Every method may raise OSError; the file stays closable after that."""

    @property
    def path(self) -> str:
        """Its final name."""
        ...

    @property
    def samples(self) -> int:
        """Per channel."""
        ...

    def append(self, left: bytes, right: bytes) -> None:
        """Add equally long 16-bit mono stretches."""
        ...

    def append_silence(self, samples: int) -> None:
        """Keep the timeline right where audio was lost."""
        ...

    def checkpoint(self) -> None:
        """Let readers see what is there."""
        ...

    def finish(self, *, sync: bool) -> None:
        """Complete it under its final name and close it; ``sync`` waits for the disk."""
        ...

    def discard(self) -> None:
        """Close and remove it."""
        ...


class _Start(NamedTuple):
    call_id: CallId
    path: str
    rate_hz: int


class _Block(NamedTuple):  # made for every call in every tick: a third of the cost of a frozen dataclass
    call_id: CallId
    lost_before: int
    left: bytes
    right: bytes


class _Stop(NamedTuple):
    call_id: CallId
    lost_before: int
    discard: bool


@dataclass(slots=True)
class _Recording:
    file: RecordingFile
    rate_hz: int
    checkpoint_due: float
    dropped: int = 0
    left: list[bytes] = field(default_factory=list)
    right: list[bytes] = field(default_factory=list)


class RecordingWriter:
    """Stereo WAV files of many calls. All methods but :meth:`close` return at once and raise no OSError.

    ``queue_blocks`` bounds the memory: 32768 blocks of 20 ms are 21 MB, or two seconds of a stalled disk with 300
    calls. ``drain_interval_s`` is how often the thread looks: larger writes are cheaper, and the thread needs the
    interpreter lock less often. ``sync`` makes a finished recording survive a power cut. ``open_file`` makes the
    file of a path for samples at a rate, sealed or not. ``quota`` says when recordings have to stop.
    """

    def __init__(
        self,
        queue_blocks: int = 32768,
        *,
        drain_interval_s: float = 0.25,
        sync: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
        open_file: Callable[[str, int], RecordingFile] = StereoWavFile,
        quota: DiskQuota | None = None,
    ) -> None:
        self._quota = quota or DiskQuota()
        self._open_file = open_file
        self._limit = queue_blocks
        self._interval_s = drain_interval_s
        self._sync = sync
        self._monotonic = monotonic
        self._queue: deque[_Start | _Block | _Stop] = deque()
        self._outbox: deque[RecordingEvent] = deque()
        self._lost: dict[CallId, int] = {}  # of the tick: samples dropped since the last block that was taken
        self._recordings: dict[CallId, _Recording] = {}  # of the thread
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording-writer", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ the tick's side

    def start(self, call_id: CallId, path: str, rate_hz: int = 8000) -> bool:
        """Begin a recording; False if the call is already being recorded. Answered by Started or Failed."""
        if call_id in self._lost:
            return False
        self._lost[call_id] = 0
        self._queue.append(_Start(call_id, path, rate_hz))
        return True

    def write(self, call_id: CallId, left: NDArray[np.int16], right: NDArray[np.int16]) -> bool:
        """Append a block of samples to both sides; LocalError if they differ in length.

        False if it was dropped because the queue is full. For a call that is not being recorded (any more) nothing
        happens: a failed recording must not need a special case in the tick.
        """
        if left.shape != right.shape:
            raise LocalError(f"recording block of {left.shape} and {right.shape} samples")
        lost = self._lost.get(call_id)
        if lost is None:
            return True
        if len(self._queue) >= self._limit:
            self._lost[call_id] = lost + len(left)
            return False
        self._queue.append(_Block(call_id, lost, left.tobytes(), right.tobytes()))
        self._lost[call_id] = 0
        return True

    def skip(self, call_id: CallId, samples: int) -> None:
        """There is nothing to append for so long: silence stands there, and counts as dropped."""
        if call_id in self._lost:
            self._lost[call_id] += samples

    def stop(self, call_id: CallId, *, discard: bool = False) -> None:
        """End a recording; answered by Ended, Discarded or Failed, soon but not at once."""
        lost = self._lost.pop(call_id, None)
        if lost is not None:
            self._queue.append(_Stop(call_id, lost, discard))

    def poll(self) -> list[RecordingEvent]:
        """What happened since the last poll, in order. Call it regularly: it also learns which recordings died."""
        events = []
        while self._outbox:
            event = self._outbox.popleft()
            if isinstance(event, Failed):
                self._lost.pop(event.call_id, None)
            events.append(event)
        return events

    def close(self) -> None:
        """Stop all recordings and wait until the files are complete; :meth:`poll` still tells how they ended."""
        for call_id in list(self._lost):
            self.stop(call_id)
        self._closing.set()
        self._thread.join()

    # ------------------------------------------------------------ the thread's side

    def _run(self) -> None:
        while not self._closing.wait(self._interval_s):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        for _ in range(len(self._queue)):
            item = self._queue.popleft()
            match item:
                case _Start():
                    self._open(item)
                case _Block():
                    self._collect(item)
                case _Stop():
                    self._finish(item)
        now = self._monotonic()
        for call_id in list(self._recordings):
            self._flush(call_id, now)

    def _open(self, start: _Start) -> None:
        try:
            Path(start.path).parent.mkdir(parents=True, exist_ok=True)
            self._check_quota(start.path)
            file = self._open_file(start.path, start.rate_hz)
        except (OSError, ValueError, LocalError) as error:  # ValueError: a NUL in the path
            self._outbox.append(Failed(start.call_id, start.path, _reason(error)))
            return
        self._recordings[start.call_id] = _Recording(file, start.rate_hz, self._monotonic() + _CHECKPOINT_S)
        self._outbox.append(Started(start.call_id, file.path))

    def _collect(self, block: _Block) -> None:
        recording = self._recordings.get(block.call_id)
        if recording is None:
            return
        if block.lost_before:
            self._fill(block.call_id, recording, block.lost_before)
        recording.left.append(block.left)
        recording.right.append(block.right)

    def _fill(self, call_id: CallId, recording: _Recording, samples: int) -> None:
        """Silence for what was dropped, behind what was collected before it."""
        if self._flush(call_id, self._monotonic()):
            recording.dropped += samples
            self._guard(call_id, lambda: recording.file.append_silence(samples))

    def _flush(self, call_id: CallId, now: float) -> bool:
        """Write what was collected; False if the recording failed."""
        recording = self._recordings[call_id]

        def write() -> None:
            if now >= recording.checkpoint_due:
                self._check_quota(recording.file.path)
            _write_out(recording, now)

        return self._guard(call_id, write)

    def _check_quota(self, path: str) -> None:
        if why := self._quota.refusal(path):
            raise QuotaExceeded(why)

    def _finish(self, stop: _Stop) -> None:
        recording = self._recordings.get(stop.call_id)
        if recording is None:
            return
        if not stop.discard:
            self._fill(stop.call_id, recording, stop.lost_before)
        if self._recordings.pop(stop.call_id, None) is None:
            return
        file = recording.file
        try:
            if stop.discard:
                file.discard()
                self._outbox.append(Discarded(stop.call_id, file.path))
            else:
                file.finish(sync=self._sync)
                ended = Ended(stop.call_id, file.path, file.samples, recording.dropped, recording.rate_hz)
                self._outbox.append(ended)
        except OSError as error:
            self._outbox.append(Failed(stop.call_id, file.path, _reason(error)))

    def _guard(self, call_id: CallId, write: Callable[[], None]) -> bool:
        """Run a write; if the disk refuses it, save what is there and end the recording."""
        try:
            write()
        except OSError as error:
            recording = self._recordings.pop(call_id)
            _save(recording.file)
            self._outbox.append(Failed(call_id, recording.file.path, _reason(error)))
            return False
        return True


def _write_out(recording: _Recording, now: float) -> None:
    left, right = b"".join(recording.left), b"".join(recording.right)
    recording.left.clear()
    recording.right.clear()
    if left:
        recording.file.append(left, right)
    if now >= recording.checkpoint_due:
        recording.file.checkpoint()
        recording.checkpoint_due = now + _CHECKPOINT_S


def _save(file: RecordingFile) -> None:
    """Give what was written its final name if the disk lets us; it already said no once."""
    try:
        file.finish(sync=False)
    except OSError:
        return  # the .part file stays and recover_partial() finishes it at the next start


def _reason(error: OSError | ValueError | LocalError) -> str:
    """For people: "Permission denied (/var/spool/x.wav.part)"."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f" ({error.filename})" if error.filename else "")
    return str(error)
