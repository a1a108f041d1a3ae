"""The recordings of the engine's calls: who is recorded, and what the recorder tells, in the worker's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.media import messages as m
from voicegw.media.config import FRAME_MS, SAMPLE_RATE_HZ
from voicegw.media.filling import Pcm
from voicegw.media.leg import Call
from voicegw.media.plan import TickPlan
from voicegw.ports.recorder import (
    Recorder,
    RecorderDiscarded,
    RecorderEnded,
    RecorderEvent,
    RecorderFailed,
    RecorderStarted,
)


class Recordings:
    """Between the engine's commands and a recorder. Never raises for a disk: it tells."""

    def __init__(self, recorder: Recorder, counters: Counters) -> None:
        self._recorder = recorder
        self._counters = counters

    def start(self, call_id: CallId, path: str, call: Call | None) -> m.RecordingFailed | None:
        """Begin a file for a call; why it cannot be. Which channels it gets is for the next plan to say."""
        if call is not None and not call.rate_hz:
            call.set_rate(SAMPLE_RATE_HZ)  # a file has one rate from its beginning
        if call is None or not self._recorder.start(call_id, path, call.rate_hz):
            reason = "the call is being recorded already" if call else "there is no such call"
            return m.RecordingFailed(call_id, path, reason)
        call.recording = True
        return None

    def stop(self, call: Call | None, *, discard: bool = False) -> bool:
        """End the file of a call; whether there was one."""
        if call is None or not call.recording:
            return False
        self._recorder.stop(call.call_id, discard=discard)
        call.recording = False
        return True

    def write(self, plan: TickPlan, mixed: Sequence[Pcm]) -> None:
        """The tick of every call that is recorded; ``mixed`` are the sinks of each plane."""
        for plane, sinks in zip(plan.planes, mixed, strict=True):
            for call in plane.recorded:
                self._recorder.write(call.call_id, sinks[call.recorded_in], sinks[call.recorded_out])

    def skip(self, plan: TickPlan, frames: int) -> None:
        """Ticks that there will never be: what comes after them stands at its time."""
        for plane in plan.planes:
            for call in plane.recorded:
                self._recorder.skip(call.call_id, frames * plane.rate_hz * FRAME_MS // 1000)

    def poll(self, now: float) -> Iterator[m.Event]:
        """What has happened to files since the last time."""
        for event in self._recorder.poll():
            yield self._told(event, now)

    def close(self) -> None:
        """End all files."""
        self._recorder.close()

    def _told(self, event: RecorderEvent, now: float) -> m.Event:
        match event:
            case RecorderStarted(call_id, path):
                return m.RecordingStarted(call_id, path, now)
            case RecorderEnded(call_id, path, samples, dropped, rate_hz):
                scale = rate_hz // SAMPLE_RATE_HZ
                return m.RecordingEnded(call_id, path, samples // scale, dropped // scale)
            case RecorderDiscarded(call_id, path):
                return m.RecordingDiscarded(call_id, path)
            case RecorderFailed(call_id, path, reason):
                self._counters.add("recordings_failed")
                return m.RecordingFailed(call_id, path, reason)
