"""What is left of recordings whose media worker died."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.house import FactList, FakeWorker
from voicegw.agents.actions import ConsentAnswered
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call import facts as f
from voicegw.call.consent import RecordingPolicy
from voicegw.media import messages as m
from voicegw.runtime.call_recorder import CallRecorder
from voicegw.runtime.log_book import LogBook
from voicegw.testing.manual_clock import ManualClock

CALL = CallId("call")
YES, NO = ConsentAnswered("May we?", "yes", given=True), ConsentAnswered("May we?", "no", given=False)


class Desk:
    """A recorder whose worker writes what a test says that it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.facts, clock = folder, FactList(), ManualClock()
        self.worker = FakeWorker(clock)
        book = LogBook(CALL, clock, self.facts, lambda _call_id, _entry: None)
        self.recorder = CallRecorder(CALL, self.worker, folder, book, Counters())

    def write(self, name: str) -> None:
        (self.folder / name).write_bytes(b"RIFF")

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    @property
    def started(self) -> list[str]:
        commands = self.worker.commands
        return [Path(c.path).name for c in commands if isinstance(c, m.StartRecording)]

    @property
    def discarded(self) -> list[str]:
        return [Path(fact.path).name for fact in self.facts.of(f.RecordingWasDiscarded) if hasattr(fact, "path")]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_second_file_begins_and_the_first_stays_for_the_next_start(desk: Desk) -> None:
    desk.recorder.begin(RecordingPolicy.ALWAYS)
    desk.write("call.wav.part")
    desk.recorder.go_on("the media worker failed")
    assert desk.started == ["call.wav", "call-2.wav"]
    assert desk.files == ["call.wav.part"]
    assert [fact.reason for fact in desk.facts.of(f.RecordingHasFailed) if hasattr(fact, "reason")] == [
        "the media worker failed"
    ]


@pytest.mark.parametrize("suffix", [".part", ".sealed.part"])
def test_who_refuses_later_leaves_nothing_of_what_the_dead_worker_wrote(desk: Desk, suffix: str) -> None:
    desk.recorder.begin(RecordingPolicy.ALWAYS)
    desk.write(f"call.wav{suffix}")
    desk.write("other.wav.part")
    desk.recorder.go_on("the media worker failed")
    desk.recorder.answered(NO)
    assert desk.files == ["other.wav.part"]
    assert desk.discarded == ["call.wav"]
    assert m.StopRecording(CALL, discard=True) in desk.worker.commands, "the second one goes by its worker"


def test_a_worker_that_dies_with_a_file_to_remove_leaves_none(desk: Desk) -> None:
    desk.recorder.begin(RecordingPolicy.ALWAYS)
    desk.write("call.wav.part")
    desk.recorder.answered(NO)
    assert desk.files == ["call.wav.part"], "its worker is to do that"
    desk.recorder.lose("the media worker failed")
    assert desk.files == [] and desk.discarded == ["call.wav"]


def test_who_agrees_keeps_what_there_is(desk: Desk) -> None:
    desk.recorder.begin(RecordingPolicy.ALWAYS)
    desk.write("call.wav.part")
    desk.recorder.go_on("the media worker failed")
    desk.recorder.answered(YES)
    assert desk.files == ["call.wav.part"] and desk.discarded == []
